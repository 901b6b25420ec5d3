"""Whatever happens in whatever order, the board is what its history says."""

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event
from tests.challenge.world import World, changed

from thumbnet.challenge.entities import Refusal, Team

NUM_TEAMS = 4
counts = st.integers(0, 20)
team_numbers = st.integers(0, NUM_TEAMS - 1)


@dataclass
class Sent:
    """An accepted entry, as the model of the challenge keeps it."""

    id: str
    public: int
    private: int
    received: datetime
    order: int
    hidden: bool = False


@dataclass
class Side:
    """A team in the model."""

    team: Team
    disabled: bool = False
    sent: list[Sent] = field(default_factory=list)
    last: datetime | None = None

    def counting(self) -> list[Sent]:
        return [] if self.disabled else [one for one in self.sent if not one.hidden]

    def best(self) -> Sent:
        return max(self.counting(), key=lambda one: (one.public, -one.order))


class Challenge(RuleBasedStateMachine):
    """A plain board of exact scores, beside a model of twenty lines."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.file = Path(mkdtemp(dir=self.folder)) / "challenge.db"
        rules = changed(rounding=0.0, ladder=False, max_entries=6)
        self.world = World(f"sqlite:///{self.file}", rules)
        self.other = self.world.open()
        for store in (self.world.store, self.other):
            event.listen(store.write_engine, "connect", _hurry)
        self.world.clock.step(days=1)
        self.sides: list[Side] = []
        self.frozen = self.revealed = False

    @initialize()
    def add_teams(self) -> None:
        self.sides = [
            Side(self.world.team(f"Team {word}", is_baseline=number == 0))
            for number, word in zip(range(NUM_TEAMS), ("A", "B", "C", "D"), strict=True)
        ]

    @rule(number=team_numbers, public=counts, private=counts)
    def submit(self, number: int, public: int, private: int) -> None:
        side, now = self.sides[number], self.world.clock.now
        outcome = self.world.store.submit(side.team, self.world.file(public, private))
        waits = side.last is not None and now < side.last + self.world.rules.quota
        blocked = side.disabled or self.frozen or self.revealed
        if blocked or waits or len(side.sent) == 6:
            assert isinstance(outcome, Refusal)
            return
        assert not isinstance(outcome, Refusal), outcome
        order = sum(len(one.sent) for one in self.sides)
        side.sent.append(Sent(outcome.entry.id, public, private, now, order))
        side.last = now

    @rule(number=team_numbers)
    def submit_nonsense(self, number: int) -> None:
        outcome = self.other.submit(self.sides[number].team, b"n/a")
        assert isinstance(outcome, Refusal)

    @rule(minutes=st.sampled_from([-30, 1, 60, 120, 240]))
    def set_clock(self, minutes: int) -> None:
        self.world.clock.step(minutes=minutes)

    @rule(data=st.data(), hidden=st.booleans())
    def hide(self, data: st.DataObject, hidden: bool) -> None:
        sent = [one for side in self.sides for one in side.sent]
        if sent:
            chosen = data.draw(st.sampled_from(sent), label="entry")
            chosen.hidden = hidden
            self.other.hide(chosen.id, hidden)

    @rule(number=team_numbers, disabled=st.booleans())
    def disable(self, number: int, disabled: bool) -> None:
        self.sides[number].disabled = disabled
        self.other.disable_team(self.sides[number].team, disabled)

    @rule()
    def rescore(self) -> None:
        assert self.other.rescore() == 0

    @rule(frozen=st.booleans())
    def freeze(self, frozen: bool) -> None:
        if not self.revealed:
            self.other.freeze(self.world.rules.opens if frozen else None)
            self.frozen = frozen

    @precondition(lambda self: sum(len(side.sent) for side in self.sides) > 5)
    @rule()
    def reveal(self) -> None:
        self.other.reveal()
        self.revealed = True

    @invariant()
    def board_follows_from_history(self) -> None:
        sides = [side for side in self.sides if side.counting()]
        if self.revealed:
            sides.sort(
                key=lambda side: (-side.best().private, side.best().received, side.best().order)
            )
        else:
            sides.sort(
                key=lambda side: (-side.best().public, side.best().received, side.best().order)
            )
        rows = self.world.store.board(for_admin=True).rows
        assert [row.team.id for row in rows] == [side.team.id for side in sides]
        assert [row.best.value for row in rows] == [side.best().public / 20 for side in sides]
        assert [row.num_entries for row in rows] == [len(side.counting()) for side in sides]
        ranked = [row for row in rows if not row.team.is_baseline]
        assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
        assert all(row.rank is None for row in rows if row.team.is_baseline)

    def _place(self, sent: Sent) -> tuple[int, datetime, int]:
        return -(sent.private if self.revealed else sent.public), sent.received, sent.order

    @invariant()
    def every_process_has_the_same_board(self) -> None:
        for for_admin in (False, True):
            board = self.world.store.board(for_admin)
            assert self.other.board(for_admin).rows == board.rows

    def teardown(self) -> None:
        fresh = self.world.open()  # has read everything at once, and nothing piece by piece
        assert self.world.store.board().rows == fresh.board().rows
        assert self.world.store.board(for_admin=True).rows == fresh.board(for_admin=True).rows
        self.world.close()
        shutil.rmtree(self.file.parent)


def _hurry(driver_connection: object, _record: object) -> None:
    driver_connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]


@pytest.fixture
def machine(tmp_path: Path) -> type[Challenge]:
    Challenge.folder = tmp_path
    return Challenge


def run(machine: type[Challenge], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_board_is_always_what_its_history_says(machine: type[Challenge]) -> None:
    run(machine, examples=20, steps=25)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_board_is_always_what_its_history_says_at_length(machine: type[Challenge]) -> None:
    run(machine, examples=300, steps=50)
