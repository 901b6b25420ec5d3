"""Who asks nothing is not waited for, and who asks is answered, however many others there are."""

from __future__ import annotations

import os
import re
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.challenge.serving import served
from tests.challenge.site import Site, labels_file, open_site

from thumbnet.challenge import connection
from thumbnet.challenge.settings import settings_text

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        yield made


def line_to(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), 20)


def rest_of(line: socket.socket) -> bytes:
    """Read until the server closes."""
    found = b""
    try:
        while piece := line.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


def is_closed_after(line: socket.socket, piece: bytes) -> bool:
    try:
        line.sendall(piece)
        return line.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def is_open(line: socket.socket) -> bool:
    line.settimeout(0.2)
    try:
        while line.recv(1 << 16):
            pass
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("sent", [b"", GET, GET + b"X: " + b"a" * 500])
def test_who_sends_no_whole_head_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    with served(site.app) as url, line_to(url) as line:
        line.sendall(sent)
        assert rest_of(line) == b""


def test_a_head_that_trickles_in_is_not_waited_for_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    with served(site.app) as url, line_to(url) as line:
        line.settimeout(0.05)
        assert any(is_closed_after(line, b"G") for _ in range(400))


def test_a_second_head_must_come_in_time_as_well(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    with served(site.app) as url, line_to(url) as line:
        line.sendall(GET + b"\r\n")
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        line.sendall(GET)
        assert b"HTTP" not in rest_of(line)


def test_a_body_and_a_listener_may_take_longer_than_a_head(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.1)
    head = (
        "POST /api/v1/check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {site.bearer('blue')['Authorization']}\r\n"
        f"Content-Length: {len(labels_file())}\r\n\r\n"
    )
    with served(site.app) as url, line_to(url) as line, line_to(url) as listener:
        listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        line.sendall(head.encode())
        line.settimeout(0.4)
        with pytest.raises(TimeoutError):
            line.recv(1)
        line.settimeout(20)
        line.sendall(labels_file())
        assert rest_of(line).startswith(b"HTTP/1.1 200 ")
        assert is_open(listener)


def test_an_answer_that_nobody_reads_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALL_S", 0.2)
    site.settings.bundle.write_bytes(bytes(30_000_000))
    with served(site.app) as url, line_to(url) as line:
        line.sendall(b"GET /bundle.zip HTTP/1.1\r\nHost: x\r\n\r\n")
        live = site.app.state.server.meter
        while not any(route == "/bundle.zip" for _, route, _ in live.requests):
            assert httpx.get(f"{url}/healthz").status_code == 200  # until it is given up
        assert len(rest_of(line)) < 30_000_000


def test_of_too_many_connections_the_longest_idle_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "max_connections", lambda: 8)
    with served(site.app) as url, ExitStack() as stack:
        listener = stack.enter_context(line_to(url))
        listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert listener.recv(10) == b"HTTP/1.1 2"
        idle = [stack.enter_context(line_to(url)) for _ in range(20)]
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert [rest_of(line) for line in idle[:10]] == [b""] * 10
        idle[-1].sendall(GET + b"Connection: close\r\n\r\n")
        assert rest_of(idle[-1]).startswith(b"HTTP/1.1 200 ")
        assert is_open(listener)


def test_where_all_are_busy_a_new_connection_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "max_connections", lambda: 2)
    with served(site.app) as url, ExitStack() as stack:
        for _ in range(2):
            listener = stack.enter_context(line_to(url))
            listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert listener.recv(10) == b"HTTP/1.1 2"
        late = stack.enter_context(line_to(url))
        assert rest_of(late) == b""


def test_listeners_leave_room_for_others(tmp_path: Path) -> None:
    with open_site(tmp_path, max_listeners=10_000_000) as site:
        cap = site.app.state.server.snapshots.live._cap
    assert 0 < cap < connection.max_connections()


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [(256, 256, 256), (1024, 4096, 4096), (1024, 10**6, 16_384), (20_000, 20_000, 20_000)],
)
def test_the_bounds_leave_handles_for_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int
) -> None:
    limit = [soft, hard]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limit))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limit.__setitem__(0, values[0]))
    connection.raise_handles()
    assert limit == [raised, hard]
    connections, waiting = connection.max_connections(), connection.backlog()
    assert connections >= 64
    assert 2 * connections + waiting + connection.OTHER_HANDLES <= raised


@pytest.mark.parametrize("path", ["/", "/healthz", "/bundle.zip", "/nowhere"])
def test_a_client_that_has_closed_its_side_is_answered(site: Site, path: str) -> None:
    site.settings.bundle.write_bytes(bytes(1_000_000))
    with served(site.app) as url, line_to(url) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        line.shutdown(socket.SHUT_WR)
        answer = rest_of(line)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert head.startswith(b"HTTP/1.1 404 " if path == "/nowhere" else b"HTTP/1.1 200 ")
    assert length is not None
    assert len(body) == int(length[1])


def test_an_upload_of_a_client_that_has_closed_its_side_gets_its_receipt(site: Site) -> None:
    content = labels_file()
    head = (
        "POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {site.bearer('blue')['Authorization']}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with served(site.app) as url, line_to(url) as line:
        line.sendall(head.encode() + content)
        line.shutdown(socket.SHUT_WR)
        assert rest_of(line).startswith(b"HTTP/1.1 201 ")


def test_a_client_that_closes_within_its_request_takes_no_slot(site: Site) -> None:
    head = (
        "POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {site.bearer('blue')['Authorization']}\r\n"
        "Content-Length: 1000\r\n\r\nimage"
    )
    with served(site.app) as url, line_to(url) as line:
        line.sendall(head.encode())
        line.shutdown(socket.SHUT_WR)
        assert b" 201 " not in rest_of(line)
    assert site.store.teams()[0].name == "blue"
    assert site.store.board().num_entries == 0


@pytest.mark.soak
def test_300_idle_sockets_do_not_silence_a_server_with_256_handles(
    site: Site, tmp_path: Path
) -> None:
    (site.settings.folder / "settings.yaml").write_text(settings_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "thumbnet", "challenge", "serve", str(site.settings.folder)]
    limited = f"ulimit -n 256; exec {shlex.join(command)} --port {port}"
    log, url = tmp_path / "log.txt", f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        process = subprocess.Popen(["bash", "-c", limited], stdout=file, stderr=file)
    try:
        wait_for(process, url)
        with ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(line_to(url))
            for _ in range(5):
                assert httpx.get(f"{url}/", timeout=5).status_code == 200
            for _ in range(100):
                stack.enter_context(line_to(url)).sendall(GET)
            assert httpx.get(f"{url}/healthz", timeout=5).status_code == 200
            handles = len(os.listdir(f"/proc/{process.pid}/fd"))
    finally:
        process.terminate()
        process.wait(20)
    assert handles < 200
    assert "out of system resource" not in log.read_text()
    assert "Traceback" not in log.read_text()


def wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert process.poll() is None
        try:
            assert httpx.get(f"{url}/healthz", timeout=0.5).status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")
