"""What a source holds (`Tree`) and where each of its images goes (`Plan`)."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.packed import ClassInfo
from thumbnet.errors import DataError

Blob = bytes | Path  # the content of a file, or where it lies

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff",
)  # fmt: skip
SYSTEM_NAMES = frozenset({
    "__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin",
    "system volume information", "@eadir",
})  # fmt: skip
_DIGITS = re.compile(r"(\d{1,99})")


@dataclass
class Tree:
    """The files and folders of a source by relative posix path, system files left out.

    `root` is where the tree lies in the source: empty, or a path that ends with a slash.
    """

    files: dict[str, Blob] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    root: str = ""

    def add(self, name: str, blob: Blob) -> None:
        """Add a file and the folders above it.

        Raises: DataError for a name that is not UTF-8
        """
        check_name(name)
        self.files[name] = blob
        self.add_folder(name.rpartition("/")[0])

    def add_folder(self, name: str) -> None:
        """Add a folder and the folders above it."""
        while name and name not in self.folders:
            self.folders.add(name)
            name = name.rpartition("/")[0]

    def top_folders(self) -> list[str]:
        """Return the sorted names of the folders at the root."""
        return sorted(name for name in self.folders if "/" not in name)

    def below(self, folder: str) -> "Tree":
        """Return the part of the tree inside `folder`, its paths relative to it."""
        start = folder + "/"
        return Tree(
            {
                name[len(start) :]: blob
                for name, blob in self.files.items()
                if name.startswith(start)
            },
            {name[len(start) :] for name in self.folders if name.startswith(start)},
            self.root + start,
        )

    def text(self, name: str) -> str:
        """Return a small text file as it reads; bytes that are not UTF-8 are replaced."""
        return content(self.files[name]).decode("utf-8", errors="replace")


@dataclass
class PlannedSplit:
    """The images of one split in their final order, with all that is known of each.

    `names` are what the packed data keeps, `paths` where the images lie in `tree`.
    """

    name: str
    names: list[str]
    tree: Tree
    paths: list[str]
    labels: NDArray[np.int64] | None = None
    boxes: NDArray[np.int16] | None = None

    @property
    def blobs(self) -> list[Blob]:
        """The files."""
        return [self.tree.files[path] for path in self.paths]

    def source_path(self, position: int) -> str:
        """Return where an image lies in the source, as the user knows it."""
        return self.tree.root + self.paths[position]


@dataclass
class Plan:
    """A whole data set as it will be packed."""

    classes: tuple[ClassInfo, ...]
    splits: list[PlannedSplit]
    notes: dict[str, Any]  # goes into meta.json: layout, val rule, what was ignored


def check_name(name: str) -> None:
    """Refuse a path that is not UTF-8, since names are kept as such.

    Raises: DataError
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise DataError(f"the name of {shown} is not valid UTF-8; rename it") from None


def content(blob: Blob) -> bytes:
    """Return the bytes of a file that is in memory or on disk."""
    return blob if isinstance(blob, bytes) else blob.read_bytes()


def is_system(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden or left behind by a system."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def is_image(name: str) -> bool:
    """Tell by its suffix whether a file is taken for an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key by which `a_2` comes before `a_10`, and equal numbers sort by text."""
    parts = _DIGITS.split(name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name
