"""Any folder of images: train/<class>/, val/<class>/ and test/, or just <class>/ at the root."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np

from thumbnet.data.layout import Plan, PlannedSplit, Tree, is_image, is_system, natural_key
from thumbnet.data.packed import ClassInfo
from thumbnet.errors import DataError

VAL_NAMES = ("val", "valid", "validation")
SPLIT_NAMES = ("train", *VAL_NAMES, "test")
VAL_RULE = (
    "val is 10 % of each class (rounded, at least 1): the images whose sha256 of the name "
    "relative to the folder of classes is smallest"
)
LAYOUTS = (
    "train/<class>/*.jpg with val/<class>/ and test/ where there are some, <class>/*.jpg alone, "
    "or Tiny ImageNet as distributed"
)


def read_folder(path: Path) -> tuple[Tree, str]:
    """List a folder without reading its files; links are followed, but not in circles.

    Returns: the tree, and the sha256 over the sorted (relative path, size, mtime) of its files
    """
    tree, lines = Tree(), list[str]()
    above = {str(path): frozenset({os.path.realpath(path)})}  # real folders on the way to each
    for parent, folders, files in os.walk(path, followlinks=True):
        way, relative, entered = above.pop(parent), Path(parent).relative_to(path), list[str]()
        for name in folders:
            inner = os.path.join(parent, name)
            real = os.path.realpath(inner)
            if not is_system(name) and real not in way:
                entered.append(name)
                above[inner] = way | {real}
                tree.add_folder((relative / name).as_posix())
        folders[:] = entered
        for name in files:
            if is_system(name):
                continue
            file = Path(parent, name)
            status = file.stat() if file.exists() else None
            if status is None or not stat.S_ISREG(status.st_mode):
                raise DataError(f"{file} is a broken link or no plain file; remove it")
            tree.add((relative / name).as_posix(), file)
            lines.append(f"{(relative / name).as_posix()}\t{status.st_size}\t{status.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape"))
    return tree, digest.hexdigest()


def plan_image_folder(tree: Tree) -> Plan:
    """Find the classes and order each split by class and natural name.

    Raises: DataError for a layout that is not known, one class only, an empty class, a class in
        val that train lacks
    """
    tops = tree.top_folders()
    val_name = _val_name(tops)
    split_root = "train" in tops
    if not split_root and (val_name or "test" in tops):
        raise DataError(f"found {', '.join(tops)} but no train/; known layouts: {LAYOUTS}")
    root = tree.below("train") if split_root else tree
    by_class = _by_class(root, "train" if split_root else "")
    classes = sorted(by_class)
    if len(classes) < 2:
        found = f"one class only ({classes[0]})" if classes else "no class folders with images"
        raise DataError(f"found {found}; at least 2 are needed. Known layouts: {LAYOUTS}")
    rule = f"folder {val_name}/"
    if val_name:
        val_tree, train = tree.below(val_name), by_class
        val = _by_class(val_tree, val_name)
        if foreign := sorted(set(val) - set(classes)):
            raise DataError(
                f"{val_name}/ holds classes that train/ lacks: {', '.join(foreign[:10])}; "
                "remove or rename them"
            )
    else:
        rule, val_tree = VAL_RULE, root
        val = {name: _choose_val(name, images) for name, images in by_class.items()}
        train = {
            name: [image for image in images if image not in set(val[name])]
            for name, images in by_class.items()
        }
    splits = [_split("train", root, train, classes), _split("val", val_tree, val, classes)]
    if split_root and "test" in tops and (test := _test(tree.below("test"))):
        splits.append(test)
    used = sum(len(split.names) for split in splits)
    notes = {"layout": "image-folder", "val_rule": rule, "ignored_files": len(tree.files) - used}
    return Plan(tuple(ClassInfo(name, name) for name in classes), splits, notes)


def _val_name(tops: list[str]) -> str:
    found = [name for name in VAL_NAMES if name in tops]
    if len(found) > 1:
        raise DataError(f"found {' and '.join(f'{name}/' for name in found)}; keep one of them")
    return found[0] if found else ""


def _by_class(tree: Tree, split: str) -> dict[str, list[str]]:
    """Return the image names of each class folder; folders below a class count as the class."""
    found: dict[str, list[str]] = {name: [] for name in tree.top_folders()}
    loose = list[str]()
    for name in tree.files:
        top, slash, _ = name.partition("/")
        if is_image(name):
            (found[top] if slash else loose).append(name)
    if loose and split:
        raise DataError(
            f"{len(loose)} images lie in {split}/ itself, such as {min(loose)}; put each into the "
            f"folder of its class ({split}/<class>/)"
        )
    if empty := sorted(name for name, images in found.items() if not images):
        where = f"{split}/" if split else ""
        listed = ", ".join(where + name for name in empty[:10])
        raise DataError(
            f"class folders without images: {listed} ({len(empty)} in all); fill or remove them"
        )
    return found


def _choose_val(name: str, images: list[str]) -> list[str]:
    if len(images) < 2:
        raise DataError(
            f"class {name} has one image, none can be set aside for val; add images, or a val/ "
            "folder"
        )
    count = max(1, round(len(images) / 10))
    return sorted(images, key=_name_sha256)[:count]


def _name_sha256(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def _split(
    name: str, tree: Tree, by_class: dict[str, list[str]], classes: list[str]
) -> PlannedSplit:
    names: list[str] = []
    labels: list[int] = []
    for label, wnid in enumerate(classes):
        ordered = sorted(by_class.get(wnid, []), key=natural_key)
        names += ordered
        labels += [label] * len(ordered)
    return PlannedSplit(
        name, names, [tree.files[image] for image in names], np.array(labels, np.int64)
    )


def _test(tree: Tree) -> PlannedSplit | None:
    names = sorted((name for name in tree.files if is_image(name)), key=natural_key)
    return PlannedSplit("test", names, [tree.files[name] for name in names]) if names else None
