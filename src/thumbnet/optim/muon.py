"""Muon: momentum whose matrices are made nearly orthogonal before each step."""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the iteration, steepest at small singular values
AT_ONCE = 3


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
    results = list(updates)
    stored = [_as_stored(update) for update in updates]
    for positions in _together(updates):
        alone = len(positions) == 1
        matrices = [stored[i].flatten(1) for i in positions]
        found = newton_schulz(matrices[0] if alone else torch.stack(matrices), num_iterations)
        found = found.to(matrices[0].dtype)
        if found.shape[-2] > found.shape[-1]:
            found *= (found.shape[-2] / found.shape[-1]) ** 0.5
        for i, matrix in zip(positions, [found] if alone else found, strict=True):
            result = matrix.view(stored[i].shape)
            results[i] = result if stored[i] is updates[i] else result.permute(0, 3, 1, 2)
    return results


def _together(updates: list[Tensor]) -> list[list[int]]:
    """Return the positions of updates of one shape; on a CPU, where stacks are slow, of each."""
    by_shape: dict[object, list[int]] = {}
    for i, update in enumerate(updates):
        by_shape.setdefault(i if update.device.type == "cpu" else update.shape, []).append(i)
    return list(by_shape.values())


def _as_stored(update: Tensor) -> Tensor:
    """Return a kernel as it lies in memory: (out, h, w, in) where channels are last."""
    if update.ndim == 4 and not update.is_contiguous():
        return update.permute(0, 2, 3, 1)  # to the iteration all orders of columns are one
    return update


def newton_schulz(matrices: Tensor, num_iterations: int) -> Tensor:
    """Bring the singular values of matrices into about [0.7, 1.2], in bfloat16 where that is fast.

    Shapes: (..., R, C) -> (..., R, C)
    """
    x = matrices.to(torch.bfloat16 if _has_bf16(matrices.device) else torch.float32)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for done in range(0, num_iterations, AT_ONCE):
        gram, norm = x @ x.mT, None
        if done == 0:  # scale to a Frobenius norm of 1, whose square is the trace
            trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=torch.float32)
            norm = (trace.sqrt() + 1e-7).to(x.dtype)[..., None, None]
            gram = gram / norm / norm
        factor = _polynomial(gram, min(AT_ONCE, num_iterations - done))
        x = (factor if norm is None else factor / norm) @ x
    return x.mT if tall else x


def _has_bf16(device: torch.device) -> bool:
    """Tell whether products in bfloat16 are fast; a CPU without AVX-512 takes 60 times fp32's."""
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _polynomial(gram: Tensor, num_iterations: int) -> Tensor:
    """Return the product of p = a + b g + c g^2 over iterations x <- p x, with g = x x^T.

    Products with g are smaller than those with x, but more than three iterations of them let
    rounding errors grow too far.

    Shapes: (..., R, R) -> same
    """
    a, b, c = COEFFICIENTS
    add_product = torch.addmm if gram.ndim == 2 else torch.baddbmm
    factor = None
    for left in reversed(range(num_iterations)):
        p = add_product(gram, gram, gram, beta=b, alpha=c)
        p.diagonal(dim1=-2, dim2=-1).add_(a)
        factor = p if factor is None else p @ factor
        if left:
            gram = p @ (gram @ p)
    assert factor is not None
    return factor
