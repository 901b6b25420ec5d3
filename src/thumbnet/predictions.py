"""Files of predictions; that of labels has one `image wnid` line an image, as challenges do."""

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from thumbnet.errors import SubmissionError


@contextmanager
def replaced(path: Path, *, secret: bool = False) -> Iterator[TextIO]:
    """Open a text file that takes the place of `path` when it is whole, and not before.

    Args: secret: only its owner may read it, from the first byte on
    Raises: SubmissionError where it cannot be written
    """
    temporary = path.with_name(f".{path.name}.tmp")

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600 if secret else 0o666)

    try:
        temporary.unlink(missing_ok=True)  # one that a crash left may be open to others
        with open(temporary, "w", encoding="utf-8", newline="", opener=opener) as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # where the folder is a file, say
            temporary.unlink(missing_ok=True)
        raise SubmissionError(f"cannot write {path}: {error}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_labels(path: Path, names: Sequence[str], wnids: Sequence[str]) -> None:
    """Write one `name wnid` line an image, whole or not at all.

    Raises: SubmissionError where it cannot be written
    """
    with replaced(path) as file:
        file.writelines(f"{name} {wnid}\n" for name, wnid in zip(names, wnids, strict=True))


def write_labels_csv(path: Path, names: Sequence[str], wnids: Sequence[str]) -> None:
    """Write names that may hold spaces, as CSV of `image,wnid`, whole or not at all.

    Raises: SubmissionError where it cannot be written
    """
    with replaced(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "wnid"])
        writer.writerows(zip(names, wnids, strict=True))
