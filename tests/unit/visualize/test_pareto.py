"""Accuracy against cost: the networks that none beats, and what is drawn of them."""

import numpy as np
import pytest

from thumbnet.errors import RecipeError
from thumbnet.visualize.gallery import Judged
from thumbnet.visualize.pareto import Point, draw_pareto, front
from thumbnet.visualize.wins import draw_wins, only_right


def point(name: str, top1: float, **costs: float) -> Point:
    return Point(name, top1, top1 - 0.01, top1 + 0.01, costs)


POINTS = [
    point("small", 0.2, size=1), point("dear", 0.3, size=9, time=1), point("good", 0.4, size=5),
    point("twin", 0.2, size=1), point("worse", 0.1, size=1),
]  # fmt: skip


def test_the_front_is_what_none_beats_in_both() -> None:
    assert [one.name for one in front(POINTS, "size")] == ["small", "good"]
    assert [one.name for one in front(POINTS, "time")] == ["dear"]


def test_each_known_cost_has_a_panel() -> None:
    panels = draw_pareto(POINTS, "val").axes
    assert [axes.get_xlabel() for axes in panels if axes.axison] == ["size", "time"]
    (line,) = [one for one in panels[0].get_lines() if one.get_linestyle() == "--"]
    np.testing.assert_allclose(line.get_xydata(), [[1, 20], [5, 40]])
    with pytest.raises(RecipeError, match="1 networks given; 2 to 8"):
        draw_pareto(POINTS[:1], "val")


def judged(probs: list[list[float]]) -> Judged:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    return Judged(images, np.array([0, 1, 0, 1]), np.array(probs), ["ant", "bee"])


def test_images_only_one_has_right() -> None:
    one = judged([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0.7, 0.3]])
    other = judged([[0.4, 0.6], [0.2, 0.8], [0.2, 0.8], [0.1, 0.9]])
    assert only_right(one, other).tolist() == [2, 0]  # ahead by .7, then by .2
    assert only_right(other, one).tolist() == [3]
    texts = draw_wins(one, other, ["a", "b"], "val").axes[0].texts
    captions = [" ".join(text.get_text().split()) for text in texts]
    assert captions == [
        "only a is right",
        "is ant 90 %; other network: bee 80 %",
        "is ant 60 %; other network: bee 60 %",
        "only b is right",
        "is bee 90 %; other network: ant 70 %",
    ]
    with pytest.raises(RecipeError, match="the same images"):
        draw_wins(one, one, ["a", "b"], "val")
