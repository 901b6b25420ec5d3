"""What each operation draws: a table of parameters with a row an image, and nothing drawn later."""

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from thumbnet.augment.bank import bank_length
from thumbnet.recipe import (
    AffineSpec,
    AugmentSpec,
    BlurSpec,
    CoarseDropoutSpec,
    ContrastSpec,
    CropAndPadSpec,
    CropPadPercentSpec,
    EraseSpec,
    FlipSpec,
    HueSpec,
    MultiplySpec,
    NoiseSpec,
    PadCropSpec,
    PosterizeSpec,
    RandomCropSpec,
    SaturationSpec,
    SharpnessSpec,
    SolarizeSpec,
)

Array = NDArray[Any]
Table = dict[str, Array]  # parameter -> (N,) or (N, ...); `happens`: who takes part at all

FILLS = ("constant", "edge", "reflect", "symmetric", "wrap")
INTERPOLATIONS = ("nearest", "bilinear")


@singledispatch
def draw(spec: AugmentSpec, num: int, size: int, rng: Generator) -> Table:
    """Draw the parameters of one operation for `num` images of `size` pixels.

    An operation without parameters draws nothing.
    """
    del spec, num, size, rng
    return {}


def uniform(rng: Generator, span: tuple[float, float], shape: int | tuple[int, ...]) -> Array:
    """Draw evenly from a range; one of no width costs no draw."""
    if span[0] == span[1]:
        return np.full(shape, span[0], dtype=np.float64)
    return span[0] + (span[1] - span[0]) * rng.random(shape)


def per_channel(rng: Generator, span: tuple[float, float], num: int, share: float) -> Array:
    """Draw one value an image, or one a channel for a `share` of the images.

    Shapes: -> (num, 3)
    """
    if share == 0:
        return np.repeat(uniform(rng, span, (num, 1)), 3, axis=1)
    drawn = uniform(rng, span, (num, 3))
    apart = rng.random(num) < share
    return np.where(apart[:, None], drawn, drawn[:, :1])


def _choose(rng: Generator, given: tuple[str, ...], known: tuple[str, ...], num: int) -> Array:
    codes = np.array([known.index(name) for name in given], dtype=np.int64)
    return codes[rng.integers(0, len(codes), num)] if len(codes) > 1 else codes.repeat(num)


def _offset(rng: Generator, num: int, size: int, length: int) -> Array:
    return rng.integers(0, bank_length(size) - length + 1, num)


@draw.register
def _(spec: FlipSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"happens": rng.random(num) < spec.p}


@draw.register
def _(spec: PadCropSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    top, left = rng.integers(0, 2 * spec.pad + 1, (2, num))
    return {"top": top, "left": left}


@draw.register(CropAndPadSpec)
@draw.register(RandomCropSpec)
def _(spec: CropAndPadSpec | RandomCropSpec, num: int, size: int, rng: Generator) -> Table:
    top, left = rng.integers(0, size - spec.size + 1, (2, num))
    return {"top": top, "left": left}


@draw.register
def _(spec: AffineSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    scale_x = uniform(rng, spec.scale, num)
    return {
        "scale_x": scale_x,
        "scale_y": uniform(rng, spec.scale, num) if spec.per_axis else scale_x,
        "rotate": uniform(rng, spec.rotate, num),
        "shear_x": uniform(rng, spec.shear, num),
        "shear_y": uniform(rng, spec.shear_y, num),
        "translate_x": uniform(rng, spec.translate_x, num),
        "translate_y": uniform(rng, spec.translate_y, num),
        "interpolation": _choose(rng, spec.interpolation, INTERPOLATIONS, num),
        "fill": _choose(rng, spec.fill, FILLS, num),
        "fill_value": uniform(rng, spec.fill_value, num),
    }


@draw.register
def _(spec: CropPadPercentSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    sides = {side: uniform(rng, spec.percent, num) for side in ("left", "right", "top", "bottom")}
    return {
        **sides,
        "interpolation": np.full(num, INTERPOLATIONS.index("bilinear")),
        "fill": _choose(rng, spec.fill, FILLS, num),
        "fill_value": uniform(rng, spec.fill_value, num),
    }


@draw.register(MultiplySpec)
@draw.register(ContrastSpec)
def _(spec: MultiplySpec | ContrastSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"factor": per_channel(rng, spec.factor, num, spec.per_channel)}


@draw.register(SaturationSpec)
@draw.register(SharpnessSpec)
def _(spec: SaturationSpec | SharpnessSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"factor": uniform(rng, spec.factor, num)}


@draw.register
def _(spec: HueSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"turn": uniform(rng, spec.turn, num)}


@draw.register
def _(spec: BlurSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"sigma": uniform(rng, spec.sigma, num)}


@draw.register
def _(spec: NoiseSpec, num: int, size: int, rng: Generator) -> Table:
    return {
        "sd": uniform(rng, spec.sd, num),
        "apart": rng.random(num) < spec.per_channel,
        "offset": _offset(rng, num, size, 3 * size * size),
    }


@draw.register
def _(spec: CoarseDropoutSpec, num: int, size: int, rng: Generator) -> Table:
    return {
        "p": uniform(rng, spec.p, num),
        "cells": num_cells(uniform(rng, spec.size, num), size),
        "apart": rng.random(num) < spec.per_channel,
        "offset": _offset(rng, num, size, 3 * size * size),
    }


def num_cells(fraction: Array, size: int) -> Array:
    """Return the side of a coarse grid for an image of `size` pixels, at least one cell."""
    whole = np.floor(fraction * size + 1e-9).astype(np.int64)
    return np.clip(whole, 1, size)


@draw.register
def _(spec: EraseSpec, num: int, size: int, rng: Generator) -> Table:
    happens = rng.random(num) < spec.p
    area = uniform(rng, spec.area, num) * size * size
    low, high = np.log(spec.aspect)
    aspect = np.exp(uniform(rng, (low, high), num))
    height, width = (
        np.clip(np.rint(side), 1, size).astype(np.int64)
        for side in (np.sqrt(area * aspect), np.sqrt(area / aspect))
    )
    top, left = (
        rng.integers(0, size, num) - side // 2  # the center lies anywhere
        if spec.clipped
        else np.floor(rng.random(num) * (size - side + 1)).astype(np.int64)
        for side in (height, width)
    )
    return {
        "happens": happens,
        "top": top,
        "left": left,
        "bottom": top + height,
        "right": left + width,
        "offset": _offset(rng, num, size, 3 * size * size),
    }


@draw.register
def _(spec: PosterizeSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"bits": np.floor(uniform(rng, spec.bits, num))}


@draw.register
def _(spec: SolarizeSpec, num: int, size: int, rng: Generator) -> Table:
    del size
    return {"threshold": uniform(rng, spec.threshold, num)}
