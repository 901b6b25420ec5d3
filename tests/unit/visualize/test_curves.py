"""Curves with what was published on the way, and several runs in the same panels."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes

from thumbnet.errors import RecipeError
from thumbnet.visualize.curves import COLUMNS, Curve, draw_curves
from thumbnet.visualize.lr_finder import draw_sweep
from thumbnet.visualize.overlay import draw_overlay


def a_curve(name: str = "run", top1: float = 0.2) -> Curve:
    epochs = np.arange(1.0, 5)
    values = {key: np.linspace(0.1, top1, 4) for key in COLUMNS}
    return Curve(name, epochs, values, (("1", 0, 4),))


def labels(axes: Axes) -> list[str]:
    return [str(line.get_label()) for line in axes.get_lines()]


def test_published_points_stand_beside_the_measured_ones() -> None:
    curve = replace(
        a_curve(), on_the_way=((2, 0.3), (8, 0.4), (20, 0.5)), way_source="val", planned=10
    )
    figure = draw_curves([curve])
    (line,) = [
        line for line in figure.axes[1].get_lines() if line.get_label() == "published on val"
    ]
    np.testing.assert_allclose(line.get_xydata(), [[2, 30], [8, 40]])  # 20 lies beyond the run
    assert figure.axes[2].get_xlim()[1] > 10  # the plan, of which four epochs are done
    assert not [one for one in labels(draw_curves([a_curve()]).axes[1]) if "published" in one]


def test_runs_together_are_told_apart_by_what_differs() -> None:
    one, other = a_curve("a"), replace(a_curve("b", 0.4), setting="lr 0.001")
    accuracy, rate, watched, train = draw_overlay([one, other]).axes
    assert [line for line in labels(accuracy) if not line.startswith("_")] == [
        "a, best 20.0", "b, lr 0.001, best 40.0",
    ]  # fmt: skip
    for axes, key in ((rate, "lr"), (watched, "watch_loss"), (train, "train_loss")):
        drawn = [line.get_ydata() for line in axes.get_lines()]
        np.testing.assert_array_equal(drawn, [one.values[key], other.values[key]])


def test_the_rate_is_drawn_step_by_step_where_it_is_known() -> None:
    steps = (np.array([0.5, 1, 4]), np.array([0.01, 0.1, 0.05]))
    curve = replace(a_curve(), rates=steps)
    for axes in (draw_curves([curve]).axes[2], draw_overlay([curve, a_curve("b")]).axes[1]):
        np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), np.transpose(steps))


def test_short_runs_are_drawn_and_those_off_the_scale_are_marked() -> None:
    trials = [(0.01, 2.0), (0.1, 2.5), (1.0, 40.0), (5.0, None)]
    rates, losses = [0.001, 0.01, 0.1, 1.0], [3.0, 2.5, 2.0, 4.0]
    (axes,) = draw_sweep(rates, losses, losses, trials, 0.01, 0.8, "quick").axes
    drawn = {str(line.get_label()): line.get_xydata() for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["short run: final loss"], [(0.01, 2.0), (0.1, 2.5)])
    assert [x for x, _ in drawn["short run: loss above the scale"]] == [1.0, 5.0]
    assert {"suggested, 0.01", "recipe's highest, 0.8"} <= set(drawn)
    (axes,) = draw_sweep(rates, losses, losses, trials, None, 0.8, "quick").axes
    assert not [label for label in labels(axes) if "suggested" in label]


def test_one_run_has_nothing_to_be_drawn_with() -> None:
    with pytest.raises(RecipeError, match="1 runs given; 2 to 6"):
        draw_overlay([a_curve()])
