"""The common look, the grid, curves, galleries: what stands where, and equal files each time."""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.figure import Figure

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipe import FlipSpec
from thumbnet.training.results import COLUMNS
from thumbnet.visualize.confusions import draw_confusions, group_classes
from thumbnet.visualize.curves import Curve, draw_curves, read_curve
from thumbnet.visualize.gallery import (
    Judged,
    choose,
    draw_classes,
    draw_gallery,
    draw_hardest,
    recalls,
)
from thumbnet.visualize.grid import Cell, draw_rows, grid_shape, in_rows
from thumbnet.visualize.samples import augmented
from thumbnet.visualize.style import render, save, shorten
from thumbnet.visualize.wins import draw_wins


def results(tmp_path: Path, phases: str = "1122") -> Path:
    path = tmp_path / "results.csv"
    lines = [",".join(COLUMNS)]
    lines += [
        f"{i},{phase},{10 * i},1.0,{0.1 / i},{4 / i},{5 / i},{i / 10},{i / 5}"
        for i, phase in enumerate(phases, 1)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_grid_shape() -> None:
    assert grid_shape(1) == (1, 1)
    assert grid_shape(32) == (4, 8)
    assert grid_shape(10, 4) == (3, 4)
    with pytest.raises(ValueError, match="at least 1"):
        grid_shape(0)


def test_cells_stand_in_rows_and_do_not_overlap() -> None:
    cells = [Cell(np.zeros((4, 4, 3), np.uint8), str(i)) for i in range(10)]
    rows = in_rows(cells, 4)
    assert [len(row.cells) for row in rows] == [4, 4, 2]
    axes = draw_rows(rows, "title").axes[0]
    boxes = [image.get_extent() for image in axes.images]
    assert [t.get_text() for t in axes.texts] == [str(i) for i in range(10)]
    for i, (left, right, bottom, top) in enumerate(boxes):
        assert left < right
        assert top < bottom  # rows count down
        for other in boxes[:i]:
            assert left >= other[1] or right <= other[0] or top >= other[2] or bottom <= other[3]


def test_files_are_equal_each_time_and_nothing_stays_open(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)

    def figure() -> object:
        return draw_rows(in_rows([Cell(np.eye(4), "a $5 é")]), "title", "note")

    for kind in ("png", "svg"):
        assert render(figure(), kind) == render(figure(), kind)  # type: ignore[arg-type]
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs
    save(figure(), tmp_path / "new" / "a.svg")  # type: ignore[arg-type]
    assert (tmp_path / "new" / "a.svg").read_text().startswith("<?xml")
    with pytest.raises(RecipeError, match=r"end its name in \.png or \.svg"):
        save(figure(), tmp_path / "a.jpg")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="cannot write"):
        save(figure(), tmp_path / "file" / "a.png")  # type: ignore[arg-type]


def test_names_are_cut_to_the_first_synonym() -> None:
    assert shorten("goldfish, Carassius auratus", 20) == "goldfish"
    assert shorten("European fire salamander", 10) == "European…"


def test_a_curve_is_the_file_with_phases_and_acts(tmp_path: Path) -> None:
    curve = read_curve("mine", results(tmp_path), [(0, "note a"), (25, "lr 0.1")], 0.45, "val")
    np.testing.assert_allclose(curve.values["watch_top1"], [0.1, 0.2, 0.3, 0.4])
    assert curve.phases == (("1", 0.0, 2.0), ("2", 2.0, 4.0))
    assert curve.acts == ((0.0, "note a"), (2.5, "lr 0.1"))  # step 25 of 10 an epoch


def test_a_curve_of_nothing_or_of_rubbish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no results yet"):
        read_curve("mine", tmp_path / "results.csv")
    with pytest.raises(CheckpointError, match="no results yet"):
        read_curve("mine", results(tmp_path, ""))
    (tmp_path / "results.csv").write_text("epoch,step\n1,x\n")
    with pytest.raises(CheckpointError, match="damaged"):
        read_curve("mine", tmp_path / "results.csv")


def test_curves_show_figures_acts_and_the_published_line(tmp_path: Path) -> None:
    curve = read_curve("mine", results(tmp_path), [(25, "lr 0.1")], 0.45, "val")
    figure = draw_curves([curve, curve])
    assert len(figure.axes) == 6
    loss, accuracy, rate = figure.axes[0], figure.axes[2], figure.axes[4]
    shown = {line.get_label(): line for line in accuracy.lines}
    np.testing.assert_allclose(shown["top-1, best 40.0"].get_ydata(), [10, 20, 30, 40])
    assert [list(line.get_ydata()) for k, line in shown.items() if "published" in str(k)] == [
        [45.0, 45.0]
    ]
    for axes in (loss, accuracy, rate):
        assert any(list(line.get_xdata()) == [2.5, 2.5] for line in axes.lines)
    texts = [text.get_text().strip() for text in loss.texts]
    assert {"phase 1", "phase 2", "1"} <= set(texts)
    assert rate.get_xlabel() == "epoch\n1: lr 0.1"
    for axes in (loss, accuracy):  # legends stand below their panels
        assert axes.get_legend().get_bbox_to_anchor().y0 < axes.bbox.y0
    assert "published on val, 45.0" in shown
    assert accuracy.get_ylim()[1] > 80  # top-5 of both
    with pytest.raises(RecipeError, match="1 to 6"):
        draw_curves([curve] * 7)


def test_numbers_of_interventions_do_not_overprint(tmp_path: Path) -> None:
    acts = [(25, "lr 0.1"), (25, "note " + "why " * 20), (26, "lr auto")]
    axes = draw_curves([read_curve("mine", results(tmp_path), acts)]).axes
    places = [t.get_position()[0] for t in axes[0].texts if t.get_text() in {"1", "2", "3"}]
    assert len(places) == 3
    assert (np.diff(places) > 0.03 * 4).all()
    assert axes[2].get_xlabel().count("; ") == 2


def test_a_diverged_figure_does_not_stop_the_picture() -> None:
    bad = np.array([np.nan, np.inf])
    values = dict.fromkeys(COLUMNS[4:], bad)
    curve = Curve("mine", np.array([1.0, 2.0]), values, (("1", 0.0, 2.0),))
    assert render(draw_curves([curve]), "png")


@pytest.fixture
def judged() -> Judged:
    probs = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0.3, 0.1, 0.6], [0, 1, 0]])
    labels = np.array([0, 0, 1, 2, 2])
    return Judged(np.zeros((5, 8, 8, 3), np.uint8), labels, probs, ("ant", "bee", "cat"))


def test_a_gallery_chooses_right_wrong_and_surely_wrong(judged: Judged) -> None:
    right, wrong, sure = choose(judged, 8).values()
    assert set(right) == {0, 3}
    assert set(wrong) == {1, 2, 4}
    assert list(sure) == [4, 1, 2]
    figure = draw_gallery(judged, "net", count=2)
    assert len(figure.axes[0].images) == 6
    assert "40.0 % of 5 images right" in figure.texts[1].get_text()


def captions(figure: Figure) -> list[str]:
    """What stands on a figure, without the breaks between lines."""
    texts = [text.get_text() for text in figure.axes[0].texts]
    return [" ".join(text.replace("\N{NO-BREAK SPACE}", " ").split()) for text in texts]


def test_captions_say_what_was_predicted_with_whole_names(judged: Judged) -> None:
    long = replace(judged, class_names=("an ant with a very long name, Formica", "bee", "cat"))
    said = captions(draw_gallery(long, "net"))
    assert "predicted bee 80 %, is an ant with a very long name" in said
    assert "predicted an ant with a very long name 90 %, right" in said
    other = replace(long, probs=np.eye(3)[[0, 0, 1, 1, 1]])
    said = captions(draw_wins(other, long, ("a", "b"), "validation set"))
    assert "is an ant with a very long name 100 %; other network: bee 80 %" in said


def test_hardest_come_first(judged: Judged) -> None:
    texts = captions(draw_hardest(judged, "net", 2))
    assert texts == ["predicted bee 100 %, is cat < 0.0001 %", "predicted bee 80 %, is ant 20 %"]
    recall, counts = recalls(judged)
    assert list(recall) == [0.5, 0, 0.5]
    assert list(counts) == [2, 1, 2]
    names = [label.get_text() for label in draw_classes(judged, "net").axes[0].get_yticklabels()]
    assert names == ["bee", "ant", "cat"]


def test_confusions_are_shares_of_the_class(judged: Judged) -> None:
    matrix = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]])
    figure = draw_confusions(matrix, [(0, 1, 1)], judged.class_names, "net")
    order = [["ant", "bee", "cat"].index(t.get_text()) for t in figure.axes[0].get_yticklabels()]
    expected = np.array([[0, 50, 0], [100, 0, 0], [0, 50, 0]])[np.ix_(order, order)]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array().filled(0), expected)
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()] == ["ant → bee"]
    assert draw_confusions(np.eye(3, dtype=np.int64), [], judged.class_names, "net")


def test_confused_classes_are_grouped_and_groups_are_named() -> None:
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.arange(80) % 8)  # of ten classes each
    matrix = 5 * np.eye(80, dtype=np.int64) + rng.integers(1, 4, (80, 80)) * (kind[:, None] == kind)
    groups = group_classes(matrix)
    assert sorted(i for group in groups for i in group) == list(range(80))
    assert [len(set(kind[group])) for group in groups] == [1] * 8
    names = [f"class {i}" for i in range(80)]
    axes = draw_confusions(matrix, [], names, "net").axes[0]
    said = [text.get_text() for text in axes.texts]
    assert said == [", ".join(names[i] for i in group[:3]) + " + 7" for group in groups]
    heights = [text.xyann[1] for text in axes.texts]
    assert (np.diff(heights) > 0).all()


def test_augmented_images_are_those_of_the_policy(tiny: PackedDataset) -> None:
    images = tiny.splits["train"].images[:6]
    draws = augmented(images, [FlipSpec(p=1.0)], 2, seed=0)
    for one in draws:
        np.testing.assert_array_equal(one, images[:, :, ::-1])
