"""Planned, open, frozen, closed, revealed: what each takes and shows."""

from datetime import timedelta

import pytest
from tests.challenge.world import START, World, changed

from thumbnet.challenge.entities import Receipt, Refusal
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store import Store

MINUTE = timedelta(minutes=1)


def reason(world: World, name: str) -> str:
    outcome = world.store.submit(world.team(name), world.file(3))
    return outcome.reason if isinstance(outcome, Refusal) else "accepted"


def test_entries_are_taken_from_opening_to_closing(world: World) -> None:
    found = []
    for moment in (
        START - MINUTE,
        START,
        world.rules.closes - timedelta(microseconds=1),
        world.rules.closes,
    ):
        world.clock.now = moment
        found.append((world.store.challenge().state, reason(world, f"at {moment}")))
    assert found == [
        ("planned", "planned"),
        ("open", "accepted"),
        ("open", "accepted"),
        ("closed", "closed"),
    ]


def test_before_the_opening_the_refusal_tells_when(world: World) -> None:
    world.clock.now = START - MINUTE
    outcome = world.store.submit(world.team("Alpha"), world.file(3))
    assert isinstance(outcome, Refusal)
    assert outcome.retry_at == START


def test_the_board_shows_the_state_though_no_version_changed(world: World) -> None:
    version = world.store.board().version
    world.clock.now = world.rules.closes
    board = world.store.board()
    assert (board.state, board.version) == ("closed", version)


def test_a_frozen_challenge_takes_nothing_and_goes_on(world: World) -> None:
    world.store.freeze(START)
    assert world.store.challenge().state == "frozen"
    assert reason(world, "Alpha") == "frozen"
    world.store.freeze(None)
    assert world.store.challenge().state == "open"
    assert reason(world, "Beta") == "accepted"


def test_dates_may_be_moved_until_the_reveal(world: World) -> None:
    world.clock.now = world.rules.closes
    assert reason(world, "Alpha") == "closed"
    world.store.move(START, world.rules.closes + MINUTE)
    assert world.store.challenge().state == "open"
    assert reason(world, "Beta") == "accepted"
    assert world.store.audit()[2].action == "dates moved"
    with pytest.raises(ChallengeError, match="before it opens"):
        world.store.move(START, START)
    world.store.reveal()
    with pytest.raises(ChallengeError, match="revealed"):
        world.store.move(START, world.rules.closes + 2 * MINUTE)
    assert world.store.challenge().rules.closes == world.rules.closes + MINUTE


def test_after_the_reveal_it_cannot_be_frozen(world: World) -> None:
    world.store.reveal()
    for at in (START, START + MINUTE, None):
        with pytest.raises(ChallengeError, match="revealed"):
            world.store.freeze(at)
    assert world.store.challenge().frozen_at is None
    assert world.store.audit()[0].action == "revealed"


def test_a_freeze_may_be_set_for_later(world: World) -> None:
    world.store.freeze(START + MINUTE)
    assert world.store.challenge().freezes == START + MINUTE
    assert reason(world, "Alpha") == "accepted"
    world.clock.step(minutes=1)
    assert reason(world, "Beta") == "frozen"


def test_a_board_frozen_in_the_past_shows_that_moment_to_all_but_admins(world: World) -> None:
    alpha, beta = world.team("Alpha"), world.team("Beta")
    world.submit(alpha, 10)
    world.clock.step(hours=1)
    world.submit(beta, 12)
    world.clock.step(hours=1)
    world.submit(alpha, 15)
    world.store.freeze(START + 60 * MINUTE)
    board = world.store.board()
    assert [(row.team.name, row.best.value) for row in board.rows] == [
        ("Beta", 0.6),
        ("Alpha", 0.5),
    ]
    assert (board.num_entries, board.frozen_at) == (2, START + 60 * MINUTE)
    assert world.ranks(for_admin=True) == {"Alpha": 1, "Beta": 2}
    assert len(world.store.team_page(alpha).entries) == 2  # its own it sees
    world.clock.now = world.rules.closes
    assert world.ranks() == {"Beta": 1, "Alpha": 2}  # closed, and still frozen
    world.store.reveal()
    assert world.store.board().num_entries == 3


def test_the_reveal_ends_the_challenge_for_good(world: World) -> None:
    world.store.reveal()
    revealed_at = world.store.challenge().revealed_at
    assert revealed_at == START
    assert reason(world, "Alpha") == "closed"
    world.clock.step(days=-1)
    world.store.reveal()
    challenge = world.store.challenge()
    assert (challenge.state, challenge.revealed_at) == ("revealed", revealed_at)


def test_without_a_private_part_the_reveal_changes_no_rank(database_url: str) -> None:
    from tests.challenge.world import make_truth

    world = World(database_url, changed(public_share=1.0), make_truth(num_public=40))
    world.submit(world.team("Alpha"), 20)
    world.submit(world.team("Beta"), 30)
    world.store.reveal()
    rows = world.store.board().rows
    assert [(row.team.name, row.private) for row in rows] == [("Beta", None), ("Alpha", None)]
    world.close()


@pytest.mark.parametrize("end", ["freeze", "reveal", "disable"])
def test_what_ends_while_a_file_waits_for_its_turn_refuses_it(
    world: World, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    team, admin, insert = world.team("Alpha"), world.open(), Store._insert
    ends = {
        "freeze": lambda: admin.freeze(START),
        "reveal": admin.reveal,
        "disable": lambda: admin.disable_team(team),
    }

    def late(self: Store, *arguments: object) -> object:
        ends[end]()
        return insert(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "_insert", late)
    outcome = world.store.submit(team, world.file(3))
    assert isinstance(outcome, Refusal)
    assert outcome.reason == {"freeze": "frozen", "reveal": "closed", "disable": "disabled"}[end]
    assert world.store.health()["entries"] == 0


def test_what_stood_in_the_way_and_is_gone_stands_in_the_way_no_more(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    team, insert = small.team("Alpha"), Store._insert
    small.store.freeze(START + MINUTE)

    def late(self: Store, *arguments: object) -> object:
        monkeypatch.setattr(Store, "_insert", insert)
        small.clock.step(minutes=1)
        found = insert(self, *arguments)  # type: ignore[arg-type]
        small.store.freeze(None)
        return found

    monkeypatch.setattr(Store, "_insert", late)
    assert isinstance(small.store.submit(team, small.file(3)), Receipt)
    assert small.store.health()["entries"] == 1
