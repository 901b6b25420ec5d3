"""A small challenge to test with, a clock set by hand, and files to submit."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from thumbnet.challenge.entities import Receipt, Rules, Team
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_admin import create_challenge
from thumbnet.challenge.store_truth import Truth

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PASSWORD = "an admin's password"
QUOTA = timedelta(hours=2)
CLASSES = 4
RULES = Rules("Small images", opens=START, closes=START + timedelta(days=30), max_entries=None)


@dataclass
class HandClock:
    """A clock that stands still until it is set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def step(self, **by: float) -> None:
        """Move the hands, as in timedelta."""
        self.now += timedelta(**by)


def make_truth(num_images: int = 40, num_public: int = 20, shift: int = 0) -> Truth:
    """Return images whose label is their number, modulo the classes; every second is public."""
    places = np.arange(num_images)
    public = np.zeros(num_images, np.bool_)
    public[np.concatenate([places[::2], places[1::2]])[:num_public]] = True
    return Truth(
        names=tuple(f"image_{place:05d}.png" for place in places),
        wnids=tuple(f"n{index:08d}" for index in range(CLASSES)),
        class_names=tuple(f"class {index}" for index in range(CLASSES)),
        labels=(places + shift) % CLASSES,
        public=public,
    )


@dataclass
class World:
    """A challenge in a database, and all that a test does with it."""

    url: str
    rules: Rules = RULES
    truth: Truth = field(default_factory=make_truth)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        create_challenge(self.url, self.rules, self.truth, PASSWORD, self.clock)
        self._opened: list[Store] = []
        self.store = self.open()

    def open(self, **options: int) -> Store:
        """Open the database once more, as another process would."""
        self._opened.append(Store(self.url, self.clock, **options))
        return self._opened[-1]

    def close(self) -> None:
        """Close all that was opened."""
        for store in self._opened:
            store.close()

    def file(self, public: int, private: int = 0) -> bytes:
        """Return a submission with so many right answers in each part."""
        right = np.zeros(len(self.truth.labels), np.bool_)
        right[np.flatnonzero(self.truth.public)[:public]] = True
        right[np.flatnonzero(~self.truth.public)[:private]] = True
        answers = np.where(right, self.truth.labels, (self.truth.labels + 1) % CLASSES)
        return self.written(answers)

    def written(self, answers: np.ndarray) -> bytes:
        """Return the submission with these classes."""
        pairs = zip(self.truth.names, answers, strict=True)
        return "".join(f"{name} {self.truth.wnids[index]}\n" for name, index in pairs).encode()

    def team(self, name: str, *, is_baseline: bool = False) -> Team:
        """Add a team."""
        return self.store.add_team(name, is_baseline)[0]

    def submit(self, team: Team, public: int, private: int = 0, note: str = "") -> Receipt:
        """Submit a file that is accepted."""
        outcome = self.store.submit(team, self.file(public, private), note)
        assert isinstance(outcome, Receipt), outcome
        return outcome

    def ranks(self, *, for_admin: bool = False) -> dict[str, int | None]:
        """Return the rank of each team on the board, in its order."""
        return {row.team.name: row.rank for row in self.store.board(for_admin).rows}


def changed(**values: object) -> Rules:
    """Return the usual rules, with some values changed."""
    return replace(RULES, **values)  # type: ignore[arg-type]
