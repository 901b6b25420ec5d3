import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from thumbnet.data.download import TINY_IMAGENET, Remote, fetch
from thumbnet.errors import DataError

BODY = bytes(range(256)) * 4000  # 1 MB


class Handler(BaseHTTPRequestHandler):
    """Serves BODY, in the way `mode` says."""

    mode: ClassVar[str] = ""
    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        if self.mode == "missing":
            self.send_error(404)
            return
        if self.mode == "416" and asked:
            self.send_error(416)
            return
        start = int(asked[6:-1]) if asked and self.mode != "ignores-range" else 0
        body = b"<html>log in</html>" if self.mode == "portal" else BODY
        if self.mode == "lies":
            body = BODY[:-1] + b"?"
        self.send_response(206 if start else 200)
        if start:
            begin = start + 1 if self.mode == "wrong-range" else start
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if self.mode != "no-length":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.mode == "no-length":
            self.wfile.write(body + b"more")
        elif self.mode in ("breaks", "ignores-range") and len(self.ranges) < 3:
            self.wfile.write(body[start : start + 300_000])
            self.close_connection = True
        elif self.mode == "stalls":
            self.wfile.write(body[start : start + 1000] if len(self.ranges) == 1 else b"")
            self.wfile.flush()
            stopped.wait(5)
        else:
            self.wfile.write(body[start:])

    def log_message(self, *args: object) -> None:
        pass


stopped = threading.Event()


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.mode, Handler.ranges = "", []
    stopped.clear()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    stopped.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def remote(server: ThreadingHTTPServer) -> Remote:
    url = f"http://127.0.0.1:{server.server_port}/file.zip"
    return Remote(url, len(BODY), hashlib.md5(BODY).hexdigest())


def test_a_whole_download(remote: Remote, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    path = fetch(remote, tmp_path / "new", progress=lambda *args: told.append(args))
    assert path == tmp_path / "new" / "file.zip"
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]
    assert told[-1] == (len(BODY), len(BODY), "downloading file.zip")


def test_what_is_there_is_not_fetched_again(remote: Remote, tmp_path: Path) -> None:
    fetch(remote, tmp_path)
    fetch(remote, tmp_path)
    assert len(Handler.ranges) == 1
    (tmp_path / "file.zip").write_bytes(BODY[:-1] + b"?")
    assert fetch(remote, tmp_path).read_bytes() == BODY


def test_a_break_is_resumed(remote: Remote, tmp_path: Path) -> None:
    Handler.mode = "breaks"
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert Handler.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_part_of_an_earlier_run_is_resumed(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(BODY[:5000])
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert Handler.ranges == ["bytes=5000-"]


@pytest.mark.parametrize("mode", ["ignores-range", "wrong-range"])
def test_a_server_that_does_not_resume(mode: str, remote: Remote, tmp_path: Path) -> None:
    Handler.mode = mode
    (tmp_path / "file.zip.part").write_bytes(b"?" * 5000)
    if mode == "ignores-range":
        assert fetch(remote, tmp_path).read_bytes() == BODY
        return
    with pytest.raises(DataError):  # what it sends is from another place
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_416_starts_over(remote: Remote, tmp_path: Path) -> None:
    Handler.mode = "416"
    (tmp_path / "file.zip.part").write_bytes(b"?" * 5000)
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert Handler.ranges == ["bytes=5000-", None]


@pytest.mark.parametrize("size", [len(BODY), len(BODY) + 1])
def test_a_part_that_is_wrong_is_not_kept(size: int, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(b"?" * size)
    if size > len(BODY):
        assert fetch(remote, tmp_path).read_bytes() == BODY
        return
    with pytest.raises(DataError, match="sends another file: one of md5"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("lies", "sends another file: one of md5 [0-9a-f]{32} instead of"),
        ("portal", "sends another file: 19 bytes; nothing was kept"),
        ("no-length", "sends another file: more bytes"),
    ],
)
def test_another_file_is_not_kept(mode: str, message: str, remote: Remote, tmp_path: Path) -> None:
    Handler.mode = mode
    with pytest.raises(DataError, match=message):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stall_is_noticed_and_the_part_kept(remote: Remote, tmp_path: Path) -> None:
    Handler.mode = "stalls"
    start = time.monotonic()
    with pytest.raises(DataError, match=r"nothing came for 0\.2 s, 3 times in a row; 1,000 of"):
        fetch(remote, tmp_path, timeout_s=0.2)
    assert time.monotonic() - start < 4
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip.part"]
    Handler.mode = ""
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert Handler.ranges[-1] == "bytes=1000-"


def test_a_host_that_answers_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.zip"
        start = time.monotonic()
        with pytest.raises(DataError, match="cannot be reached"):
            fetch(Remote(url, 10, ""), tmp_path, timeout_s=0.3)
        assert time.monotonic() - start < 2


def test_a_closed_port_is_noticed_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be reached .*refused"):
        fetch(Remote(f"http://127.0.0.1:{port}/file.zip", 10, ""), tmp_path)
    assert time.monotonic() - start < 2
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_takes_long_to_look_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: done.wait(3))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be reached \(no answer within 0\.2 s\)"):
        fetch(Remote("http://nowhere.invalid/file.zip", 10, ""), tmp_path, timeout_s=0.2)
    assert time.monotonic() - start < 2
    done.set()


def test_an_error_page(remote: Remote, tmp_path: Path) -> None:
    Handler.mode = "missing"
    with pytest.raises(DataError, match="answers 404"):
        fetch(remote, tmp_path)
    assert len(Handler.ranges) == 1


def test_room_is_looked_at_first(remote: Remote, tmp_path: Path) -> None:
    huge = Remote(remote.url, 1 << 60, remote.digest)
    with pytest.raises(DataError, match=r"is full: .* MB needed for file\.zip"):
        fetch(huge, tmp_path)
    assert Handler.ranges == []


def test_a_folder_that_cannot_be_made(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot make the folder .*file \(File exists\); give an"):
        fetch(remote, tmp_path / "file")


def test_the_address_of_tiny_imagenet() -> None:
    assert TINY_IMAGENET.name == "tiny-imagenet-200.zip"
    assert TINY_IMAGENET.size_bytes == 248_100_043
    assert len(TINY_IMAGENET.digest) == 32
    assert os.path.basename(TINY_IMAGENET.url) == TINY_IMAGENET.name


def test_leading_digits_of_a_hash_and_no_size_will_do(remote: Remote, tmp_path: Path) -> None:
    """So the names of torchvision's weights tell what must be in them."""
    digits = hashlib.sha256(BODY).hexdigest()[:8]
    url = remote.url
    path = fetch(Remote(url, 0, digits, "sha256"), tmp_path)
    assert path.read_bytes() == BODY
    assert fetch(Remote("http://127.0.0.1:9/" + path.name, 0, digits, "sha256"), tmp_path) == path
    with pytest.raises(DataError, match="sends another file: one of sha256"):
        fetch(Remote(url, 0, "00000000", "sha256"), tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())
