"""From the bytes of a submission to numbered rows of cells; knows nothing of images or classes."""

import csv
from collections.abc import Container, Sequence

ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SPACES = None  # the separator of `image wnid` lines, as str.split takes it; tabs count as well
COMMAS = (",", ";")


class RowError(ValueError):
    """A line that cannot be cut into cells."""


def whole_file_error(content: bytes) -> str | None:
    """Say what is wrong with a file that is no text at all; None where it may be text."""
    for magic, kind in ARCHIVES.items():
        if content.startswith(magic):
            return f"this is a {kind} file; unpack it and submit the text file"
    if content.startswith(UTF16):
        return "the file is UTF-16; save it as UTF-8"
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        return "the file is empty; write one line per image: file name and predicted class"
    return None


def split_lines(content: bytes) -> tuple[list[str], bool]:
    """Return the lines of a text, and whether one of them may hold NUL or bytes that are no UTF-8.

    Such bytes stand as lone surrogates.
    """
    try:
        text, clean = content.decode("utf-8-sig"), b"\0" not in content
    except UnicodeDecodeError:
        text, clean = content.decode("utf-8-sig", errors="surrogateescape"), False
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), not clean


def byte_error(line: str) -> str | None:
    """Say which byte of a line does not belong in text."""
    if "\0" in line:
        return "a NUL byte; only text is allowed"
    odd = next((char for char in line if "\udc80" <= char <= "\udcff"), None)
    if odd is None:
        return None
    return f"byte 0x{ord(odd) - 0xDC00:02x} is not UTF-8; save the file as UTF-8"


def find_separator(lines: Sequence[str], images: Container[str], num_columns: int) -> str | None:
    """Return the separator with which one of the first two lines begins with an image's name.

    Where none does, the one that the first line holds.
    """
    first = [line for line in lines[:100] if line.strip()][:2]
    for separator in (*COMMAS, SPACES):
        for line in first:
            try:
                if split_row(line, separator, num_columns)[0] in images:
                    return separator
            except RowError:
                continue
    return next((comma for comma in COMMAS if first and comma in first[0]), SPACES)


def split_row(line: str, separator: str | None, num_columns: int) -> list[str]:
    """Cut a line into cells, of which one more than `num_columns` stands for any further ones.

    Each line stands for itself: no name of an image or class runs over lines, and so a quote that
    never closes spoils its own line only.

    Raises: RowError for quotes that RFC 4180 does not allow
    """
    if separator is SPACES:
        cells = line.split(None, num_columns)
        if len(cells) > num_columns and "\t" in line:  # names with spaces in them, between tabs
            tabbed = [cell.strip() for cell in line.strip().split("\t", num_columns)]
            return tabbed if len(tabbed) == num_columns else cells
        return cells
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator, num_columns)]
    reader = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    try:
        return [cell.strip() for cell in next(reader)[: num_columns + 1]]
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise RowError("a quote is opened but not closed in this line") from None
        if "limit" in str(error):
            raise RowError("a cell is longer than any name") from None
        raise RowError("a quote inside a cell; double it and put the cell in quotes") from None


def split_all(lines: Sequence[str], separator: str | None, num_columns: int) -> list[list[str]]:
    """Cut lines that are plain throughout, quickly, cells unstripped; an empty list where not.

    Where quotes stand, one row a line shows that no cell runs over lines.
    """
    if separator is SPACES:
        # One class is all that follows the image: its name may have spaces in it.
        return [line.split(None, 1 if num_columns == 2 else num_columns) for line in lines]
    if not any('"' in line for line in lines):
        return [line.split(separator, num_columns) for line in lines]
    try:
        reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
        rows = list(reader)
    except csv.Error:
        return []
    return rows if len(rows) == len(lines) else []


def count_columns(line: str, separator: str | None) -> int:
    """Count the cells of a line that has no quotes, or takes them for text."""
    return len(line.split()) if separator is SPACES else line.count(separator) + 1
