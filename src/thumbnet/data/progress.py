"""How long work tells how far it is: one callable, given in by who wants to know."""

from typing import Protocol


class Progress(Protocol):
    """A callable told `done` of `total` (0 if unknown) units of the work named `what`."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """Take note."""


def silent(done: int, total: int, what: str) -> None:
    """Take note of nothing: what `progress=None` means."""
