"""What the store keeps and tells: entries, board, pages, teams."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.challenge.world import QUOTA, RULES, START, World, changed, make_truth

from thumbnet.challenge.entities import Receipt, Refusal
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store import Store


def test_a_submission_is_scored_and_kept(world: World) -> None:
    team = world.team("Alpha")
    receipt = world.submit(team, public=11, private=4, note="first try")
    entry = receipt.entry
    assert (entry.number, entry.note, entry.received) == (1, "first try", START)
    assert entry.shown.value == 0.55
    assert entry.shown.num_images == 20
    assert receipt.next_slot == START + QUOTA
    assert receipt.entries_left is None
    assert world.open().entry(entry.id) == entry


def test_another_process_sees_what_this_one_took(world: World) -> None:
    other, team = world.open(), world.team("Alpha")
    assert other.board().rows == ()
    world.submit(team, 10)
    assert [row.team.name for row in other.board().rows] == ["Alpha"]
    assert other.version() == world.store.version()


def test_the_private_part_is_shown_to_nobody_but_admins_before_the_reveal(world: World) -> None:
    team = world.team("Alpha")
    entry = world.submit(team, 11, 4).entry
    assert entry.private is None
    assert world.store.entry(entry.id).private is None  # type: ignore[union-attr]
    assert world.store.team_page(team).entries[0].private is None
    assert world.store.board().rows[0].private is None
    as_admin = world.store.entry(entry.id, for_admin=True)
    assert as_admin is not None
    assert as_admin.private is not None
    assert as_admin.private.value == 4 / 20
    assert world.store.board(for_admin=True).rows[0].private == as_admin.private
    world.store.reveal()
    assert world.store.entry(entry.id) == as_admin
    assert world.store.board().rows[0].private == as_admin.private


def test_best_entries_rank_and_the_earlier_wins_a_tie(world: World) -> None:
    first, second, third = (world.team(name) for name in ("First", "Second", "Third"))
    world.submit(second, 9)
    world.clock.step(minutes=1)
    world.submit(first, 12)
    world.submit(third, 3)
    assert world.ranks() == {"First": 1, "Second": 2, "Third": 3}
    world.clock.step(hours=2)
    world.submit(second, 12)  # equal, but later
    assert world.ranks() == {"First": 1, "Second": 2, "Third": 3}
    world.submit(first, 1)  # a worse one takes nothing away
    rows = world.store.board().rows
    assert [row.team.name for row in rows] == ["First", "Second", "Third"]
    assert rows[0].num_entries == 2
    assert rows[0].best.value == 0.6


def test_the_board_tells_what_the_latest_entry_changed(small: World) -> None:
    teams = [small.team(name) for name in ("A", "B", "C")]
    for team, right in zip(teams, (10, 8, 6), strict=True):
        small.submit(team, right)
    rows = {row.team.name: (row.change, row.is_new) for row in small.store.board().rows}
    assert rows == {"A": (0, False), "B": (0, False), "C": (0, True)}
    small.clock.step(hours=2)
    small.submit(teams[2], 12)
    rows = {row.team.name: (row.change, row.is_new) for row in small.store.board().rows}
    assert rows == {"C": (2, False), "A": (-1, False), "B": (-1, False)}


def test_a_newcomer_pushes_nobody_down(small: World) -> None:
    for name, right in (("A", 10), ("B", 8), ("New", 12)):
        small.submit(small.team(name), right)
    rows = {row.team.name: (row.change, row.is_new) for row in small.store.board().rows}
    assert rows == {"New": (0, True), "A": (0, False), "B": (0, False)}


def test_baselines_stand_on_the_board_without_a_rank(world: World) -> None:
    world.submit(world.team("Random", is_baseline=True), 12)
    world.submit(world.team("Alpha"), 11)
    assert world.ranks() == {"Random": None, "Alpha": 1}


def test_a_disabled_team_vanishes_and_comes_back(world: World) -> None:
    alpha, beta = world.team("Alpha"), world.team("Beta")
    world.submit(alpha, 12)
    world.submit(beta, 11)
    world.store.disable_team(alpha)
    assert world.ranks() == {"Beta": 1}
    world.clock.step(hours=3)
    refusal = world.store.submit(alpha, world.file(1))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "disabled"
    world.store.disable_team(alpha, False)
    assert world.ranks() == {"Alpha": 1, "Beta": 2}


def test_a_hidden_entry_does_not_count_but_its_slot_is_spent(world: World) -> None:
    team = world.team("Alpha")
    poor = world.submit(team, 5).entry
    world.clock.step(hours=2)
    good = world.submit(team, 15).entry
    world.store.hide(good.id)
    assert world.store.board().rows[0].best.value == 0.25
    page = world.store.team_page(team)
    assert [(entry.id, entry.hidden) for entry in page.entries] == [
        (good.id, True),
        (poor.id, False),
    ]
    assert isinstance(world.store.submit(team, world.file(1)), Refusal)
    world.store.hide(poor.id)
    assert world.store.board().rows == ()
    world.store.hide(good.id, hidden=False)
    assert world.store.board().rows[0].best.value == 0.75
    with pytest.raises(ChallengeError, match="no entry 'nonsense'"):
        world.store.hide("nonsense")


def test_a_hidden_entry_is_no_rung_of_the_ladder(sqlite_url: str) -> None:
    world = World(sqlite_url, changed(ladder=True, ladder_step=0.1, rounding=0.05))
    team = world.team("Alpha")
    entries = []
    for right in (10, 13, 14):
        entries.append(world.submit(team, right).entry)
        world.clock.step(hours=2)
    assert [entry.shown.value for entry in entries] == [0.5, 0.7, 0.7]  # 0.65 by steps of 0.1
    world.store.hide(entries[1].id)
    shown = {one.number: one.shown.value for one in world.store.team_page(team).entries}
    assert shown == {1: 0.5, 2: 0.7, 3: 0.7}
    assert world.store.board().rows[0].best.value == 0.7
    world.close()


def test_rescoring_by_the_same_labels_changes_nothing(world: World) -> None:
    world.submit(world.team("Alpha"), 12, 3)
    before = world.store.board(for_admin=True).rows
    assert world.store.rescore() == 0
    assert world.store.board(for_admin=True).rows == before


def test_rescoring_by_other_labels_changes_scores_in_every_process(world: World) -> None:
    other = world.open()
    alpha, beta = world.team("Alpha"), world.team("Beta")
    world.submit(alpha, 20, 20)
    world.submit(beta, 0, 0)  # every answer is the next class
    assert other.board().rows[0].team.name == "Alpha"
    assert world.store.rescore(make_truth(shift=1).labels) == 2
    for store in (world.store, other):
        rows = store.board(for_admin=True).rows
        assert [(row.team.name, row.best.value, row.private.value) for row in rows] == [  # type: ignore[union-attr]
            ("Beta", 1.0, 1.0),
            ("Alpha", 0.0, 0.0),
        ]
    world.clock.step(hours=2)
    outcome = other.submit(alpha, world.file(5, 5))
    assert isinstance(outcome, Receipt)
    assert outcome.entry.shown.value == 0.75  # the other 15 were wrong, and are right now


def test_labels_changed_while_a_file_waits_are_those_it_is_scored_by(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    team, admin = small.team("Alpha"), small.open()
    insert = Store._insert

    def late(self: Store, *arguments: object) -> object:
        admin.rescore(make_truth(shift=1).labels)
        monkeypatch.setattr(Store, "_insert", insert)
        return insert(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "_insert", late)
    assert small.submit(team, 0).entry.shown.value == 1.0


def test_top5_takes_five_labels(sqlite_url: str) -> None:
    truth = make_truth()
    wnids = tuple(f"n{index:08d}" for index in range(8))
    truth = replace(truth, wnids=wnids, class_names=tuple(f"class {i}" for i in range(8)))
    world = World(sqlite_url, changed(metric="top5"), truth)
    right = (truth.labels[:, None] + np.arange(-4, 1)) % 8
    lines = [
        f"{name} {' '.join(wnids[index] for index in row)}\n"
        for name, row in zip(truth.names, right, strict=True)
    ]
    outcome = world.store.submit(world.team("Alpha"), "".join(lines).encode())
    assert isinstance(outcome, Receipt)
    assert outcome.entry.shown.value == 1.0
    refusal = world.store.submit(world.team("Beta"), world.file(20))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "malformed"
    world.close()


def test_after_the_reveal_ranks_follow_the_private_part(world: World) -> None:
    alpha, beta = world.team("Alpha"), world.team("Beta")
    world.submit(alpha, 12, 3)
    world.submit(beta, 11, 9)
    assert world.ranks() == {"Alpha": 1, "Beta": 2}
    assert world.ranks(for_admin=True) == {"Alpha": 1, "Beta": 2}
    world.store.reveal()
    assert world.ranks() == {"Beta": 1, "Alpha": 2}


def test_notes_lose_what_is_not_seen_and_are_cut(small: World) -> None:
    store = small.open(max_note_chars=12)
    outcome = store.submit(small.team("Alpha"), small.file(1), "a\u202eb\x00c\nline two and more")
    assert isinstance(outcome, Receipt)
    assert outcome.entry.note == "abc\nline two"


def test_a_team_page_shows_the_latest_entry_first(world: World) -> None:
    team = world.team("Alpha")
    page = world.store.team_page(team)
    assert (page.entries, page.rank, page.next_slot, page.entries_left) == ((), None, None, None)
    for right in (3, 5):
        world.submit(team, right)
        world.clock.step(hours=2)
    world.clock.step(hours=-1)
    page = world.store.team_page(team)
    assert [entry.number for entry in page.entries] == [2, 1]
    assert page.rank == 1
    assert page.next_slot == START + timedelta(hours=4)


def test_the_version_grows_with_what_may_change_the_board(world: World) -> None:
    store, seen = world.store, [world.store.version()]
    team = world.team("Alpha")
    seen.append(store.version())
    entry = world.submit(team, 3).entry
    seen.append(store.version())
    for change in (
        lambda: store.hide(entry.id),
        lambda: store.disable_team(team),
        lambda: store.freeze(START),
        lambda: store.move(START, START + timedelta(days=3)),
        store.rescore,
        store.reveal,
    ):
        change()
        seen.append(store.version())
    assert seen == sorted(set(seen))


def test_a_refusal_leaves_the_version_alone(world: World) -> None:
    team = world.team("Alpha")
    world.submit(team, 3)
    before = world.store.version()
    world.store.submit(team, world.file(4))
    world.store.submit(team, b"nonsense")
    assert world.store.version() == before


def test_health(world: World) -> None:
    world.submit(world.team("Alpha"), 3)
    health = world.store.health()
    assert health["ok"] is True
    assert (health["teams"], health["entries"]) == (1, 1)
    assert health["database"] in ("sqlite", "postgresql")


def test_a_database_holds_one_challenge(world: World) -> None:
    with pytest.raises(ChallengeError, match="holds a challenge already"):
        World(world.url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is no database this server knows"),
        ("mysql://root@localhost/x", "is no database this server knows"),
        ("sqlite://", "there is no database in memory"),
        ("sqlite:////nowhere/challenge.db", "there is no database /nowhere/challenge.db"),
    ],
)
def test_a_wrong_address_is_one_clear_error(url: str, message: str) -> None:
    with pytest.raises(ChallengeError, match=message):
        Store(url)


def test_an_unreachable_server_is_one_clear_error_without_the_password() -> None:
    store = Store("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    with pytest.raises(ChallengeError, match="cannot open the database") as error:
        store.revision()
    assert "secret" not in str(error.value)


def test_the_rules_come_back_as_they_were_given(database_url: str) -> None:
    rules = changed(
        quota=timedelta(minutes=7, microseconds=1),
        max_entries=5,
        rounding=0.01,
        ladder=True,
        description="Zeile eins\nzwei ✓",
        public_share=0.5,
    )
    world = World(database_url, rules)
    found = world.store.challenge()
    assert found.rules == rules
    assert (found.num_images, found.num_public, found.num_classes) == (40, 20, 4)
    assert found.created == START
    assert rules != RULES
    world.close()
