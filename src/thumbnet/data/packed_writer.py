"""Write a packed folder: beside its target first, then in place by one rename, or not at all."""

import errno
import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray

from thumbnet.data.packed import (
    MEAN_IMAGE_NAME,
    META_NAME,
    SCHEMA_VERSION,
    ClassInfo,
    file_sha256,
    fingerprint,
    is_packed,
    open_packed,
    seal_meta,
)
from thumbnet.errors import DataError

_HEADER_BYTES = 128  # numpy pads the header of any such array to this
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STATS_CHUNK = 512  # 512 * 255**2 fits uint32


class PackedWriter:
    """A context manager that fills a temporary folder and puts it in place by `finish`.

    Images are appended in their final order. Without `finish`, or after any error, nothing is
    left. A full disk becomes a DataError that says how much room is needed.

    Args: need_bytes: room the images will take; checked at the start
    """

    def __init__(self, target: Path, *, image_size: int, need_bytes: int = 0) -> None:
        self.target, self.image_size, self.need_bytes = target, image_size, need_bytes
        self.folder = target.parent / f"{target.name}.tmp-{os.getpid()}"
        self.counts: dict[str, int] = {}
        self._open: dict[str, BinaryIO] = {}

    def __enter__(self) -> "PackedWriter":
        try:
            return self._make_folder()
        except OSError as error:
            raise self._unwritable(error) from error

    def _make_folder(self) -> "PackedWriter":
        if self.target.resolve() == Path.cwd():
            raise DataError(f"'{self.target}' is the folder you are in; name a new folder to write")
        if self.target.exists() and (not self.target.is_dir() or any(self.target.iterdir())):
            raise DataError(
                f"{self.target} exists already; remove it, or give another folder to write to"
            )
        self.target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(self.target)
        free = shutil.disk_usage(self.target.parent).free
        if free < self.need_bytes:
            raise self._full(free)
        try:
            self.folder.mkdir()
        except FileExistsError:
            raise DataError(f"{self.folder} is being written by this process already") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._open.values():
            try:
                file.close()
            except OSError:  # what was buffered finds no room; the folder goes anyway
                continue
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise self._full(shutil.disk_usage(self.target.parent).free) from error
        if isinstance(error, OSError):
            raise self._unwritable(error) from error

    def append(self, split: str, images: NDArray[np.uint8]) -> None:
        """Write the next images of a split.

        Shapes: images (B, S, S, 3)
        """
        size = self.image_size
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
            raise ValueError(f"images are {images.dtype} {images.shape}, not uint8 (B, S, S, 3)")
        if split not in self._open:
            self._open[split] = (self.folder / f"{split}_images.npy").open("wb", buffering=0)
            self._write(self._open[split], bytes(_HEADER_BYTES))
            self.counts[split] = 0
        self._write(self._open[split], images.reshape(-1).data)
        self.counts[split] += len(images)

    def describe(
        self,
        split: str,
        names: list[str],
        labels: NDArray[np.int64] | None = None,
        boxes: NDArray[np.int16] | None = None,
    ) -> None:
        """Write what is known of a split's images, once all of them are appended."""
        for rows in (names, labels, boxes):
            if rows is not None and len(rows) != self.counts[split]:
                raise ValueError(f"{len(rows)} rows for {self.counts[split]} images of {split}")
        self._save(f"{split}_names.npy", np.array([name.encode() for name in names], dtype="S"))
        if labels is not None:
            self._save(f"{split}_labels.npy", labels.astype(np.int64))
        if boxes is not None:
            self._save(f"{split}_boxes.npy", boxes.astype(np.int16))

    def finish(self, classes: tuple[ClassInfo, ...], notes: dict[str, Any]) -> None:
        """Write statistics, checksums and meta.json, and move the folder to its target.

        Args: notes: further keys of meta.json, `name`, `source` and `resize` among them
        """
        for split, file in self._open.items():
            file.seek(0)
            self._write(file, _images_header(self.counts[split], self.image_size))
            file.close()
        images = [f"{split}_images.npy" for split in self.counts]
        with ThreadPoolExecutor(2) as pool:
            hashed = pool.submit(lambda: {n: file_sha256(self.folder / n) for n in images})
            stats, mean_image = _statistics(self.folder / "train_images.npy")
        self._save(MEAN_IMAGE_NAME, mean_image)
        sums = hashed.result()
        files = {
            path.name: {
                "sha256": sums.get(path.name) or file_sha256(path),
                "size_bytes": path.stat().st_size,
            }
            for path in sorted(self.folder.iterdir())
        }
        wnids = [info.wnid for info in classes]
        meta = {
            **notes,
            **stats,
            "schema_version": SCHEMA_VERSION,
            "image_size": self.image_size,
            "classes": [asdict(info) for info in classes],
            "counts": self.counts,
            "decoder": f"Pillow {PIL.__version__}",
            "files": files,
            "fingerprint": fingerprint(files, wnids),
        }
        with (self.folder / META_NAME).open("wb", buffering=0) as file:
            self._write(file, seal_meta(meta))
        self._move(meta["fingerprint"])

    def _move(self, identity: str) -> None:
        for path in [*self.folder.iterdir(), self.folder]:
            _sync(path)
        try:
            self.folder.rename(self.target)  # over an empty folder too
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not is_packed(self.target):
                raise
            if open_packed(self.target).fingerprint != identity:
                raise DataError(f"{self.target} was filled by another process meanwhile") from error
        _sync(self.target.parent)

    def _save(self, name: str, array: NDArray[Any]) -> None:
        held = io.BytesIO()
        np.save(held, array, allow_pickle=False)
        with (self.folder / name).open("wb", buffering=0) as file:
            self._write(file, held.getbuffer())

    def _write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:  # a raw file may take less than all
            rest = rest[file.write(rest) :]

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"cannot write {self.target} ({error.strerror}); give another folder (-o, "
            "THUMBNET_CACHE)"
        )

    def _full(self, free: int) -> DataError:
        need = f"about {self.need_bytes / 1e6:,.0f} MB" if self.need_bytes else "more room"
        return DataError(
            f"the disk of {self.target.parent} is full: {need} needed, {free / 1e6:,.0f} MB free; "
            "make room, or give another folder (-o, THUMBNET_CACHE)"
        )


def _images_header(count: int, size: int) -> bytes:
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    assert len(header.getvalue()) == _HEADER_BYTES
    return header.getvalue()


def _statistics(path: Path) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return mean and std of a file of images, exact up to one rounding, and the mean image."""
    num_images, height, width, _ = np.load(path, mmap_mode="r").shape
    total = np.zeros((height, width, 3), np.int64)
    squares = np.zeros_like(total)
    with path.open("rb") as file:  # read, not mapped: mapped pages count as memory in use
        file.seek(_HEADER_BYTES)
        while (part := np.fromfile(file, np.uint8, _STATS_CHUNK * total.size)).size:
            part = part.reshape(-1, height, width, 3)
            total += part.sum(axis=0, dtype=np.uint32)
            squares += np.multiply(part, part, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    count = num_images * height * width
    mean, std = [], []
    for channel in range(3):
        first, second = int(total[..., channel].sum()), int(squares[..., channel].sum())
        mean.append(first / count / 255)
        std.append(_std(first, second, count))
    stats = {
        "mean": mean,
        "std": std,
        "overall_mean": int(total.sum()) / (3 * count) / 255,
        "overall_std": _std(int(total.sum()), int(squares.sum()), 3 * count),
    }
    return stats, (total / (num_images * 255.0)).astype(np.float32)


def _std(first: int, second: int, count: int) -> float:
    """Return the standard deviation in [0, 1] from the integer sums of values and squares."""
    variance = (second * count - first * first) / count**2
    return float(variance**0.5 / 255)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_stale(target: Path) -> None:
    """Remove the temporary folders that dead processes left beside the target."""
    for folder in target.parent.iterdir():
        name, _, pid = folder.name.rpartition("-")
        if name == f"{target.name}.tmp" and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # there os.kill would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
