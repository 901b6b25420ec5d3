"""What is mutable in a run and must survive a crash."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from thumbnet.checkpoint import save_tensors
from thumbnet.errors import CheckpointError
from thumbnet.optim.schedules import Plateau

FIELDS = (
    "step",
    "phase",
    "num_skipped",
    "wall_s",
    "images_seen",
    "best_top1",
    "best_epoch",
    "epochs_since_best",
    "plateau",
    "rows",
)


@dataclass
class TrainState:
    """Network, average, optimizer, position and history of a run.

    `step` is the next of the plan; `num_skipped` of those before it were left out for want of
    time. `phase` is the last one entered. `loss_sum` and `images_seen` are those of the running
    epoch. `plateau` is what a plateau schedule has seen; `rows` are the lines of `results.csv`.
    """

    model: nn.Module
    optimizer: Optimizer
    loss_sum: Tensor
    ema: nn.Module | None = None
    ema_decay: float = 0.0
    clip_norm: float | None = None
    step: int = 0
    phase: int = 0
    num_skipped: int = 0
    wall_s: float = 0.0
    images_seen: int = 0
    best_top1: float = -1.0
    best_epoch: int = -1
    epochs_since_best: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def start_ema(self, decay: float) -> None:
        """Keep an exponential moving average of the weights from here on."""
        self.ema_decay = decay
        self.ema = deepcopy(self.model).eval().requires_grad_(False)

    def judged(self) -> nn.Module:
        """Return the network that is judged and saved: the average where there is one."""
        return self.model if self.ema is None else self.ema

    @torch.no_grad()
    def update_ema(self) -> None:
        """Move the average towards the weights; early steps count for more."""
        if self.ema is None:
            return
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
        averages = list(self.ema.state_dict().values())
        currents = list(self.model.state_dict().values())
        pairs = [(a, c) for a, c in zip(averages, currents, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in pairs], [c for _, c in pairs], 1 - decay)
        for average, current in zip(averages, currents, strict=True):
            if not average.is_floating_point():
                average.copy_(current)

    def note(self, row: dict[str, Any]) -> bool:
        """Take in an epoch's line of results.csv, and return whether the epoch is the best so far.

        Equal top-1 goes to the lower loss, equal loss too to the later epoch. For `early_stop`
        only a higher top-1 counts: a run that cannot get better must end.
        """
        best = next((one for one in self.rows if one["epoch"] == self.best_epoch), row)
        is_higher = bool(row["watch_top1"] > self.best_top1)
        is_equal = bool(row["watch_top1"] == self.best_top1)
        is_best = is_higher or (is_equal and bool(row["watch_loss"] <= best["watch_loss"]))
        self.rows.append(row)
        self.epochs_since_best = 0 if is_higher else self.epochs_since_best + 1
        if is_best:
            self.best_top1, self.best_epoch = row["watch_top1"], row["epoch"]
        return is_best

    def is_finite(self) -> bool:
        """Tell whether every weight, and every statistic of batch norm, is a finite number."""
        finite = [torch.isfinite(v).all() for v in self.model.state_dict().values()]
        return bool(torch.stack(finite).all())  # one wait for the device


def save_state(state: TrainState, path: Path, meta: dict[str, Any]) -> None:
    """Write the whole state, atomically; the old file stays until the new one is safe.

    Raises: CheckpointError where it cannot be written (disk full)
    """
    tensors = {f"model.{k}": v for k, v in state.model.state_dict().items()}
    if state.ema is not None:
        tensors |= {f"ema.{k}": v for k, v in state.ema.state_dict().items()}
    for position, parameter in enumerate(_parameters(state.optimizer)):
        for key, value in state.optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{position}.{key}"] = value
    tensors["loss_sum"] = state.loss_sum
    progress = {name: getattr(state, name) for name in FIELDS}
    progress["plateau"] = [state.plateau.scale, float(state.plateau.best), state.plateau.num_bad]
    save_tensors(path, tensors, {**meta, "progress": progress})


def fill_state(
    state: TrainState, tensors: dict[str, Tensor], meta: dict[str, Any], path: Path
) -> None:
    """Fill a state, freshly built for the phase that is in `meta`, with what a file held.

    Raises: CheckpointError for the file of another network or optimizer
    """
    try:
        state.model.load_state_dict(_below("model.", tensors))
        if state.ema is not None:
            state.ema.load_state_dict(_below("ema.", tensors))
        state.loss_sum.copy_(tensors["loss_sum"])
        for name in FIELDS:
            setattr(state, name, meta["progress"][name])
        state.plateau = Plateau(*meta["progress"]["plateau"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit this run's network: {error}") from None
    fused = [
        bool(group.get("fused")) for group in state.optimizer.param_groups for _ in group["params"]
    ]
    for position, parameter in enumerate(_parameters(state.optimizer)):
        saved = _below(f"optimizer.{position}.", tensors)
        # The buffers take the memory layout of their parameter, as the optimizer itself does.
        # Fused ones count their steps on the device, the others on the host.
        device = parameter.device if fused[position] else torch.device("cpu")
        state.optimizer.state[parameter] = {
            key: torch.empty_like(parameter).copy_(value) if value.ndim else value.to(device)
            for key, value in saved.items()
        }


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
