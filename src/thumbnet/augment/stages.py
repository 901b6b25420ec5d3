"""Stages: passes over the images of a batch that are active in them, with tables for an epoch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from thumbnet.augment import affine, color, erase, geometry, levels, noise, smooth, warp
from thumbnet.augment.bank import Bank
from thumbnet.augment.draws import FILLS, INTERPOLATIONS, Array, Table, num_cells
from thumbnet.augment.place import place
from thumbnet.augment.tree import Leaf, kind_of
from thumbnet.recipe import (
    AlternateFlipSpec,
    AutoContrastSpec,
    BlurSpec,
    CoarseDropoutSpec,
    CropAndPadSpec,
    EqualizeSpec,
    EraseSpec,
    FlipSpec,
    HueSpec,
    NoiseSpec,
    PadCropSpec,
    PosterizeSpec,
    RandomCropSpec,
    SharpnessSpec,
    SolarizeSpec,
)

Part = Mapping[str, Tensor]
Work = Callable[..., Tensor]  # images (B, C, S, S) and columns of the table by name -> images


class Stage:
    """One operation, or several that became one, with its table on the device of the images.

    Who is active is known on the host, so no step waits for the device to say. `exact` stages
    move pixels only, and take bytes as well as floats.
    """

    def __init__(self, active: Array, table: Table, work: Work, *, exact: bool = False) -> None:
        self.active, self.exact, self._work = active, exact, work
        self._table = {
            name: torch.from_numpy(
                np.ascontiguousarray(column, np.float32 if column.dtype == np.float64 else None)
            )
            for name, column in table.items()
            if name != "happens"
        }

    def __call__(self, images: Tensor, first: int) -> Tensor:
        """Do the stage to a batch whose first image stands at `first` in the epoch's order.

        The pixels given may be written over.

        Shapes: images (B, C, S, S) -> (B, C, S, S)
        """
        where = np.flatnonzero(self.active[first : first + len(images)])
        if not len(where):
            return images
        if len(where) == len(images):
            return self._work(images, **self.part(first, len(images), images.device))
        return self._do_some(images, first, where, self._work)

    def _do_some(self, images: Tensor, first: int, where: Array, work: Work) -> Tensor:
        index = place(torch.from_numpy(where), images.device)
        table, rows = self._on(images.device), index + first
        part = {name: column.index_select(0, rows) for name, column in table.items()}
        return _put_back(images, index, work(images.index_select(0, index), **part))

    def part(self, first: int, num: int, device: torch.device) -> Part:
        """Return the table's rows for a whole batch."""
        return {name: column[first : first + num] for name, column in self._on(device).items()}

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        if any(column.device != device for column in self._table.values()):
            self._table = {name: place(column, device) for name, column in self._table.items()}
        return self._table


def _put_back(images: Tensor, index: Tensor, done: Tensor) -> Tensor:
    lines, new = images.view(len(images), -1), done.reshape(len(done), -1)
    step = 8 // images.element_size()
    if images.device.type == "cpu" and lines.shape[1] % step == 0:  # eight bytes at a time
        lines, new = lines.view(torch.float64), new.view(torch.float64)
    lines.index_copy_(0, index, new)
    return images


class IndexStage(Stage):
    """Neighboring index moves: one map of rows and one of columns."""

    def __init__(self, leaves: Sequence[Leaf], size: int) -> None:
        self._specs, self._size = [leaf.spec for leaf in leaves], size
        active = np.logical_or.reduce([leaf.active for leaf in leaves])
        table = {
            f"{name}_{number}": column
            for number, leaf in enumerate(leaves)
            for name, column in {**leaf.table, "active": leaf.active}.items()
            if name != "happens"
        }
        super().__init__(active, table, self._move, exact=True)

    def packed(self, images: Tensor, first: int) -> Tensor:
        """Move the pixels of packed images.

        Shapes: images (B, S, S, C) uint8 -> (B, R, R, C)
        """
        rows, cols = self._maps(self.part(first, len(images), images.device))
        return geometry.move_pixels(images, rows, cols)

    def _move(self, images: Tensor, **part: Tensor) -> Tensor:
        return geometry.move_planes(images, *self._maps(part))

    def _maps(self, part: Part) -> tuple[Tensor | None, Tensor | None]:
        rows: Tensor | None = None
        cols: Tensor | None = None
        size = self._size
        for number, spec in enumerate(self._specs):
            active = part[f"active_{number}"]
            if isinstance(spec, PadCropSpec | CropAndPadSpec | RandomCropSpec):
                top, left = part[f"top_{number}"], part[f"left_{number}"]
                rows = _then(rows, _window(spec, size, top, active))
                cols = _then(cols, _window(spec, size, left, active))
            elif isinstance(spec, FlipSpec) and spec.axis == "vertical":
                rows = _then(rows, geometry.flip(size, active))
            else:
                cols = _then(cols, geometry.flip(size, active))
            size = spec.size if isinstance(spec, RandomCropSpec) else size
        return rows, cols


def _window(
    spec: PadCropSpec | CropAndPadSpec | RandomCropSpec, size: int, start: Tensor, active: Tensor
) -> Tensor:
    if isinstance(spec, RandomCropSpec):
        return geometry.random_crop(start, spec.size)
    if isinstance(spec, PadCropSpec):
        return geometry.only(geometry.pad_crop(size, start, spec.pad, spec.fill), active)
    return geometry.only(geometry.crop_and_pad(size, start, spec.size), active)


def _then(first: Tensor | None, then: Tensor) -> Tensor:
    return then if first is None else geometry.compose(first, then)


class WarpStage(Stage):
    """Neighboring affine maps: one matrix, and images of one fill and interpolation together."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        steps = [(leaf.table, leaf.active) for leaf in leaves]
        table = affine.compose(steps, len(leaves[0].active))
        self._kind = table.pop("fill") * len(INTERPOLATIONS) + table.pop("interpolation")
        super().__init__(np.logical_or.reduce([leaf.active for leaf in leaves]), table, warp.warp)

    def __call__(self, images: Tensor, first: int) -> Tensor:
        """Warp the active images of a batch; the others stay.

        Shapes: images (B, C, S, S) float32 -> (B, C, S, S)
        """
        where = np.flatnonzero(self.active[first : first + len(images)])
        if not len(where):
            return images
        kind = self._kind[first + where]
        sorted_ = np.argsort(kind, kind="stable")
        runs = [
            (FILLS[code // len(INTERPOLATIONS)], INTERPOLATIONS[code % len(INTERPOLATIONS)], count)
            for code, count in zip(*np.unique(kind, return_counts=True), strict=True)
        ]
        return self._do_some(images, first, where[sorted_], partial(self._work, runs=runs))


def flip_stages(leaves: Sequence[Leaf]) -> list[Stage]:
    """Make a stage an axis: who is mirrored twice is left alone."""
    stages = []
    for axis, dimension in (("horizontal", 3), ("vertical", 2)):
        along = [leaf.active for leaf in leaves if getattr(leaf.spec, "axis", "horizontal") == axis]
        if along:
            mirrored = np.logical_xor.reduce(along)
            work = partial(torch.flip, dims=(dimension,))
            stages.append(Stage(mirrored, {}, work, exact=True))
    return stages


def color_stage(leaves: Sequence[Leaf]) -> Stage:
    """Make one map of neighboring affine maps of the color."""
    steps = [(leaf.spec, leaf.table, leaf.active) for leaf in leaves]
    table = color.compose(steps, len(leaves[0].active))
    return Stage(np.logical_or.reduce([leaf.active for leaf in leaves]), table, color.apply)


def make_stages(leaves: Sequence[Leaf], size: int, bank: Bank, *, packed: bool) -> list[Stage]:
    """Make the stages of operations that became one, or of one that stands alone.

    Args: packed: pixels only move, so that index moves see packed images
    """
    leaf = leaves[0]
    kind = kind_of(leaf)
    if kind == "index":
        only_flips = all(isinstance(one.spec, FlipSpec | AlternateFlipSpec) for one in leaves)
        return flip_stages(leaves) if only_flips and not packed else [IndexStage(leaves, size)]
    if kind == "affine":
        return [WarpStage(leaves)]
    if kind == "color":
        return [color_stage(leaves)]
    return [Stage(leaf.active, leaf.table, _work(leaf, size, bank))]


def _work(leaf: Leaf, size: int, bank: Bank) -> Work:
    spec = leaf.spec
    if isinstance(spec, BlurSpec):
        return partial(smooth.blur, largest=spec.sigma[1])
    if isinstance(spec, NoiseSpec):
        return partial(noise.add_noise, bank=bank)
    if isinstance(spec, CoarseDropoutSpec):
        most = int(num_cells(np.array(spec.size[1]), size))
        return partial(erase.coarse_dropout, most=most, bank=bank)
    if isinstance(spec, EraseSpec):
        return partial(erase.erase, fill=spec.fill, bank=bank)
    return PLAIN[type(spec)]


PLAIN: dict[type, Work] = {
    HueSpec: color.turn_hue,
    SharpnessSpec: smooth.sharpness,
    PosterizeSpec: levels.posterize,
    SolarizeSpec: levels.solarize,
    AutoContrastSpec: levels.autocontrast,
    EqualizeSpec: levels.equalize,
}
