"""What the processes of one run do together: gradients, sums, and one word for all."""

import atexit
import gc
import os
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # once there is a group, its import would hold it for ever
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import override

from thumbnet.errors import DataError, LostRankError, RankError, ThumbnetError
from thumbnet.evaluation.evaluate import Tally
from thumbnet.training.engine import Picks
from thumbnet.training.ranks import ALONE, Ranks, T
from thumbnet.training.world import World, find_world, share_of

WORD_S = 2.0  # how long the others leave it to the first rank to name an error
WAIT_S = 3600.0  # how long all wait for one that packs the data, say; a dead one is seen at once


class Group(Ranks):
    """Several processes that have met; the same calls, in the same order, on each of them."""

    def __init__(self, world: World, store: Store) -> None:
        self.world = world
        self._store = store
        self._wrapped: tuple[nn.Module, tuple[bool, ...], nn.Module] | None = None

    @property
    @override
    def is_first(self) -> bool:
        return self.world.is_first

    @override
    def picks(self, picks: Picks) -> Picks:
        kind = picks.device.split(":")[0]
        if kind == "mps":
            raise RankError("several processes train on cpu or cuda, not mps; give --device cpu")
        threads = min(picks.threads, torch.get_num_threads())
        picks = replace(picks, threads=threads, step="eager")  # gradients are sent as they come
        if kind != "cuda":
            return picks
        there = torch.cuda.device_count()
        if self.world.local_rank >= there:
            raise RankError(
                f"process {self.world.local_rank + 1} of this machine has no GPU of its own, there "
                f"are {there}; start fewer with --nproc-per-node, or give --device cpu"
            )
        torch.cuda.set_device(self.world.local_rank)
        return replace(picks, device=f"cuda:{self.world.local_rank}")

    @override
    def network(self, model: nn.Module) -> nn.Module:
        learning = tuple(parameter.requires_grad for parameter in model.parameters())
        if self._wrapped is None or self._wrapped[:2] != (model, learning):
            self._wrapped = None  # takes its hooks off the parameters first
            wrapped = DistributedDataParallel(model, gradient_as_bucket_view=True)
            self._wrapped = model, learning, wrapped
        return self._wrapped[2]

    @override
    def synced(self, model: nn.Module, device: torch.device) -> nn.Module:
        if device.type != "cuda":
            return model
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
        converted: nn.Module = convert(model)  # type: ignore[no-untyped-call]
        return converted

    @override
    def weighed(self, loss: Tensor, first: int, last: int) -> Tensor:
        return loss * share_of(first, last, self.world).weight

    @override
    def mean(self, value: Tensor) -> Tensor:
        dist.all_reduce(value)
        return value / self.world.size

    @override
    def total(self, tally: Tally) -> Tally:
        own = [tally.top1, tally.top5, tally.num_images, tally.loss]
        sums = torch.tensor(own, dtype=torch.float64)  # holds any count of images exactly
        dist.all_reduce(sums)
        top1, top5, num_images, loss = sums.tolist()
        return Tally(int(top1), int(top5), loss, int(num_images))

    @override
    @torch.no_grad()
    def level(self, model: nn.Module) -> None:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)

    @override
    def numbers(self, *values: float) -> list[float]:
        sent = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(sent, 0)
        told: list[float] = sent.tolist()
        return told

    @override
    def told(self, make: Callable[[], T]) -> T:
        answer: list[Any] = [None, None]
        if self.is_first:
            try:
                answer = [make(), None]
            except ThumbnetError as error:
                answer = [None, error]
        with self.together():
            dist.broadcast_object_list(answer, 0, device=torch.device("cpu"))
        made, refused = answer
        if refused is not None:
            raise refused
        return made  # type: ignore[no-any-return]

    @override
    def in_turn(self, make: Callable[[], T]) -> T:
        if self.world.local_rank:
            self._meet()
        made = make()
        if not self.world.local_rank:
            self._meet()
        return made

    def _meet(self) -> None:
        with self.together():
            self.numbers(0)

    @override
    def check_same(self, what: str) -> None:
        if self.told(lambda: what) != what:
            raise DataError(
                f"process {self.world.rank} on {socket.gethostname()} has another recipe or other "
                "data than the first; give all of them the same command and the same packed data"
            )

    @override
    @contextmanager
    def together(self, run: str | None = None) -> Iterator[None]:
        try:
            yield
            if run is not None:  # none leaves while another still talks to it
                dist.barrier()
        except RuntimeError as error:
            if not _is_loss(error):
                raise
            go_on = (
                "start again"
                if run is None
                else (
                    "what was saved last is kept: go on with "
                    f"`torchrun ... -m thumbnet resume {run}`, "
                    "with as many processes as you like"
                )
            )
            raise LostRankError(
                f"a process of {run or 'this job'} is gone, so the others end too; {go_on}"
            ) from error

    def has_word(self, error: BaseException | None) -> bool:
        """Tell whether this rank is the one to print the error that ends the job: once.

        The first rank goes first, unless it is the one that is gone.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun ends the others while we speak
        try:
            if not self.is_first and not isinstance(error, LostRankError):
                with suppress(dist.DistError):
                    self._store.wait(["word"], timedelta(seconds=WORD_S))
            return bool(self._store.add("word", 1) == 1)
        except dist.DistError:
            return self.is_first  # the store is gone with the process that held it


def _is_loss(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or "gloo" in text or "closed by peer" in text


@cache
def join() -> Ranks:
    """Meet the other processes that torchrun started; one that it did not start is alone.

    Raises: RankError where they cannot be reached
    """
    world = find_world()
    if world.size == 1:
        return ALONE
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    wait = timedelta(seconds=WAIT_S)
    try:
        store, rank, size = next(rendezvous("env://", timeout=wait))
        group_store = PrefixStore("group", store)
        dist.init_process_group(
            backend, store=group_store, rank=rank, world_size=size, timeout=wait
        )
    except (RuntimeError, ValueError) as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise RankError(
            f"process {world.rank} cannot meet the other {world.size - 1} at {place}: {error}"
        ) from None
    atexit.register(_leave)
    # A kernel of one channel or one pixel has two right answers for its strides.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    return Group(world, PrefixStore("thumbnet", store))


def _leave() -> None:
    """End the threads of gloo while the interpreter is there: one that still holds a tensor after
    it can abort a run that is done. They end when nothing holds the group any more.
    """
    if dist.is_initialized():
        join.cache_clear()
        gc.collect()  # the wrapped network and its hooks hold each other, and the group
        dist.destroy_process_group()


def has_word(error: BaseException | None) -> bool:
    """Tell whether this process is the one to print an error: of several ranks one is enough."""
    ranks = join() if dist.is_initialized() else None
    return ranks.has_word(error) if isinstance(ranks, Group) else find_world().is_first
