"""`--json` of evaluate and compare: keys, fractions, and nothing else on standard output."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.driver import Thumbnet

from thumbnet.inference import evaluate
from thumbnet.runs import RunFolder


def test_evaluate(thumbnet: Thumbnet, trained: RunFolder) -> None:
    said = thumbnet("evaluate", trained.path, "--json", "--by-class", "classes.csv")
    found = json.loads(said.out)
    assert "classes.csv" in said.err
    assert (found["network"], found["weights"]) == (str(trained.path), "best")
    (row,) = found["results"]
    scores = evaluate(trained.path).scores
    assert (row["top1"], row["top5"], row["num_images"]) == (scores.top1, scores.top5, 16)
    assert row["cross_entropy"] == scores.loss
    assert (row["split"], row["views"], row["image_size"]) == ("val", "one", None)
    for name in ("top1_exact_95", "top1_bootstrap_95"):
        low, high = row[name]
        assert 0 <= low <= scores.top1 <= high <= 1
    assert 0 <= row["calibration_error"] <= 1


def test_compare(thumbnet: Thumbnet, trained: RunFolder) -> None:
    shutil.copytree(trained.path, Path("runs/other"))
    said = thumbnet("compare", trained.path, "other", "--json")
    found = json.loads(said.out)
    assert [one["network"] for one in found["networks"]] == [str(trained.path), "other"]
    scores = evaluate(trained.path).scores
    for one in found["networks"]:
        assert (one["top1"], one["top5"]) == (scores.top1, scores.top5)
        assert one["num_parameters"] > 1000
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"]) == (str(trained.path), "other")
    assert (pair["difference"], pair["difference_95"]) == (0, [0, 0])
    assert (pair["only_first_right"], pair["only_second_right"]) == (0, 0)
    assert (pair["p_mcnemar"], pair["p_holm"]) == (1, 1)


@pytest.mark.parametrize("command", ["evaluate", "compare", "runs list"])
def test_the_page_names_every_key(command: str, thumbnet: Thumbnet, trained: RunFolder) -> None:
    shutil.copytree(trained.path, Path("runs/other"))
    words = {"evaluate": ["other"], "compare": ["other", trained.path], "runs list": []}[command]
    found = json.loads(thumbnet(*command.split(), *words, "--json").out)
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    section = page.split(f"## `thumbnet {command} --json`")[1].split("\n## ")[0]

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return {key for item in value for key in keys(item)}
        if isinstance(value, dict):
            return set(value) | {key for name, item in value.items() if name != "changed"
                                 for key in keys(item)}  # fmt: skip
        return set()

    assert {key for key in keys(found) if f"`{key}`" not in section} == set()
