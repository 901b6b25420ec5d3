"""Learning-rate schedules: pure functions of how much of their span is done."""

import math

from thumbnet.recipe import ConstantSpec, ScheduleSpec, TriangularSpec


def lr_at(spec: ScheduleSpec, fraction: float) -> float:
    """Return the learning rate after `fraction` of the schedule's span, 0 <= fraction <= 1.

    Raises: ValueError for a fraction outside the span
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction={fraction} must be in [0, 1]")
    if isinstance(spec, ConstantSpec):
        return spec.lr
    if fraction < spec.warmup:
        return spec.lr * fraction / spec.warmup
    falling = (fraction - spec.warmup) / (1 - spec.warmup)
    if isinstance(spec, TriangularSpec):
        height = 1 - falling
    else:
        height = 0.5 * (1 + math.cos(math.pi * falling))
    return spec.lr * (spec.final + (1 - spec.final) * height)
