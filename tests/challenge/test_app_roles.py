"""Who may do what: every route, for every role, with its own and with foreign objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from tests.challenge.site import PASSWORD, Client, Site, csrf_of, labels_file, open_site

API = "/api/v1"
ROLES = ("visitor", "blue", "red", "admin")  # blue owns the objects, red is another team

# Statuses in the order of ROLES. API calls know tokens only, pages know sessions only; a client
# here has both, where its role has them.
READS = {
    "/": (200, 200, 200, 200),
    "/board": (200, 200, 200, 200),
    "/rules": (200, 200, 200, 200),
    "/login": (200, 200, 200, 200),
    "/teams/{slug}": (200, 200, 200, 200),
    "/submit": (303, 200, 200, 303),
    "/submissions/{entry_id}": (404, 200, 404, 404),
    "/admin": (200, 200, 200, 200),  # a form for the password, or the overview
    "/admin/teams/{slug}": (403, 403, 403, 200),
    "/bundle.zip": (404, 404, 404, 404),  # there is none in these tests
    "/healthz": (200, 200, 200, 200),
    "/metrics": (200, 200, 200, 200),
    f"{API}/openapi.json": (200, 200, 200, 200),
    f"{API}/challenge": (200, 200, 200, 200),
    f"{API}/board": (200, 200, 200, 200),
    f"{API}/submissions": (401, 200, 200, 401),
    f"{API}/submissions/{{entry_id}}": (401, 200, 404, 401),
}
WRITES = {
    "/login": (401, 401, 401, 401),  # with a wrong token
    "/logout": (303, 303, 303, 303),
    "/submit": (403, 422, 422, 403),
    "/admin/login": (401, 401, 401, 401),  # with a wrong password
    "/admin/teams": (403, 403, 403, 200),
    "/admin/teams/{slug}/token": (403, 403, 403, 200),
    "/admin/teams/{slug}/disable": (403, 403, 403, 303),
    "/admin/teams/{slug}/enable": (403, 403, 403, 303),
    "/admin/entries/{entry_id}/hide": (403, 403, 403, 303),
    "/admin/entries/{entry_id}/show": (403, 403, 403, 303),
    "/admin/freeze": (403, 403, 403, 303),
    "/admin/unfreeze": (403, 403, 403, 303),
    "/admin/reveal": (403, 403, 403, 303),
    "/admin/rescore": (403, 403, 403, 303),
    f"{API}/submissions": (401, 429, 201, 401),  # blue has used its slot
    f"{API}/check": (401, 200, 200, 401),
}
ENDLESS = {f"{API}/events"}  # see test_live.py
EXTRA_FIELDS = {
    "/login": {"token": "wrong"},
    "/admin/login": {"password": "wrong"},
    "/admin/teams": {"name": "green"},
    "/submit": {"action": "submit"},
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path, login_limit="1000/minute") as made:
        made.add_team("blue")
        made.add_team("red")
        yield made


def visit_as(site: Site, role: str) -> tuple[Client, dict[str, str]]:
    """Return a client logged in as a role, and what it sends along."""
    if role == "visitor":
        return site.client(), {}
    if role == "admin":
        return site.admin_client(), {}
    return site.team_client(role), site.bearer(role)


def routes(app_routes: Iterable[Any], method: str) -> set[str]:
    found = set()
    for route in app_routes:
        if isinstance(route, Route) and method in (route.methods or ()):
            found.add(route.path)
        if included := getattr(route, "original_router", None):
            found |= routes(included.routes, method)
    return found


def test_the_matrix_knows_every_route(site: Site) -> None:
    assert routes(site.app.routes, "GET") == set(READS) | ENDLESS
    assert routes(site.app.routes, "POST") == set(WRITES)
    assert not routes(site.app.routes, "PUT") | routes(site.app.routes, "DELETE")


@pytest.mark.parametrize("role", ROLES)
def test_reads(site: Site, role: str) -> None:
    own = site.enter("blue", 0.5, note="a note of blue").entry
    client, headers = visit_as(site, role)
    for path, statuses in READS.items():
        answer = client.get(path.format(slug="blue", entry_id=own.id), headers=headers)
        assert answer.status_code == statuses[ROLES.index(role)], path
        allowed = role == "blue" or (role == "admin" and path == "/admin/teams/{slug}")
        if not allowed:
            assert "a note of blue" not in answer.text, path
            if path != "/admin":
                assert own.sha256 not in answer.text, path


@pytest.mark.parametrize("role", ROLES)
def test_writes(site: Site, role: str) -> None:
    own = site.enter("blue", 0.5).entry
    for path, statuses in WRITES.items():
        client, headers = visit_as(site, role)
        before = _state(site)
        address = path.format(slug="blue", entry_id=own.id)
        if path.startswith(API):
            answer = client.post(address, content=labels_file(), headers=headers)
        else:
            fields = {"csrf": _csrf(client, role), **EXTRA_FIELDS.get(path, {})}
            answer = client.post(address, data=fields)
        assert answer.status_code == statuses[ROLES.index(role)], path
        if answer.status_code >= 400:
            assert _state(site) == before, path


def test_a_token_of_the_api_opens_no_page_and_a_session_no_call(site: Site) -> None:
    own = site.enter("blue", 0.5).entry
    assert site.client().get("/submit", headers=site.bearer("blue")).status_code == 303
    assert site.team_client("blue").get(f"{API}/submissions/{own.id}").status_code == 401


def test_foreign_objects_look_as_if_they_were_not_there(site: Site) -> None:
    own = site.enter("blue", 0.5).entry
    red, headers = site.team_client("red"), site.bearer("red")
    for path in ("/submissions/{}", f"{API}/submissions/{{}}"):
        foreign = red.get(path.format(own.id), headers=headers)
        absent = red.get(path.format("0" * 16), headers=headers)
        assert foreign.status_code == absent.status_code == 404
        assert _undated(foreign.text) == _undated(absent.text)


def test_a_new_token_ends_sessions_and_the_old_token(site: Site) -> None:
    team = site.store.team_by_slug("blue")
    assert team is not None
    client = site.team_client("blue")
    assert client.get("/submit").status_code == 200
    site.store.rotate_token(team)
    assert client.get("/submit").status_code == 303
    assert client.get(f"{API}/submissions", headers=site.bearer("blue")).status_code == 401


def _csrf(client: Client, role: str) -> str:
    return csrf_of(client, "/login" if role == "visitor" else "/rules")


def _undated(text: str) -> str:
    return text.partition("<body>")[2] or text


def _state(site: Site) -> tuple[object, ...]:
    board = site.store.board(for_admin=True)
    teams = [(team.slug, team.disabled) for team in site.store.teams()]
    known = site.store.team_of_token(site.tokens["blue"])
    return board.rows, board.state, teams, known, site.store.check_admin(PASSWORD)
