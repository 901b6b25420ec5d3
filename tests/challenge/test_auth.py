"""Tokens, passwords, names that look alike, and what is written down of all that."""

import pytest
from sqlalchemy import text
from tests.challenge.world import PASSWORD, World

from thumbnet.challenge.auth import check_password, hash_password, hash_token, new_token
from thumbnet.challenge.names import clean_name, clean_note, skeleton, slug_of
from thumbnet.challenge.settings import ChallengeError


def test_a_token_names_its_team_and_no_other_does(world: World) -> None:
    alpha, token = world.store.add_team("Alpha")
    beta, other = world.store.add_team("Beta")
    assert world.store.team_of_token(token) == alpha
    assert world.store.team_of_token(other) == beta
    for wrong in ("", "x", token[:-1], token + "x", token.swapcase(), hash_token(token), "\ud800"):
        assert world.store.team_of_token(wrong) is None


def test_a_rotated_token_is_void_at_once(world: World) -> None:
    alpha, token = world.store.add_team("Alpha")
    other = world.open()
    assert other.team_of_token(token) == alpha
    fresh = world.store.rotate_token(alpha)
    assert other.team_of_token(token) is None
    assert other.team_of_token(fresh) == alpha
    assert other.team_of_token_hash(hash_token(fresh)) == alpha


def test_no_secret_stands_in_the_database(world: World) -> None:
    alpha, token = world.store.add_team("Alpha")
    fresh = world.store.rotate_token(alpha)
    with world.store.reading() as connection:
        rows = [
            str(row)
            for table in ("challenge", "team", "audit")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    for secret in (token, fresh, PASSWORD):
        assert not any(secret in row for row in rows)


def test_the_admin_is_known_by_the_password_alone(world: World) -> None:
    assert world.store.check_admin(PASSWORD, "10.0.0.1")
    for wrong in ("", PASSWORD[:-1], PASSWORD + "x", "\ud800", "x" * 10_000):
        assert not world.store.check_admin(wrong, "10.0.0.2")
    lines = world.store.audit()
    assert [line.action for line in lines].count("login refused") == 5
    assert next(line for line in lines if line.action == "login").details == {"address": "10.0.0.1"}
    world.store.set_admin_password("another one")
    assert not world.store.check_admin(PASSWORD)
    assert world.open().check_admin("another one")


def test_tokens_and_hashes() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 for token in tokens)
    hashed = hash_password("secret")
    assert hashed.startswith("$argon2id$")
    assert hashed != hash_password("secret")
    assert check_password(hashed, "secret")
    assert not check_password("no hash at all", "secret")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Alpha", "Alpha"),
        ("  Two   words ", "Two words"),
        ("Cafe\u0301", "Café"),
        ("Команда 7", "Команда 7"),
        ("فريق", "فريق"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # pages escape it
        ("x" * 40, "x" * 40),
    ],
)
def test_names_that_are_allowed(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "1 to 40 characters"),
        ("   ", "1 to 40 characters"),
        ("x" * 41, "1 to 40 characters; this one has 41"),
        ("...", "more than spaces and dots"),
        ("a\x00b", r"U\+0000 \(control\)"),
        ("a\nb", r"U\+000A"),
        ("a\u200bb", r"U\+200B \(ZERO WIDTH SPACE\)"),
        ("a\u202eb", r"U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        ("a\u2066b", r"U\+2066"),
        ("a\ufe0fb", r"U\+FE0F"),
        ("\u3164", r"U\+3164 \(HANGUL FILLER\)"),
        ("\u2800", r"U\+2800"),
        ("\ue000", r"U\+E000"),
        ("a" + "\u0301" * 3, "more than 2 marks on one letter"),
    ],
)
def test_names_that_are_refused(given: str, message: str) -> None:
    with pytest.raises(ChallengeError, match=message):
        clean_name(given)


@pytest.mark.parametrize(
    "alike",
    [
        "alpha",
        "ALPHA",
        "A l p h a",
        "Al-pha",
        "Aĺpha",
        "A1pha",
        "AIpha",
        "\u0410lpha",  # Cyrillic
        "\u0391lpha",  # Greek
        "\uff21lpha",  # full width
    ],
)
def test_a_name_that_looks_like_another_is_refused(small: World, alike: str) -> None:
    small.team("Alpha")
    with pytest.raises(ChallengeError, match="is taken, or too like 'Alpha'"):
        small.store.add_team(alike)


def test_names_that_differ_have_skeletons_that_differ() -> None:
    names = (
        "Alpha",
        "Alpha 2",
        "Beta",
        "Команда",
        "Комета",
        "队伍一",
        "队伍二",
        "فريق",
        "🦊",
        "🐻",
    )
    assert len({skeleton(name) for name in names}) == len(names)


def test_addresses_are_plain_and_differ(world: World) -> None:
    names = ("Élan vital!", "Elan (vital)", "队伍一", "队伍二", "team 2")
    slugs = [world.team(name).slug for name in names]
    assert slugs == ["elan-vital", "elan-vital-2", "team", "team-2", "team-2-2"]
    assert slug_of("--- ???") == ""
    assert [world.store.team_by_slug(slug).name for slug in slugs] == list(names)  # type: ignore[union-attr]


def test_notes_keep_lines_and_lose_what_is_not_seen() -> None:
    assert clean_note("  a\u200b\x1b[31mb\nc\td  ", 100) == "a[31mb\nc\td"


def test_everything_decided_is_written_down(world: World) -> None:
    team = world.team("Alpha")
    entry = world.submit(team, 3).entry
    store = world.store
    store.submit(team, world.file(3), address="10.0.0.7")
    world.clock.step(hours=2)
    store.submit(team, b"nonsense", address="10.0.0.7")
    store.rotate_token(team)
    store.hide(entry.id, actor="somebody")
    store.disable_team(team)
    store.freeze(world.clock())
    store.freeze(None)
    store.rescore()
    store.reveal()
    lines = store.audit()
    assert [(line.actor, line.action, line.target) for line in reversed(lines)] == [
        ("admin", "challenge created", world.rules.name),
        ("admin", "team added", "Alpha"),
        ("Alpha", "entry accepted", entry.id),
        ("Alpha", "entry refused", "quota"),
        ("Alpha", "file malformed", "2 errors"),
        ("admin", "token rotated", "Alpha"),
        ("somebody", "entry hidden", entry.id),
        ("admin", "team disabled", "Alpha"),
        ("admin", "frozen", ""),
        ("admin", "unfrozen", ""),
        ("admin", "rescored", ""),
        ("admin", "revealed", ""),
    ]
    assert lines[8].details["address"] == "10.0.0.7"
    assert [line.action for line in store.audit(limit=2)] == ["revealed", "rescored"]
