"""One entry a quota: at the boundary, in a race, and when the clock is set."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.challenge.figures import figure
from tests.challenge.fleet import Line, SharedClock, fleet, upload
from tests.challenge.race import racers, upload_at_once
from tests.challenge.world import QUOTA, START, World, changed

from thumbnet.challenge.entities import Receipt, Refusal, Team

NUM_UPLOADS, ROUNDS = 64, 200


def refused(world: World, team: Team, content: bytes | None = None) -> Refusal:
    outcome = world.store.submit(team, content if content is not None else world.file(1))
    assert isinstance(outcome, Refusal), outcome
    return outcome


def test_the_next_slot_comes_after_the_quota_to_the_microsecond(world: World) -> None:
    team = world.team("Alpha")
    world.submit(team, 3)
    for seconds in (0, 1, 7199, 7199.9, 7199.999999):
        world.clock.now = START + timedelta(seconds=seconds)
        refusal = refused(world, team)
        assert refusal.reason == "quota"
        assert refusal.retry_at == START + QUOTA
    world.clock.now = START + timedelta(seconds=7200)
    assert world.submit(team, 4).entry.number == 2


def test_a_refused_upload_does_not_move_the_slot(world: World) -> None:
    team = world.team("Alpha")
    world.submit(team, 3)
    world.clock.step(hours=1)
    refused(world, team)
    world.clock.step(hours=1)
    world.submit(team, 4)


def test_teams_do_not_share_slots(world: World) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        world.submit(world.team(name), 3)


def test_a_clock_set_back_grants_nothing(world: World) -> None:
    team = world.team("Alpha")
    world.clock.step(days=1)
    world.submit(team, 3)
    for hours in (-1, -1, -10, -12):
        world.clock.step(hours=hours)
        assert refused(world, team).retry_at == START + timedelta(days=1) + QUOTA
    world.clock.now = START + timedelta(days=1) + QUOTA
    world.submit(team, 4)


def test_without_a_quota_no_entry_is_too_early(database_url: str) -> None:
    """Of parallel uploads, the one that commits first may have read the clock last."""
    world = World(database_url, changed(quota=timedelta(0)))
    team = world.team("Alpha")
    world.clock.step(hours=1)
    world.submit(team, 3)
    world.clock.step(seconds=-1)
    assert world.submit(team, 4).entry.number == 2
    assert world.store.team_page(team).next_slot is None
    world.close()


def test_a_clock_that_was_wrong_can_be_mended(world: World) -> None:
    team, now = world.team("Alpha"), world.clock.now
    world.clock.step(days=20)
    world.submit(team, 3)
    world.clock.now = now
    assert refused(world, team).retry_at == now + timedelta(days=20) + QUOTA
    world.store.reset_quota(team, "command line")
    assert world.submit(team, 4).entry.number == 2
    line = world.store.audit(2)[1]
    assert (line.action, line.actor, line.target) == ("quota reset", "command line", "Alpha")
    assert refused(world, team).retry_at == now + QUOTA


def test_the_quota_survives_a_restart(world: World) -> None:
    team = world.team("Alpha")
    world.submit(team, 3)
    world.store.close()
    world.clock.step(hours=1)
    outcome = world.open().submit(team, world.file(4))
    assert isinstance(outcome, Refusal)


def test_the_cap_of_entries(database_url: str) -> None:
    world = World(database_url, changed(max_entries=2))
    team = world.team("Alpha")
    assert world.submit(team, 3).entries_left == 1
    world.clock.step(hours=2)
    receipt = world.submit(team, 3)
    assert (receipt.entries_left, receipt.next_slot) == (0, None)
    world.clock.step(hours=2)
    refusal = refused(world, team)
    assert (refusal.reason, refusal.retry_at) == ("max_entries", None)
    world.store.hide(receipt.entry.id)
    assert refused(world, team).reason == "max_entries"
    assert world.store.team_page(team).entries_left == 0
    world.close()


def test_a_slot_after_the_end_is_none(world: World) -> None:
    team = world.team("Alpha")
    world.clock.now = world.rules.closes - timedelta(hours=1)
    assert world.submit(team, 3).next_slot is None
    refusal = refused(world, team)
    assert (refusal.reason, refusal.retry_at) == ("quota", None)


def test_a_malformed_file_costs_no_slot(world: World) -> None:
    team = world.team("Alpha")
    refusal = refused(world, team, b"image_00000.png n00000000\nnonsense n0\n")
    assert refusal.reason == "malformed"
    assert refusal.retry_at is None
    assert any("line 2" in line for line in refusal.errors)
    assert world.store.team_page(team).next_slot is None
    world.submit(team, 3)


def test_malformed_files_are_explained_so_many_times_an_hour(world: World) -> None:
    store, team = world.open(malformed_per_hour=3), world.team("Alpha")
    for _ in range(3):
        outcome = store.submit(team, b"nonsense")
        assert isinstance(outcome, Refusal)
        assert outcome.errors
        world.clock.step(minutes=10)
    outcome = store.submit(team, b"nonsense")
    assert isinstance(outcome, Refusal)
    assert (outcome.reason, outcome.errors) == ("malformed", ())
    assert outcome.retry_at == START + timedelta(hours=1)
    world.clock.now = START + timedelta(hours=1, microseconds=1)
    outcome = store.submit(team, b"nonsense")
    assert isinstance(outcome, Refusal)
    assert outcome.errors
    assert isinstance(store.submit(team, world.file(3)), Receipt)  # a good file always passes


def test_refusals_do_not_fill_the_disk(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnet.challenge.store.REFUSALS_KEPT_PER_HOUR", 5)
    team = small.team("Alpha")
    small.submit(team, 3)
    for _ in range(8):
        refused(small, team)
    lines = small.store.audit(limit=None)
    assert sum(line.action == "entry refused" for line in lines) == 5


def race_in_threads(world: World, rounds: int) -> None:
    team = world.team("Alpha")
    files = [world.file(number % 20, number % 7) for number in range(NUM_UPLOADS)]
    for number in range(rounds):
        outcomes = upload_at_once(world.store, team, files)
        assert outcomes == Counter(accepted=1, quota=NUM_UPLOADS - 1), number
        world.clock.step(hours=2)
    check_history(world, team, rounds)


def race_in_processes(world: World, rounds: int, num_processes: int) -> None:
    team = world.team("Alpha")
    each = NUM_UPLOADS // num_processes
    with racers(world.url, num_processes) as ends:
        for number in range(rounds):
            for end in ends:
                end.send((world.clock.now, team, [world.file(number % 20)] * each))
            outcomes = sum((end.recv() for end in ends), Counter())
            assert outcomes == Counter(accepted=1, quota=NUM_UPLOADS - 1), number
            world.clock.step(hours=2)
    check_history(world, team, rounds)


def check_history(world: World, team: Team, rounds: int) -> None:
    entries = world.store.team_page(team).entries
    assert [entry.number for entry in entries] == list(range(rounds, 0, -1))
    assert world.store.board().rows[0].num_entries == rounds


def test_of_64_threads_one_is_accepted(world: World) -> None:
    race_in_threads(world, rounds=2)


def test_of_64_uploads_to_processes_one_is_accepted(world: World) -> None:
    race_in_processes(world, rounds=2, num_processes=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("num_servers", [1, 4])
def test_of_64_uploads_to_servers_one_is_accepted_200_times(
    database_url: str, tmp_path: Path, num_servers: int
) -> None:
    """Over 64 connections that stay open, dealt out to the servers."""
    clock = SharedClock(START)
    world = World(database_url, clock=clock)
    team, token = world.store.add_team("Alpha")

    async def run(urls: list[str]) -> list[Counter[int]]:
        lines = [await Line.to(urls[number % len(urls)]) for number in range(NUM_UPLOADS)]
        rounds = []
        for number in range(ROUNDS):
            request = upload(token, world.file(number % 20, number % 7))
            answers = await asyncio.gather(*(line.ask(request) for line in lines))
            rounds.append(Counter(status for status, _ in answers))
            clock.step(hours=2)
        for line in lines:
            await line.close()
        return rounds

    with fleet(tmp_path, database_url, clock, num_servers) as servers:
        rounds = asyncio.run(run([server.url for server in servers]))
    as_asked = rounds.count(Counter({201: 1, 429: NUM_UPLOADS - 1}))
    figure(
        f"{NUM_UPLOADS} uploads of one team at once, {num_servers} server process(es)",
        database_url,
        f"1 accepted in each of {ROUNDS} rounds",
        f"1 accepted, {NUM_UPLOADS - 1} refused in {as_asked} of {ROUNDS} rounds",
        as_asked == ROUNDS,
    )
    check_history(world, team, ROUNDS)
    world.close()
