"""The layout of Tiny ImageNet as distributed: ids, words, boxes and val annotations."""

from collections.abc import Iterable, Iterator

import numpy as np

from thumbnet.data.layout import Plan, PlannedSplit, Tree, is_image, natural_key
from thumbnet.data.packed import ClassInfo
from thumbnet.errors import DataError

SOURCE_SIZE = 64  # px; boxes are given on images of this size


def is_tiny_imagenet(tree: Tree) -> bool:
    """Tell whether this is the official layout, whole or not."""
    return "wnids.txt" in tree.files and "train" in tree.folders


def plan_tiny_imagenet(tree: Tree, size: int) -> Plan:
    """Put the images in their order: train by class and number, val as annotated, test by number.

    Args: size: image size to be packed; boxes are scaled to it
    Raises: DataError if an annotation or an annotated image is missing
    """
    wnids = sorted({line.strip() for line in _text(tree, "wnids.txt").splitlines()} - {""})
    words = dict(_pairs(_text(tree, "words.txt")))
    classes = tuple(ClassInfo(wnid, words.get(wnid, wnid)) for wnid in wnids)
    foreign = sorted(set(tree.below("train").top_folders()) - set(wnids))
    if foreign:
        raise DataError(f"train/ holds classes that wnids.txt lacks: {', '.join(foreign[:10])}")
    images = _images_by_folder(tree)
    splits = [_train(tree, images, wnids, size), _val(tree, images, wnids, size)]
    if test := images.get("test/images"):
        names = sorted(test, key=natural_key)
        splits.append(PlannedSplit("test", names, tree, [test[name] for name in names]))
    return Plan(classes, splits, {"layout": "tiny-imagenet", "val_rule": "val_annotations.txt"})


def _train(
    tree: Tree, images: dict[str, dict[str, str]], wnids: list[str], size: int
) -> PlannedSplit:
    names: list[str] = []
    paths: list[str] = []
    labels: list[int] = []
    boxes: list[list[int]] = []
    for label, wnid in enumerate(wnids):
        held = images.get(f"train/{wnid}/images", {})
        if not held:
            raise DataError(f"train/{wnid}/images holds no images, though wnids.txt lists it")
        source = f"train/{wnid}/{wnid}_boxes.txt"
        box_of = {row[0]: row[1:] for row in _rows(tree, source, 5)}
        _same(set(held), set(box_of), source)
        ordered = sorted(held, key=natural_key)
        names += ordered
        paths += [held[name] for name in ordered]
        labels += [label] * len(ordered)
        boxes += [_box(box_of[name], source) for name in ordered]
    return PlannedSplit("train", names, tree, paths, np.array(labels), _scale(boxes, size))


def _val(
    tree: Tree, images: dict[str, dict[str, str]], wnids: list[str], size: int
) -> PlannedSplit:
    source = "val/val_annotations.txt"
    rows, held = _rows(tree, source, 6), images.get("val/images", {})
    _same(set(held), {row[0] for row in rows}, source)
    if len(rows) != len(held):
        raise DataError(f"{source} names an image twice; get the data set once more")
    index = {wnid: label for label, wnid in enumerate(wnids)}
    foreign = sorted({row[1] for row in rows} - set(index))
    if foreign:
        raise DataError(f"{source} names classes wnids.txt lacks: {', '.join(foreign[:10])}")
    return PlannedSplit(
        "val",
        [row[0] for row in rows],
        tree,
        [held[row[0]] for row in rows],
        np.array([index[row[1]] for row in rows]),
        _scale([_box(row[2:], source) for row in rows], size),
    )


def _images_by_folder(tree: Tree) -> dict[str, dict[str, str]]:
    """Return, for each folder, its image names and their full paths."""
    found: dict[str, dict[str, str]] = {}
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if is_image(name):
            found.setdefault(folder, {})[name] = path
    return found


def _text(tree: Tree, name: str) -> str:
    if name not in tree.files:
        raise DataError(
            f"this Tiny ImageNet lacks {name}; get the archive whole (`thumbnet data fetch`)"
        )
    return tree.text(name)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            yield key.strip(), value.strip()


def _rows(tree: Tree, name: str, columns: int) -> list[list[str]]:
    rows = [line.split() for line in _text(tree, name).splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != columns:
            raise DataError(f"{name} line {number} has {len(row)} columns instead of {columns}")
    return rows


def _box(row: list[str], source: str) -> list[int]:
    try:
        return [int(value) for value in row]
    except ValueError:
        raise DataError(f"{source} gives the box {' '.join(row)!r}, not four numbers") from None


def _scale(
    boxes: Iterable[list[int]], size: int
) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    scaled = np.rint(np.array(list(boxes), dtype=np.float64) * (size / SOURCE_SIZE))
    return scaled.astype(np.int16).reshape(-1, 4)


def _same(images: set[str], annotated: set[str], source: str) -> None:
    for first, what in ((annotated - images, "lacks images that"), (images - annotated, "holds")):
        if first:
            listed = ", ".join(sorted(first, key=natural_key)[:10])
            verb = f"{what} {source} names" if "lacks" in what else f"{what} images {source} lacks"
            raise DataError(
                f"this Tiny ImageNet {verb}: {listed} ({len(first)} in all); get it once more"
            )
