"""Wait for a turn, but not for long, so that what waits takes no thread from who only reads."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from thumbnet.challenge.store_engine import BusyError

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """Runs functions in threads of its own, a few at a time.

    Args: wait_s: how long a call waits for its turn
    """

    def __init__(self, count: int, wait_s: float) -> None:
        self._turns = asyncio.Semaphore(count)
        self._threads = CapacityLimiter(count)
        self._wait_s = wait_s

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread and return what it returns.

        Raises: BusyError where no turn came in time; then it was not called
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            return await to_thread.run_sync(
                lambda: function(*args, **kwargs), limiter=self._threads
            )
        finally:
            self._turns.release()
