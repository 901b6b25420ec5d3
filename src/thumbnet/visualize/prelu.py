"""The slopes that a network with PReLU has learned for what is below zero."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.visualize.style import BLACK, BLUE, GREY, ORANGE, SMALL_SIZE, look, new_figure

INITIAL = 0.25  # of torch's PReLU, and of arXiv:1502.01852


def prelu_slopes(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return each PReLU's slopes, by the layer's name, one a channel.

    Raises: RecipeError for a network that has none
    """
    slopes = {
        name: module.weight.detach().cpu().float().numpy()
        for name, module in model.named_modules()
        if isinstance(module, nn.PReLU)
    }
    if not slopes:
        raise RecipeError(
            "the network has no PReLU, so it learned no slopes; networks with PReLU: alexnet_prelu"
        )
    return slopes


def draw_slopes(slopes: dict[str, NDArray[np.float32]], network: str) -> Figure:
    """Draw ReLU against the learned PReLU, and the slopes of each layer from first to last."""
    count = sum(len(one) for one in slopes.values())
    title = f"{network}: learned PReLU slopes"
    note = f"{count:,} slopes in {len(slopes)} layers; each began at {INITIAL:g}"
    with look():
        figure, below = new_figure(9.0, max(3.4, 1.2 + 0.42 * len(slopes)), title, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.08, h_pad=0.06)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
        x = np.linspace(-3, 3, 121)
        every = np.concatenate(list(slopes.values()))
        low, middle, high = np.percentile(every, (5, 50, 95))
        negative = np.minimum(x, 0)
        band = [np.maximum(x, 0) + slope * negative for slope in (low, high)]
        left.fill_between(x, *band, color=BLUE, alpha=0.25, lw=0, label="PReLU, 90 % of slopes")
        left.plot(x, np.maximum(x, 0) + middle * negative, color=BLUE,
                  label=f"PReLU, median slope {middle:.3f}")  # fmt: skip
        left.plot(x, np.maximum(x, 0), color=BLACK, ls="--", label="ReLU")
        left.set(xlabel="input", ylabel="output", xlim=(-3, 3))
        left.set_ylim(min(-1.0, float(band[1].min()) * 1.1), 3)
        left.legend(loc="upper left", fontsize=SMALL_SIZE)
        places = np.arange(len(slopes))
        for place, values in zip(places, slopes.values(), strict=True):
            jitter = np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else 0.0
            right.plot(values, place + jitter, ls="", marker=".", ms=3, alpha=0.5, color=BLUE)
            right.plot([values.mean()] * 2, [place - 0.36, place + 0.36], color=ORANGE, lw=2.5)
        right.axvline(0, color=BLACK, ls="--", lw=1)
        right.axvline(INITIAL, color=GREY, ls=":", lw=1.2)
        right.set_yticks(places, [f"{n}  ({len(v)})" for n, v in slopes.items()])
        right.set(ylim=(len(slopes) - 0.4, -0.6))
        right.set_xlabel(f"slope by channel; orange: mean, dotted: {INITIAL:g}, dashed: ReLU's 0")
        right.grid(visible=False, axis="y")
    return figure
