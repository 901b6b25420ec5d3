"""RandAugment and TrivialAugment: fourteen operations, of which each image gets one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from thumbnet.augment.draws import FILLS, INTERPOLATIONS, Array, Table
from thumbnet.recipe import (
    AffineSpec,
    AugmentSpec,
    AutoContrastSpec,
    ContrastSpec,
    EqualizeSpec,
    MultiplySpec,
    PosterizeSpec,
    RandAugmentSpec,
    SaturationSpec,
    SharpnessSpec,
    SolarizeSpec,
    TrivialAugmentSpec,
)

Branch = tuple[AugmentSpec, Table, Array]


@dataclass(frozen=True)
class Reach:
    """How far each operation goes at the greatest magnitude.

    Units: shear as a tangent, translate in pixels, rotate in degrees; `blend` is the distance of
        a factor from 1, `bits` how many posterize takes away
    """

    shear: float
    translate: float
    rotate: float
    blend: float
    bits: float


def rand_augment(
    spec: RandAugmentSpec, level: Array, size: int, rng: Generator
) -> Iterator[Branch]:
    """Draw which of the operations each image gets, and in which direction.

    Shapes: level (N,) in [0, 1]
    Source: arXiv:1909.13719; translation by 150 of 331 pixels, as its authors' code has it
    """
    reach = Reach(shear=0.3, translate=150 / 331 * size, rotate=30, blend=0.9, bits=4)
    return _branches(reach, spec.fill_value, level, size, rng)


def trivial_augment(
    spec: TrivialAugmentSpec, level: Array, size: int, rng: Generator
) -> Iterator[Branch]:
    """Draw which of the operations each image gets, and in which direction.

    Shapes: level (N,) in [0, 1]
    Source: arXiv:2103.10158, table 7 (wide)
    """
    reach = Reach(shear=0.99, translate=32, rotate=135, blend=0.99, bits=6)
    return _branches(reach, spec.fill_value, level, size, rng)


def _branches(
    reach: Reach, fill_value: float, level: Array, size: int, rng: Generator
) -> Iterator[Branch]:
    """Yield each operation with its parameters and the images that get it; the first is none."""
    chosen = rng.integers(0, 14, len(level))
    signed = level * rng.choice((-1.0, 1.0), len(level))
    lean = np.degrees(np.arctan(reach.shear * signed))
    move = signed * reach.translate / size
    affine = [
        _affine(fill_value, shear_x=lean),
        _affine(fill_value, shear_y=lean),
        _affine(fill_value, translate_x=move),
        _affine(fill_value, translate_y=move),
        _affine(fill_value, rotate=signed * reach.rotate),
    ]
    factor = {"factor": 1 + signed * reach.blend}
    bits = {"bits": 8 - np.rint(level * reach.bits)}
    rest: list[tuple[AugmentSpec, Table]] = [
        (MultiplySpec(), factor),
        (SaturationSpec(), factor),
        (ContrastSpec(around="mean"), factor),
        (SharpnessSpec(), factor),
        (PosterizeSpec(), bits),
        (SolarizeSpec(), {"threshold": np.round(255 * (1 - level), 6)}),
        (AutoContrastSpec(), {}),
        (EqualizeSpec(), {}),
    ]
    branches = [*((AffineSpec(), table) for table in affine), *rest]
    for number, (spec, table) in enumerate(branches, start=1):
        yield spec, table, chosen == number


def _affine(fill_value: float, **moved: Array) -> Table:
    (num,) = {len(column) for column in moved.values()}
    still = {
        **dict.fromkeys(("scale_x", "scale_y"), np.ones(num)),
        **dict.fromkeys(
            ("rotate", "shear_x", "shear_y", "translate_x", "translate_y"), np.zeros(num)
        ),
    }
    return {
        **still,
        **moved,
        "interpolation": np.full(num, INTERPOLATIONS.index("nearest")),
        "fill": np.full(num, FILLS.index("constant")),
        "fill_value": np.full(num, fill_value),
    }
