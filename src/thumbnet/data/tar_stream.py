"""Read a tar stream member by member; `tarfile` takes three times as long on 120,000 of them."""

import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Literal

from thumbnet.errors import DataError

_BLOCK = 512
_AHEAD = 4 << 20  # bytes unpacked in a second thread while these are read
_MAX_EXTENSION = 1 << 16  # bytes of a long name
_MAX_TRAILER = 64 << 20  # padding after the last member


@dataclass
class TarMember:
    """What the header of a member says; `other` is a link, a device, a sparse file."""

    name: str
    size_bytes: int
    kind: Literal["file", "folder", "other"]


def tar_members(
    stream: IO[bytes], admit: Callable[[TarMember], None]
) -> Iterator[tuple[TarMember, bytes | None]]:
    """Yield the members of an unpacked tar stream with their content, None for folders.

    Args: admit: called with each member before its content is read; may raise or rename it
    Raises: EOFError if the stream ends early, tarfile.TarError if it is no tar
    """
    reader = _Ahead(stream)
    try:
        long_name, extended = "", dict[str, str]()
        while (block := reader.take(_BLOCK)) != bytes(_BLOCK):
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
                text = _extension(reader, header).rstrip(b"\0").decode("utf-8", "surrogateescape")
                long_name = text if header.type == tarfile.GNUTYPE_LONGNAME else long_name
                continue
            if header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE):
                records = _pax(_extension(reader, header))
                extended = extended if header.type == tarfile.XGLTYPE else records
                continue
            member = _member(header, long_name, extended)
            long_name, extended = "", {}
            admit(member)
            data = reader.take(member.size_bytes)
            reader.take(-member.size_bytes % _BLOCK)
            yield member, data if member.kind == "file" else None
        reader.drain()
    finally:
        reader.close()


class _Ahead:
    """Reads a stream in large pieces, the next one always under way in a thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.pool = stream, ThreadPoolExecutor(1)
        self.piece, self.position = b"", 0
        self.next: Future[bytes] = self.pool.submit(stream.read, _AHEAD)

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end <= len(self.piece):
            taken = self.piece[self.position : end]
            self.position = end
            return taken
        parts, missing = [self.piece[self.position :]], end - len(self.piece)
        while missing > 0:
            self._advance()
            if not self.piece:
                raise EOFError("it ends in the middle of a member or before its end mark")
            parts.append(self.piece[:missing])
            self.position = min(missing, len(self.piece))
            missing -= len(self.piece)
        return b"".join(parts)

    def drain(self) -> None:
        """Read to the end, so that the checksum of the packed stream is looked at."""
        drained = 0
        while self.piece:
            self._advance()
            drained += len(self.piece)
            if drained > _MAX_TRAILER:
                raise DataError(f"more than {_MAX_TRAILER:,} bytes follow the end of the tar")

    def _advance(self) -> None:
        self.piece, self.position = self.next.result(), 0
        if self.piece:
            self.next = self.pool.submit(self.stream.read, _AHEAD)

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)


def _extension(reader: _Ahead, header: tarfile.TarInfo) -> bytes:
    if not 0 <= header.size <= _MAX_EXTENSION:
        raise tarfile.ReadError(f"a name of {header.size:,} bytes")
    data = reader.take(header.size)
    reader.take(-header.size % _BLOCK)
    return data


def _pax(data: bytes) -> dict[str, str]:
    """Parse records of the form `LENGTH KEY=VALUE\\n`."""
    records = {}
    while data:
        length = int(data.partition(b" ")[0])
        if not 5 <= length <= len(data):
            raise tarfile.ReadError("an extended header of the wrong length")
        key, _, value = data[:length].partition(b" ")[2].partition(b"=")
        records[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
        data = data[length:]
    return records


def _member(header: tarfile.TarInfo, long_name: str, extended: dict[str, str]) -> TarMember:
    name = extended.get("path") or long_name or header.name
    size = int(extended.get("size", header.size))
    if header.isdir() or (header.type == tarfile.AREGTYPE and name.endswith("/")):
        return TarMember(name, 0, "folder")
    plain = header.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
    sparse = any(key.startswith("GNU.sparse") for key in extended)
    return TarMember(name, size, "file" if plain and not sparse else "other")
