"""Pack a source once: read it, plan where each image goes, decode in threads, write."""

import os
import shlex
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.archive import MAX_MEMBER_BYTES, read_archive
from thumbnet.data.cache import cache_dir
from thumbnet.data.decode import RESIZES, decode
from thumbnet.data.image_folder import (
    LAYOUTS,
    SPLIT_NAMES,
    heic_advice,
    ignored_text,
    plan_image_folder,
    read_folder,
    suffix_counts,
)
from thumbnet.data.layout import Blob, Plan, PlannedSplit, Tree, content, is_image, natural_key
from thumbnet.data.packed import PackedDataset, file_sha256, is_packed, open_packed
from thumbnet.data.packed_writer import PackedWriter
from thumbnet.data.progress import Progress, silent
from thumbnet.data.tiny_imagenet import is_tiny_imagenet, plan_tiny_imagenet
from thumbnet.errors import DataError

SIZES = range(8, 513)  # px
BACKGROUND = "white"  # of transparent pixels; data packed before it was recorded has black
_CHUNK = 256  # images decoded by a thread at a time
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".txz", ".tbz2", ".gz", ".xz", ".bz2")


@dataclass(frozen=True)
class _Options:
    size: int
    resize: str
    skip_broken: bool
    workers: int
    tell: Progress


def prepare(
    source: Path,
    target: Path | None = None,
    *,
    size: int = 64,
    resize: str = "crop",
    skip_broken: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PackedDataset:
    """Pack an archive or a folder of images, and open the result.

    Args: target: None packs into the cache by source hash; what is there already is reused
        size, resize: what images of other sizes are brought to, see `decode`, which also says
            which files are read and what becomes of transparent pixels
        skip_broken: leave files out that are no image, and record them, instead of refusing
        workers: decoding threads; None takes one a core
    Raises: DataError that names what is wrong with the source, the target or the room on disk
    """
    options = _options(size, resize, skip_broken, workers, progress)
    if not source.exists():
        raise DataError(f"{source} does not exist; give an archive or a folder of images")
    if is_packed(source):
        raise DataError(
            f"{source} is packed already; train on it with --data {shlex.quote(str(source))}"
        )
    if target is not None and source.resolve() in target.resolve().parents:
        raise DataError(f"{target} lies inside {source}; write to a folder outside of it")
    tree: Tree | None = None
    if source.is_dir():
        tree, source_sha = read_folder(source)
    else:
        source_sha = file_sha256(source, progress)
    if target is None:
        target = _cached_path(source, source_sha, options)
        if is_packed(target):
            packed = open_packed(target)
            if packed.background == BACKGROUND:
                return packed
            target = target.with_name(f"{target.name}-{BACKGROUND}")  # the old one stays for runs
            if is_packed(target):
                return open_packed(target)
    tree = read_archive(source, progress) if tree is None else tree
    plan = _plan(tree, source, size)
    kind = "folder" if source.is_dir() else "archive"
    plan.notes["source"] = {"name": source.name, "sha256": source_sha, "kind": kind}
    plan.notes["name"] = source_name(source)
    return _pack(plan, target, options, source)


def source_name(source: Path) -> str:
    """Return the name of a source without the suffixes of an archive."""
    name = source.resolve().name
    while not source.is_dir() and name.lower().endswith(_ARCHIVE_SUFFIXES):
        name = name.rpartition(".")[0]
    return name or "data"


def _options(
    size: int, resize: str, skip_broken: bool, workers: int | None, progress: Progress | None
) -> _Options:
    if size not in SIZES:
        raise DataError(f"size {size} is out of range; allowed: {SIZES[0]} to {SIZES[-1]} pixels")
    if resize not in RESIZES:
        raise DataError(f"unknown resize {resize!r}; allowed: {', '.join(RESIZES)}")
    if workers is not None and workers < 1:
        raise DataError(f"workers is {workers}; give at least 1")
    threads = workers or min(8, os.cpu_count() or 1)
    return _Options(size, resize, skip_broken, threads, progress or silent)


def _cached_path(source: Path, source_sha: str, options: _Options) -> Path:
    name = f"{source_name(source)}-{source_sha[:12]}-{options.size}"
    name += "" if options.resize == "crop" else f"-{options.resize}"
    name += "-skip" if options.skip_broken else ""
    return cache_dir() / "packed" / name


def _plan(tree: Tree, source: Path, size: int) -> Plan:
    """Descend through single top folders to a known layout and plan it."""
    while True:
        if is_tiny_imagenet(tree):
            return plan_tiny_imagenet(tree, size)
        tops = tree.top_folders()
        inner = tree.below(tops[0]) if len(tops) == 1 else None
        loose = any(is_image(name) for name in tree.files if "/" not in name)
        if inner is None or loose or tops[0].lower() in SPLIT_NAMES or not inner.folders:
            break
        tree = inner
    if not any(is_image(name) for name in tree.files):
        found = suffix_counts(list(tree.files))
        but = f", but {ignored_text(found)}" if found else ""
        advice = f". {heic_advice(found)}" if heic_advice(found) else ""
        raise DataError(
            f"{source} holds no images in a layout that is known{but}; known layouts: {LAYOUTS}"
            f"{advice}"
        )
    try:
        return plan_image_folder(tree)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def _pack(plan: Plan, target: Path, options: _Options, source: Path) -> PackedDataset:
    total, done = sum(len(split.names) for split in plan.splits), 0
    skipped: dict[str, str] = {}
    with PackedWriter(
        target, image_size=options.size, need_bytes=total * options.size**2 * 3
    ) as writer:
        for split in plan.splits:
            broken: dict[int, str] = {}
            for images, bad in _decoded(split.blobs, options):
                writer.append(split.name, images)
                broken.update(bad)
                done += len(images) + len(bad)
                options.tell(done, total, "decoding images")
            skipped |= {split.source_path(at): why for at, why in broken.items()}
            if not skipped or options.skip_broken:
                _describe(writer, split, broken, plan)
        if skipped and not options.skip_broken:
            raise DataError(_refusal(skipped, source))
        notes = {"resize": options.resize, "background": BACKGROUND, "skipped": skipped}
        writer.finish(plan.classes, {**plan.notes, **notes})
    return open_packed(target)


def _describe(
    writer: PackedWriter, split: PlannedSplit, broken: dict[int, str], plan: Plan
) -> None:
    """Write labels, boxes and names of the images that could be read."""
    kept = np.ones(len(split.names), bool)
    kept[list(broken)] = False
    if not kept.any():
        raise DataError(f"no image of {split.name} can be read; mend its files or remove it")
    if split.labels is not None and split.name == "train":
        empty = sorted(set(range(len(plan.classes))) - set(split.labels[kept].tolist()))
        if empty:
            listed = ", ".join(plan.classes[label].wnid for label in empty[:10])
            raise DataError(
                f"no train image can be read of the classes {listed} ({len(empty)} in all); mend "
                "their files or remove the classes"
            )
    writer.describe(
        split.name,
        [name for name, keep in zip(split.names, kept, strict=True) if keep],
        None if split.labels is None else split.labels[kept],
        None if split.boxes is None else split.boxes[kept],
    )


def _decoded(
    blobs: list[Blob], options: _Options
) -> Iterator[tuple[NDArray[np.uint8], dict[int, str]]]:
    """Yield decoded chunks in order, decoded ahead in threads; Pillow works outside the GIL."""
    waiting: deque[Future[tuple[NDArray[np.uint8], dict[int, str]]]] = deque()
    with ThreadPoolExecutor(options.workers) as pool:
        try:
            for start in range(0, len(blobs), _CHUNK):
                part = blobs[start : start + _CHUNK]
                waiting.append(pool.submit(_decode_chunk, part, start, options))
                if len(waiting) > 2 * options.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _decode_chunk(
    blobs: list[Blob], start: int, options: _Options
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    images = np.empty((len(blobs), options.size, options.size, 3), np.uint8)
    broken: dict[int, str] = {}
    kept = 0
    for position, blob in enumerate(blobs, start):
        try:
            images[kept] = decode(_content(blob), options.size, options.resize, BACKGROUND)
            kept += 1
        except DataError as error:
            broken[position] = str(error)
    return images[:kept], broken


def _content(blob: Blob) -> bytes:
    try:
        if isinstance(blob, Path) and blob.stat().st_size > MAX_MEMBER_BYTES:
            raise DataError(f"{blob.stat().st_size:,} bytes; allowed are {MAX_MEMBER_BYTES:,}")
        return content(blob)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error


def _refusal(broken: dict[str, str], source: Path) -> str:
    folder = f"{source}/" if source.is_dir() else ""
    ordered = sorted(broken, key=natural_key)
    listed = "\n".join(f"  {folder}{name}: {broken[name]}" for name in ordered[:10])
    more = f"\n  and {len(broken) - 10} more" if len(broken) > 10 else ""
    count = "1 file" if len(broken) == 1 else f"{len(broken)} files"
    quoted, packed = shlex.quote(str(source)), shlex.quote(f"{source_name(source)}-packed")
    return (
        f"{count} of {source} cannot be read as images:\n{listed}{more}\n"
        f"Mend or remove them, or pack the others: thumbnet data prepare {quoted} --skip-broken "
        f"-o {packed} (in Python: load_dataset(..., skip_broken=True))"
    )
