"""Folders and files that are whole or not there, and secret from the first byte on."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thumbnet.challenge.settings import ChallengeError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder that takes its name when the block ended well, and vanishes otherwise.

    Raises: ChallengeError where the name is taken, or cannot be written
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChallengeError(f"{folder} exists and is not empty; give a new folder")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
    except OSError as error:
        raise ChallengeError(f"cannot write {folder}: {error.strerror}") from None
    try:
        yield made
        made.replace(folder)
    except OSError as error:
        raise ChallengeError(f"cannot write {folder}: {error}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_secret(path: Path, content: str) -> None:
    """Write a file that only its owner may read, from the first byte on."""
    with open(path, "w", encoding="utf-8", opener=_own) as file:
        file.write(content)


def _own(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
