"""A challenge with its server, for tests: a clock that stands still, teams, files to submit."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from thumbnet.challenge.app import create_app
from thumbnet.challenge.entities import Receipt, Rules, Team
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_admin import create_challenge
from thumbnet.challenge.store_engine import SERVING, Patience
from thumbnet.challenge.store_truth import Truth

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASSWORD = "only the organizers know it"
SECRET = "a secret of tests, long enough to sign with"
NUM_IMAGES, NUM_CLASSES = 600, 6
NAMES = tuple(f"image_{number:05}.png" for number in range(1, NUM_IMAGES + 1))
WNIDS = tuple(f"n0{number:07}" for number in range(1, NUM_CLASSES + 1))
CLASS_NAMES = ("goldfish", "fire salamander", "bullfrog", "tailed frog", "alligator", "boa")

RULES = Rules(
    name="Small images 2026",
    opens=NOON - 72 * HOUR,
    closes=NOON + 14 * 24 * HOUR,
    max_entries=None,
    description="Six classes, images of 64 x 64 pixels, one entry every two hours.",
)


@dataclass
class Clock:
    """A clock that moves only when told."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def truth(seed: int = 0) -> Truth:
    """Return hidden labels that depend on the seed; nothing else does."""
    labels = np.random.default_rng(seed).integers(0, NUM_CLASSES, NUM_IMAGES)
    public = np.zeros(NUM_IMAGES, bool)
    public[np.random.default_rng(seed + 1_000).permutation(NUM_IMAGES)[: NUM_IMAGES // 2]] = True
    return Truth(NAMES, WNIDS, CLASS_NAMES, labels, public)


def labels_file(share: float = 0.5, seed: int = 0, truth_seed: int = 0) -> bytes:
    """Return a submission in which about so large a share of the labels is right."""
    hidden, random = truth(truth_seed).labels, np.random.default_rng(seed)
    wrong = (hidden + random.integers(1, NUM_CLASSES, NUM_IMAGES)) % NUM_CLASSES
    chosen = np.where(random.random(NUM_IMAGES) < share, hidden, wrong)
    lines = (f"{name} {WNIDS[label]}\n" for name, label in zip(NAMES, chosen, strict=True))
    return "".join(lines).encode()


@cache
def blank_database(seed: int, rules: Rules) -> Path:
    """Create a database once; each site gets a copy."""
    path = Path(mkdtemp(prefix="challenge-")) / "blank.db"
    create_challenge(f"sqlite:///{path}", rules, truth(seed), PASSWORD, Clock(RULES.opens))
    return path


class Client:
    """Speaks to an app without a network, with cookies as a browser has them."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner, address: str) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self._runner = runner
        self._client = httpx.AsyncClient(transport=transport, base_url="http://testserver")
        self.cookies = self._client.cookies

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


@dataclass
class Site:
    """A running challenge."""

    app: FastAPI
    store: Store
    clock: Clock
    settings: Settings
    runner: asyncio.Runner
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, address: str = "192.0.2.7") -> Client:
        """Return a browser of its own, as it were."""
        return Client(self.app, self.runner, address)

    def add_team(self, name: str, *, is_baseline: bool = False) -> Team:
        team, self.tokens[name] = self.store.add_team(name, is_baseline)
        return team

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}", "Content-Type": "text/plain"}

    def enter(self, name: str, share: float, seed: int = 0, note: str = "") -> Receipt:
        """Submit for a team without the server."""
        team = self.store.team_of_token(self.tokens[name])
        assert team is not None
        receipt = self.store.submit(team, labels_file(share, seed), note, "192.0.2.1")
        assert isinstance(receipt, Receipt), receipt
        return receipt

    def team_client(self, name: str) -> Client:
        """Return a client that is logged in as a team."""
        client = self.client()
        form = {"csrf": csrf_of(client, "/login"), "token": self.tokens[name], "next": "/submit"}
        assert client.post("/login", data=form).status_code == 303
        return client

    def admin_client(self) -> Client:
        """Return a client that is logged in as an organizer."""
        client = self.client()
        form = {"csrf": csrf_of(client, "/admin"), "password": PASSWORD}
        assert client.post("/admin/login", data=form).status_code == 303
        return client


def csrf_of(client: Client, path: str) -> str:
    """Return the CSRF token of a page's first form."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
    assert found is not None, f"no form at {path}"
    return found[1]


@contextmanager
def open_site(
    folder: Path,
    seed: int = 0,
    rules: Rules = RULES,
    patience: Patience = SERVING,
    **settings: object,
) -> Iterator[Site]:
    """Open a challenge in a folder, or in the database that `database_url` names."""
    folder.mkdir(parents=True, exist_ok=True)
    clock, made = (
        Clock(),
        Settings.model_validate({"folder": folder, "secret_key": SECRET, **settings}),
    )
    if made.database_url:
        create_challenge(made.url, rules, truth(seed), PASSWORD, Clock(RULES.opens))
    else:
        shutil.copy(blank_database(seed, rules), folder / "challenge.db")
    store = Store(
        made.url,
        clock,
        malformed_per_hour=made.malformed_per_hour,
        max_note_chars=made.max_note_chars,
        patience=patience,
    )
    runner = asyncio.Runner()  # it makes its loop when first asked; a browser's test has another
    try:
        yield Site(create_app(made, store, clock), store, clock, made, runner)
    finally:
        runner.close()
        store.close()


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE team; --",
    "=cmd|' /C calc'!A0",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "مرحبا بالعالم abc",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "日本語のチーム名はとても長いことがありますので切ってはいけない",
    "%s%n%x%d{0}",
    "</td></tr></table><h1>x",
    "O'Brien & Sons <b>",
)


def seed_teams(site: Site, count: int = 30) -> None:
    """Fill a board: plain and hostile names, baselines, many entries over some days."""
    names = [*HOSTILE, *(f"Team {number}" for number in range(1, count))][: count - 2]
    random = np.random.default_rng(5)
    site.clock.now = NOON - 48 * HOUR
    for name in names:
        site.add_team(name)
    for name, share in (("Random labels", 0.17), ("Linear network", 0.35)):
        site.add_team(name, is_baseline=True)
        site.enter(name, share, 1, "baseline")
    level = {name: float(random.uniform(0.25, 0.72)) for name in names}
    for turn in range(6):
        site.clock.now = NOON - (40 - turn * 8) * HOUR + timedelta(minutes=7)
        for index, name in enumerate(names):
            if random.random() < 0.7:
                site.clock.advance(timedelta(minutes=1, seconds=13))
                share = min(0.97, level[name] + 0.025 * turn + float(random.normal(0, 0.02)))
                site.enter(name, share, turn * 100 + index, f"turn {turn}: wider stem, cutout")
    site.clock.now = NOON + 3 * HOUR + timedelta(minutes=20)
    site.enter(names[-1], 0.86, 999, "<b>last</b> one")
    site.clock.advance(timedelta(minutes=31, seconds=12))
