"""A data set drawn by formula, for tests and first runs: shape x texture x color."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.cache import cache_dir
from thumbnet.data.packed import ClassInfo, PackedDataset, is_packed, open_packed
from thumbnet.data.packed_writer import PackedWriter
from thumbnet.errors import DataError

SHAPES = ("circle", "square", "triangle", "ring", "cross")
TEXTURES = ("plain", "striped", "checkered", "dotted")
COLORS = {"red": 0.0, "yellow": 0.16, "green": 0.36, "blue": 0.6, "violet": 0.82}  # hue
MAX_CLASSES = len(SHAPES) * len(TEXTURES) * len(COLORS)
NUM_TEST = 200
VERSION = 1  # to be raised when the drawing changes

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Look:
    shape: str
    texture: str
    color: str


def synthesize(
    target: Path | None = None,
    *,
    num_classes: int = 20,
    train_per_class: int = 500,
    val_per_class: int = 50,
    size: int = 64,
    seed: int = 0,
) -> PackedDataset:
    """Draw and pack a data set with labels, boxes and 200 unlabelled test images.

    Args: target: None writes into the cache by these arguments; what is there is reused
    Raises: DataError for numbers out of range
    """
    counts = {"num_classes": num_classes, "train_per_class": train_per_class}
    counts |= {"val_per_class": val_per_class, "size": size, "seed": seed}
    _check(counts)
    if target is None:
        key = hashlib.sha256(f"{VERSION} {sorted(counts.items())}".encode()).hexdigest()[:12]
        target = cache_dir() / "packed" / f"synthetic-{key}"
        if is_packed(target):
            return open_packed(target)
    looks = [_look(index) for index in range(num_classes)]
    classes = tuple(
        ClassInfo(f"s{index:03d}", f"{look.color} {look.texture} {look.shape}")
        for index, look in enumerate(looks)
    )
    total = num_classes * (train_per_class + val_per_class) + NUM_TEST
    with PackedWriter(target, image_size=size, need_bytes=total * size**2 * 3) as writer:
        _labelled(writer, "train", looks, train_per_class, seed)
        _labelled(writer, "val", looks, val_per_class, seed)
        _unlabelled(writer, looks, seed)
        source = {"name": "synthetic", "kind": "synthetic", "version": VERSION, **counts}
        notes = {"name": "synthetic", "source": source, "layout": "synthetic", "skipped": {}}
        writer.finish(classes, {**notes, "resize": "crop", "val_rule": "drawn apart"})
    return open_packed(target)


def _check(counts: dict[str, int]) -> None:
    allowed = {
        "num_classes": range(2, MAX_CLASSES + 1),
        "train_per_class": range(1, 100_001),
        "val_per_class": range(1, 100_001),
        "size": range(16, 513),
        "seed": range(2**63),
    }
    for name, value in counts.items():
        if value not in allowed[name]:
            raise DataError(
                f"{name} is {value}; allowed are {allowed[name][0]} to {allowed[name][-1]}"
            )


def _look(index: int) -> _Look:
    shape, texture, round_ = index % 5, index // 5 % 4, index // 20
    colors = list(COLORS)
    return _Look(SHAPES[shape], TEXTURES[texture], colors[(round_ + shape + texture) % 5])


def _labelled(writer: PackedWriter, split: str, looks: list[_Look], each: int, seed: int) -> None:
    boxes, names = [], list[str]()
    for index, look in enumerate(looks):
        random = np.random.Generator(np.random.PCG64([seed, len(split), index]))
        for start in range(0, each, 500):
            images, part = _draw(look, min(500, each - start), writer.image_size, random)
            writer.append(split, images)
            boxes.append(part)
        first = index * each
        names += (
            [f"s{index:03d}_{number}.PNG" for number in range(each)]
            if split == "train"
            else [f"val_{first + number}.PNG" for number in range(each)]
        )
    labels = np.repeat(np.arange(len(looks)), each)
    writer.describe(split, names, labels, np.concatenate(boxes))


def _unlabelled(writer: PackedWriter, looks: list[_Look], seed: int) -> None:
    random = np.random.Generator(np.random.PCG64([seed, 0, 0]))
    for index in random.integers(len(looks), size=NUM_TEST):
        writer.append("test", _draw(looks[index], 1, writer.image_size, random)[0])
    writer.describe("test", [f"test_{number}.PNG" for number in range(NUM_TEST)])


def _draw(
    look: _Look, count: int, size: int, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Draw `count` images of one look and the boxes around their objects.

    Shapes: -> (count, size, size, 3), (count, 4)
    """
    radius = random.uniform(0.22, 0.4, (count, 1, 1)).astype(np.float32)
    center = random.uniform(0.33, 0.67, (2, count, 1, 1)).astype(np.float32)
    angle = random.uniform(0, 2 * np.pi, (count, 1, 1)).astype(np.float32)
    phase = random.uniform(0, 1, (count, 1, 1)).astype(np.float32)
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    right, down = grid[None, None, :] - center[0], grid[None, :, None] - center[1]
    u = (right * np.cos(angle) + down * np.sin(angle)) / radius
    v = (down * np.cos(angle) - right * np.sin(angle)) / radius
    inside = _inside(look.shape, u, v)
    front, back = _front_colors(look.color, count, random), random.uniform(0.1, 0.9, (2, count, 3))
    tilt = (grid[None, :, None] + grid[None, None, :])[..., None] / 2
    ground = back[0][:, None, None] * (1 - tilt) + back[1][:, None, None] * tilt
    dark = _dark(look.texture, u, v, phase)[..., None]
    object_ = front[:, None, None] * np.where(dark, np.float32(0.35), np.float32(1))
    pixels = np.where(inside[..., None], object_, ground.astype(np.float32))
    pixels += random.standard_normal(pixels.shape, dtype=np.float32) * np.float32(0.06)
    return (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8), _boxes(inside)


def _inside(shape: str, u: Floats, v: Floats) -> NDArray[np.bool_]:
    far = np.maximum(np.abs(u), np.abs(v))
    if shape == "square":
        return far < 0.8
    if shape == "cross":
        return (far < 0.95) & (np.minimum(np.abs(u), np.abs(v)) < 0.3)
    if shape == "triangle":
        return (v < 0.5) & (v > np.abs(u) * np.float32(3**0.5) - 1)
    distance = np.hypot(u, v)
    return (distance < 0.95) & (distance > (0.5 if shape == "ring" else -1))


def _dark(texture: str, u: Floats, v: Floats, phase: Floats) -> NDArray[np.bool_]:
    """Return where the texture darkens the object; its wave is about half the radius."""
    first, second = (u * 2 + phase) % 1, (v * 2 + phase) % 1
    if texture == "striped":
        return first < 0.5
    if texture == "checkered":
        return (first < 0.5) ^ (second < 0.5)
    reach = 0.3 if texture == "dotted" else 0  # plain: nowhere
    dark: NDArray[np.bool_] = np.hypot(first - 0.5, second - 0.5) < reach
    return dark


def _front_colors(color: str, count: int, random: np.random.Generator) -> Floats:
    """Return colors around a hue, more or less saturated and bright.

    Shapes: -> (count, 3)
    """
    hue = COLORS[color] + random.uniform(-0.05, 0.05, (count, 1))
    saturation, value = random.uniform(0.55, 1, (count, 1)), random.uniform(0.6, 1, (count, 1))
    wheel = np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
    colors: Floats = (value * (1 - saturation * (1 - wheel.clip(0, 1)))).astype(np.float32)
    return colors


def _boxes(inside: NDArray[np.bool_]) -> NDArray[np.int16]:
    size = inside.shape[1]
    rows, columns = np.asarray(inside.any(axis=2)), np.asarray(inside.any(axis=1))
    edges = [columns.argmax(1), rows.argmax(1)]
    edges += [size - 1 - columns[:, ::-1].argmax(1), size - 1 - rows[:, ::-1].argmax(1)]
    return np.stack(edges, axis=1).astype(np.int16)
