"""From the tree of a recipe to one sequence of operations, with who gets each and how."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from thumbnet.augment.automatic import rand_augment, trivial_augment
from thumbnet.augment.draws import Array, Table, draw
from thumbnet.recipe import (
    AffineSpec,
    AlternateFlipSpec,
    AugmentSpec,
    ContrastSpec,
    CropAndPadSpec,
    CropPadPercentSpec,
    FlipSpec,
    HueSpec,
    MultiplySpec,
    OneOfSpec,
    PadCropSpec,
    RandAugmentSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SaturationSpec,
    SomeOfSpec,
    SometimesSpec,
    TrivialAugmentSpec,
)

INDEX_MOVES = (FlipSpec, AlternateFlipSpec, PadCropSpec, CropAndPadSpec, RandomCropSpec)
AFFINE_MAPS = (AffineSpec, CropPadPercentSpec)
COLOR_MAPS = (MultiplySpec, ContrastSpec, SaturationSpec)

GROUPS = ("geometry", "color", "rest")
ORDERS = ("GCR", "GRC", "CGR", "CRG", "RGC", "RCG")
SLOTS = ("color", "geometry", "color", "rest", "color", "geometry", "color")  # hold every order
SLOT_OF = {  # by order
    "geometry": np.array([1, 1, 1, 5, 5, 5]),
    "color": np.array([2, 4, 0, 2, 6, 4]),
    "rest": np.array([3, 3, 3, 3, 3, 3]),
}


@dataclass(frozen=True)
class Leaf:
    """An operation without operations inside, its parameters, and which images get it.

    Shapes: columns of table (N, ...); active (N,) bool
    """

    spec: AugmentSpec
    table: Table
    active: Array

    @property
    def group(self) -> str:
        """`geometry`, `color` or `rest`."""
        if isinstance(self.spec, (*INDEX_MOVES, *AFFINE_MAPS)):
            return "geometry"
        return "color" if isinstance(self.spec, (*COLOR_MAPS, HueSpec)) else "rest"


@dataclass(frozen=True)
class Drawing:
    """What every draw of an epoch depends on.

    Args: order: epoch's order -> index of the image; without it they stand in their own order
    """

    num: int
    size: int
    seed: int
    epoch: int
    order: Array | None = None


def flatten(specs: Sequence[AugmentSpec], drawing: Drawing) -> list[Leaf]:
    """Draw all parameters, and write the tree as operations one after the other.

    Each node of the tree draws from (seed, epoch, its position in the tree). An operation inside
    `random_order` stands in several places, for other images in each.
    """
    positions = count(1)  # 0 is the order's own stream
    everyone = np.ones(drawing.num, dtype=np.bool_)
    return list(_walk_all(specs, everyone, drawing, positions))


def _walk_all(
    specs: Iterable[AugmentSpec], active: Array, drawing: Drawing, positions: Iterator[int]
) -> Iterator[Leaf]:
    for spec in specs:
        yield from _walk(spec, active, drawing, positions)
        if isinstance(spec, RandomCropSpec):
            drawing = replace(drawing, size=spec.size)  # what follows is given smaller images


def _walk(
    spec: AugmentSpec, active: Array, drawing: Drawing, positions: Iterator[int]
) -> Iterator[Leaf]:
    num, size = drawing.num, drawing.size
    rng = np.random.default_rng([drawing.seed, drawing.epoch, next(positions)])
    if isinstance(spec, SometimesSpec):
        yield from _walk_all(spec.ops, active & (rng.random(num) < spec.p), drawing, positions)
    elif isinstance(spec, OneOfSpec):
        chosen = rng.integers(0, len(spec.ops), num)
        branches = [
            list(_walk(op, active & (chosen == number), drawing, positions))
            for number, op in enumerate(spec.ops)
        ]
        yield from _one_of(branches)
    elif isinstance(spec, SomeOfSpec):
        rank = rng.random((num, len(spec.ops))).argsort(axis=1).argsort(axis=1)
        taken = rank < rng.integers(spec.num[0], spec.num[1] + 1, num)[:, None]
        for number, op in enumerate(spec.ops):
            yield from _walk(op, active & taken[:, number], drawing, positions)
    elif isinstance(spec, RandomOrderSpec):
        order = rng.integers(0, len(ORDERS), num)
        yield from _random_order(list(_walk_all(spec.ops, active, drawing, positions)), order)
    elif isinstance(spec, RandAugmentSpec):
        for _ in range(spec.num):
            level = np.full(num, spec.magnitude / 30)
            yield from _one_of(_drawn_in_turn(rand_augment(spec, level, size, rng), active))
    elif isinstance(spec, TrivialAugmentSpec):
        level = rng.integers(0, 31, num) / 30
        yield from _one_of(_drawn_in_turn(trivial_augment(spec, level, size, rng), active))
    else:
        alternates = isinstance(spec, AlternateFlipSpec)
        table = _alternating(drawing) if alternates else draw(spec, num, size, rng)
        happens = table.get("happens")
        yield Leaf(spec, table, active if happens is None else active & happens)


def _drawn_in_turn(
    branches: Iterable[tuple[AugmentSpec, Table, Array]], active: Array
) -> list[list[Leaf]]:
    return [[Leaf(spec, table, active & chosen)] for spec, table, chosen in branches]


def _one_of(branches: list[list[Leaf]]) -> list[Leaf]:
    """Put exclusive operations in a row: single ones by group, so that neighbors become one."""
    leaves = [leaf for branch in branches for leaf in branch]
    if all(len(branch) == 1 for branch in branches):
        leaves.sort(key=lambda leaf: GROUPS.index(leaf.group))
    return leaves


def _random_order(leaves: list[Leaf], order: Array) -> list[Leaf]:
    """Set the groups into seven slots, which hold each of their six orders.

    So the rest is done once and geometry at most twice, by each image only once.
    """
    placed = []
    for slot, group in enumerate(SLOTS):
        here = SLOT_OF[group][order] == slot
        placed += [replace(leaf, active=leaf.active & here) for leaf in leaves
                   if leaf.group == group]  # fmt: skip
    return placed


def _alternating(drawing: Drawing) -> Table:
    """Return who is mirrored: a coin thrown once for each image, turned every epoch."""
    coin = np.random.default_rng([drawing.seed, 0, 0, 2]).integers(0, 2, drawing.num)
    if drawing.order is not None:
        coin = coin[drawing.order]
    return {"happens": (coin + drawing.epoch) % 2 == 1}


def group_by_kind(leaves: Iterable[Leaf]) -> list[list[Leaf]]:
    """Join neighbors that become one: index moves, affine maps, affine color maps."""
    joined: list[list[Leaf]] = []
    before: str | None = None
    for leaf in leaves:
        if not leaf.active.any():
            continue
        kind = kind_of(leaf)
        if kind is not None and kind == before:
            joined[-1].append(leaf)
        else:
            joined.append([leaf])
        before = kind
    return joined


def kind_of(leaf: Leaf) -> str | None:
    """Name the kind of operation that becomes one with its neighbors; None for the others."""
    for kind, members in (("index", INDEX_MOVES), ("affine", AFFINE_MAPS), ("color", COLOR_MAPS)):
        if isinstance(leaf.spec, members):
            return kind
    return None
