"""From an uploaded file to a class for each image, or all that is wrong with it at once.

Nothing here has seen a hidden label, so no answer can depend on one.
"""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.rows import (
    SPACES,
    RowError,
    byte_error,
    count_columns,
    find_separator,
    split_all,
    split_lines,
    split_row,
    whole_file_error,
)
from thumbnet.errors import SubmissionError

MAX_ERRORS = 50
MAX_COUNTED = 20_000  # errors; then the reading stops, so that no file takes long
MAX_HINTS = 3  # a search for the nearest class takes milliseconds
IMAGE_WORDS = {
    *("image", "images", "img", "name", "id", "file", "filename"),
    *(
        f"{word}{mark}{end}"
        for word in ("image", "file")
        for mark in "_ "
        for end in ("id", "name")
    ),
}

Answers = NDArray[np.int32]


class MalformedError(SubmissionError):
    """A submission that cannot be read; `errors` holds all that is wrong with it."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def parse_submission(
    content: bytes,
    names: Sequence[str],
    wnids: Sequence[str],
    class_names: Sequence[str],
    num_labels: int = 1,
) -> Answers:
    """Read the class of every image, in the order of `names`.

    Args: num_labels: label columns, best first, all different: 5 where top-5 counts
    Shapes: -> (num_images, num_labels)
    Raises: MalformedError with all errors, each with its line number
    Example: parse_submission(b"a.png n01", ["a.png"], ["n01"], ["goldfish"]).tolist() == [[0]]
    """
    if problem := whole_file_error(content):
        raise MalformedError((problem,))
    places = {name.strip(): place for place, name in enumerate(names)}
    classes = Classes([wnid.strip() for wnid in wnids], [name.strip() for name in class_names])
    lines, suspicious = split_lines(content)
    answers = None
    if not suspicious:
        answers = read_plain(lines, places, classes, num_labels)
    return read_careful(lines, places, classes, num_labels) if answers is None else answers


class Classes:
    """The words that stand for a class: its wnid, or its name where it is the only one so called.

    An exact wnid goes before an exact name, and both before a match that ignores case.
    """

    def __init__(self, wnids: Sequence[str], class_names: Sequence[str]) -> None:
        self._owners: dict[str, set[int]] = {}
        named: dict[str, set[int]] = {}
        for index, (wnid, name) in enumerate(zip(wnids, class_names, strict=True)):
            named.setdefault(name, set()).add(index)
            for word in (wnid, name):
                self._owners.setdefault(word.casefold(), set()).add(index)
        self._exact = {name: min(owners) for name, owners in named.items() if len(owners) == 1}
        self._exact |= {wnid: index for index, wnid in enumerate(wnids)}
        self._wnids, self._hints_left = wnids, MAX_HINTS

    def find(self, word: str) -> int | None:
        """Return the class index of a word, None where it stands for none or for several."""
        index = self._exact.get(word)
        if index is None:
            owners = self._owners.get(word.casefold(), ())
            index = next(iter(owners)) if len(owners) == 1 else None
        return index

    def complain(self, word: str) -> str:
        """Say why a word stands for no class."""
        if not word:
            return "the class is empty; write a class id or a class name"
        owners = sorted(self._owners.get(word.casefold(), ()))
        if owners:
            several = ", ".join(self._wnids[index] for index in owners[:5])
            return f"{clip(word)} is the name of {len(owners)} classes; write an id: {several}"
        near: list[str] = []
        if self._hints_left and len(word) <= 64:
            self._hints_left -= 1
            near = get_close_matches(word.casefold(), self._owners, n=1, cutoff=0.6)
        hint = (
            f"; did you mean {near[0]!r}?" if near else f"; expected an id such as {self._wnids[0]}"
        )
        return f"unknown class {clip(word)}{hint}"


class Complaints:
    """What is wrong so far; of errors beyond the first `MAX_ERRORS` only their number is kept."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._more = 0
        self._stopped: int | None = None

    def add(self, number: int, message: str) -> None:
        """Note one error of a line."""
        if len(self._kept) < MAX_ERRORS:
            self._kept.append(f"line {number}: {message}")
        else:
            self._more += 1

    @property
    def full(self) -> bool:
        """Whether a further message would not be kept."""
        return len(self._kept) >= MAX_ERRORS

    def stop(self, number: int) -> bool:
        """Tell whether it is no use to read on after this line."""
        if self._more >= MAX_COUNTED:
            self._stopped = number
        return self._stopped is not None

    def close(self, missing: Sequence[str]) -> None:
        """End the reading.

        Raises: MalformedError where anything is wrong
        """
        errors = [*self._kept]
        if self._stopped is not None:
            errors.append(
                f"and {self._more:,} more errors; reading stopped at line {self._stopped:,}"
            )
            raise MalformedError(tuple(errors))
        if self._more:
            errors.append(f"and {self._more:,} more errors in later lines")
        if missing:
            some = ", ".join(clip(name) for name in missing[:5])
            more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
            what = "1 image is" if len(missing) == 1 else f"{len(missing):,} images are"
            errors.append(f"{what} missing: {some}{more}")
        if errors:
            raise MalformedError(tuple(errors))


def clip(word: str) -> str:
    """Quote a word of the file for a message: short, and without characters that do not print."""
    return repr(word if len(word) <= 48 else f"{word[:47]}…")


def read_plain(
    lines: list[str], places: dict[str, int], classes: Classes, num_labels: int
) -> Answers | None:
    """Read a file that is right and plain throughout, quickly; None where it is not.

    `read_careful` finds the same: it cuts such lines into the same cells.
    """
    lines = [line for line in lines if line and not line.isspace()]
    num_columns, num_images = num_labels + 1, len(places)
    if not num_images <= len(lines) <= num_images + 1:
        return None
    separator = find_separator(lines, places, num_columns)
    rows = split_all(lines, separator, num_columns)
    head = [cell.strip() for cell in rows[0][:num_columns]] if rows else [""]
    image_column = _header(head, places, classes)
    rows = rows if image_column is None else rows[1:]
    if len(rows) != num_images or any(len(row) != num_columns for row in rows):
        return None
    columns = list(zip(*rows, strict=True))
    images = columns.pop(image_column or 0)
    words = {word for column in columns for word in column}
    found = {word: index for word in words if (index := classes.find(word.strip())) is not None}
    if len(found) < len(words) or not all(name in places for name in images):
        return None
    answers = np.full((num_images, num_labels), -1, np.int32)
    order = [places[name] for name in images]
    for rank, labels in enumerate(columns):
        answers[order, rank] = [found[word] for word in labels]
    twice = num_labels > 1 and (np.diff(np.sort(answers, axis=1), axis=1) == 0).any()
    return None if twice or (answers < 0).any() else answers


def read_careful(
    lines: list[str], places: dict[str, int], classes: Classes, num_labels: int
) -> Answers:
    """Read any file line by line.

    Raises: MalformedError
    """
    num_columns = num_labels + 1
    separator = find_separator(lines, places, num_columns)
    answers = np.full((len(places), num_labels), -1, np.int32)
    seen: dict[str, int] = {}
    complaints, image_column = Complaints(), None
    for number, line in enumerate(lines, start=1):
        if not line or line.isspace():
            continue
        try:
            cells = _cells(line, separator, num_columns, classes)
            if image_column is None:
                header = _header(cells[:num_columns], places, classes)
                image_column = header or 0
                if header is not None:
                    continue
            if len(cells) != num_columns:
                raise RowError(_wrong_columns(cells, line, separator, num_labels))
        except RowError as error:
            complaints.add(number, str(error))
            if complaints.stop(number):
                break
            continue
        name = cells.pop(image_column)
        if name not in places:
            complaints.add(number, f"unknown image {clip(name)}")
        elif name in seen:
            complaints.add(number, f"image {clip(name)} is already in line {seen[name]}")
        row = _labels(cells, classes, complaints, number)
        if name in places and seen.setdefault(name, number) == number and row is not None:
            answers[places[name]] = row
        if complaints.stop(number):
            break
    complaints.close([name for name in places if name not in seen])
    return answers


def _cells(line: str, separator: str | None, num_columns: int, classes: Classes) -> list[str]:
    if problem := byte_error(line):
        raise RowError(problem)
    cells = split_row(line, separator, num_columns)
    if separator is SPACES and num_columns == 2 and len(cells) > 2:
        image, name = line.split(None, 1)
        if classes.find(name.strip()) is not None:  # `image Egyptian cat`
            return [image, name.strip()]
    return cells


def _header(cells: list[str], places: dict[str, int], classes: Classes) -> int | None:
    """Return the column of images where a first line is a header, else None."""
    if cells[0] in places or any(classes.find(cell) is not None for cell in cells):
        return None
    words = [cell.casefold() in IMAGE_WORDS for cell in cells]
    return words.index(True) if any(words) else None


def _wrong_columns(cells: list[str], line: str, separator: str | None, num_labels: int) -> str:
    count = len(cells) if '"' in line else count_columns(line, separator)
    wanted = "an image and its class" if num_labels == 1 else f"an image and {num_labels} classes"
    columns = "1 column" if count == 1 else f"{count:,} columns"
    return f"{columns} instead of {num_labels + 1}: {wanted} (quote a cell that holds a separator)"


def _labels(
    words: list[str], classes: Classes, complaints: Complaints, number: int
) -> list[int] | None:
    """Return the class indices of a line, None where one is wrong."""
    found: list[int] = []
    for word in words:
        index = classes.find(word)
        if index is None:
            complaints.add(number, "" if complaints.full else classes.complain(word))
        elif index in found:
            complaints.add(number, f"class {clip(word)} is listed twice; all classes must differ")
        else:
            found.append(index)
    return found if len(found) == len(words) else None
