"""Which of torchrun's processes this one is, and the part of a batch that is its own; no torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from thumbnet.errors import RankError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
LEAST = 2  # images in a share: batch norm has nothing to divide one alone by


@dataclass(frozen=True)
class World:
    """This process among those that train a run together; `local_rank` is that on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes, prints and listens."""
        return self.rank == 0


def find_world(environment: Mapping[str, str] = os.environ) -> World:
    """Read what torchrun set; a process that it did not start is alone.

    Raises: RankError for values that are no ranks
    """
    given = [environment.get(name) for name in VARIABLES]
    if None in given:
        return World()
    try:
        rank, size, local_rank = (int(value or "") for value in given[:3])
    except ValueError:
        rank, size, local_rank = -1, 0, 0
    if not (0 <= rank < size and local_rank >= 0):
        told = ", ".join(f"{n}={v}" for n, v in zip(VARIABLES[:3], given[:3], strict=True))
        raise RankError(
            f"{told} are not valid ranks; start with torchrun, or unset these variables"
        )
    return World(rank, size, local_rank)


@dataclass(frozen=True)
class Share:
    """One rank's part of a batch: positions `first`:`last` of the epoch's order.

    A rank's mean times `weight`, averaged over the ranks, is the mean over the whole batch.
    """

    first: int
    last: int
    weight: float = 1.0


def share_of(first: int, last: int, world: World) -> Share:
    """Cut the batch `first`:`last` into neighboring shares and return this rank's.

    No share holds fewer than two images. Where a batch is too small for that, the ranks left over
    run its first two once more, to keep in step, and weigh nothing.
    """
    num_images = last - first
    num_sharing = max(1, min(world.size, num_images // LEAST))
    if world.rank >= num_sharing:
        return Share(first, min(first + LEAST, last), 0.0)
    start, end = (num_images * rank // num_sharing for rank in (world.rank, world.rank + 1))
    return Share(first + start, first + end, world.size * (end - start) / num_images)


def judged_by(num_images: int, batch_size: int, world: World) -> slice:
    """Return the images this rank judges: whole batches, each of them one rank's.

    A batch is what one process would make of it, and so is each logit.
    """
    num_batches = -(-num_images // batch_size)
    start, end = (num_batches * rank // world.size for rank in (world.rank, world.rank + 1))
    return slice(start * batch_size, min(end * batch_size, num_images))
