"""How a step is run: device, precision, memory format, threads, captured or not."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.memory import keep_freed_memory
from thumbnet.training.passes import passes_of


@dataclass(frozen=True)
class Picks:
    """What the engine settled on; stored with the run and reused by resume.

    `step`: how forward and backward are run: `eager`, `graph` or `compiled`.
    """

    device: str
    precision: str
    memory_format: str
    threads: int
    step: str = "eager"


class Engine:
    """Runs steps with the picks given; `run` is what runs a forward and backward pass."""

    def __init__(self, picks: Picks) -> None:
        self.picks = picks
        self.device = torch.device(picks.device)
        self.run = passes_of(picks.step, self.device)
        keep_freed_memory()

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Use as many threads as picked, and afterwards as many as before."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.picks.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def use_threads(self, num: int) -> None:
        """Use another number of threads inside `threads`, from the next operation on."""
        torch.set_num_threads(num)

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device, in the memory format picked."""
        model.to(self.device)
        for parameter in model.parameters():
            parameter.data = self.formatted(parameter.data)
        return model

    def formatted(self, images: Tensor) -> Tensor:
        """Lay a batch, or the weights of a convolution, out as picked.

        Shapes: (B, C, H, W) -> same
        """
        if images.ndim != 4:
            return images
        return images.contiguous(memory_format=_format(self.picks.memory_format))

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context a forward pass of training runs in."""
        if self.picks.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def find_device(name: str | None) -> str:
    """Return the device asked for, or the fastest kind there is.

    Raises: RecipeError for one that is not there
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if name is None:
        return there[0]
    if name.split(":")[0] not in there:
        raise RecipeError(f"device '{name}' is not on this machine; there are: {', '.join(there)}")
    return name


def _format(name: str) -> torch.memory_format:
    return torch.channels_last if name == "channels_last" else torch.contiguous_format
