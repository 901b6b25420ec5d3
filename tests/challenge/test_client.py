"""The client against a tiny server that speaks the API."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.challenge.played import FILE, Played, play, receipt

from thumbnet.challenge.client import Client, RefusedError, Sent
from thumbnet.challenge.entities import Score
from thumbnet.errors import SubmissionError

TOKEN = "tok-3v9d2m7q4xw"


@pytest.fixture
def server() -> Iterator[Played]:
    with play() as played:
        yield played


def test_a_submission_and_its_receipt(server: Played) -> None:
    server.status, server.body = 201, receipt(note="wider: stem ü\n")
    with Client(server.url + "/", TOKEN) as client:
        sent = client.submit(FILE, "wider: stem ü\n")
    assert sent == Sent(
        "k3v9", 3, "blue", datetime(2026, 11, 20, 12, tzinfo=UTC),
        hashlib.sha256(FILE).hexdigest(), len(FILE), Score(0.61, 0.017, 3000), "wider: stem ü\n",
        datetime(2026, 11, 20, 14, tzinfo=UTC), 4,
    )  # fmt: skip
    method, path, headers, content = server.last
    assert (method, path, content) == ("POST", "/api/v1/submissions", FILE)
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-note"].isascii()
    assert unquote(headers["x-note"]) == "wider: stem ü\n"


def test_reading_sends_no_token(server: Played) -> None:
    client = Client(server.url, TOKEN)
    server.body = {"rows": []}
    assert client.board() == {"rows": []}
    assert client.challenge() == {"rows": []}
    assert [path for _, path, _, _ in server.asked] == ["/api/v1/board", "/api/v1/challenge"]
    assert all("authorization" not in headers for _, _, headers, _ in server.asked)
    client.submissions()
    assert server.last[2]["authorization"] == f"Bearer {TOKEN}"


def test_what_is_the_team_s_own_takes_a_token(server: Played) -> None:
    client = Client(server.url)
    for call in (client.submissions, lambda: client.check(FILE), lambda: client.submit(FILE)):
        with pytest.raises(SubmissionError, match="THUMBNET_TOKEN"):
            call()
    assert not server.asked


def test_too_early(server: Played) -> None:
    server.status, server.headers = 429, {"Retry-After": "5000"}
    server.body = {
        "reason": "quota", "message": "one entry every 2 h", "errors": [],
        "retry_at": "2026-11-20T14:00:00Z",
    }  # fmt: skip
    with pytest.raises(RefusedError, match="one entry every 2 h") as caught:
        Client(server.url, TOKEN).submit(FILE)
    assert caught.value.retry_at == datetime(2026, 11, 20, 14, tzinfo=UTC)
    assert caught.value.can_wait


def test_retry_after_will_do_alone(server: Played) -> None:
    server.status, server.headers = 429, {"Retry-After": "60"}
    server.body = {"reason": "too_many", "message": "too many uploads"}
    client = Client(server.url, TOKEN)
    with pytest.raises(RefusedError) as caught:
        client.submit(FILE)
    assert caught.value.retry_at is not None
    left = (caught.value.retry_at - datetime.now(UTC)).total_seconds()
    assert 57 < left < 61


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"reason": "too_many", "message": "slowly"}),
        (503, {"reason": "busy", "message": "busy"}),
        (503, b"<html>a proxy's page</html>"),
    ],
)
def test_a_busy_server_is_asked_again_when_it_says(
    server: Played, monkeypatch: pytest.MonkeyPatch, status: int, body: object
) -> None:
    slept, told = list[float](), list[float]()
    monkeypatch.setattr("thumbnet.challenge.client.time.sleep", slept.append)

    def on_busy(wait_s: float) -> None:
        told.append(wait_s)
        if len(told) == 2:
            server.status, server.body, server.headers = 201, receipt(), {}

    server.status, server.body, server.headers = status, body, {"Retry-After": "3"}
    client = Client(server.url, TOKEN, on_busy=on_busy)
    assert client.submit(FILE).number == 3
    assert slept == told
    assert all(3 <= wait_s <= 4 for wait_s in told)
    assert [content for _, _, _, content in server.asked] == [FILE] * 3


def test_a_server_that_stays_busy_is_given_up(
    server: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("thumbnet.challenge.client.time.monotonic", lambda: now[0])
    monkeypatch.setattr(
        "thumbnet.challenge.client.time.sleep", lambda s: now.__setitem__(0, now[0] + s)
    )
    server.status, server.headers = 503, {"Retry-After": "5"}
    server.body = {"reason": "busy", "message": "busy"}
    with pytest.raises(RefusedError, match="busy") as caught:
        Client(server.url, TOKEN).submit(FILE)
    assert caught.value.can_wait
    assert 54 <= now[0] <= 60


def test_a_malformed_file(server: Played) -> None:
    server.status = 422
    server.body = {"reason": "malformed", "message": "cannot be read", "errors": ["line 1: x",
                   "line 2: y"], "retry_at": None}  # fmt: skip
    client = Client(server.url, TOKEN)
    for call in (client.submit, client.check):
        with pytest.raises(RefusedError) as caught:
            call(b"x")
        assert caught.value.errors == ("line 1: x", "line 2: y")
        assert "line 2: y" in str(caught.value)
        assert not caught.value.can_wait


@pytest.mark.parametrize(("status", "reason"), [(403, "closed"), (413, "size"), (415, "media")])
def test_other_refusals(server: Played, status: int, reason: str) -> None:
    server.status, server.body = status, {"reason": reason, "message": "no more"}
    with pytest.raises(RefusedError, match="no more") as caught:
        Client(server.url, TOKEN).submit(FILE)
    assert (caught.value.reason, caught.value.can_wait) == (reason, False)


def test_a_token_that_is_not_known(server: Played) -> None:
    server.status, server.body = 401, {"detail": "who are you"}
    with pytest.raises(SubmissionError, match="does not know this token") as caught:
        Client(server.url, TOKEN).submit(FILE)
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, []), (500, b"Internal Server Error"), (404, {"detail": "?"}),
     (201, {"id": "x"}), (429, {"reason": "quota", "message": "x", "retry_at": "soon"})],
)  # fmt: skip
def test_an_answer_that_no_challenge_gives(server: Played, status: int, body: object) -> None:
    server.status, server.body = status, body
    with pytest.raises(SubmissionError, match="is it the address of a challenge"):
        Client(server.url, TOKEN).submit(FILE)


def test_the_token_does_not_follow_a_redirection(server: Played) -> None:
    server.status, server.headers = 307, {"Location": f"{server.url}/elsewhere"}
    with pytest.raises(SubmissionError, match=r"sends on to http://127.0.0.1"):
        Client(server.url, TOKEN).submit(FILE)
    assert len(server.asked) == 1


def test_a_file_that_changed_on_the_way(server: Played) -> None:
    server.status, server.body = 201, receipt(b"another file")
    with pytest.raises(SubmissionError, match="changed on the way"):
        Client(server.url, TOKEN).submit(FILE)


def test_no_answer_leaves_a_doubt_about_a_submission_only(server: Played) -> None:
    server.hang_up = True
    client = Client(server.url, TOKEN)
    with pytest.raises(SubmissionError, match="it may have been taken"):
        client.submit(FILE)
    with pytest.raises(SubmissionError, match="try again"):
        client.board()
    assert len(server.asked) == 2  # nothing is sent twice


def test_nobody_there() -> None:
    with pytest.raises(SubmissionError, match=r"cannot reach http://127.0.0.1:9"):
        Client("http://127.0.0.1:9", TOKEN).board()


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "https://", "https://[", "http://h:99999", "https:///x",
     "https://user@host", "https://host?x=1", "https://host#top"],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(SubmissionError, match="address"):
        Client(url, TOKEN)


@pytest.mark.parametrize("url", ["http://example.org", "HTTP://10.0.0.1:80", "http://localhost.io"])
def test_no_token_over_open_http(url: str) -> None:
    with pytest.raises(SubmissionError, match="unencrypted"):
        Client(url, TOKEN)
    Client(url, TOKEN, allow_http=True)


@pytest.mark.parametrize("url", ["http://localhost:8", "http://127.9.0.1", "http://[::1]:80"])
def test_http_on_this_computer(url: str) -> None:
    assert Client(url, TOKEN).url == url


@pytest.mark.parametrize("token", ["", "a\nb", "ä", "  "])
def test_a_token_that_cannot_be_one(token: str) -> None:
    with pytest.raises(SubmissionError, match="token"):
        Client("https://example.org", token)


def test_no_message_holds_the_token(server: Played) -> None:
    client = Client(server.url, TOKEN)
    said = [repr(client), str(vars(Client(server.url)))]
    for status, body in ((401, {}), (403, {"reason": "x", "message": "y"}), (500, b"")):
        server.status, server.body = status, body
        with pytest.raises(SubmissionError) as caught:
            client.submit(FILE)
        said.append(f"{caught.value!r} {caught.value.__context__!r}")
    assert not any(TOKEN in words for words in said)


def test_waiting_goes_by_the_server_s_clock(server: Played) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    server.headers = {"X-Date": ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    client = Client(server.url, TOKEN)
    client.board()
    assert abs((client.now() - ahead).total_seconds()) < 3
    slept: list[float] = []
    told: list[datetime] = []
    client.wait_until(client.now() - timedelta(seconds=1), told.append, slept.append)
    client.wait_until(None, told.append, slept.append)
    assert slept == told == []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        client._clock_offset += timedelta(seconds=seconds)

    client.wait_until(client.now() + timedelta(seconds=3.5), told.append, sleep)
    assert sum(slept) == pytest.approx(3.5, abs=0.1)
    assert max(slept) <= 1.0
    assert len(told) == len(slept)


def test_the_page_s_program_runs(
    server: Played,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "submit.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    program = program.replace("https://challenge.example", server.url)
    monkeypatch.chdir(tmp_path)
    Path("labels.txt").write_bytes(FILE)
    server.body = receipt(next_slot=None)
    exec(compile(program, "docs/submit.md", "exec"), {})
    assert capsys.readouterr().out == "0.61 None\n"
    assert [method for method, _, _, _ in server.asked] == ["GET", "POST"]
    server.status, server.body = 403, {"reason": "closed", "message": "over"}
    monkeypatch.setattr(Client, "next_slot", lambda self: None)
    exec(compile(program, "docs/submit.md", "exec"), {})
    assert capsys.readouterr().out == "closed\nNone\n"
