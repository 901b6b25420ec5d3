"""SGD that reads and writes its memory as seldom as its arithmetic allows."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD


class LeanSGD(SGD):
    """PyTorch's SGD, its state and results, in fewer passes over memory: what a CPU waits for.

    Weight by weight, so that the later passes find it in the cache, and with the momentum decayed
    and added to in one pass.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do one update; a closure is not taken."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        if not momentum:
            parameter.add_(gradient, alpha=-lr)
            return
        state = self.state[parameter]
        buffer = state.get("momentum_buffer")
        if buffer is None:
            buffer = state["momentum_buffer"] = torch.zeros_like(parameter)
        torch.add(gradient, buffer, alpha=momentum, out=buffer)
        if group["nesterov"]:
            parameter.add_(gradient, alpha=-lr)
            parameter.add_(buffer, alpha=-lr * momentum)
        else:
            parameter.add_(buffer, alpha=-lr)
