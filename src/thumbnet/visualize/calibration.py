"""Confidence against accuracy, as bars."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thumbnet.visualize.style import AMBER, BLUE, GREY, SMALL_SIZE, look, new_figure


def draw_calibration(
    confidence: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    num_images: NDArray[np.int64],
    error: float,
    network: str,
) -> Figure:
    """Draw accuracy by confidence in bins of equal width, and how many images each bin holds.

    Shapes: each (bins,); error is a fraction of 1
    """
    bins, held = len(accuracy), num_images > 0
    centers = (np.arange(bins) + 0.5) / bins * 100
    note = (
        f"calibration error {100 * error:.1f} points; on the line, confidence is accuracy; below "
        "it, the network is too sure"
    )
    with look():
        figure, below = new_figure(7.0, 4.2, f"{network}: calibration", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.06, w_pad=0.08)
        shares, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        shares.bar(centers[held], 100 * accuracy[held], width=92 / bins, color=BLUE)
        shares.plot([0, 100], [0, 100], color=GREY, ls="--", lw=1.2, label="confidence = accuracy")
        shares.plot(
            100 * confidence[held], 100 * confidence[held], "o", color=AMBER, ms=4,
            label="mean confidence of a bin",
        )  # fmt: skip
        shares.set(xlim=(0, 100), ylim=(0, 100), ylabel="accuracy, %")
        shares.legend(loc="upper left", fontsize=SMALL_SIZE)
        counts.bar(centers, num_images, width=92 / bins, color=GREY)
        counts.set(xlabel="confidence, %", ylabel="images")
    return figure
