"""Slow twins: each operation on one image in plain loops, straight from its definition."""

import colorsys
from collections.abc import Callable, Mapping
from itertools import product
from math import cos, exp, floor, radians, sin, tan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from thumbnet.augment.bank import bank_length
from thumbnet.augment.draws import FILLS, INTERPOLATIONS
from thumbnet.augment.tree import Leaf, group_by_kind
from thumbnet.recipe import (
    AffineSpec,
    BlurSpec,
    CoarseDropoutSpec,
    ContrastSpec,
    CropAndPadSpec,
    EraseSpec,
    FlipSpec,
    MultiplySpec,
    PadCropSpec,
    RandomCropSpec,
    SaturationSpec,
)

Image = NDArray[np.float64]  # (S, S, C), levels
Row = Mapping[str, Any]  # the drawn parameters of one image
Point = tuple[float, float]  # x, y in pixels from the center of the image

GREY = np.array([0.299, 0.587, 0.114])


def row_of(leaf: Leaf, number: int) -> Row:
    return {name: column[number] for name, column in leaf.table.items()}


def numbers(kind: str, size: int, seed: int, epoch: int) -> NDArray[np.float32]:
    """Draw the epoch's bank anew."""
    rng = np.random.default_rng([seed, epoch, 0, 1, int(kind == "normal")])
    if kind == "normal":
        return rng.standard_normal(bank_length(size), dtype=np.float32)
    return rng.random(bank_length(size), dtype=np.float32)


# -- whole pixels


def moved(image: Image, spec: Any, row: Row) -> Image:
    size = len(image)
    if isinstance(spec, PadCropSpec):
        mode: Any = "reflect" if spec.fill == "reflect" else "constant"
        image = np.pad(image, ((spec.pad,) * 2, (spec.pad,) * 2, (0, 0)), mode=mode)
        return image[row["top"] : row["top"] + size, row["left"] : row["left"] + size]
    if isinstance(spec, CropAndPadSpec | RandomCropSpec):
        end = row["top"] + spec.size, row["left"] + spec.size
        window = image[row["top"] : end[0], row["left"] : end[1]]
        if isinstance(spec, RandomCropSpec):
            return window
        black, border = np.zeros_like(image), (size - spec.size) // 2
        black[border : border + spec.size, border : border + spec.size] = window
        return black
    vertical = isinstance(spec, FlipSpec) and spec.axis == "vertical"
    return np.flip(image, 0 if vertical else 1)


# -- affine maps: where does what is seen at `point` come from?


def source_of(point: Point, spec: Any, row: Row, size: int) -> Point:
    x, y = point
    if not isinstance(spec, AffineSpec):  # crop_pad_percent, measured from the left and top edge
        wide = size * (1 + row["left"] + row["right"])
        high = size * (1 + row["top"] + row["bottom"])
        x = (x + size / 2) / size * wide - row["left"] * size - size / 2
        y = (y + size / 2) / size * high - row["top"] * size - size / 2
        return x, y
    x, y = x - row["translate_x"] * size, y - row["translate_y"] * size
    angle = radians(row["rotate"])
    x, y = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
    y = y + x * tan(radians(row["shear_y"]))
    x = x + y * tan(radians(row["shear_x"]))
    return x / row["scale_x"], y / row["scale_y"]


def look(image: Image, at: tuple[int, int], fill: str, value: float) -> NDArray[np.float64]:
    """Return the pixel at any row and column of the plane around the image."""
    size, folded = len(image), []
    for place in at:
        if fill == "constant" and not 0 <= place < size:
            return np.full(image.shape[2], value)
        if fill == "wrap":
            index = place % size
        elif fill == "symmetric":
            index = place % (2 * size)
            index = min(index, 2 * size - 1 - index)
        elif fill == "reflect":
            index = place % (2 * size - 2)
            index = min(index, 2 * size - 2 - index)
        else:
            index = min(max(place, 0), size - 1)
        folded.append(index)
    pixel: NDArray[np.float64] = image[folded[0], folded[1]]
    return pixel


def warped(image: Image, steps: list[tuple[Any, Row]]) -> Image:
    """Do affine maps one after the other, reading the image once."""
    size, out = len(image), np.empty_like(image)
    last = steps[-1][1]
    fill, value = FILLS[last["fill"]], float(last["fill_value"])
    for i, j in product(range(size), repeat=2):
        point = j - (size - 1) / 2, i - (size - 1) / 2
        for spec, row in reversed(steps):
            point = source_of(point, spec, row, size)
        col, line = (part + (size - 1) / 2 for part in point)
        if INTERPOLATIONS[last["interpolation"]] == "nearest":
            out[i, j] = look(image, (round(line), round(col)), fill, value)
            continue
        top, left = floor(line), floor(col)
        down, right = line - top, col - left
        out[i, j] = sum(
            weight * look(image, (top + a, left + b), fill, value)
            for a, b, weight in (
                (0, 0, (1 - down) * (1 - right)),
                (0, 1, (1 - down) * right),
                (1, 0, down * (1 - right)),
                (1, 1, down * right),
            )
        )
    return out


# -- colors


def recolored(image: Image, spec: Any, row: Row) -> Image:
    """Do an affine map of the color, without cutting off."""
    factor: Image = np.asarray(row["factor"], dtype=np.float64)
    if isinstance(spec, MultiplySpec):
        return image * factor
    if isinstance(spec, SaturationSpec):
        mixed: Image = factor * image + (1 - factor) * (image @ GREY)[..., None]
        return mixed
    assert isinstance(spec, ContrastSpec)
    middle = np.float64(128 if spec.around == "middle" else (image @ GREY).mean())
    spread: Image = image - middle
    return spread * factor + middle


def hue(image: Image, spec: Any, row: Row) -> Image:
    out = np.empty_like(image)
    for i, j in product(range(len(image)), repeat=2):
        turned, saturation, value = colorsys.rgb_to_hsv(*(image[i, j] / 255))
        turned = (turned + row["turn"]) % 1
        out[i, j] = np.array(colorsys.hsv_to_rgb(turned, saturation, value)) * 255
    return out


# -- the rest


def blur(image: Image, spec: BlurSpec, row: Row) -> Image:
    reach, size, sigma = int(np.ceil(4 * spec.sigma[1])), len(image), max(row["sigma"], 1e-3)
    weights = [exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    out = image
    for axis in (0, 1):
        lines = np.moveaxis(out, axis, 0)
        blurred = np.zeros_like(lines)
        for i in range(size):
            for step, weight in zip(range(-reach, reach + 1), weights, strict=True):
                at = (i + step) % (2 * size - 2)
                blurred[i] += weight / sum(weights) * lines[min(at, 2 * size - 2 - at)]
        out = np.moveaxis(blurred, 0, axis)
    return out


def noise(image: Image, spec: Any, row: Row, seed: int, epoch: int) -> Image:
    bank, out = numbers("normal", len(image), seed, epoch), np.empty_like(image)
    size, _, channels = image.shape
    for i, j, channel in product(range(size), range(size), range(channels)):
        plane = channel if row["apart"] else 0
        drawn = bank[row["offset"] + plane * size * size + i * size + j]
        out[i, j, channel] = image[i, j, channel] + row["sd"] * drawn
    return out.clip(0, 255)


def dropped(image: Image, spec: CoarseDropoutSpec, row: Row, seed: int, epoch: int) -> Image:
    bank, out = numbers("uniform", len(image), seed, epoch), image.copy()
    size, _, channels = image.shape
    most = max(1, floor(spec.size[1] * size + 1e-9))
    for i, j, channel in product(range(size), range(size), range(channels)):
        plane = channel if row["apart"] else 0
        cell = i * row["cells"] // size, j * row["cells"] // size
        drawn = bank[row["offset"] + plane * most * most + cell[0] * most + cell[1]]
        if drawn < np.float32(row["p"]):
            out[i, j, channel] = 0
    return out


def erased(image: Image, spec: EraseSpec, row: Row, seed: int, epoch: int) -> Image:
    bank, out = numbers("uniform", len(image), seed, epoch), image.copy()
    size, _, channels = image.shape
    for i, j, channel in product(range(size), range(size), range(channels)):
        if row["top"] <= i < row["bottom"] and row["left"] <= j < row["right"]:
            drawn = bank[row["offset"] + channel * size * size + i * size + j]
            filled = {"zeros": 0, "mean": image[..., channel].mean(), "noise": floor(drawn * 256)}
            out[i, j, channel] = filled[spec.fill]
    return out


def sharpened(image: Image, spec: Any, row: Row) -> Image:
    smooth = image.copy()
    for i, j in product(range(1, len(image) - 1), repeat=2):
        window = image[i - 1 : i + 2, j - 1 : j + 2]
        smooth[i, j] = (window.sum((0, 1)) + 4 * image[i, j]) / 13
    factor = float(row["factor"])
    return (smooth + factor * (image - smooth)).clip(0, 255)


def posterized(image: Image, spec: Any, row: Row) -> Image:
    mask = 256 - (1 << (8 - int(row["bits"])))
    return (np.rint(image).astype(int) & mask).astype(float)


def solarized(image: Image, spec: Any, row: Row) -> Image:
    return np.where(image >= row["threshold"], 255 - image, image)


def stretched(image: Image, spec: Any, row: Row) -> Image:
    out = image.copy()
    for channel in range(image.shape[2]):
        low, high = image[..., channel].min(), image[..., channel].max()
        if high - low >= 1:
            out[..., channel] = (image[..., channel] - low) * 255 / (high - low)
    return out


def equalized(image: Image, spec: Any, row: Row) -> Image:
    planes = np.rint(image).astype(np.uint8)
    one_by_one = [
        np.asarray(ImageOps.equalize(Pillow.fromarray(np.ascontiguousarray(planes[..., channel]))))
        for channel in range(image.shape[2])
    ]
    return np.stack(one_by_one, axis=2).astype(float)


TWINS: dict[str, Callable[[Image, Any, Row], Image]] = {
    "hue": hue,
    "blur": blur,
    "sharpness": sharpened,
    "posterize": posterized,
    "solarize": solarized,
    "autocontrast": stretched,
    "equalize": equalized,
}
FROM_BANK: dict[str, Callable[[Image, Any, Row, int, int], Image]] = {
    "noise": noise,
    "coarse_dropout": dropped,
    "erase": erased,
}


def twin(image: NDArray[Any], leaves: list[Leaf], number: int, seed: int, epoch: int) -> Image:
    """Do to one image what stands in a sequence for it; merged neighbors are done as one."""
    out = image.astype(float)
    for joined in group_by_kind(leaves):
        steps = [(leaf.spec, row_of(leaf, number)) for leaf in joined if leaf.active[number]]
        if not steps:
            continue
        name = joined[0].spec.name
        if name in ("affine", "crop_pad_percent"):
            out = warped(out, steps)
        elif name in ("multiply", "contrast", "saturation"):
            for spec, row in steps:
                out = recolored(out, spec, row)
            out = out.clip(0, 255)
        elif name in TWINS:
            out = TWINS[name](out, *steps[0])
        elif name in FROM_BANK:
            out = FROM_BANK[name](out, *steps[0], seed, epoch)
        else:
            for spec, row in steps:
                out = moved(out, spec, row)
    return out
