"""Figures as pictures inside the page: charts as SVG, photographs as small PNG."""

import io
from base64 import b64encode
from dataclasses import dataclass

from matplotlib.figure import Figure
from PIL import Image

from thumbnet.visualize.style import render

COLORS = 256  # of a PNG's palette


@dataclass(frozen=True)
class Picture:
    """A picture with its heading, what it tells in words, and its address inside the page."""

    heading: str
    told: str
    address: str


def chart(heading: str, told: str, figure: Figure) -> Picture:
    """Return a figure of lines and bars as SVG."""
    data = render(figure, "svg")
    return Picture(heading, told, _address("svg+xml", data))


def photographs(heading: str, told: str, figure: Figure) -> Picture:
    """Return a figure of images as PNG, with a palette, at a third of the bytes."""
    held = io.BytesIO()
    with Image.open(io.BytesIO(render(figure, "png"))) as image:
        image.convert("RGB").quantize(COLORS).save(held, "PNG", optimize=True)
    return Picture(heading, told, _address("png", held.getvalue()))


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
