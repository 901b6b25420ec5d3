"""What participants get: the hidden images under new names, and all they need but the labels."""

import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thumbnet.challenge.bundle_text import readme
from thumbnet.challenge.entities import Rules
from thumbnet.challenge.split import shuffled
from thumbnet.errors import DataError, SubmissionError

IMAGES, CLASSES, MANIFEST = "images", "classes.csv", "manifest.csv"
SAMPLE, README = "sample_submission.csv", "README.txt"
MAX_FILE_BYTES = 64 << 20
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # dates of files could tell their order


@dataclass(frozen=True)
class Bundle:
    """A bundle opened by a participant; `num_labels` is how many classes an image is given."""

    path: Path
    names: tuple[str, ...]
    wnids: tuple[str, ...]
    class_names: tuple[str, ...]
    num_labels: int

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the images' names and checksums, in their order."""
        rows = _table(self.path, MANIFEST)
        lines = [f"{row['image']} {row['sha256']}" for row in rows]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def images(self) -> Iterator[bytes]:
        """Read the image files, in the order of `names`.

        Raises: DataError for one that is missing or differs from the manifest
        """
        digests = {row["image"]: row["sha256"] for row in _table(self.path, MANIFEST)}
        for name, content in _read_all(self.path, [f"{IMAGES}/{name}" for name in self.names]):
            if hashlib.sha256(content).hexdigest() != digests[name.partition("/")[2]]:
                raise DataError(f"{name} in {self.path} is damaged; fetch the bundle again")
            yield content


def write_bundle(
    path: Path,
    images: NDArray[np.uint8],
    wnids: Sequence[str],
    class_names: Sequence[str],
    rules: Rules,
    seed: int,
) -> list[str]:
    """Write the zip for participants, whole or not at all, and return the images' new names.

    The images are shuffled, so that neither names nor order tell of labels; the same seed makes the
    same bytes. Who knows the seed can undo the shuffle: keep it as secret as the labels.

    Shapes: images (N, H, W, 3)
    Args: wnids, class_names: by class index
    Returns: for each of `images`, in their order, its name in the bundle
    Raises: SubmissionError where the file cannot be written
    """
    count = len(images)
    order = shuffled(count, seed, "bundle")
    digits = max(5, len(str(count)))
    shown = [f"image_{place:0{digits}d}.png" for place in range(1, count + 1)]
    with replaced(path) as temporary, zipfile.ZipFile(temporary, "w") as bundle:
        lines: list[list[object]] = []
        for name, place in zip(shown, order, strict=True):
            content = _png(images[place])
            height, width = images[place].shape[:2]
            lines.append([name, hashlib.sha256(content).hexdigest(), width, height])
            _add(bundle, f"{IMAGES}/{name}", content, zipfile.ZIP_STORED)
        table = [[index, *both] for index, both in enumerate(zip(wnids, class_names, strict=True))]
        num_labels = 5 if rules.metric == "top5" else 1
        _add(bundle, CLASSES, _csv([["class_index", "wnid", "class_name"], *table]))
        _add(bundle, MANIFEST, _csv([["image", "sha256", "width", "height"], *lines]))
        _add(bundle, SAMPLE, _csv(_sample(shown, wnids, num_labels)))
        _add(bundle, README, readme(rules, count, wnids, class_names).encode())
    names = [""] * count
    for name, place in zip(shown, order, strict=True):
        names[place] = name
    return names


def read_bundle(path: Path) -> Bundle:
    """Open a bundle: the zip, or the folder it was unpacked to.

    Raises: DataError where it is none
    """
    try:
        sample = _table(path, SAMPLE)
        classes = _table(path, CLASSES)
        return Bundle(
            path,
            tuple(row["image"] for row in _table(path, MANIFEST)),
            tuple(row["wnid"] for row in classes),
            tuple(row["class_name"] for row in classes),
            len(sample[0]) - 1,
        )
    except (KeyError, IndexError) as error:
        raise DataError(f"{path} is no bundle of a challenge, or damaged: {error!r}") from None


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a name to write to; what is there then takes the place of `path`, or nothing does.

    Raises: SubmissionError where it cannot be written
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SubmissionError(f"cannot write {path}: {error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def _add(
    bundle: zipfile.ZipFile, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED
) -> None:
    info = zipfile.ZipInfo(name, FIXED_DATE)
    info.external_attr, info.create_system = 0o644 << 16, 3
    bundle.writestr(info, content, compress_type=method)


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _sample(names: Sequence[str], wnids: Sequence[str], num_labels: int) -> list[list[str]]:
    columns = ["label"] if num_labels == 1 else [f"label{rank}" for rank in range(1, 6)]
    guess = [wnids[rank % len(wnids)] for rank in range(num_labels)]
    return [["image", *columns], *([name, *guess] for name in names)]


def _table(path: Path, name: str) -> list[dict[str, str]]:
    ((_, content),) = _read_all(path, [name])
    return list(csv.DictReader(io.StringIO(content.decode())))


def _read_all(path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Read members of a zip, or files of a folder."""
    try:
        if path.is_dir():
            for name in names:
                yield name, (path / name).read_bytes()
            return
        with zipfile.ZipFile(path) as bundle:
            for name in names:
                if bundle.getinfo(name).file_size > MAX_FILE_BYTES:
                    raise DataError(f"{name} in {path} is larger than any file of a bundle")
                yield name, bundle.read(name)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is missing; give the bundle, or its folder") from None
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no bundle of a challenge, or damaged: {error}") from None
