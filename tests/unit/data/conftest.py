"""Small sources in every layout, and a cache of its own for each test."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Files = dict[str, bytes]
MakeImage = Callable[..., bytes]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("THUMBNET_CACHE", str(folder))
    monkeypatch.delenv("THUMBNET_DATA", raising=False)
    return folder


@pytest.fixture(scope="session")
def image_bytes() -> MakeImage:
    """Return a function that draws an image by seed: a color with a bright quarter."""

    def make(
        seed: int, size: tuple[int, int] = (64, 64), mode: str = "RGB", kind: str = "JPEG", **save
    ) -> bytes:
        color = np.random.default_rng(seed).integers(0, 200, 3, dtype=np.uint8)
        pixels = np.empty((size[1], size[0], 3), np.uint8)
        pixels[:] = color
        pixels[: size[1] // 2, : size[0] // 2] += 50
        held = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(held, kind, **save)
        return held.getvalue()

    return make


@pytest.fixture(scope="session")
def tiny_files(image_bytes: MakeImage) -> Files:
    """Return a Tiny ImageNet of 3 classes: 3 train images each, 6 val, 11 test."""
    wnids = ["n03", "n01", "n02"]
    files = {
        "wnids.txt": "\n".join(wnids).encode(),
        "words.txt": b"n01\tgoldfish, carp\nn02\tsalamander\nn03\tbullfrog\nn99\tother\n",
    }
    seed = 0
    for at, wnid in enumerate(wnids):
        rows = []
        for number in (0, 2, 10):
            seed += 1
            mode = "L" if wnid == "n02" and number == 2 else "RGB"
            files[f"train/{wnid}/images/{wnid}_{number}.JPEG"] = image_bytes(seed, mode=mode)
            rows.append(f"{wnid}_{number}.JPEG\t{at}\t{number}\t40\t63")
        files[f"train/{wnid}/{wnid}_boxes.txt"] = "\n".join(rows).encode()
    rows = []
    for number in (4, 0, 5, 1, 3, 2):
        files[f"val/images/val_{number}.JPEG"] = image_bytes(100 + number)
        rows.append(f"val_{number}.JPEG\t{wnids[number % 3]}\t1\t2\t3\t{number}")
    files["val/val_annotations.txt"] = "\n".join(rows).encode()
    for number in range(11):
        files[f"test/images/test_{number}.JPEG"] = image_bytes(200 + number)
    return files


@pytest.fixture(scope="session")
def folder_files(image_bytes: MakeImage) -> Files:
    """Return an image folder: cat and dog, 4 train and 2 val images each, 3 test images."""
    files = {}
    for at, name in enumerate(("dog", "cat")):
        for number in range(4):
            files[f"train/{name}/{number}.jpg"] = image_bytes(10 * at + number)
        for number in range(2):
            files[f"val/{name}/v{number}.png"] = image_bytes(30 + 10 * at + number, kind="PNG")
    for number in range(3):
        files[f"test/{number}.jpg"] = image_bytes(60 + number)
    return files


@pytest.fixture
def write_tar(tmp_path: Path) -> Callable[..., Path]:
    def write(
        files: Files, mode: str = "w:xz", name: str = "source.tar", top: str = "top/"
    ) -> Path:
        path = tmp_path / name
        with tarfile.open(path, mode) as archive:
            for member, data in files.items():
                header = tarfile.TarInfo(top + member)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
        return path

    return write


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., Path]:
    def write(files: Files, name: str = "source.zip", top: str = "top/") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in files.items():
                archive.writestr(top + member, data)
        return path

    return write


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    def write(files: Files, name: str = "source") -> Path:
        for member, data in files.items():
            path = tmp_path / name / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / name

    return write
