"""Download a file so that it is whole and right, or not there; broken downloads resume."""

import errno
import hashlib
import http.client
import shutil
import threading
import urllib.error
import urllib.request
from concurrent.futures import Future
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from thumbnet.data.progress import Progress, silent
from thumbnet.errors import DataError

ATTEMPTS = 3  # connections in a row that may bring nothing before the user is told
_PIECE = 1 << 18


@dataclass(frozen=True)
class Remote:
    """A file on a server, with what it must turn out to be.

    `digest` is hexadecimal, of all digits or the first few; size 0 is the one the server tells.
    """

    url: str
    size_bytes: int
    digest: str
    algorithm: str = "md5"

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


TINY_IMAGENET = Remote(
    url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    size_bytes=248100043,
    digest="90528d7ca1a48142e341f4ef8d21d0de",
)


def fetch(
    remote: Remote, folder: Path, *, timeout_s: float = 10, progress: Progress | None = None
) -> Path:
    """Download `remote` into `folder` and return its path; a right file that is there is kept.

    Args: timeout_s: after so long without an answer or a byte a connection counts as broken
    Raises: DataError if the host cannot be reached, breaks off too often or sends another file,
        or the disk has no room; a part that can be resumed stays as NAME.part
    """
    target, part = folder / remote.name, folder / f"{remote.name}.part"
    if target.is_file() and _is_right(target, remote):
        return target
    if not remote.size_bytes:
        remote = replace(remote, size_bytes=_announced_size(remote, part, timeout_s))
    _check_room(remote, folder, _size(part))
    failures = 0
    while (size := _size(part)) != remote.size_bytes:
        try:
            _receive(remote, part, timeout_s, progress or silent)
            reason = "the connection broke off"
        except TimeoutError:
            reason = f"nothing came for {timeout_s:g} s"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(remote, folder, _size(part)) from error
            reason = f"the connection broke off ({error})"
        failures = 0 if _size(part) > size else failures + 1
        if failures >= ATTEMPTS:
            raise DataError(
                f"{remote.url} cannot be downloaded: {reason}, {ATTEMPTS} times in a row; "
                f"{_size(part):,} of {remote.size_bytes:,} bytes stay in {part}, run the same "
                "command to resume"
            )
    if not (found := _digest(part, remote)).startswith(remote.digest):
        part.unlink()
        kind = remote.algorithm
        raise _other_file(remote, f"one of {kind} {found} instead of {remote.digest}")
    part.replace(target)
    return target


def _receive(remote: Remote, part: Path, timeout_s: float, tell: Progress) -> None:
    """Append to `part` what one connection gives, or start over if it cannot resume."""
    start = _size(part)
    if start > remote.size_bytes:
        start = 0
    with _connect(remote, start, part, timeout_s) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT or not _starts_at(response, start):
            start = 0
        length = response.headers.get("Content-Length")
        if length is not None and start + int(length) != remote.size_bytes:
            part.unlink(missing_ok=True)
            raise _other_file(remote, f"{start + int(length):,} bytes")
        with part.open("ab" if start else "wb") as file:
            while piece := response.read1(_PIECE):
                start += len(piece)
                if start > remote.size_bytes:
                    break
                file.write(piece)
                tell(start, remote.size_bytes, f"downloading {remote.name}")
    if start > remote.size_bytes:
        part.unlink(missing_ok=True)
        raise _other_file(remote, "more bytes")


def _announced_size(remote: Remote, part: Path, timeout_s: float) -> int:
    with _connect(remote, 0, part, timeout_s) as response:
        length = response.headers.get("Content-Length")
    if not length:
        raise _other_file(remote, "one of unknown length")
    return int(length)


def _connect(remote: Remote, start: int, part: Path, timeout_s: float) -> Any:
    """Open the address from byte `start` on; a server that cannot do so is asked for all."""
    try:
        return _open(remote.url, start, timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise DataError(
                f"{remote.url} answers {error.code} {error.reason}; try later, or download "
                f"{remote.name} by other means and give its path"
            ) from error
        part.unlink()
        return _connect(remote, 0, part, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        kept = f"; {start:,} bytes stay in {part} to resume from" if start else ""
        reason = getattr(error, "reason", error)
        raise DataError(f"{remote.url} cannot be reached ({reason}){kept}") from error


def _open(url: str, start: int, timeout_s: float) -> Any:
    """Open an address, the look-up of its name included in the time allowed."""
    headers = {"User-Agent": "thumbnet"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(urllib.request.urlopen(request, timeout=timeout_s))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(timeout_s)
    except TimeoutError:
        raise TimeoutError(f"no answer within {timeout_s:g} s") from None


def _starts_at(response: Any, start: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _check_room(remote: Remote, folder: Path, have: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder {folder} ({error.strerror}); give another one (--folder, "
            "THUMBNET_CACHE)"
        ) from error
    if shutil.disk_usage(folder).free < remote.size_bytes - have:
        raise _full(remote, folder, have)


def _full(remote: Remote, folder: Path, have: int) -> DataError:
    free = shutil.disk_usage(folder).free
    return DataError(
        f"the disk of {folder} is full: {(remote.size_bytes - have) / 1e6:,.0f} MB needed for "
        f"{remote.name}, {free / 1e6:,.0f} MB free; make room, or set THUMBNET_CACHE elsewhere"
    )


def _other_file(remote: Remote, what: str) -> DataError:
    return DataError(
        f"{remote.url} sends another file: {what}; nothing was kept. Try again, or download "
        f"{remote.name} ({remote.size_bytes:,} bytes, {remote.algorithm} {remote.digest}) "
        "by other means"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_right(path: Path, remote: Remote) -> bool:
    right_size = remote.size_bytes in (0, _size(path))
    return right_size and _digest(path, remote).startswith(remote.digest)


def _digest(path: Path, remote: Remote) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(remote.algorithm, usedforsecurity=False)
        ).hexdigest()
