"""No request chooses an encoding, and no character that a database refuses gets that far."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.challenge.site import Client, Site, csrf_of, labels_file, open_site

API = "/api/v1"
CODECS = (
    *("punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "utf-16"),
    *("utf-32", "utf-8-sig", "latin-1", "cp1252", "ascii", "big5", "gb18030", "hz", "shift_jis"),
    *("iso2022_jp", "iso2022_kr", "euc_kr", "koi8-r", "cp037", "zlib", "bz2", "hex", "base64"),
    *("rot13", "uu", "quopri", "no-such-codec", "", '"utf-8", punycode'),
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        made.add_team("blue")
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site"), upload_limit="1000/second") as made:
        made.add_team("blue")
        yield made


def part(name: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join((f'Content-Disposition: form-data; name="{name}"', *headers))
    return b"--X\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def send(client: Client, *parts: bytes, kind: str = "", path: str = "/submit") -> int:
    content = b"".join(parts) + b"--X--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary=X{kind}"}
    return client.post(path, content=content, headers=headers).status_code


@pytest.mark.parametrize("codec", CODECS)
def test_a_form_in_another_charset_is_refused(shared: Site, codec: str) -> None:
    client = shared.client()
    attack = part("note", b"4v" + b"a" * 1000)
    assert send(client, attack, kind=f"; charset={codec}") == 415
    assert send(client, attack, kind=f'; CHARSET="{codec}"') == 415
    kind = {"Content-Type": f"application/x-www-form-urlencoded; charset={codec}"}
    assert client.post("/login", content=b"csrf=a", headers=kind).status_code == 415
    kind = {"Content-Type": f"text/plain; charset={codec}"}
    answer = client.post(f"{API}/check", content=labels_file(), headers=kind)
    assert (answer.status_code, answer.json()["reason"]) == (415, "media_type")


def test_the_refusal_says_what_is_read(site: Site) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=X; charset=punycode"}
    answer = site.client().post("/submit", content=part("note", b"4va"), headers=kind)
    assert "The server reads UTF-8 only" in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain; charset=punycode",
        "Content-Type: text/plain; charset*=punycode''x",
        "Content-Type: text/plain; x=" + ";" * 400,
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
    ],
)
def test_a_part_in_another_encoding_is_refused(site: Site, header: str) -> None:
    client = site.team_client("blue")
    form = part("csrf", csrf_of(client, "/submit").encode()), part("action", b"check")
    plain = part("note", b"a", "Content-Type: text/plain; charset=UTF-8")
    file = part("file", labels_file(), "Content-Type: text/plain")
    file = file.replace(b'name="file"', b'name="file"; filename="a.txt"', 1)
    assert send(client, *form, plain, file) == 200
    assert send(client, *form, part("note", b"a", header), file) == 415
    odd_file = file.replace(b"Content-Type: text/plain", header.encode())
    assert send(client, *form, plain, odd_file) == 415


@pytest.mark.parametrize("field", ["_charset_", "note", "file"])
def test_fields_choose_no_charset(site: Site, field: str) -> None:
    """HTML's _charset_, file names with a charset of their own, and names of RFC 2047."""
    client = site.team_client("blue")
    form = [part("csrf", csrf_of(client, "/submit").encode()), part("action", b"check")]
    if field == "_charset_":
        assert send(client, *form, part("_charset_", b"punycode")) == 422
        return
    file = part("file", labels_file())
    name = b"=?punycode?b?YQ==?=" if field == "note" else b"a.txt"
    chosen = b'name="file"; filename="' + name + b"\"; filename*=punycode''4va"
    assert send(client, *form, file.replace(b'name="file"', chosen, 1)) == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
def test_a_packed_body_is_refused(site: Site, coding: str) -> None:
    client, headers = site.client(), {"Content-Encoding": coding}
    packed = gzip.compress(labels_file())
    bearer = site.bearer("blue") | headers
    assert client.post(f"{API}/check", content=packed, headers=bearer).status_code == 415
    assert client.post("/login", data={"csrf": "a"}, headers=headers).status_code == 415


def test_one_short_content_type_is_read(site: Site) -> None:
    client = site.client()
    twice = [("Content-Type", "text/plain"), ("Content-Type", "text/plain; charset=punycode")]
    assert client.post("/login", content=b"x", headers=twice).status_code == 415
    long = {"Content-Type": 'multipart/form-data; x="' + ";" * 15_000 + '; boundary=X"'}
    assert client.post("/login", content=b"x", headers=long).status_code == 415


def test_a_label_file_is_utf8_or_malformed(site: Site) -> None:
    client, headers = site.client(), site.bearer("blue")
    text = labels_file().decode()
    for content in (
        text.encode("utf-16"),
        text.encode("utf-7").replace(b"_", b"+AF8-"),
        text.encode("utf-32"),
        b"# -*- coding: punycode -*-\n" + text.encode() + b"4va 4va\n",
        base64.b64encode(text.encode()),
    ):
        assert client.post(f"{API}/check", content=content, headers=headers).status_code == 422


def test_answers_are_utf8_whatever_is_asked_for(site: Site) -> None:
    asked = {"Accept-Charset": "punycode", "Accept": "text/html; charset=punycode"}
    assert site.client().get("/", headers=asked).headers["content-type"].endswith("charset=utf-8")


@pytest.mark.parametrize(
    "content", [b"&" * 900_000, b"%" * 900_000, b"a=" + b"%" * 900_000], ids=["and", "percent", "a"]
)
def test_a_long_urlencoded_body_is_refused_unread(site: Site, content: bytes) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = site.team_client("blue").post("/submit", content=content, headers=kind)
    assert answer.status_code == 413


def test_fields_are_few_and_small(site: Site) -> None:
    client = site.team_client("blue")
    assert send(client, part("note", b"a" * 100_000)) == 400
    assert send(client, *[part(f"a{number}", b"") for number in range(11)]) == 400


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_site(tmp_path, database_url=url) as made:
        made.add_team("blue")
        yield made


def test_nul_and_surrogates_break_nothing(either: Site) -> None:
    """PostgreSQL takes no NUL in a text, and UTF-8 has no surrogates."""
    visitor, team, admin = either.client(), either.team_client("blue"), either.admin_client()
    for odd in ("%00", "%ED%A0%80"):
        for path in (
            *(f"/{odd}", f"/teams/{odd}", f"/submissions/{odd}", f"/static/{odd}"),
            *(f"/login?next={odd}", f"/admin?done={odd}", f"{API}/submissions/{odd}"),
            *(f"/admin/teams/{odd}", f"/?{odd}={odd}"),
        ):
            for client in (visitor, team, admin):
                assert client.get(path, headers=either.bearer("blue")).status_code < 500, path
        csrf = csrf_of(admin, "/admin")
        for path in (f"/admin/entries/{odd}/hide", f"/admin/teams/{odd}/token"):
            assert admin.post(path, data={"csrf": csrf}).status_code in {400, 404}


@pytest.mark.parametrize("odd", [b"\0", b"\xed\xa0\x80", b"\xff", "\ufffe".encode()])
def test_odd_characters_in_every_field_break_nothing(either: Site, odd: bytes) -> None:
    team, admin = either.team_client("blue"), either.admin_client()
    for client, path, names in (
        (either.client(), "/login", ("token", "next")),
        (either.client(), "/admin/login", ("password",)),
        (team, "/submit", ("action", "note", "file")),
        (admin, "/admin/teams", ("name", "is_baseline")),
        (admin, "/logout", ("csrf",)),
    ):
        page = {"/admin/teams": "/admin", "/admin/login": "/admin", "/logout": "/admin"}
        csrf = csrf_of(client, page.get(path, path)).encode()
        for target in names:
            parts = [part(name, b"a" + odd) for name in names if name != target]
            parts += [part(target, odd), part("csrf", csrf)]
            assert send(client, *parts, path=path) < 500, (path, target)
            fields = {"csrf": csrf, **dict.fromkeys(names, b"a"), target: odd}
            assert client.post(path, data=fields).status_code < 500, (path, target)
    note = {"X-Note": "a%00b"}
    answer = either.client().post(
        f"{API}/submissions", content=labels_file(), headers=either.bearer("blue") | note
    )
    assert (answer.status_code, answer.json()["note"]) == (201, "ab")


@pytest.mark.parametrize("host", ["[", "a@[", "x:abc", "x:99999999", "é"])
def test_an_odd_host_breaks_nothing(site: Site, host: str) -> None:
    headers = {"Host": host.encode("latin-1")}
    for path in ("/", "/nowhere", "/login", f"{API}/board"):
        assert site.client().get(path, headers=headers).status_code < 500
