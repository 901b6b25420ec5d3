"""Charts and photographs inside the page, no larger than there is room for."""

import io
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from thumbnet.visualize.grid import Cell, Row
from thumbnet.visualize.style import DPI, render

SMALLEST = 28  # px; a smaller image is drawn with hard pixels


@dataclass(frozen=True)
class Drawing:
    """A chart, or rows of photographs, made when there is time: heading, and what it tells."""

    heading: str
    told: str
    make: Callable[[], Figure | Sequence[Row]]


@dataclass(frozen=True)
class Tile:
    """A photograph with its caption and the color of its frame."""

    address: str
    caption: str
    frame: str | None


@dataclass(frozen=True)
class Picture:
    """A picture with its heading and what it tells in words.

    It is a chart with its `address` inside the page, or `rows` of photographs with their names.
    """

    heading: str
    told: str
    address: str = ""
    rows: tuple[tuple[str, tuple[Tile, ...]], ...] = ()

    @property
    def size(self) -> int:
        """Bytes in the page, about."""
        tiles = [tile for _, row in self.rows for tile in row]
        return len(self.address) + sum(len(one.address) + len(one.caption) + 90 for one in tiles)


@dataclass(frozen=True)
class Detail:
    """How finely to draw: charts as SVG or as PNG with a palette; photographs as JPEG."""

    svg: bool
    dpi: float
    colors: int
    quality: int


DETAILS = (Detail(True, DPI, 256, 92), Detail(False, 120, 32, 80), Detail(False, 84, 16, 55))


def fit(
    drawings: Sequence[Drawing], num_bytes: int, tell: Callable[[int], None] | None = None
) -> tuple[list[Picture], list[str]]:
    """Draw as finely as fits into `num_bytes`; where even the coarsest does not, the largest go.

    Args: tell: is called with the number of pictures drawn before each one
    Returns: the pictures in their order, and the headings of those left out
    """
    made = []
    for number, one in enumerate(drawings):
        if tell is not None:
            tell(number)
        made.append((one, one.make()))
    pictures: list[Picture] = []
    for detail in DETAILS:
        pictures = [_draw(one, held, detail) for one, held in made]
        if _size(pictures) <= num_bytes:
            break
    left_out = []
    while pictures and _size(pictures) > num_bytes:
        largest = max(pictures, key=lambda one: one.size)
        pictures.remove(largest)
        left_out.append(largest.heading)
    return pictures, left_out


def _size(pictures: Sequence[Picture]) -> int:
    return sum(one.size for one in pictures)


def _draw(one: Drawing, held: Figure | Sequence[Row], detail: Detail) -> Picture:
    if not isinstance(held, Figure):
        rows = tuple(
            (row.name, tuple(_tile(cell, detail.quality) for cell in row.cells)) for row in held
        )
        return Picture(one.heading, one.told, rows=rows)
    if detail.svg:
        return Picture(one.heading, one.told, _address("svg+xml", render(held, "svg")))
    png = _with_palette(render(held, "png", detail.dpi), detail.colors)
    return Picture(one.heading, one.told, _address("png", png))


def _tile(cell: Cell, quality: int) -> Tile:
    pixels = cell.image if cell.image.dtype == np.uint8 else np.round(cell.image * 255)
    image = Image.fromarray(pixels.astype(np.uint8))
    held = io.BytesIO()
    if max(image.size) < SMALLEST:
        image.save(held, "PNG", optimize=True)
        return Tile(_address("png", held.getvalue()), cell.caption, cell.frame)
    image.save(held, "JPEG", quality=quality)
    return Tile(_address("jpeg", held.getvalue()), cell.caption, cell.frame)


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def _with_palette(png: bytes, colors: int) -> bytes:
    """Return the picture at a third of the bytes."""
    held = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(colors).save(held, "PNG", optimize=True)
    return held.getvalue()
