"""The board as everybody sees it, drawn once for each stamp and kept as bytes."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from thumbnet.challenge.entities import Board, Challenge
from thumbnet.challenge.picture import board_view
from thumbnet.challenge.rendering import METRIC_WORDS, facts
from thumbnet.challenge.routes.answers import BoardAnswer
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_engine import BusyError
from thumbnet.live import Live, Stamp

REDRAW_AFTER = timedelta(seconds=20)  # it says how long is left, also where no script counts down
FRAGMENT_URL, EVENTS_URL = "/board", "/api/v1/events"


@dataclass(frozen=True)
class Snapshot:
    """One state of the board in the forms that are asked for."""

    stamp: Stamp
    made: datetime
    challenge: Challenge
    board: Board
    fragment: Markup
    fragment_gzip: bytes
    api: bytes

    @property
    def etag(self) -> str:
        """What a client shows to be told that nothing changed."""
        return f'"{self.stamp}"'


class Snapshots:
    """Keeps the newest snapshot of this process."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        templates: Environment,
        max_listeners: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._template = templates.get_template("_board.html")
        self._held: Snapshot | None = None
        self._drawing = asyncio.Lock()
        self._challenge: Challenge | None = None
        self._version = -1
        self.live = Live(self._stamp, cap=max_listeners)

    async def latest(self) -> Snapshot:
        """Return the board as it was a fraction of a second ago, or later."""
        stamp = await self.live.newest()
        if (held := self._fresh(stamp)) is None:
            async with self._drawing:
                if (held := self._fresh(stamp)) is None:
                    held = self._held = await run_in_threadpool(self._draw, stamp)
        return held

    async def changed(self) -> None:
        """Look at once, after this process changed something itself."""
        await self.live.look()

    async def _stamp(self) -> Stamp:
        try:
            return await run_in_threadpool(self._read_stamp)
        except BusyError:
            if self._held is None:
                raise
            return self._held.stamp  # the board as it was last

    def _read_stamp(self) -> Stamp:
        version = self._store.version()
        if self._challenge is None or version != self._version:
            self._challenge, self._version = self._store.challenge(), version
        rules, now = self._challenge.rules, self._clock()
        dates = (rules.opens, rules.closes, self._challenge.frozen_at)
        return Stamp(version, sum(date is not None and now >= date for date in dates))

    def _fresh(self, stamp: Stamp) -> Snapshot | None:
        held = self._held
        if held is None or held.stamp != stamp:
            return None
        return held if abs(self._clock() - held.made) < REDRAW_AFTER else None

    def _draw(self, stamp: Stamp) -> Snapshot:
        now, held = self._clock(), self._held
        if held is not None and held.stamp == stamp:
            challenge, board = held.challenge, held.board
        else:
            challenge, board = self._store.challenge(), self._store.board()
        text = self._template.render(
            challenge=challenge,
            board=board,
            view=board_view(board, challenge.rules),
            facts=facts(challenge, board),
            metric=METRIC_WORDS[challenge.rules.metric],
            stamp=stamp,
            now=now,
            fragment=FRAGMENT_URL,
            events=EVENTS_URL,
        )
        return Snapshot(
            stamp=stamp,
            made=now,
            challenge=challenge,
            board=board,
            fragment=Markup(text),
            fragment_gzip=gzip.compress(text.encode(), compresslevel=5),
            api=BoardAnswer.of(board).model_dump_json().encode(),
        )
