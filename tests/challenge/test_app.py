"""The API: what each call answers, and what is refused how."""

from __future__ import annotations

import gc
import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.challenge.site import (
    HOUR,
    NOON,
    NUM_IMAGES,
    RULES,
    Client,
    Site,
    labels_file,
    open_site,
)

from thumbnet.challenge.entities import Rules
from thumbnet.challenge.routes import ops

API = "/api/v1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        made.add_team("red")
        yield made


@pytest.fixture
def client(site: Site) -> Client:
    return site.client()


def test_a_submission_is_answered_with_a_receipt(site: Site, client: Client) -> None:
    content = labels_file(0.7)
    headers = site.bearer("blue") | {"X-Note": quote("breiter Stamm, größer")}
    answer = client.post(f"{API}/submissions", content=content, headers=headers)
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["sha256"] == hashlib.sha256(content).hexdigest()
    assert (receipt["number"], receipt["team"], receipt["size_bytes"]) == (1, "blue", len(content))
    assert receipt["note"] == "breiter Stamm, größer"
    assert receipt["score"]["value"] == pytest.approx(0.7, abs=0.08)
    assert receipt["score"]["num_images"] == NUM_IMAGES // 2
    assert datetime.fromisoformat(receipt["next_slot"]) == NOON + 2 * HOUR
    assert set(receipt) == {
        *("id", "number", "team", "received", "sha256", "size_bytes", "score", "note"),
        *("next_slot", "entries_left"),
    }


def test_it_stands_on_the_board_at_once(site: Site, client: Client) -> None:
    before = client.get(f"{API}/board").json()
    assert before["rows"] == []
    client.post(f"{API}/submissions", content=labels_file(), headers=site.bearer("blue"))
    board = client.get(f"{API}/board").json()
    assert [row["team"] for row in board["rows"]] == ["blue"]
    assert board["version"] > before["version"]
    assert board["rows"][0]["private"] is None


def test_a_second_one_is_refused_with_the_right_time(site: Site, client: Client) -> None:
    upload = {"content": labels_file(), "headers": site.bearer("blue")}
    assert client.post(f"{API}/submissions", **upload).status_code == 201
    site.clock.advance(timedelta(minutes=30, seconds=0.5))
    answer = client.post(f"{API}/submissions", **upload)
    assert answer.status_code == 429
    assert answer.json()["reason"] == "quota"
    assert answer.headers["retry-after"] == "5400"  # rounded up: who waits it is never early
    assert datetime.fromisoformat(answer.json()["retry_at"]) == NOON + 2 * HOUR
    site.clock.now = NOON + 2 * HOUR - timedelta(microseconds=1)
    assert client.post(f"{API}/submissions", **upload).status_code == 429
    site.clock.now = NOON + 2 * HOUR
    assert client.post(f"{API}/submissions", **upload).status_code == 201


def test_a_malformed_file_costs_no_slot_and_tells_all_errors(site: Site, client: Client) -> None:
    lines = labels_file().splitlines()
    lines[4], lines[9] = b"image_00005.png n09999999", b"nonsense"
    for path in ("submissions", "check"):
        answer = client.post(
            f"{API}/{path}", content=b"\n".join(lines), headers=site.bearer("blue")
        )
        assert answer.status_code == 422
        errors = answer.json()["errors"]
        assert [error.split(":")[0] for error in errors[:2]] == ["line 5", "line 10"]
        assert len(errors) == 3  # and the image that line 10 should have held
    answer = client.post(f"{API}/submissions", content=labels_file(), headers=site.bearer("blue"))
    assert answer.status_code == 201


def test_a_check_scores_nothing(site: Site, client: Client) -> None:
    content = labels_file()
    answer = client.post(f"{API}/check", content=content, headers=site.bearer("blue"))
    assert answer.json() == {
        "ok": True,
        "num_images": NUM_IMAGES,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
    }
    assert client.get(f"{API}/submissions", headers=site.bearer("blue")).json()["entries"] == []


def test_own_entries(site: Site, client: Client) -> None:
    first = site.enter("blue", 0.5)
    site.clock.advance(2 * HOUR)
    second = site.enter("blue", 0.6, 1)
    page = client.get(f"{API}/submissions", headers=site.bearer("blue")).json()
    assert [entry["id"] for entry in page["entries"]] == [first.entry.id, second.entry.id]
    assert (page["team"], page["rank"], page["entries_left"]) == ("blue", 1, None)
    one = client.get(f"{API}/submissions/{first.entry.id}", headers=site.bearer("blue"))
    assert one.json() == page["entries"][0]


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (RULES.opens - HOUR, "planned"),
        (RULES.closes, "closed"),
    ],
)
def test_outside_its_dates_nothing_is_taken(
    site: Site, client: Client, now: datetime, reason: str
) -> None:
    site.clock.now = now
    upload = {"content": labels_file(), "headers": site.bearer("blue")}
    answer = client.post(f"{API}/submissions", **upload)
    assert (answer.status_code, answer.json()["reason"]) == (403, reason)
    assert client.get(f"{API}/challenge").json()["state"] == reason
    assert client.post(f"{API}/check", **upload).status_code == 200


def test_the_state_changes_with_the_clock_alone(site: Site, client: Client) -> None:
    site.enter("blue", 0.5)
    states = []
    for now in (RULES.opens - HOUR, RULES.opens, RULES.closes - HOUR, RULES.closes):
        site.clock.now = now
        site.runner.run(site.app.state.server.snapshots.changed())  # else a moment later
        states.append(client.get(f"{API}/board").json()["state"])
    assert states == ["planned", "open", "open", "closed"]


def test_frozen_disabled_and_used_up(tmp_path: Path) -> None:
    rules = Rules("few", RULES.opens, RULES.closes, max_entries=1)
    with open_site(tmp_path, rules=rules) as site:
        team, client = site.add_team("blue"), site.client()
        upload = {"content": labels_file(), "headers": site.bearer("blue")}

        def refused() -> tuple[int, str, bool]:
            answer = client.post(f"{API}/submissions", **upload)
            return answer.status_code, answer.json()["reason"], "retry-after" in answer.headers

        site.store.freeze(site.clock())
        assert refused() == (403, "frozen", False)
        site.store.freeze(None)
        site.store.disable_team(team)
        assert refused() == (403, "disabled", False)
        site.store.disable_team(team, False)
        assert client.post(f"{API}/submissions", **upload).json()["entries_left"] == 0
        site.clock.advance(3 * HOUR)
        assert refused() == (403, "max_entries", False)


def test_too_many_malformed_files_are_not_explained(tmp_path: Path) -> None:
    with open_site(tmp_path, malformed_per_hour=2) as site:
        site.add_team("blue")
        client, bad = site.client(), {"content": b"x", "headers": site.bearer("blue")}
        answers = [client.post(f"{API}/submissions", **bad) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [422, 422, 429]
        assert answers[2].headers["retry-after"] == "3600"
        assert answers[2].json()["errors"] == []


def test_the_challenge_is_described(client: Client) -> None:
    answer = client.get(f"{API}/challenge").json()
    assert answer["name"] == RULES.name
    assert answer["quota_s"] == 7200
    assert (answer["num_images"], answer["num_classes"]) == (NUM_IMAGES, 6)
    assert datetime.fromisoformat(answer["now"]) == NOON
    assert "labels" not in str(answer)


def test_an_unchanged_board_is_not_sent_again(client: Client) -> None:
    for path in (f"{API}/board", "/board"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_what_reads_need_is_found_without_a_thread(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop to a thread and back costs more than all the rest of reading the board."""
    monkeypatch.setattr("fastapi.dependencies.utils.run_in_threadpool", None)
    for path in ("/", "/board", f"{API}/board", f"{API}/challenge"):
        assert client.get(path).status_code == 200


def test_the_board_that_all_fetch_at_once_is_found_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a look at any other route, and without FastAPI's own work; it is counted as well."""
    monkeypatch.setattr("fastapi.routing.solve_dependencies", None)
    assert client.get("/board").status_code == 200
    monkeypatch.undo()
    assert 'thumbnet_requests_total{method="GET",route="/board",status="200"} 1' in (
        client.get("/metrics").text
    )


def test_while_it_serves_no_collection_walks_over_what_was_imported(site: Site) -> None:
    """Each full one would take 0.1 s, and every few uploads set one off."""

    async def run() -> int:
        async with site.app.router.lifespan_context(site.app):
            return gc.get_freeze_count()

    before = gc.get_freeze_count()
    assert site.runner.run(run()) > before + 10_000
    assert gc.get_freeze_count() == 0


def test_the_bundle(site: Site, client: Client) -> None:
    assert client.get("/bundle.zip").status_code == 404
    with zipfile.ZipFile(site.settings.bundle, "w") as archive:
        archive.writestr("README.txt", "images")
    answer = client.get("/bundle.zip")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.content == site.settings.bundle.read_bytes()
    part = client.get("/bundle.zip", headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, answer.content[2:6])


def test_the_bundle_comes_with_the_opening(site: Site) -> None:
    site.settings.bundle.write_bytes(b"images")
    site.clock.now = RULES.opens - HOUR
    visitor, team, admin = site.client(), site.team_client("blue"), site.admin_client()
    for client in (visitor, team):
        answer = client.get("/bundle.zip")
        assert (answer.status_code, answer.json()["reason"]) == (403, "planned")
        assert answer.headers["retry-after"] == "3600"
        assert "/bundle.zip" not in client.get("/rules").text
    answer = admin.get("/bundle.zip")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    site.clock.now = RULES.opens
    assert visitor.get("/bundle.zip").content == b"images"
    site.app.state.server.snapshots.live._looked = -1.0  # it looks a few times a second only
    assert visitor.get("/rules").text.count("/bundle.zip") == 2
    site.clock.now = RULES.closes + HOUR
    assert visitor.get("/bundle.zip").status_code == 200


def test_a_full_disk_is_not_well(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(site.settings.folder)
    monkeypatch.setattr(ops, "disk_usage", lambda _: usage._replace(free=1_000_000))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "version": 3, "problem": "the disk is full"}


def test_health(site: Site, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").json()["ok"] is True

    def broken() -> int:
        raise OSError("/var/lib/secret/place")

    monkeypatch.setattr(site.store, "version", broken)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert "secret" not in answer.text


def test_metrics(site: Site, client: Client) -> None:
    client.post(f"{API}/submissions", content=labels_file(), headers=site.bearer("blue"))
    client.post(f"{API}/submissions", content=labels_file(), headers=site.bearer("blue"))
    client.get("/teams/blue")
    client.get("/no/such/page")
    text = client.get("/metrics").text
    for line in (
        'thumbnet_requests_total{method="POST",route="/api/v1/submissions",status="201"} 1',
        'thumbnet_requests_total{method="GET",route="/teams/{slug}",status="200"} 1',
        'thumbnet_requests_total{method="GET",route="other",status="404"} 1',
        'thumbnet_uploads_total{outcome="accepted"} 1',
        'thumbnet_uploads_total{outcome="quota"} 1',
        "thumbnet_entries 1",
    ):
        assert line in text.splitlines()


def test_openapi_documents_every_call_with_an_example(client: Client) -> None:
    schema = client.get(f"{API}/openapi.json").json()
    assert set(schema["paths"]) == {
        *(f"{API}/{name}" for name in ("challenge", "board", "events", "submissions", "check")),
        f"{API}/submissions/{{entry_id}}",
        *("/bundle.zip", "/healthz", "/metrics"),
    }
    upload = schema["paths"][f"{API}/submissions"]["post"]
    assert set(upload["responses"]) == {
        *("201", "401", "403", "408", "413", "415", "422", "429", "503"),
    }
    assert {"text/plain", "text/csv"} == set(upload["requestBody"]["content"])
    assert upload["requestBody"]["content"]["text/csv"]["example"].startswith("image,class\n")
    assert upload["security"] == [{"HTTPBearer": []}]
    receipt = schema["components"]["schemas"]["ReceiptAnswer"]["properties"]
    assert receipt["note"]["examples"] == ["wider stem"]


def test_a_revealed_board_shows_the_private_scores(site: Site, client: Client) -> None:
    site.enter("blue", 0.5)
    assert client.get(f"{API}/board").json()["rows"][0]["private"] is None
    site.store.reveal()
    site.runner.run(site.app.state.server.snapshots.changed())
    row = client.get(f"{API}/board").json()["rows"][0]
    assert row["private"]["num_images"] == NUM_IMAGES // 2
    own = client.get(f"{API}/submissions", headers=site.bearer("blue")).json()
    assert own["entries"][0]["private"] == row["private"]
