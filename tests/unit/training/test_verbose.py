"""From Python: a recipe by name, lines while it trains, and its result used as a run."""

from pathlib import Path

import pytest

import thumbnet
from thumbnet.data.packed import PackedDataset
from thumbnet.runs import RunFolder, run_path
from thumbnet.training.events import Handled, Saved
from thumbnet.training.verbose import PrintedLines

RECIPE = """\
base: thumbnet/quick
model: {args: {width: 4}}
training: {precision: fp32, memory_format: contiguous, threads: 1, batch_size: 8}
phases: [{epochs: 2, image_size: 16}]
preprocess: {image_size: 16}
"""


def test_a_recipes_file_trains_with_a_line_an_epoch_and_the_result_is_a_run(
    tiny: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    result = thumbnet.train(str(tmp_path / "mine.yaml"), tiny, out=tmp_path / "run", verbose=True)
    first, *epochs, last = capsys.readouterr().out.splitlines()
    assert first.startswith("run: ")
    assert [line.split()[:2] for line in epochs] == [["epoch", "1"], ["epoch", "2"]]
    assert last.startswith("finished after ")
    assert f"best holdout top-1 {100 * result.best_top1:.2f} %" in last
    for run in (result, result.run, result.run.path, str(result.run.path)):
        assert thumbnet.evaluate(run, "val").scores.num_images == 16
    assert thumbnet.load_recipe(result.run.recipe_file).name == "mine"
    assert "base" not in result.run.recipe_file.read_text(encoding="utf-8")


def test_a_training_is_quiet_unless_asked(
    tiny: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(thumbnet.RecipeError, match="unknown recipe 'thumbnet/qick'"):
        thumbnet.train("thumbnet/qick", tiny, out=tmp_path / "run")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "run").exists()


def test_an_event_without_a_line_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PrintedLines()
    lines(Saved(3))
    lines(Handled(3, "skip", 2.0))
    assert capsys.readouterr().out == ""
    lines(Handled(3, "lr", 0.5))
    assert capsys.readouterr().out.startswith("step 3: ")


def test_a_run_is_named_in_any_way(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run_path(run) == run_path(tmp_path) == tmp_path
    assert run_path("name") == "name"
