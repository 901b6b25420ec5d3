"""Muon: momentum whose matrices are made nearly orthogonal before each step."""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the iteration, steepest at small singular values


class Muon(Optimizer):
    """Orthogonalized Nesterov momentum in groups marked `orthogonal`, plain Nesterov elsewhere.

    Source: github.com/KellerJordan/Muon
    """

    def __init__(
        self, groups: list[dict[str, Any]], momentum: float, num_iterations: int = 5
    ) -> None:
        defaults = {"lr": 0.0, "momentum": momentum, "num_iterations": num_iterations}
        super().__init__(groups, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Do one update; a closure is not taken."""
        assert closure is None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            updates = self._with_momentum(parameters, group)
            if group["orthogonal"]:
                updates = orthogonalized(updates, group["num_iterations"])
            torch._foreach_add_(parameters, updates, alpha=-group["lr"])
        return None

    def _with_momentum(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients = [p.grad for p in parameters if p.grad is not None]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        buffers = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers.append(state["momentum_buffer"])
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=group["momentum"]))


def orthogonalized(updates: list[Tensor], num_iterations: int) -> list[Tensor]:
    """Return each update with its singular values brought near 1; equal shapes go together.

    A kernel (out, in, h, w) counts as a matrix of `out` rows. Tall matrices are scaled by
    sqrt(rows / columns), so that each output moves as far as in a square one.

    Shapes: each (R, ...) -> same
    """
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for position, update in enumerate(updates):
        by_shape.setdefault(tuple(update.shape), []).append(position)
    results = list(updates)
    for shape, positions in by_shape.items():
        # reshape, not view: a kernel may lie channels_last
        stack = torch.stack([updates[i].reshape(shape[0], -1) for i in positions])
        scale = max(1.0, stack.shape[1] / stack.shape[2]) ** 0.5
        for i, matrix in zip(positions, scale * newton_schulz(stack, num_iterations), strict=True):
            results[i] = matrix.view(shape).to(updates[i].dtype)
    return results


def newton_schulz(matrices: Tensor, num_iterations: int) -> Tensor:
    """Bring the singular values of matrices into about [0.7, 1.2], in bfloat16.

    Shapes: (N, R, C) -> (N, R, C) bfloat16
    """
    x = matrices.to(torch.bfloat16)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if x.device.type == "cpu":  # where sums join a product of one matrix, but not one of a stack
        x = torch.stack([_iterate(one, num_iterations, torch.addmm) for one in x])
    else:
        x = _iterate(x, num_iterations, torch.baddbmm)
    return x.mT if tall else x


def _iterate(x: Tensor, num_iterations: int, add_product: Callable[..., Tensor]) -> Tensor:
    """Do x <- (a + b g + c g^2) x with g = x x^T so many times."""
    a, b, c = COEFFICIENTS
    for _ in range(num_iterations):
        gram = x @ x.mT
        polynomial = add_product(gram, gram, gram, beta=b, alpha=c)
        x = add_product(x, polynomial, x, beta=a)
    return x
