"""Learning-rate schedules: pure functions of how much of their span is done."""

import math
from dataclasses import dataclass

from thumbnet.recipe import (
    ConstantSpec,
    CosineSpec,
    CyclicSpec,
    ExponentialSpec,
    OneCycleSpec,
    PlateauSpec,
    ScheduleSpec,
    StepSpec,
    TriangularSpec,
)


@dataclass(frozen=True)
class Moment:
    """Where a step lies in the span of its schedule: as a fraction, in steps and in epochs."""

    fraction: float
    step: int = 0
    epoch: float = 0.0


def lr_at(spec: ScheduleSpec, at: Moment) -> float:
    """Return the learning rate at a moment; of a plateau that of an unbroken fall of the loss.

    Raises: ValueError for a fraction outside [0, 1]
    """
    if not 0 <= at.fraction <= 1:
        raise ValueError(f"fraction={at.fraction} must be in [0, 1]")
    if at.fraction < spec.warmup:
        return spec.lr * _rise(spec, at.fraction / spec.warmup)
    return spec.lr * _height(spec, at)


def _rise(spec: ScheduleSpec, fraction: float) -> float:
    if isinstance(spec, OneCycleSpec):
        return 1 - (1 - spec.initial) * _half_cosine(fraction)
    return fraction


def _height(spec: ScheduleSpec, at: Moment) -> float:
    """Return the part of the highest learning rate that is left after the warm-up."""
    falling = (at.fraction - spec.warmup) / (1 - spec.warmup)
    match spec:
        case ConstantSpec() | PlateauSpec():
            return 1.0
        case TriangularSpec():
            return spec.final + (1 - spec.final) * (1 - falling)
        case CosineSpec() | OneCycleSpec():
            return spec.final + (1 - spec.final) * _half_cosine(falling)
        case StepSpec():
            return spec.factor ** _num_falls(spec, at)
        case ExponentialSpec():
            return float(spec.factor**at.epoch)
        case CyclicSpec():
            return _cyclic(spec, at.step)


def _half_cosine(fraction: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * fraction))


def _num_falls(spec: StepSpec, at: Moment) -> int:
    if spec.every_steps is not None:
        return at.step // spec.every_steps
    assert spec.every_epochs is not None
    return int(at.epoch / spec.every_epochs)


def _cyclic(spec: CyclicSpec, step: int) -> float:
    cycle, inside = divmod(step, 2 * spec.half_steps)
    way_up = 1 - abs(inside / spec.half_steps - 1)
    height = 0.5**cycle if spec.mode == "triangular2" else 1.0
    return (spec.base_lr + (spec.lr - spec.base_lr) * way_up * height) / spec.lr


@dataclass(frozen=True)
class Plateau:
    """What a plateau schedule has seen: a run's state, changed after each epoch."""

    scale: float = 1.0
    best: float = math.inf
    num_bad: int = 0

    def after(self, spec: PlateauSpec, loss: float, top1: float) -> "Plateau":
        """Return what it is after one more epoch."""
        figure = loss if spec.watch == "loss" else -top1
        if figure < self.best - spec.min_delta:
            return Plateau(self.scale, figure, 0)
        if self.num_bad + 1 < spec.patience:
            return Plateau(self.scale, self.best, self.num_bad + 1)
        return Plateau(max(self.scale * spec.factor, spec.min_lr / spec.lr), self.best, 0)
