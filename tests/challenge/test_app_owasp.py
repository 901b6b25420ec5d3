"""The ten risks of the OWASP API list of 2023, one test each; others look at each more closely."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.challenge.site import HOUR, Site, csrf_of, labels_file, open_site

API = "/api/v1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        made.add_team("red")
        yield made


def test_api1_broken_object_level_authorization(site: Site) -> None:
    own = site.enter("blue", 0.5).entry
    client = site.client()
    path = f"{API}/submissions/{own.id}"
    assert client.get(path, headers=site.bearer("blue")).status_code == 200
    assert client.get(path, headers=site.bearer("red")).status_code == 404
    assert client.get(path).status_code == 401
    assert own.id not in client.get(f"{API}/submissions", headers=site.bearer("red")).text


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer {} ", "Token {}"]
)
def test_api2_broken_authentication(site: Site, value: str) -> None:
    token = site.tokens["blue"]
    header = {"Authorization": value.format(token[:-1])}
    answer = site.client().get(f"{API}/submissions", headers=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert site.client().get(f"{API}/submissions?token={token}").status_code == 401


def test_api3_broken_object_property_level_authorization(site: Site) -> None:
    """Nothing of an entry but its file and its note comes from who sends it."""
    headers = site.bearer("blue") | {"X-Score": "1.0", "X-Team": "red", "X-Hidden": "false"}
    query = "score=1&team=red&is_admin=1&received=2020-01-01&number=99"
    answer = site.client().post(
        f"{API}/submissions?{query}", content=labels_file(0.5), headers=headers
    )
    entry = answer.json()
    assert (entry["team"], entry["number"]) == ("blue", 1)
    assert entry["received"] == "2026-11-20T12:00:00Z"
    assert entry["score"]["value"] < 0.7
    client = site.team_client("blue")
    form = {"csrf": csrf_of(client, "/rules"), "is_admin": "true"}
    assert client.post("/logout", data=form).status_code == 422
    assert client.post("/admin/freeze", data=form).status_code == 403


def test_api4_unrestricted_resource_consumption(tmp_path: Path) -> None:
    with open_site(tmp_path, token_upload_limit="10/minute") as site:
        site.add_team("blue")
        client, headers = site.client(), site.bearer("blue")

        def check(content: bytes) -> int:
            return client.post(f"{API}/check", content=content, headers=headers).status_code

        assert check(b"x" * (1 << 21)) == 413
        statuses = [check(b"x") for _ in range(11)]
        assert statuses == [422] * 10 + [429]
        assert site.settings.max_listeners < 10_000


def test_api5_broken_function_level_authorization(site: Site) -> None:
    client = site.team_client("blue")
    form = {"csrf": csrf_of(client, "/rules")}
    for path in ("freeze", "reveal", "rescore", "teams", "teams/red/token", "teams/red/disable"):
        assert client.post(f"/admin/{path}", data=form).status_code == 403
        assert client.post(f"/admin/{path}", headers=site.bearer("blue")).status_code == 403
    assert site.store.challenge().state == "open"


def test_api6_unrestricted_access_to_a_sensitive_flow(site: Site) -> None:
    """The flow worth automating is submitting; all its ways share one quota a team."""
    client = site.team_client("blue")
    fields = {"csrf": csrf_of(client, "/submit"), "action": "submit"}
    files = {"file": ("l.txt", labels_file(), "text/plain")}
    assert client.post("/submit", data=fields, files=files).status_code == 303
    upload = {"content": labels_file(), "headers": site.bearer("blue")}
    assert client.post(f"{API}/submissions", **upload).status_code == 429
    site.clock.advance(-HOUR)  # a clock set back grants nothing
    assert client.post(f"{API}/submissions", **upload).status_code == 429


def test_api7_server_side_request_forgery(site: Site) -> None:
    """Nothing is fetched for anybody: an address is an image name like any other."""
    client = site.client()
    answer = client.post(
        f"{API}/submissions", content=b"http://127.0.0.1/x n1", headers=site.bearer("blue")
    )
    assert answer.status_code == 422
    for path, operations in client.get(f"{API}/openapi.json").json()["paths"].items():
        for operation in operations.values():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert names <= {"entry_id", "X-Note"}, path


def test_api8_security_misconfiguration(site: Site) -> None:
    client = site.client()
    for path in ("/docs", "/redoc", "/static/../app.py", "/static/%2e%2e/app.py", "/.env"):
        assert client.get(path).status_code == 404, path
    answer = client.get("/", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    for method in ("TRACE", "OPTIONS", "PUT", "DELETE"):
        assert client.request(method, "/").status_code == 405
    assert site.app.debug is False


def test_api9_improper_inventory_management(site: Site) -> None:
    """What is documented is all there is, and all of it in one version."""
    client = site.client()
    documented = client.get(f"{API}/openapi.json").json()["paths"]
    assert all(
        path.startswith((f"{API}/", "/bundle", "/healthz", "/metrics")) for path in documented
    )
    for path in ("/api/", "/api/v0/board", "/api/v2/board", "/api/board"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")


def test_api10_unsafe_consumption_of_apis(site: Site) -> None:
    """No other service is asked; what a proxy says of an address is believed only when allowed."""
    client = site.client()
    client.post(
        f"{API}/submissions",
        content=labels_file(),
        headers=site.bearer("blue") | {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "x"},
    )
    assert site.store.audit(1)[0].details["address"] == "192.0.2.7"
