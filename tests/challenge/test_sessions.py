"""Sessions end when they should, everywhere, and passwords are checked one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from tests.challenge.conftest import DATABASES
from tests.challenge.serving import served
from tests.challenge.site import PASSWORD, Client, Site, csrf_of, open_site

from thumbnet.challenge import auth, migrations
from thumbnet.challenge.app import create_app
from thumbnet.challenge.store import Store
from thumbnet.challenge.tables import ended_session


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_site(tmp_path, database_url=url) as made:
        made.add_team("blue")
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        yield made


@pytest.fixture
def other(site: Site) -> Iterator[Site]:
    """Give a second server process on the same database."""
    store = Store(site.settings.url, site.clock)
    app = create_app(site.settings, store, site.clock)
    yield Site(app, store, site.clock, site.settings, site.runner, site.tokens)
    store.close()


def with_cookie(site: Site, cookie: str) -> Client:
    client = site.client()
    client.cookies.set("session", cookie)
    return client


def is_admin(client: Client) -> bool:
    return "Audit log" in client.get("/admin").text


def is_team(client: Client) -> bool:
    return client.get("/submit").status_code == 200


def log_out(client: Client, page: str) -> httpx.Response:
    return client.post("/logout", data={"csrf": csrf_of(client, page)})


def try_password(client: Client, password: str) -> httpx.Response:
    fields = {"csrf": csrf_of(client, "/admin"), "password": password}
    return client.post("/admin/login", data=fields)


def test_a_new_password_ends_the_sessions_of_the_admin(site: Site, other: Site) -> None:
    admin, blue = site.admin_client(), site.team_client("blue")
    copied = with_cookie(other, admin.cookies["session"])
    csrf = csrf_of(copied, "/admin")
    assert is_admin(admin)
    assert is_admin(copied)
    site.store.set_admin_password("another one")
    assert not is_admin(admin)
    assert not is_admin(copied)
    answer = copied.post("/admin/teams/blue/token", data={"csrf": csrf})
    assert answer.status_code == 403
    assert try_password(site.client(), PASSWORD).status_code == 401
    assert try_password(admin, "another one").status_code == 303
    assert is_admin(admin)
    assert is_team(blue)


def test_a_cookie_is_void_after_logging_out(site: Site, other: Site) -> None:
    for client, page, is_in in (
        (site.admin_client(), "/admin", is_admin),
        (site.team_client("blue"), "/submit", is_team),
    ):
        cookie = client.cookies["session"]
        assert is_in(with_cookie(other, cookie))
        csrf = csrf_of(client, page)
        assert log_out(client, page).status_code == 303
        for place in (site, other):
            copied = with_cookie(place, cookie)
            assert not is_in(copied)
            assert copied.post("/logout", data={"csrf": csrf}).status_code == 403


def test_logging_out_ends_one_session_only(small: Site) -> None:
    """A team shares its token: who logs out must not throw out the others."""
    one, two = small.team_client("blue"), small.team_client("blue")
    log_out(one, "/submit")
    assert not is_team(one)
    assert is_team(two)


def test_who_logged_out_can_log_in_in_the_same_browser(small: Site) -> None:
    client = small.team_client("blue")
    cookie = client.cookies["session"]
    log_out(client, "/submit")
    client.cookies.set("session", cookie, domain="testserver.local")  # back again
    form = {"csrf": csrf_of(client, "/login"), "token": small.tokens["blue"], "next": "/submit"}
    assert client.post("/login", data=form).status_code == 303
    assert is_team(client)


def test_of_ended_sessions_only_those_are_kept_whose_cookie_may_be_shown(small: Site) -> None:
    for hours in (0, 1, 13):
        small.clock.advance(timedelta(hours=hours))
        client = small.team_client("blue")
        log_out(client, "/submit")
    with small.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(ended_session)) == 1


def test_a_session_that_ends_twice_has_ended(site: Site) -> None:
    ends = site.clock() + timedelta(hours=1)
    for _ in range(2):
        site.store.end_session("a nonce", ends)
    assert site.store.owner("a nonce", "", "") is None
    assert site.store.owner("another", "", "") is not None


def test_a_team_that_logs_in_again_and_again_is_slowed_down(tmp_path: Path) -> None:
    """Each session may be ended, and each end is kept for hours."""
    with open_site(tmp_path, token_upload_limit="2/minute") as site:
        site.add_team("blue")
        statuses = []
        for _ in range(3):
            client = site.client()
            form = {"csrf": csrf_of(client, "/login"), "token": site.tokens["blue"]}
            statuses.append(client.post("/login", data=form).status_code)
    assert statuses == [303, 303, 429]


def test_an_older_database_learns_of_ended_sessions(site: Site) -> None:
    with site.store.writing() as connection:
        migrations.downgrade(connection, "0002")
    site.store.migrate()
    client = site.team_client("blue")
    log_out(client, "/submit")
    assert not is_team(client)


# Passwords


def test_passwords_are_checked_one_at_a_time(small: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check takes 64 MiB of memory; who cannot be checked soon is told to come again."""
    at_once, most, gate, lock = 0, 0, threading.Event(), threading.Lock()

    def slow(kept: str, password: str) -> bool:
        nonlocal at_once, most
        del kept, password
        with lock:
            at_once += 1
            most = max(most, at_once)
        gate.wait(20)
        with lock:
            at_once -= 1
        return False

    monkeypatch.setattr(auth, "check_password", slow)
    monkeypatch.setattr(small.app.state.server.passwords, "_wait_s", 0.3)
    with served(small.app) as url, ThreadPoolExecutor(6) as pool:
        page = httpx.get(f"{url}/admin")
        csrf = page.text.split('name="csrf" value="')[1].split('"')[0]

        def guess(_: int) -> httpx.Response:
            return httpx.post(
                f"{url}/admin/login",
                data={"csrf": csrf, "password": "guess"},
                cookies=dict(page.cookies),
                timeout=20,
            )

        answers = [pool.submit(guess, number) for number in range(6)]
        refused = [answer for answer in _done_first(answers, 5) if answer.status_code == 503]
        assert httpx.get(f"{url}/", timeout=20).status_code == 200
        gate.set()
        assert sorted(answer.result().status_code for answer in answers) == [401] + [503] * 5
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert (most, len(refused)) == (1, 5)


def _done_first(answers: list[Future[httpx.Response]], count: int) -> list[httpx.Response]:
    done = as_completed(answers, timeout=20)
    return [next(done).result() for _ in range(count)]


def test_right_passwords_are_not_counted(small: Site) -> None:
    assert all(is_admin(small.admin_client()) for _ in range(12))


def test_wrong_passwords_behind_one_address_do_not_lock_out_a_known_browser(small: Site) -> None:
    teacher, student = small.admin_client(), small.client()
    log_out(teacher, "/admin")
    statuses = [try_password(student, "guess").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = try_password(student, PASSWORD)
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert try_password(teacher, PASSWORD).status_code == 303


def test_a_known_browser_has_a_limit_too_and_a_new_password_makes_it_unknown(small: Site) -> None:
    teacher = small.admin_client()
    small.store.set_admin_password("another one")
    log_out(teacher, "/login")
    statuses = [try_password(small.client(), "guess").status_code for _ in range(10)]
    assert statuses == [401] * 10
    assert try_password(teacher, "another one").status_code == 429  # by the address
    elsewhere = small.client("198.51.100.3")
    assert try_password(elsewhere, "another one").status_code == 303
    statuses = [try_password(elsewhere, "guess").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
