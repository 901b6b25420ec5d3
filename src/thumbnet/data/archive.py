"""Read zip and tar archives from strangers: members are streamed, never extracted."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, cast

from thumbnet.data.layout import Tree, is_system
from thumbnet.data.progress import Progress, silent
from thumbnet.data.tar_stream import TarMember, tar_members
from thumbnet.errors import DataError

MAX_TOTAL_BYTES = 2 << 30
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 50_000_000
MAX_RATIO = 100  # of a zip member over RATIO_FROM_BYTES; images do not shrink like this
RATIO_FROM_BYTES = 1 << 20
_TELL_EVERY = 256  # members

_BROKEN = (
    EOFError,
    OSError,
    lzma.LZMAError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
)


def read_archive(path: Path, progress: Progress | None = None) -> Tree:
    """Read all members of a zip or tar (plain, gz, bz2, xz) into memory.

    Raises: DataError for an archive that is empty, truncated or no archive, for members that
        point outside (absolute, `..`, links, devices) or stand twice, and for bombs
    """
    kind = _kind(path)
    tell, guard, tree = progress or silent, _Guard(path), Tree()
    size_bytes = path.stat().st_size
    try:
        members = _zip(path, guard) if kind == "zip" else _tar(path, kind, guard)
        for name, data, position in members:
            if not any(is_system(part) for part in name.split("/")):
                if data is None:
                    tree.add_folder(name)
                else:
                    tree.add(name, data)
            if guard.members % _TELL_EVERY == 0:
                tell(position, size_bytes, f"reading {path.name}")
    except _BROKEN as error:
        raise DataError(
            f"{path} is truncated or damaged ({error or type(error).__name__}); get it once more"
        ) from error
    tell(size_bytes, size_bytes, f"reading {path.name}")
    if not tree.files:
        raise DataError(f"{path} is empty: it holds no files; give an archive of images")
    return tree


class _Guard:
    """Counts what an archive declares and refuses what goes beyond the caps."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen, self.members, self.total = path, set[str](), 0, 0

    def admit(self, raw: str, size_bytes: int, *, folder: bool) -> str:
        """Return the cleaned name of a member before any of its bytes are read."""
        name = self._clean(raw)
        self.members += 1
        self.total += size_bytes
        if self.members > MAX_MEMBERS:
            raise self.refuse(raw, f"is one too many: at most {MAX_MEMBERS:,} members are read")
        if size_bytes < 0 or size_bytes > MAX_MEMBER_BYTES:
            raise self.refuse(raw, f"has {size_bytes:,} bytes, allowed are {MAX_MEMBER_BYTES:,}")
        if self.total > MAX_TOTAL_BYTES:
            raise self.refuse(raw, f"brings the whole over {MAX_TOTAL_BYTES:,} bytes")
        if not folder:
            if name in self.seen:
                raise self.refuse(raw, "stands in it twice")
            self.seen.add(name)
        return name

    def _clean(self, raw: str) -> str:
        path = raw.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ":" in path.split("/")[0] or "\0" in path:
            raise self.refuse(raw, "has an absolute path")
        if ".." in parts:
            raise self.refuse(raw, "points outside by '..'")
        return "/".join(parts)

    def refuse(self, raw: str, why: str) -> DataError:
        """Return the error that names the member."""
        return DataError(
            f"{self.path} is refused: member {raw!r} {why}; unpack it yourself if you trust it, "
            "and give the folder"
        )


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise DataError(f"{path} is empty (0 bytes); give a zip or tar archive, or a folder")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    for magic, kind in ((b"\x1f\x8b", "gz"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bz2")):
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar" or head == bytes(512):
        return "tar"
    raise DataError(
        f"{path} is neither a zip nor a tar archive, nor a folder of images; allowed: .zip, .tar, "
        ".tar.gz, .tar.bz2, .tar.xz, or a folder that holds a folder of images for each class"
    )


def _zip(path: Path, guard: _Guard) -> Iterator[tuple[str, bytes | None, int]]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = [_admit_zip(info, guard) for info in infos]
        for name, info in zip(names, infos, strict=True):
            data = None if info.is_dir() else archive.read(info)
            yield name, data, info.header_offset + info.compress_size


def _admit_zip(info: zipfile.ZipInfo, guard: _Guard) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)
    raw = info.orig_filename
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise guard.refuse(raw, "is a link or a device")
    if info.flag_bits & 1:
        raise guard.refuse(raw, "is encrypted")
    over = info.file_size > MAX_RATIO * max(1, info.compress_size)
    if over and info.file_size > RATIO_FROM_BYTES:
        raise guard.refuse(raw, f"would grow more than {MAX_RATIO} times when unpacked")
    return guard.admit(raw, info.file_size, folder=info.is_dir())


def _tar(path: Path, kind: str, guard: _Guard) -> Iterator[tuple[str, bytes | None, int]]:
    with path.open("rb") as file, closing(_unpacked(file, kind)) as stream:

        def admit(member: TarMember) -> None:
            if member.kind == "other":
                raise guard.refuse(member.name, "is a link, a device or of an unknown kind")
            member.name = guard.admit(
                member.name, member.size_bytes, folder=member.kind == "folder"
            )

        for member, data in tar_members(stream, admit):
            yield member.name, data, file.tell()


def _unpacked(file: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "tar":
        return file
    if kind == "gz":
        return cast(IO[bytes], gzip.open(file))
    return cast(IO[bytes], lzma.open(file) if kind == "xz" else bz2.open(file))
