"""Figures as pictures inside the page, no larger than there is room for."""

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from PIL import Image

from thumbnet.visualize.style import DPI, render


@dataclass(frozen=True)
class Drawing:
    """A figure with its heading and what it tells in words; photographs are no lines and bars."""

    heading: str
    told: str
    figure: Figure
    photographs: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture with its heading, what it tells in words, and its address inside the page."""

    heading: str
    told: str
    address: str


@dataclass(frozen=True)
class Detail:
    """How finely to draw: charts as SVG or, like photographs, as PNG with a palette."""

    svg: bool
    dpi: float
    chart_colors: int
    photo_colors: int


DETAILS = (  # from the finest
    Detail(True, DPI, 256, 256),
    Detail(False, 120, 32, 128),
    Detail(False, 84, 16, 64),
)


def fit(drawings: Sequence[Drawing], num_bytes: int) -> tuple[list[Picture], list[str]]:
    """Draw as finely as fits into `num_bytes`; where even the coarsest does not, the largest go.

    Returns: the pictures in their order, and the headings of those left out
    """
    pictures: list[Picture] = []
    for detail in DETAILS:
        pictures = [_draw(one, detail) for one in drawings]
        if _size(pictures) <= num_bytes:
            break
    left_out = []
    while pictures and _size(pictures) > num_bytes:
        largest = max(pictures, key=lambda one: len(one.address))
        pictures.remove(largest)
        left_out.append(largest.heading)
    return pictures, left_out


def _size(pictures: Sequence[Picture]) -> int:
    return sum(len(one.address) for one in pictures)


def _draw(one: Drawing, detail: Detail) -> Picture:
    if detail.svg and not one.photographs:
        kind, data = "svg+xml", render(one.figure, "svg")
    else:
        colors = detail.photo_colors if one.photographs else detail.chart_colors
        kind, data = "png", _with_palette(render(one.figure, "png", detail.dpi), colors)
    return Picture(one.heading, one.told, f"data:image/{kind};base64,{b64encode(data).decode()}")


def _with_palette(png: bytes, colors: int) -> bytes:
    """Return the picture at a third of the bytes."""
    held = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(colors).save(held, "PNG", optimize=True)
    return held.getvalue()
