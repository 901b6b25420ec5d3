"""Pages without a script: what they show, to whom, and what forms do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.challenge.site import (
    HOSTILE,
    HOUR,
    NOON,
    PASSWORD,
    RULES,
    WNIDS,
    Client,
    Site,
    csrf_of,
    labels_file,
    open_site,
    seed_teams,
)

from thumbnet.challenge.entities import Team
from thumbnet.challenge.settings import ChallengeError


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        made.add_team("red")
        yield made


def submit(
    client: Client, content: bytes, action: str = "submit", note: str = ""
) -> httpx.Response:
    fields = {"csrf": csrf_of(client, "/submit"), "action": action, "note": note}
    return client.post("/submit", data=fields, files={"file": ("l.txt", content, "text/plain")})


def plain(text: str) -> str:
    """Return what a reader sees of a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text.partition("<main")[2])).split())


def test_an_empty_board_says_so(site: Site) -> None:
    assert "No entry yet" in site.client().get("/").text


def test_the_board_is_a_table_with_a_way_around_scripts(site: Site) -> None:
    site.enter("blue", 0.6)
    site.enter("red", 0.4, 1)
    text = site.client().get("/").text
    assert text.count("<table") == text.count("<caption") == 1
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in text
    assert text.index(">blue<") < text.index(">red<")
    assert '<time datetime="2026-11-20T12:00:00Z">20 Nov, 12:00</time>' in text
    assert "14 d 00:00:00" in text
    assert text.count('<tbody class="') == 2  # two bands


def test_bands_changes_and_baselines_are_marked(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        seed_teams(site)
        text = site.client().get("/").text
        assert "rows whose differences may be chance" in text
        assert ">baseline<" in text
        assert "▲" in text
        assert '<span class="sr">not ranked</span>' in text
        board = site.store.board()
        assert text.count("<tr id=") == len(board.rows) == 30


def test_the_board_counts_down_also_where_no_script_does(site: Site) -> None:
    client = site.client()
    client.get("/")
    site.clock.advance(timedelta(minutes=1))
    assert "13 d 23:59:00" in client.get("/").text


@pytest.mark.parametrize(
    ("state", "words", "slot"),
    [
        ("planned", "The challenge has not begun", "1:00:00"),
        ("frozen", "The board is frozen", "none during the freeze"),
        ("closed", "The challenge is closed", "none: the challenge is over"),
        ("revealed", "Final result", "none: the challenge is over"),
    ],
)
def test_a_banner_tells_the_state(site: Site, state: str, words: str, slot: str) -> None:
    site.enter("blue", 0.5)
    if state == "planned":
        site.clock.now = RULES.opens - HOUR
    elif state == "closed":
        site.clock.now = RULES.closes
    elif state == "frozen":
        site.store.freeze(NOON)
    else:
        site.store.reveal()
    text = site.client().get("/").text
    assert words in text
    assert ("Final score" in text) == (state == "revealed")
    assert f"Next slot {slot}" in plain(site.team_client("red").get("/teams/red").text)


def test_a_team_sees_its_history_and_others_its_best_only(site: Site) -> None:
    site.enter("blue", 0.5, note="first idea")
    site.clock.advance(2 * HOUR)
    entry = site.enter("blue", 0.6, 1, note="wider stem").entry
    own = site.team_client("blue").get("/teams/blue").text
    for word in ("first idea", "wider stem", entry.sha256, "2:00:00", "<polyline", ">best<"):
        assert word in own
    for client in (site.client(), site.team_client("red"), site.admin_client()):
        foreign = client.get("/teams/blue").text
        assert "Best score" in foreign
        for word in ("first idea", "wider stem", entry.sha256, "2:00:00", "<polyline"):
            assert word not in foreign


def test_submit_shows_a_receipt(site: Site) -> None:
    client = site.team_client("blue")
    answer = submit(client, labels_file(0.6), note="größer")
    assert answer.status_code == 303
    receipt = client.get(answer.headers["location"]).text
    entry = site.store.team_page(_team(site, "blue")).entries[0]
    for word in ("Accepted and scored", entry.sha256, "größer", "2:00:00", "15,600 bytes"):
        assert word in receipt
    assert ">blue<" in site.client().get("/").text


def test_a_second_upload_is_refused_with_the_countdown(site: Site) -> None:
    client = site.team_client("blue")
    submit(client, labels_file())
    site.clock.advance(timedelta(minutes=29, seconds=30))
    answer = submit(client, labels_file(), note="again")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5430"
    text = answer.text
    assert "Next slot in 1:30:30 , 20 Nov 2026, 14:00 UTC" in plain(text)
    assert 'value="again"' in text  # the note is not lost


def test_a_check_uses_no_slot(site: Site) -> None:
    client = site.team_client("blue")
    checked = submit(client, labels_file(), "check").text
    assert "The file is well formed" in checked
    assert "<noscript> Choose the file again.</noscript>" in checked
    bad = submit(client, b"image_00001.png <b>x</b>\n", "check").text
    assert "The file has errors" in bad
    assert "&lt;b&gt;x&lt;/b&gt;" in bad
    assert "599 images are missing" in bad
    assert site.store.board().rows == ()


def test_a_form_without_a_file_or_with_other_fields_is_refused(site: Site) -> None:
    client = site.team_client("blue")
    csrf = csrf_of(client, "/submit")
    file = {"file": ("l.txt", labels_file(), "text/plain")}
    for fields, files in (
        ({"csrf": csrf, "action": "submit"}, None),
        ({"csrf": csrf}, file),
        ({"csrf": csrf, "action": "submit", "score": "1.0"}, file),
    ):
        assert client.post("/submit", data=fields, files=files).status_code == 422
    assert site.store.board().rows == ()


def test_logging_in_leads_back(site: Site) -> None:
    client = site.client()
    assert client.get("/submit").headers["location"] == "/login?next=/submit"
    page = client.get("/login?next=/teams/blue").text
    assert 'name="next" value="/teams/blue"' in page
    fields = {"csrf": csrf_of(client, "/login"), "next": "/teams/blue", "token": "wrong"}
    refused = client.post("/login", data=fields)
    assert (refused.status_code, "No team has this token" in refused.text) == (401, True)
    fields["token"] = f"  {site.tokens['blue']}\n"
    assert client.post("/login", data=fields).headers["location"] == "/teams/blue"


def test_rules_tell_what_binds(site: Site) -> None:
    text = plain(site.client().get("/rules").text)
    for words in (
        "Each team may submit again 2 hours after its last entry.",
        "Opens 17 Nov 2026, 12:00 UTC Closes",
        "4 Dec 2026, 12:00 UTC (in 14 d 00:00:00 )",
        "300 of the 600 images",
        f"image_00001.png {WNIDS[0]}",
        "image_00002.png,fire salamander",
        "top-1",
    ):
        assert words in text


def test_rules_without_a_quota(tmp_path: Path) -> None:
    with open_site(tmp_path, rules=replace(RULES, quota=timedelta(0), max_entries=9)) as site:
        text = plain(site.client().get("/rules").text)
        assert "Each team may submit at any time. Each team has 9 entries in all." in text


def test_a_planned_freeze_is_shown_and_can_be_cancelled(site: Site) -> None:
    site.store.freeze(NOON + HOUR)
    client = site.admin_client()
    for path in ("/", "/rules"):
        text = plain(site.client().get(path).text)
        assert re.search(r"(will freeze|Freezes) 20 Nov 2026, 13:00 UTC", text), path
    assert "Cancel the freeze" in client.get("/admin").text
    client.post("/admin/unfreeze", data={"csrf": csrf_of(client, "/admin")})
    site.clock.advance(HOUR)
    assert site.store.challenge().state == "open"


def test_rules_tell_what_changed_and_when(site: Site) -> None:
    site.clock.advance(HOUR)
    site.store.move(RULES.opens, RULES.closes + HOUR)
    changed = replace(RULES, name="<b>New</b>", quota=timedelta(days=1), max_entries=30)
    assert site.store.edit(RULES, changed)
    assert not site.store.edit(changed, changed)
    page = site.client().get("/rules").text
    text = plain(page)
    assert "20 Nov 2026, 13:00 UTC closes: 4 Dec 2026, 13:00 UTC" in text
    assert "time between two entries of a team: 2 hours → 1 day ;" in text
    assert "entries of a team in all: no limit → 30" in text
    assert "again 1 day after its last entry. Each team has 30 entries" in text
    assert "<b>New" not in page
    assert "opens: " not in text  # it did not change


@pytest.mark.parametrize("path", ["/submit", "/admin"])
def test_after_the_reveal_nothing_counts_down(site: Site, path: str) -> None:
    site.store.reveal()
    client = site.admin_client() if path == "/admin" else site.team_client("blue")
    text = client.get(path).text
    assert "data-until" not in text
    assert "Closes in" not in text


def test_too_many_files_of_a_team_leave_the_form_and_its_note(tmp_path: Path) -> None:
    with open_site(tmp_path, token_upload_limit="1/minute") as site:
        site.add_team("blue")
        client = site.team_client("blue")
        assert submit(client, labels_file(), "check").status_code == 200
        answer = submit(client, labels_file(), "check")
        assert (answer.status_code, "Too many uploads" in answer.text) == (429, True)
        assert 'id="upload"' in answer.text
        assert int(answer.headers["retry-after"]) >= 1


def test_a_receipt_s_link_is_wide_enough(site: Site) -> None:
    entry = site.enter("blue", 0.5).entry
    text = site.team_client("blue").get("/teams/blue").text
    assert f'href="/submissions/{entry.id}">Entry 1</a>' in text


def test_a_revealed_challenge_is_not_frozen(site: Site) -> None:
    site.store.reveal()
    client = site.admin_client()
    for path in ("freeze", "unfreeze"):
        answer = client.post(f"/admin/{path}", data={"csrf": csrf_of(client, "/admin")})
        assert answer.status_code == 422
        assert "cannot be frozen any more" in answer.text


def test_an_unknown_page_says_so(site: Site) -> None:
    answer = site.client().get("/teams/nobody")
    assert answer.status_code == 404
    assert "There is no such team." in answer.text


# The organizers


def test_the_admin_adds_a_team_and_its_token_works(site: Site) -> None:
    client = site.admin_client()
    answer = client.post("/admin/teams", data={"csrf": csrf_of(client, "/admin"), "name": "green"})
    token = re.search(r'class="token">([^<]+)<', answer.text)
    assert token is not None
    assert answer.headers["cache-control"] == "no-store"
    site.tokens["green"] = token[1]
    assert site.team_client("green").get("/submit").status_code == 200
    assert token[1] not in client.get("/admin").text  # shown once
    again = client.post("/admin/teams", data={"csrf": csrf_of(client, "/admin"), "name": "Green"})
    assert again.status_code == 422
    assert "taken" in again.text


def test_the_admin_freezes_hides_and_reveals(site: Site) -> None:
    entry, client = site.enter("blue", 0.5).entry, site.admin_client()

    def press(path: str) -> str:
        answer = client.post(f"/admin/{path}", data={"csrf": csrf_of(client, "/admin")})
        assert answer.status_code == 303
        return client.get(answer.headers["location"]).text

    assert "The challenge is frozen." in press("freeze")
    assert site.store.challenge().state == "frozen"
    assert "The challenge is not frozen any more." in press("unfreeze")
    press(f"entries/{entry.id}/hide")
    assert site.store.board().rows == ()
    assert ">hidden<" in client.get("/admin/teams/blue").text
    press(f"entries/{entry.id}/show")
    assert "All entries are scored again." in press("rescore")
    press("teams/blue/disable")
    assert ">disabled<" in client.get("/admin").text
    press("teams/blue/enable")
    page = press("reveal")
    assert "entry hidden" in page
    assert site.client().get("/").text.count("Final score") == 1


def test_the_admin_sees_private_scores_which_nobody_else_does(site: Site) -> None:
    site.enter("blue", 0.5)
    private = site.store.board(for_admin=True).rows[0].private
    assert private is not None
    shown = f"{100 * private.value:.1f} %"
    assert shown in site.admin_client().get("/admin").text
    for path in ("/", "/teams/blue", "/api/v1/board"):
        assert shown not in site.team_client("blue").get(path).text


def test_wrong_passwords_are_written_down(site: Site) -> None:
    client = site.client()
    fields = {"csrf": csrf_of(client, "/admin"), "password": "guess"}
    assert client.post("/admin/login", data=fields).status_code == 401
    line = site.store.audit(1)[0]
    assert (line.action, line.details) == ("login refused", {"address": "192.0.2.7"})
    fields["password"] = PASSWORD
    assert client.post("/admin/login", data=fields).status_code == 303


# Hostile names and notes

TAGS = re.compile(r"<[a-zA-Z/!][^>]*>")


def skeleton(text: str) -> list[str]:
    """Return the tags of a page without the values of their attributes."""
    return [re.sub(r'"[^"]*"', '""', tag) for tag in TAGS.findall(text)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_leaves_the_pages_as_they_are(site: Site, name: str) -> None:
    team = site.add_team(name)
    site.enter(name, 0.5, note=name)
    site.enter("red", 0.5, note="plain")
    admin = site.admin_client()
    for path in ("/teams/{}", "/admin/teams/{}"):
        hostile = admin.get(path.format(team.slug)).text
        assert skeleton(hostile) == skeleton(admin.get(path.format("red")).text)
        assert name in unescape(hostile)
    own = site.team_client(name).get(f"/teams/{team.slug}").text
    assert skeleton(own) == skeleton(site.team_client("red").get("/teams/red").text)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    note=st.text(st.sampled_from("<>&\"'`/={}%$;:()[]-!ab\u202e\u200b\x00\n\ud800"), max_size=30)
)
def test_no_note_becomes_markup(hostile_site: tuple[Site, Client, list[str]], note: str) -> None:
    site, client, clean = hostile_site
    site.clock.advance(2 * HOUR)
    team = _team(site, "blue")
    site.store.submit(team, labels_file(), note.encode("utf-8", "replace").decode())
    latest = site.store.team_page(team).entries[0]
    assert skeleton(client.get(f"/submissions/{latest.id}").text) == clean


@pytest.fixture(scope="module")
def hostile_site(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Site, Client, list[str]]]:
    with open_site(tmp_path_factory.mktemp("hostile"), session_hours=10_000) as site:
        site.add_team("blue")
        first, client = site.enter("blue", 0.5, note="plain").entry, site.team_client("blue")
        yield site, client, skeleton(client.get(f"/submissions/{first.id}").text)


@settings(max_examples=60, deadline=None)
@given(name=st.text(min_size=1, max_size=40))
def test_every_name_that_is_allowed_is_shown_as_it_is(name: str) -> None:
    from thumbnet.challenge.names import clean_name
    from thumbnet.challenge.rendering import environment

    try:
        allowed = clean_name(name)
    except ChallengeError:
        return
    text = environment().from_string("<b>{{ name }}</b>").render(name=allowed)
    assert unescape(text) == f"<b>{allowed}</b>"
    assert TAGS.findall(text) == ["<b>", "</b>"]


def _team(site: Site, name: str) -> Team:
    team = site.store.team_by_slug(name)
    assert team is not None
    return team
