"""Headers, forms from elsewhere, large and slow bodies, guessing, and what errors tell."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import httpx
import pytest
from tests.challenge.serving import served
from tests.challenge.site import (
    PASSWORD,
    SECRET,
    Client,
    Clock,
    Site,
    csrf_of,
    labels_file,
    open_site,
)

from thumbnet.challenge.app import create_app
from thumbnet.challenge.context import address_of
from thumbnet.challenge.sessions import Sessions, Throttle

API = "/api/v1"
CAP = 1 << 20


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        yield made


@pytest.fixture
def client(site: Site) -> Client:
    return site.client()


@pytest.mark.parametrize(
    "path", ["/", "/static/site.css", f"{API}/board", "/nowhere", "/admin", "/metrics"]
)
def test_every_answer_has_the_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in headers


def test_pages_hold_no_inline_code_or_style(site: Site) -> None:
    site.enter("blue", 0.5)
    site.clock.advance(timedelta(hours=2))
    site.enter("blue", 0.6, 1)
    team, admin = site.team_client("blue"), site.admin_client()
    texts = [team.get(path).text for path in ("/", "/rules", "/submit", "/teams/blue")]
    texts += [admin.get(path).text for path in ("/admin", "/admin/teams/blue")]
    for text in texts:
        assert " style=" not in text
        assert "<style" not in text
        assert text.count("<script") == text.count('<script src="/static/site.js')
        assert "javascript:" not in text
        assert " onclick" not in text


def test_over_https_the_cookie_is_secure(tmp_path: Path) -> None:
    with open_site(tmp_path, public_url="https://challenge.example") as site:
        answer = site.client().get("/login")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


def test_reading_the_board_sets_no_cookie(client: Client) -> None:
    assert "set-cookie" not in client.get("/").headers
    assert "set-cookie" not in client.get("/rules").headers


# Forms from elsewhere


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "ä"])
def test_a_form_without_our_token_is_refused(site: Site, csrf: str | None) -> None:
    client = site.admin_client()
    fields = {} if csrf is None else {"csrf": csrf}
    assert client.post("/admin/freeze", data=fields).status_code == 403
    assert site.store.challenge().state == "open"


def test_the_token_of_another_session_is_refused(site: Site) -> None:
    other = csrf_of(site.client(), "/login")
    assert site.admin_client().post("/admin/freeze", data={"csrf": other}).status_code == 403


def test_a_form_from_another_site_is_refused(site: Site) -> None:
    client = site.admin_client()
    fields = {"csrf": csrf_of(client, "/admin")}
    for origin in ("cross-site", "same-site"):
        answer = client.post("/admin/freeze", data=fields, headers={"Sec-Fetch-Site": origin})
        assert answer.status_code == 403
    assert site.store.challenge().state == "open"


def test_get_changes_nothing(site: Site) -> None:
    client = site.admin_client()
    for path in ("freeze", "reveal", "rescore", "teams/blue/disable", "teams/blue/token"):
        assert client.get(f"/admin/{path}").status_code in {404, 405}


# Sessions


def test_a_forged_cookie_is_nobody(site: Site) -> None:
    real = site.admin_client()
    signed = real.cookies["session"]
    for cookie in (signed[:-2] + "xx", "x" + signed, "", "a.b", signed.partition(".")[0]):
        client = site.client()
        client.cookies.set("session", cookie)
        assert client.post("/admin/freeze", data={"csrf": "x"}).status_code == 403
    other = Sessions("another secret, as long as the first", False, timedelta(hours=1), site.clock)
    forged = other.issue(admin=site.store.admin_seal())
    client = site.client()
    client.cookies.set("session", other._signer.dumps(vars(forged)))
    assert "Password" in client.get("/admin").text


def test_a_session_ends_by_the_clock(site: Site) -> None:
    client = site.admin_client()
    assert "Audit log" in client.get("/admin").text
    site.clock.advance(timedelta(hours=12))
    assert "Audit log" not in client.get("/admin").text


def test_login_starts_a_new_session_and_logout_ends_it(site: Site) -> None:
    client = site.client()
    before = csrf_of(client, "/login")
    client.post("/login", data={"csrf": before, "token": site.tokens["blue"]})
    after = csrf_of(client, "/submit")
    assert after != before
    assert client.post("/logout", data={"csrf": after}).status_code == 303
    assert client.get("/submit").status_code == 303


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a?b"]
)
def test_login_never_leads_elsewhere(site: Site, path: str) -> None:
    client = site.client()
    fields = {"csrf": csrf_of(client, "/login"), "token": site.tokens["blue"], "next": path}
    assert client.post("/login", data=fields).headers["location"] == "/"


# Limits


def test_guessing_passwords_is_limited_by_address(site: Site) -> None:
    client = site.client()
    fields = {"csrf": csrf_of(client, "/admin"), "password": "guess"}
    statuses = [client.post("/admin/login", data=fields).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = client.post("/admin/login", data=fields | {"password": PASSWORD})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    elsewhere = site.client("198.51.100.3")
    fields = {"csrf": csrf_of(elsewhere, "/admin"), "password": PASSWORD}
    assert elsewhere.post("/admin/login", data=fields).status_code == 303


def test_a_class_behind_one_address_can_log_in(site: Site) -> None:
    for number in range(30):
        site.add_team(f"Team {number}")
    for number in range(30):
        assert site.team_client(f"Team {number}").get("/submit").status_code == 200


def test_uploads_are_limited_by_team_and_wrong_tokens_by_address(tmp_path: Path) -> None:
    with open_site(tmp_path, upload_limit="3/minute", token_upload_limit="2/minute") as site:
        teams = [f"team {number}" for number in range(6)]
        for name in teams:
            site.add_team(name)
        here, there = site.client(), site.client("198.51.100.3")

        def check(client: Client, headers: dict[str, str]) -> httpx.Response:
            return client.post(f"{API}/check", content=b"x", headers=headers)

        guess = {**site.bearer("team 0"), "Authorization": "Bearer wrong"}
        assert [check(here, guess).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert check(there, guess).status_code == 401
        for name in teams:  # all behind the address of the guesses
            statuses = [check(here, site.bearer(name)).status_code for _ in range(3)]
            assert statuses == [422, 422, 429]
            assert check(there, site.bearer(name)).status_code == 429
        for busy in (check(here, site.bearer("team 0")), check(here, guess)):
            assert busy.json()["reason"] == "too_many"
            assert int(busy.headers["retry-after"]) >= 1


def test_reading_is_never_limited(tmp_path: Path) -> None:
    with open_site(tmp_path, upload_limit="1/hour", login_limit="1/hour") as site:
        client = site.client()
        assert {client.get("/").status_code for _ in range(50)} == {200}


def test_a_throttle_has_several_limits() -> None:
    throttle = Throttle("2/second; 3/hour")
    assert [throttle.hit("a") > 0 for _ in range(3)] == [False, False, True]
    assert throttle.hit("b") == 0


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("testclient", "testclient"),
    ],
)
def test_limits_count_networks_of_ipv6(host: str, counted: str) -> None:
    from starlette.requests import Request

    assert address_of(Request({"type": "http", "client": (host, 1)})) == counted


def test_only_a_trusted_proxy_says_whose_request_it_is(tmp_path: Path) -> None:
    for trusted, statuses in (((), [401, 401, 429]), (("192.0.2.7",), [401, 401, 401])):
        folder = tmp_path / str(len(trusted))
        with open_site(folder, login_limit="2/minute", trusted_proxies=trusted) as site:
            client = site.client()
            fields = {"csrf": csrf_of(client, "/admin"), "password": "guess"}
            found = [
                client.post(
                    "/admin/login", data=fields, headers={"X-Forwarded-For": f"198.51.100.{last}"}
                ).status_code
                for last in range(3)
            ]
            assert found == statuses


# Bodies


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"image_00001.png n00000001\n" * 1000


def test_a_body_over_the_cap_is_refused_as_it_comes(site: Site) -> None:
    content = labels_file().ljust(CAP, b"\n")
    client, headers = site.client(), site.bearer("blue")
    assert client.post(f"{API}/check", content=content, headers=headers).status_code == 200
    answer = client.post(f"{API}/check", content=content + b"\n", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    answer = client.post(f"{API}/submissions", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert "content-security-policy" in answer.headers


def test_the_form_has_the_same_cap(site: Site) -> None:
    client = site.team_client("blue")
    fields = {"csrf": csrf_of(client, "/submit"), "action": "check"}

    def status(size: int) -> int:
        content = labels_file().ljust(size, b"\n")
        files = {"file": ("labels.txt", content, "text/plain")}
        return client.post("/submit", data=fields, files=files).status_code

    assert [status(CAP), status(CAP + 1), status(2 * CAP)] == [200, 413, 413]
    fields["note"] = "x" * 100_000
    assert client.post("/login", data=fields).status_code == 413


def test_a_slow_body_is_given_up(tmp_path: Path) -> None:
    with open_site(tmp_path, request_timeout_s=0.3) as site:
        site.add_team("blue")
        with served(site.app) as url:
            address = urlsplit(url)
            with socket.create_connection((address.hostname, address.port or 80), 5) as line:
                head = (
                    f"POST {API}/check HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                    f"Authorization: Bearer {site.tokens['blue']}\r\n\r\nimage"
                )
                started = monotonic()
                line.sendall(head.encode())
                assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
                assert monotonic() - started < 3


def test_a_refusal_of_a_large_body_arrives(site: Site) -> None:
    with served(site.app) as url:
        answer = httpx.post(
            f"{url}{API}/submissions", content=b"x" * (3 * CAP), headers=site.bearer("blue")
        )
        assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}],
)
def test_only_bare_text_is_taken(site: Site, headers: dict[str, str]) -> None:
    answer = site.client().post(
        f"{API}/check", content=labels_file(), headers=site.bearer("blue") | headers
    )
    assert answer.status_code == 415


def test_a_note_must_be_percent_encoded_utf8(site: Site) -> None:
    answer = site.client().post(
        f"{API}/submissions",
        content=labels_file(),
        headers=site.bearer("blue") | {"X-Note": "%ff%fe"},
    )
    assert answer.status_code == 422


# What errors tell


def test_what_breaks_stays_here(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/srv/secret/path label=n00000003")

    monkeypatch.setattr(site.store, "submit", broken)
    monkeypatch.setattr(site.store, "team_by_slug", broken)
    client = site.client()
    with caplog.at_level(logging.ERROR, "thumbnet.challenge"):
        api = client.post(f"{API}/submissions", content=labels_file(), headers=site.bearer("blue"))
        page = client.get("/teams/blue")
    assert (api.status_code, page.status_code) == (500, 500)
    assert api.json()["message"] == "the server failed; try again"
    for answer in (api, page):
        for word in ("secret", "Traceback", "RuntimeError", "n00000003"):
            assert word not in answer.text
        assert "content-security-policy" in answer.headers
    assert "secret" in caplog.text


def test_a_login_compares_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CSRF token, too, is compared by compare_digest alone."""
    import hmac

    calls = []
    real = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        calls.append((one, other))
        return real(one, other)

    monkeypatch.setattr("thumbnet.challenge.sessions.hmac.compare_digest", watched)
    from starlette.requests import Request

    sessions = Sessions(SECRET, False, timedelta(hours=1), Clock())
    ticket = sessions.issue()
    request = Request({"type": "http", "headers": []})
    assert sessions.is_forged(request, ticket, {"csrf": "f" * 64})
    assert not sessions.is_forged(request, ticket, {"csrf": sessions.csrf(ticket)})
    assert len(calls) == 2


def test_an_app_opens_the_database_of_its_settings(site: Site) -> None:
    app = create_app(site.settings, clock=site.clock)
    with served(app) as url:
        assert httpx.get(f"{url}/healthz").json()["ok"] is True
