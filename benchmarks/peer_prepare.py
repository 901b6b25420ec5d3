"""The peers of bench_prepare.py: an archive of images made one array, as a script would do it.

    python benchmarks/peer_prepare.py loop IMAGES.tar OUT.npy
    python benchmarks/peer_prepare.py pool IMAGES.tar OUT.npy

`loop` reads the archive's members and decodes one after the other. `pool` extracts the archive,
and two processes decode the files.
"""

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NUM_PROCESSES, CHUNK = 2, 64


def pixels(file: Path | BytesIO) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def members(archive: Path) -> Iterator[BytesIO]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                yield BytesIO(content.read())


def main() -> None:
    how, archive, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if how == "loop":
        np.save(out, np.stack([pixels(file) for file in members(archive)]))
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        files = sorted(file for file in Path(folder).rglob("*") if file.is_file())
        with Pool(NUM_PROCESSES) as pool:
            np.save(out, np.stack(list(pool.imap(pixels, files, chunksize=CHUNK))))


if __name__ == "__main__":
    main()
