"""What the loop asks of the processes that train a run together; and the answers of one alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from thumbnet.evaluation.evaluate import Tally
from thumbnet.training.engine import Picks
from thumbnet.training.world import World

T = TypeVar("T")


class Ranks(Protocol):
    """The processes that train a run together. All make the same calls, in the same order."""

    world: World

    @property
    def is_first(self) -> bool:
        """Whether this process writes, prints and listens."""

    def picks(self, picks: Picks) -> Picks:
        """Return the engine's picks for this rank.

        Raises: RankError where it has no device of the kind
        """

    def network(self, model: nn.Module) -> nn.Module:
        """Return what to call instead of a network, so that its gradients become the batch's."""

    def synced(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return a network whose batch norm sees the whole batch, where the device can."""

    def weighed(self, loss: Tensor, first: int, last: int) -> Tensor:
        """Scale the mean loss of this rank's share of the batch `first`:`last` for `mean`."""

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean over the ranks."""

    def total(self, tally: Tally) -> Tally:
        """Return the sums over the ranks."""

    def level(self, model: nn.Module) -> None:
        """Give every rank the first one's buffers, such as the statistics of batch norm."""

    def numbers(self, *values: float) -> list[float]:
        """Return the first rank's numbers."""

    def told(self, make: Callable[[], T]) -> T:
        """Return what `make` gives on the first rank, the only one to call it, or raise its error.

        Raises: LostRankError where a process is gone
        """

    def in_turn(self, make: Callable[[], T]) -> T:
        """Call `make` on the first rank of each machine, and when that is done on the others.

        Raises: LostRankError where a process is gone
        """

    def check_same(self, what: str) -> None:
        """Make sure that all ranks have the same recipe and data.

        Raises: DataError
        """

    def together(self, run: str | None = None) -> AbstractContextManager[None]:
        """Return a context for what needs all ranks; where one is gone, the others end too.

        Raises: LostRankError
        """


class Alone(Ranks):
    """One process, which has nobody to wait for."""

    def __init__(self) -> None:
        self.world = World()

    @property
    @override
    def is_first(self) -> bool:
        return True

    @override
    def picks(self, picks: Picks) -> Picks:
        return picks

    @override
    def network(self, model: nn.Module) -> nn.Module:
        return model

    @override
    def synced(self, model: nn.Module, device: torch.device) -> nn.Module:
        return model

    @override
    def weighed(self, loss: Tensor, first: int, last: int) -> Tensor:
        return loss

    @override
    def mean(self, value: Tensor) -> Tensor:
        return value

    @override
    def total(self, tally: Tally) -> Tally:
        return tally

    @override
    def level(self, model: nn.Module) -> None:
        pass

    @override
    def numbers(self, *values: float) -> list[float]:
        return list(values)

    @override
    def told(self, make: Callable[[], T]) -> T:
        return make()

    @override
    def in_turn(self, make: Callable[[], T]) -> T:
        return make()

    @override
    def check_same(self, what: str) -> None:
        pass

    @override
    def together(self, run: str | None = None) -> AbstractContextManager[None]:
        return nullcontext()


ALONE: Ranks = Alone()
