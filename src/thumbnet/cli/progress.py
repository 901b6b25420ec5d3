"""Show how far long work is: a bar on a terminal, few plain lines elsewhere, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from thumbnet.cli.output import err

LINE_EVERY_S = 5.0

Tell = Callable[[int, int, str], None]


@contextmanager
def bar(
    description: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Tell]:
    """Give a `progress(done, total, what)` callable that shows what it is told.

    Args: description: shown until the first call says what is done
        console: where to show it; None is stderr
    Example: with bar("preparing") as progress: prepare(source, progress=progress)
    """
    console = console or Console(stderr=True, quiet=err.quiet)
    if not console.is_terminal:
        yield _lines(console, clock)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as shown:
        task = shown.add_task(description, total=None)
        current = ""

        def tell(done: int, total: int, what: str) -> None:
            nonlocal current
            if what != current:
                current = what
                shown.reset(task, description=what, total=total or None)
            shown.update(task, completed=done, total=total or None)

        yield tell


def _lines(console: Console, clock: Callable[[], float]) -> Tell:
    """Print a line every 5 s at most, and one when a piece of work that took long is done."""
    last, start, current = clock(), clock(), ""

    def tell(done: int, total: int, what: str) -> None:
        nonlocal last, start, current
        now = clock()
        if what != current:
            current, start, last = what, now, now
        ended = total and done >= total
        if (now - last >= LINE_EVERY_S and not ended) or (ended and now - start >= 1):
            share = f"{done / total:.0%}" if total else f"{done:,}"
            took = f" in {now - start:.0f} s" if ended else ""
            console.print(f"{what}: {share}{took}", highlight=False, soft_wrap=True)
            last = now

    return tell
