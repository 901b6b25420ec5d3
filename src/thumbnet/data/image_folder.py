"""A folder of images: train/<class>/, val/<class>/ and test/, or just <class>/ at the root."""

import hashlib
import os
import stat
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np

from thumbnet.data.decode import CONVERT_HEIC
from thumbnet.data.layout import (
    Plan,
    PlannedSplit,
    Tree,
    check_name,
    is_image,
    is_system,
    natural_key,
)
from thumbnet.data.packed import ClassInfo
from thumbnet.errors import DataError, did_you_mean

SPLIT_FOLDERS = {  # in any case
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
SPLIT_NAMES = tuple(name for names in SPLIT_FOLDERS.values() for name in names)
UNLABELLED_NAMES = ("images", "test", "unknown", "unlabeled", "unlabelled")  # inside test/
HEIC_SUFFIXES = (".heic", ".heif")
STRAY = "images outside the class folders"  # a kind of what is ignored, beside suffixes
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
    for parent, folders, files in os.walk(path, onerror=_unreadable, followlinks=True):
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
            check_name(str(file))
            tree.add((relative / name).as_posix(), file)
            lines.append(f"{(relative / name).as_posix()}\t{status.st_size}\t{status.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape"))
    return tree, digest.hexdigest()


def _unreadable(error: OSError) -> None:
    raise DataError(f"cannot read the folder {error.filename} ({error.strerror})")


def plan_image_folder(tree: Tree) -> Plan:
    """Find the classes and order each split by class and natural name.

    Raises: DataError for a layout that is not known, one class only, an empty class, a class in
        val or test that train lacks
    """
    found = _split_folders(tree)
    root = tree.below(found["train"]) if found else tree
    by_class = _by_class(root, allow_stray=not found)
    classes = sorted(by_class)
    if len(classes) < 2:
        what = f"one class only ({classes[0]})" if classes else "no class folders with images"
        raise DataError(f"found {what}; at least 2 are needed. Known layouts: {LAYOUTS}")
    if "val" in found:
        rule, val_tree, train = f"folder {found['val']}/", tree.below(found["val"]), by_class
        val = _by_class_of(val_tree, root, classes)
        if not val:
            raise DataError(
                f"{val_tree.root} holds no images; remove it, and val is taken from train/"
            )
    else:
        rule, val_tree = VAL_RULE, root
        val = {name: _choose_val(name, images) for name, images in by_class.items()}
        chosen = {image for images in val.values() for image in images}
        train = {
            name: [image for image in images if image not in chosen]
            for name, images in by_class.items()
        }
    splits = [_split("train", root, train, classes), _split("val", val_tree, val, classes)]
    if "test" in found and (test := _test(tree.below(found["test"]), root, classes)):
        splits.append(test)
    notes = {"layout": "image-folder", "val_rule": rule, "ignored": _ignored(tree, splits)}
    return Plan(tuple(ClassInfo(name, name) for name in classes), splits, notes)


def ignored_text(ignored: dict[str, int]) -> str:
    """Say in words what was ignored, the most frequent kind first.

    Example: ignored_text({".txt": 2, ".heic": 35}) == "35 .heic files, 2 .txt files"
    """
    parts = []
    for kind, count in sorted(ignored.items(), key=lambda item: (-item[1], item[0])):
        noun = f"{kind} files" if kind.startswith(".") else kind or "files without a suffix"
        if count == 1:
            noun = noun.replace("files", "file").replace("images", "image")
        parts.append(f"{count:,} {noun}")
    return ", ".join(parts)


def heic_advice(ignored: dict[str, int]) -> str:
    """Say how to convert HEIC photos if some were ignored, else nothing."""
    found = any(kind in ignored for kind in HEIC_SUFFIXES)
    return f"HEIC photos are not read; {CONVERT_HEIC}" if found else ""


def suffix_counts(names: list[str]) -> dict[str, int]:
    """Count files by their suffix in lower case."""
    return dict(Counter(PurePosixPath(name).suffix.lower() for name in names))


def _ignored(tree: Tree, splits: list[PlannedSplit]) -> dict[str, int]:
    used = {split.source_path(at) for split in splits for at in range(len(split.names))}
    rest = [name for name in tree.files if tree.root + name not in used]
    ignored = suffix_counts([name for name in rest if not is_image(name)])
    if stray := sum(map(is_image, rest)):
        ignored[STRAY] = stray
    return ignored


def _split_folders(tree: Tree) -> dict[str, str]:
    """Return the folder of each split; none where the folders at the root are the classes."""
    tops, found = tree.top_folders(), dict[str, str]()
    for split, names in SPLIT_FOLDERS.items():
        matches = [top for top in tops if top.lower() in names]
        if len(matches) > 1:
            listed = " and ".join(f"{tree.root}{name}/" for name in matches)
            raise DataError(f"found {listed}; keep one of them")
        if matches:
            found[split] = matches[0]
    if found and "train" not in found:
        raise DataError(
            f"found {', '.join(tops)} but no train/; move the class folders into train/. Known "
            f"layouts: {LAYOUTS}"
        )
    is_class = len(found) == 1 < len(tops) and not tree.below(found["train"]).folders
    return {} if is_class else found  # cars, planes and trains


def _by_class(tree: Tree, *, allow_stray: bool = False) -> dict[str, list[str]]:
    """Return the image names of each class folder; folders below a class count as the class."""
    found: dict[str, list[str]] = {name: [] for name in tree.top_folders()}
    loose = list[str]()
    for name in tree.files:
        top, slash, _ = name.partition("/")
        if is_image(name):
            (found[top] if slash else loose).append(name)
    if loose and not allow_stray:
        count = "1 image lies" if len(loose) == 1 else f"{len(loose)} images lie"
        raise DataError(
            f"{count} in {tree.root} itself, such as {min(loose)}; put each into the folder of its "
            f"class ({tree.root}<class>/)"
        )
    if empty := sorted(name for name, images in found.items() if not images):
        inside = {name: suffix_counts(list(tree.below(name).files)) for name in empty}
        listed = ", ".join(
            f"{tree.root}{name} (only {ignored_text(inside[name])})"
            if inside[name]
            else f"{tree.root}{name}"
            for name in empty[:10]
        )
        advice = heic_advice({kind: 1 for files in inside.values() for kind in files})
        raise DataError(
            f"class folders without images: {listed} ({len(empty)} in all); fill or remove them"
            + (f". {advice}" if advice else "")
        )
    return found


def _by_class_of(tree: Tree, train: Tree, classes: list[str]) -> dict[str, list[str]]:
    """Return the image names of each class folder of another split, all of them known to train."""
    found = _by_class(tree)
    if foreign := sorted(set(found) - set(classes)):
        raise DataError(
            f"{tree.root} holds classes that {train.root} lacks: {', '.join(foreign[:10])}"
            f"{did_you_mean(foreign[0], classes)}; remove or rename them"
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
    return PlannedSplit(name, names, tree, names, np.array(labels, np.int64))


def _test(tree: Tree, train: Tree, classes: list[str]) -> PlannedSplit | None:
    """Plan the test split: labelled where it has class folders, else all its images by name."""
    names = sorted((name for name in tree.files if is_image(name)), key=natural_key)
    folders = {name.partition("/")[0] for name in names if "/" in name}
    if not names:
        return None
    if not folders or (len(folders) == 1 and _is_unlabelled(min(folders), classes)):
        return PlannedSplit("test", names, tree, names)
    try:
        return _split("test", tree, _by_class_of(tree, train, classes), classes)
    except DataError as error:
        raise DataError(f"{error}. Images without labels go into {tree.root} itself") from error


def _is_unlabelled(folder: str, classes: list[str]) -> bool:
    return folder.lower() in UNLABELLED_NAMES and folder not in classes
