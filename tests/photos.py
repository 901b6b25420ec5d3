"""Draws a folder of photos as people have them: of many sizes, formats, modes and orientations."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

LOOKS = {  # class: shape and texture; colors are drawn at random and tell nothing
    "buttons": ("circle", "dotted"),
    "crosses": ("cross", "plain"),
    "kites": ("square", "striped"),
    "rings": ("ring", "plain"),
    "signs": ("triangle", "plain"),
    "tiles": ("square", "checkered"),
}
COUNTS = dict(zip(LOOKS, (20, 120, 60, 40, 90, 30), strict=True))
KINDS = (  # suffix, mode
    (".jpg", "RGB"), (".jpg", "RGB"), (".jpeg", "L"), (".jpg", "CMYK"), (".png", "RGB"),
    (".png", "RGBA"), (".png", "P"), (".png", "L"), (".bmp", "RGB"), (".webp", "RGB"),
)  # fmt: skip
TURNS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
         8: Image.Transpose.ROTATE_270}  # fmt: skip
ORIENTATION = 0x0112  # the EXIF tag


def draw_photos(folder: Path, counts: Mapping[str, int] = COUNTS, seed: int = 0) -> Path:
    """Draw `folder/<class>/<number>.<suffix>`, so many images of each class."""
    for number, (name, count) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, number])
        (folder / name).mkdir(parents=True)
        shape, texture = LOOKS.get(name) or _look(number)
        for index in range(count):
            suffix, mode = KINDS[int(rng.integers(len(KINDS)))]
            image = _photo(shape, texture, rng)
            _save(image, folder / name / f"{index}{suffix}", mode, rng)
    return folder


def _look(number: int) -> tuple[str, str]:
    shapes, textures = ("circle", "cross", "square", "ring", "triangle"), 4
    return shapes[number % 5], ("plain", "striped", "checkered", "dotted")[number // 5 % textures]


def _photo(shape: str, texture: str, rng: Generator) -> Image.Image:
    """Draw an object near the middle of a shaded, noisy ground."""
    short = int(rng.integers(48, 260))
    long = round(short * rng.uniform(1, 1.8))
    size = (long, short) if rng.random() < 0.5 else (short, long)
    ground = _shade(size, rng)
    bright = np.asarray(ground.convert("L")).mean() < 128  # a gray photo must show it too
    fill = rng.integers(160, 256, 3) if bright else rng.integers(0, 96, 3)
    ink = 255 - fill if texture != "plain" else fill
    mask = Image.new("L", size, 0)
    coat = Image.new("RGB", size, tuple(int(v) for v in fill))
    radius = short * rng.uniform(0.3, 0.45)
    center = [side / 2 + rng.uniform(-0.08, 0.08) * short for side in size]
    angle = rng.uniform(0, 2 * math.pi)
    _shape(ImageDraw.Draw(mask), shape, center, radius, angle)
    _texture(ImageDraw.Draw(coat), texture, center, radius, angle, tuple(int(v) for v in ink))
    ground.paste(coat, mask=mask)
    pixels = np.asarray(ground, np.float32) + rng.normal(0, 8, (size[1], size[0], 3))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.01) * short)))


def _shade(size: tuple[int, int], rng: Generator) -> Image.Image:
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)


def _turned(
    points: list[tuple[float, float]], center: list[float], radius: float, angle: float
) -> list[tuple[float, float]]:
    cos, sin = radius * math.cos(angle), radius * math.sin(angle)
    return [(center[0] + x * cos - y * sin, center[1] + x * sin + y * cos) for x, y in points]


def _shape(
    draw: ImageDraw.ImageDraw, shape: str, center: list[float], radius: float, angle: float
) -> None:
    box = [center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius]
    if shape == "circle":
        draw.ellipse(box, fill=255)
    elif shape == "ring":
        draw.ellipse(box, fill=255)
        hole = radius * 0.55
        draw.ellipse([c + s * hole for s in (-1, 1) for c in center], fill=0)
    elif shape == "cross":
        for bar in ([(-1, -0.25), (1, -0.25), (1, 0.25), (-1, 0.25)],
                    [(-0.25, -1), (0.25, -1), (0.25, 1), (-0.25, 1)]):  # fmt: skip
            draw.polygon(_turned(bar, center, radius, angle), fill=255)
    else:
        num_sides = 3 if shape == "triangle" else 4
        corners = [
            (math.cos(2 * math.pi * k / num_sides), math.sin(2 * math.pi * k / num_sides))
            for k in range(num_sides)
        ]
        draw.polygon(_turned(corners, center, radius, angle), fill=255)


def _texture(
    draw: ImageDraw.ImageDraw,
    texture: str,
    center: list[float],
    radius: float,
    angle: float,
    ink: tuple[int, ...],
) -> None:
    cells = [-1 + 0.4 * k for k in range(6)]
    if texture == "striped":
        for x in cells:
            bar = [(x, -1.5), (x + 0.2, -1.5), (x + 0.2, 1.5), (x, 1.5)]
            draw.polygon(_turned(bar, center, radius, angle), fill=ink)
    elif texture == "checkered":
        for row, y in enumerate(-1 + 0.4 * k for k in range(5)):
            for x in (-1 + 0.4 * (k + row % 2 - 1) * 1.0 + 0.4 * k for k in range(4)):
                cell = [(x, y), (x + 0.4, y), (x + 0.4, y + 0.4), (x, y + 0.4)]
                draw.polygon(_turned(cell, center, radius, angle), fill=ink)
    elif texture == "dotted":
        for x in cells:
            for y in cells:
                ((left, top),) = _turned([(x, y)], center, radius, angle)
                dot = radius * 0.11
                draw.ellipse([left - dot, top - dot, left + dot, top + dot], fill=ink)


def _save(image: Image.Image, path: Path, mode: str, rng: Generator) -> None:
    """Write an image in a mode; a JPEG is often stored turned, with the tag that turns it back."""
    image = image.convert(mode)
    if mode == "RGBA":
        alpha = Image.new("L", image.size, 255)
        alpha.paste(0, (0, 0, image.width // 8, image.height // 8))  # one clear corner
        image.putalpha(alpha)
    if path.suffix not in {".jpg", ".jpeg"}:
        image.save(path)
        return
    orientation = int(rng.choice(list(TURNS)))
    turn, exif = TURNS[orientation], Image.Exif()
    exif[ORIENTATION] = orientation
    (image if turn is None else image.transpose(turn)).save(path, exif=exif, quality=90)
