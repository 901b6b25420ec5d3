"""Find the data: what the user named, what lies around, the cache, and last the network."""

import os
from collections.abc import Iterator
from pathlib import Path

from thumbnet.data.cache import cache_dir
from thumbnet.data.download import TINY_IMAGENET, fetch
from thumbnet.data.packed import PackedDataset, is_packed, open_packed
from thumbnet.data.prepare import prepare
from thumbnet.data.progress import Progress
from thumbnet.errors import DataError

__all__ = ["cache_dir", "load_dataset", "locate"]

_NAME = "tiny-imagenet-200"
_HELP = (
    "give --data PATH or set THUMBNET_DATA to a packed folder, an archive or a folder of images; "
    "or run `thumbnet data fetch` where there is a network; or `thumbnet data synth` for a data "
    "set drawn by formula"
)


def locate(data: Path | None) -> Path | None:
    """Return where the data lies: the argument, $THUMBNET_DATA, ./data, the cache; else None.

    Raises: DataError if the argument or $THUMBNET_DATA names what does not exist
    """
    if data is not None:
        return _existing(data)
    if named := os.environ.get("THUMBNET_DATA"):
        return _existing(Path(named), "THUMBNET_DATA: ")
    here = Path("data")
    if is_packed(here) or (here / "train").is_dir():
        return here
    return next(_candidates(here), None)


def load_dataset(
    data: str | Path | None = None,
    *,
    download: bool = True,
    size: int = 64,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> PackedDataset:
    """Open the data, packing it once into the cache where it is not packed yet.

    Args: data: a packed folder, an archive or a folder of images; None searches as `locate`
        download: fetch Tiny ImageNet if nothing is found
        size: image size that archives and folders are packed at
        skip_broken: pack archives and folders without the files that cannot be read, and list
            these in `meta["skipped"]`, instead of refusing
    Raises: DataError that says where was looked and what to do
    Example: load_dataset("photos", skip_broken=True)
    """
    found = locate(None if data is None else Path(data))
    if found is None:
        found = _download(progress) if download else None
    if found is None:
        raise DataError(f"no data found ({_looked()}); {_HELP}")
    if is_packed(found):
        return open_packed(found)
    return prepare(found, size=size, skip_broken=skip_broken, progress=progress)


def _download(progress: Progress | None) -> Path:
    try:
        return fetch(TINY_IMAGENET, cache_dir(), progress=progress)
    except DataError as error:
        raise DataError(f"no data found ({_looked()}), and {error}; {_HELP}") from error


def _looked() -> str:
    here = Path("data").absolute()
    return f"looked at --data, THUMBNET_DATA, {here} and {cache_dir()}"


def _existing(path: Path, origin: str = "") -> Path:
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"{origin}{path} does not exist; {_HELP}")
    return path


def _candidates(here: Path) -> Iterator[Path]:
    named = [here / f"{_NAME}.zip", here / f"{_NAME}.tar.xz", here / _NAME]
    packed = cache_dir() / "packed"
    if packed.is_dir():
        named += sorted(path for path in packed.glob(f"{_NAME}-*-64") if is_packed(path))
    named.append(cache_dir() / f"{_NAME}.zip")
    yield from (path for path in named if path.exists())
