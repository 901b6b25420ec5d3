"""Loss against learning rate, and where it falls fastest."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from thumbnet.visualize.style import BLUE, GREY, ORANGE, SMALL_SIZE, look, new_figure


def draw_sweep(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    suggested: float,
    planned: float | None,
    recipe: str,
) -> Figure:
    """Draw a sweep of learning rates; `planned` is the highest rate of the recipe itself."""
    note = (
        f"{len(rates)} steps of a fresh network; the smoothed loss falls fastest at {suggested:.2g}"
    )
    with look():
        figure, below = new_figure(7.5, 4.2, f"{recipe}: loss as the learning rate grows", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.1, h_pad=0.08)
        axis = figure.subplots()
        axis.plot(rates, losses, color=GREY, lw=0.8, alpha=0.7, label="loss of each step")
        axis.plot(rates, smoothed, color=BLUE, label="smoothed")
        axis.axvline(suggested, color=ORANGE, lw=1.5, label=f"falls fastest, {suggested:.2g}")
        if planned is not None and rates[0] <= planned <= rates[-1]:
            axis.axvline(planned, color=GREY, lw=1.5, ls="--", label=f"the recipe's, {planned:.2g}")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda rate, _place: f"{rate:g}"))
        high = max(losses[: max(2, len(losses) // 2)])
        space = high - min(losses)
        axis.set_ylim(min(losses) - 0.05 * space, high + 0.3 * space)
        axis.set(xlabel="learning rate", ylabel="training loss")
        axis.legend(fontsize=SMALL_SIZE, loc="best")
    return figure
