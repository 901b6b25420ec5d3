"""The packed form of a data set: one array file per split and kind, and meta.json."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.progress import Progress, silent
from thumbnet.errors import DataError

SCHEMA_VERSION = 1
META_NAME = "meta.json"
MEAN_IMAGE_NAME = "mean_image.npy"
SPLITS = ("train", "val", "test")
_CHUNK = 1 << 24


@dataclass(frozen=True)
class ClassInfo:
    """A class: its id, and its readable name (the same for an image folder)."""

    wnid: str
    words: str


@dataclass(frozen=True)
class PackedSplit:
    """The arrays of one split; `labels` and `boxes` are None where the source has none.

    Shapes: images (N, S, S, 3) uint8, memory-mapped copy-on-write; labels (N,) int64;
        boxes (N, 4) int16, x0 y0 x1 y1; names (N,) bytes, utf-8 file names
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    boxes: NDArray[np.int16] | None
    names: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class PackedDataset:
    """An opened packed folder.

    Units: mean, std (per channel) and overall_mean, overall_std (over all channels) are those
        of the train split, in [0, 1]
    """

    path: Path
    splits: dict[str, PackedSplit]
    classes: tuple[ClassInfo, ...]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    overall_mean: float
    overall_std: float
    resize: str
    fingerprint: str
    meta: dict[str, Any]

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return (
            f"PackedDataset({str(self.path)!r}: {self.num_classes} classes, {counts} images of "
            f"{self.image_size} px)"
        )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def background(self) -> str:
        """What transparent pixels were composited on, and will be when the network is used.

        Folders packed before this was recorded have black; Tiny ImageNet and drawn images have
        no transparent pixels.
        """
        before = "black" if self.meta.get("layout") == "image-folder" else "white"
        return str(self.meta.get("background", before))

    def class_counts(self, split: str) -> NDArray[np.int64] | None:
        """Return the number of images of each class, None for a split without labels.

        Shapes: -> (num_classes,)
        """
        labels = self.splits[split].labels
        return None if labels is None else np.bincount(labels, minlength=self.num_classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Readable names by class_index."""
        return tuple(info.words for info in self.classes)

    @property
    def wnids(self) -> tuple[str, ...]:
        """Class ids by class_index, sorted."""
        return tuple(info.wnid for info in self.classes)

    def mean_image(self) -> NDArray[np.float32]:
        """Read the mean of the train images.

        Shapes: (S, S, 3)
        Units: [0, 1]
        """
        mean: NDArray[np.float32] = _load(self.path / MEAN_IMAGE_NAME, mapped=False)
        return mean


def is_packed(path: Path) -> bool:
    """Tell whether a folder looks like a packed data set, whatever its state."""
    return (path / META_NAME).is_file() and (path / "train_images.npy").is_file()


def open_packed(path: Path) -> PackedDataset:
    """Open a packed folder without reading its images.

    Raises: DataError if it is none, has another schema version, or is not whole
    """
    meta = _read_meta(path)
    try:
        for name, entry in meta["files"].items():
            _check_size(path / name, entry["size_bytes"])
        splits = {
            name: _open_split(path, name, tuple(meta["files"]))
            for name in SPLITS
            if name in meta["counts"]
        }
        dataset = PackedDataset(
            path=path,
            splits=splits,
            classes=tuple(ClassInfo(**info) for info in meta["classes"]),
            image_size=meta["image_size"],
            mean=_triple(meta["mean"]),
            std=_triple(meta["std"]),
            overall_mean=meta["overall_mean"],
            overall_std=meta["overall_std"],
            resize=meta["resize"],
            fingerprint=meta["fingerprint"],
            meta=meta,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{META_NAME} lacks {error}") from error
    for split in splits.values():
        _check_shapes(dataset, split)
    return dataset


def verify_packed(path: Path, progress: Progress | None = None) -> list[str]:
    """Recompute every checksum and return the problems found; an empty list is a clean bill.

    Raises: DataError if the folder is no packed data set at all
    """
    try:
        meta = _read_meta(path)
    except DataError as error:
        if not is_packed(path):
            raise
        return [str(error)]
    problems = []
    files: dict[str, dict[str, Any]] = meta["files"]
    total, done = sum(entry["size_bytes"] for entry in files.values()), 0
    for name, entry in files.items():
        if not (path / name).is_file():
            problems.append(f"{name} is missing")
        elif (path / name).stat().st_size != entry["size_bytes"]:
            problems.append(
                f"{name} has {(path / name).stat().st_size:,} bytes, not {entry['size_bytes']:,}"
            )
        elif file_sha256(path / name, progress, done, total) != entry["sha256"]:
            problems.append(f"{name} differs from its checksum")
        done += entry["size_bytes"]
    return problems


def file_sha256(
    path: Path, progress: Progress | None = None, before: int = 0, total: int = 0
) -> str:
    """Return the sha256 of a file in hexadecimal.

    Args: before, total: bytes done before this file and bytes in all, for `progress` only
    """
    digest, tell = hashlib.sha256(), progress or silent
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            before += len(chunk)
            tell(before, total or path.stat().st_size, f"checking {path.name}")
    return digest.hexdigest()


def fingerprint(files: dict[str, dict[str, Any]], wnids: list[str]) -> str:
    """Return the sha256 that identifies the data: over the arrays' checksums and the wnids."""
    lines = [f"{name} {files[name]['sha256']}" for name in sorted(files)] + wnids
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def seal_meta(meta: dict[str, Any]) -> bytes:
    """Return the bytes of meta.json, with the checksum of all its other content in it."""
    bare = {key: value for key, value in meta.items() if key != "checksum"}
    checksum = hashlib.sha256(_canonical(bare)).hexdigest()
    return _canonical({**bare, "checksum": checksum})


def _canonical(meta: dict[str, Any]) -> bytes:
    return (json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"the packed data set {path} is damaged: {what}; remove the folder and prepare it again"
    )


def _read_meta(path: Path) -> dict[str, Any]:
    if not is_packed(path):
        state = "is no packed data set" if path.exists() else "does not exist"
        raise DataError(
            f"{path} {state}; give a folder made by `thumbnet data prepare` (it holds {META_NAME})"
        )
    raw = (path / META_NAME).read_bytes()
    try:
        meta = json.loads(raw)
    except ValueError as error:
        raise _damaged(path, f"{META_NAME} is no JSON ({error})") from error
    if not isinstance(meta, dict):
        raise _damaged(path, f"{META_NAME} is no mapping")
    if seal_meta(meta) != raw:
        raise _damaged(path, f"{META_NAME} differs from its own checksum")
    if meta.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {meta.get('schema_version')}, this thumbnet reads "
            f"{SCHEMA_VERSION}; prepare the source again"
        )
    return meta


def _check_size(path: Path, size_bytes: int) -> None:
    if not path.is_file():
        raise _damaged(path.parent, f"{path.name} is missing")
    if path.stat().st_size != size_bytes:
        raise _damaged(
            path.parent, f"{path.name} has {path.stat().st_size:,} bytes, not {size_bytes:,}"
        )


def _load(path: Path, *, mapped: bool) -> Any:
    try:
        return np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path.parent, f"{path.name} cannot be read ({error})") from error


def _open_split(path: Path, name: str, files: tuple[str, ...]) -> PackedSplit:
    def optional(kind: str) -> Any:
        file = f"{name}_{kind}.npy"
        return _load(path / file, mapped=False) if file in files else None

    return PackedSplit(
        name=name,
        images=_load(path / f"{name}_images.npy", mapped=True),
        labels=optional("labels"),
        boxes=optional("boxes"),
        names=_load(path / f"{name}_names.npy", mapped=False),
    )


def _check_shapes(dataset: PackedDataset, split: PackedSplit) -> None:
    size, count = dataset.image_size, dataset.meta["counts"][split.name]
    fine = split.images.shape == (count, size, size, 3) and split.images.dtype == np.uint8
    fine &= split.names.shape == (count,)
    fine &= split.boxes is None or split.boxes.shape == (count, 4)
    if split.labels is not None:
        fine &= split.labels.shape == (count,) and split.labels.dtype == np.int64
        fine = fine and split.labels.min() >= 0 and split.labels.max() < dataset.num_classes
    if not fine:
        raise _damaged(dataset.path, f"the arrays of {split.name} do not fit {META_NAME}")


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue
