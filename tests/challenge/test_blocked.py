"""While somebody blocks all writes, reads go on, and writes are refused after a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text
from tests.challenge.conftest import DATABASES
from tests.challenge.serving import served
from tests.challenge.site import Site, labels_file, open_site

from thumbnet.challenge.context import NUM_WRITERS
from thumbnet.challenge.store_engine import BusyError, Patience

API = "/api/v1"
SHORT = Patience(read_s=0.2, write_s=0.3)
LONG = Patience(read_s=0.2, write_s=60.0)
UPLOADS = NUM_WRITERS + 40  # more than the threads in which Starlette runs what is not async
NO_LIMIT = {"upload_limit": "1000/second", "token_upload_limit": "1000/second"}


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest) -> dict[str, object]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return {"database_url": url, **NO_LIMIT}


@contextmanager
def blocked(site: Site, mode: str = "EXCLUSIVE") -> Iterator[None]:
    """Hold what every write needs, as another process would."""
    engine = create_engine(site.settings.url)
    with engine.connect() as connection:
        if site.store.is_sqlite:
            connection.connection.driver_connection.execute("BEGIN IMMEDIATE")  # type: ignore[union-attr]
        else:
            tables = "challenge, team, entry, audit, ended_session"
            connection.execute(text(f"LOCK TABLE {tables} IN {mode} MODE"))
        try:
            yield
        finally:
            connection.rollback()
    engine.dispose()


def test_reads_do_not_wait_behind_writes(
    tmp_path: Path, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads and connections for writing are taken; each read has one of its own."""
    with open_site(tmp_path, patience=LONG, **settings) as site:
        site.add_team("blue")
        waiting = threading.Semaphore(0)
        insert = site.store._insert

        def counted(*parts: object) -> str | None:
            waiting.release()
            return insert(*parts)  # type: ignore[arg-type]

        monkeypatch.setattr(site.store, "_insert", counted)
        with served(site.app) as url, ThreadPoolExecutor(UPLOADS) as pool:

            def upload(_: int) -> int:
                headers = site.bearer("blue")
                path = f"{url}{API}/submissions"
                answer = httpx.post(path, content=labels_file(), headers=headers, timeout=60)
                return answer.status_code

            with blocked(site):
                uploads = [pool.submit(upload, number) for number in range(UPLOADS)]
                for _ in range(NUM_WRITERS):
                    assert waiting.acquire(timeout=20)
                for path in ("/", "/rules", "/teams/blue", "/healthz", "/board", f"{API}/board"):
                    assert httpx.get(url + path, timeout=10).status_code == 200
                    assert not any(one.done() for one in uploads), path
            statuses = [one.result() for one in uploads]
        assert statuses.count(201) == 1
        assert set(statuses) <= {201, 429}


def test_a_write_that_waits_too_long_is_refused(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    with open_site(tmp_path, patience=SHORT, **settings) as site:
        site.add_team("blue")
        admin, team = site.admin_client(), site.team_client("blue")
        headers = site.bearer("blue")
        page = team.get("/submit").text
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        files = {"file": ("labels.txt", labels_file(), "text/plain")}
        with blocked(site):
            answer = site.client().post(
                f"{API}/submissions", content=labels_file(), headers=headers
            )
            assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
            assert int(answer.headers["retry-after"]) >= 1
            form = {"csrf": csrf, "action": "submit"}
            answer = team.post("/submit", data=form, files=files)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "nothing was changed" in answer.text
            assert team.post("/logout", data={"csrf": csrf}).status_code == 503
            assert admin.get("/admin").status_code == 200
            form = {"csrf": csrf, "action": "check"}
            assert team.post("/submit", data=form, files=files).status_code == 200
        answer = site.client().post(f"{API}/submissions", content=labels_file(), headers=headers)
        assert answer.status_code == 201


def test_threads_of_one_process_wait_no_longer_for_each_other(tmp_path: Path) -> None:
    with (
        open_site(tmp_path, patience=SHORT) as site,
        site.store.writing(),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(BusyError),
    ):
        pool.submit(site.store.reveal).result()


def test_what_waits_for_a_thread_is_refused_and_not_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_site(tmp_path, patience=Patience(0.2, 20.0), **NO_LIMIT) as site:
        site.add_team("blue")
        monkeypatch.setattr(site.app.state.server.writers, "_wait_s", 0.2)
        with served(site.app) as url, ThreadPoolExecutor(NUM_WRITERS + 3) as pool:

            def upload(_: int) -> int:
                headers = site.bearer("blue")
                path = f"{url}{API}/submissions"
                answer = httpx.post(path, content=labels_file(), headers=headers, timeout=60)
                return answer.status_code

            with blocked(site):
                uploads = [pool.submit(upload, number) for number in range(NUM_WRITERS + 3)]
                while sum(one.done() for one in uploads) < 3:
                    threading.Event().wait(0.02)
            statuses = sorted(one.result() for one in uploads)
    assert statuses == [201] + [429] * (NUM_WRITERS - 1) + [503] * 3


def test_the_board_stays_as_it_was_while_nothing_can_be_read(
    tmp_path: Path, postgres_url: str
) -> None:
    with open_site(tmp_path, patience=SHORT, database_url=postgres_url) as site:
        site.add_team("blue")
        site.enter("blue", 0.5)
        client = site.client()
        before = client.get("/board").text
        site.app.state.server.snapshots.live._looked = -1.0
        with blocked(site, "ACCESS EXCLUSIVE"):
            assert client.get("/board").text == before
            assert client.get("/").status_code == 200
            health = client.get("/healthz")
            assert (health.status_code, health.json()["ok"]) == (503, False)
        assert client.get("/healthz").status_code == 200
