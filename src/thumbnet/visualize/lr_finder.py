"""Loss against learning rate, and the short runs that confirm one."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from thumbnet.visualize.style import AMBER, BLUE, GREY, ORANGE, SMALL_SIZE, look, new_figure


def draw_sweep(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    trials: Sequence[tuple[float, float | None]],
    suggested: float | None,
    planned: float,
    recipe: str,
) -> Figure:
    """Draw a sweep of learning rates, and the final loss of each short run after it.

    `trials` are (learning rate, final loss), without a loss where it overflowed; `planned` is
    the highest rate of the recipe itself.
    """
    found = "no rate was confirmed" if suggested is None else f"suggested: {suggested:.2g}"
    note = (
        f"line: {len(rates)} steps of a fresh network at a growing rate; dots: final loss of "
        f"{len(trials)} short runs from the same start, each warmed up to one rate, then decayed; "
        f"{found}"
    )
    with look():
        title = f"{recipe}: loss by learning rate"
        figure, below = new_figure(9.5, 4.2, title, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.1, h_pad=0.08)
        axis = figure.subplots()
        axis.plot(rates, losses, color=GREY, lw=0.8, alpha=0.6, label="sweep: loss of each step")
        axis.plot(rates, smoothed, color=BLUE, label="sweep: smoothed")
        high = max(losses[: max(2, len(losses) // 2)])
        low = min([*losses, *(final for _, final in trials if final is not None)])
        top = high + 0.3 * (high - low)
        ended = [(lr, final) for lr, final in trials if final is not None and final <= top]
        if ended:
            axis.plot(*zip(*ended, strict=True), ls="", marker="o", ms=7, color=ORANGE,
                      mec="white", label="short run: final loss", zorder=4)  # fmt: skip
        above = [lr for lr, final in trials if final is None or final > top]
        if above:
            axis.plot(above, [top] * len(above), ls="", marker="x", ms=7, mew=2,
                      color=ORANGE, label="short run: loss above the scale", zorder=4)  # fmt: skip
        axis.axvline(
            planned, color=AMBER, lw=1.5, ls="--", label=f"recipe's highest, {planned:.2g}"
        )
        if suggested is not None:
            axis.axvline(suggested, color=ORANGE, lw=1.5, label=f"suggested, {suggested:.2g}")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda rate, _place: f"{rate:g}"))
        axis.set_ylim(low - 0.05 * (high - low), top + 0.05 * (high - low))
        axis.set(xlabel="learning rate", ylabel="training loss")
        axis.legend(fontsize=SMALL_SIZE, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
