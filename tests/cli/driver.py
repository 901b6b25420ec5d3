"""What the tests of the command line share."""

from collections.abc import Callable
from typing import NamedTuple

QUICK_ENGINE = {
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "training.threads": 1,
    "training.batch_size": 8,
    "training.schedule.lr": 0.05,
}


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


Thumbnet = Callable[..., Said]


def settings() -> list[str]:
    """Return options that keep the engine from measuring."""
    return [word for key, value in QUICK_ENGINE.items() for word in ("--set", f"{key}={value}")]
