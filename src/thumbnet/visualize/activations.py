"""What each layer makes of one image: the filtered image."""

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from thumbnet.models.taps import taps
from thumbnet.visualize.grid import Cell, Row, draw_rows
from thumbnet.visualize.layers import map_layers
from thumbnet.visualize.style import SEQUENTIAL

CHANNELS = 8
MAX_LAYERS = 14


def strongest(maps: NDArray[np.float32], count: int) -> list[int]:
    """Return the channels that vary most over the image, most first.

    Shapes: maps (C, H, W)
    """
    spread = maps.std(axis=(1, 2))
    return [int(i) for i in np.argsort(-spread, kind="stable")[:count]]


def layer_maps(
    model: nn.Module, images: Tensor, layers: list[str] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return the maps of an image at each layer: the given ones, else all worth a look.

    Shapes: images (1, C, H, W) -> each (channels, h, w)
    Raises: RecipeError for a layer the network has not
    """
    with torch.no_grad():
        names = map_layers(model, images) if layers is None else layers
        with taps(model, names) as outputs:
            model(images)
    return {name: outputs[name][0].cpu().float().numpy() for name in names}


def draw_activations(
    image: NDArray[np.uint8], maps: dict[str, NDArray[np.float32]], title: str
) -> Figure:
    """Draw the mean map and the channels that vary most, a row a layer, the image first.

    Shapes: image (H, W, 3); each of maps (channels, h, w)
    """
    names = list(maps)
    if len(names) > MAX_LAYERS:
        chosen = np.linspace(0, len(names) - 1, MAX_LAYERS).round().astype(int)
        names = [names[i] for i in chosen]
    rows = [Row([Cell(image)], "the image")]
    for name in names:
        held = maps[name]
        cells = [Cell(held.mean(axis=0), "mean", cmap=SEQUENTIAL)]
        cells += [Cell(held[i], f"{i}", cmap=SEQUENTIAL) for i in strongest(held, CHANNELS)]
        channels, height, width = held.shape
        rows.append(Row(cells, f"{name}\n{channels} x {height} x {width}"))
    left_out = "" if len(names) == len(maps) else f"; {len(names)} of {len(maps)} layers"
    note = (
        "mean over channels, then the channels that vary most, by number; each scaled on its own, "
        f"bright is high{left_out}"
    )
    return draw_rows(rows, title, note, cell=0.8)
