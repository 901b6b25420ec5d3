"""`thumbnet recipe keys`: keys, values and defaults, in lines that fit, or as JSON."""

import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from thumbnet.cli.output import out
from thumbnet.cli.recipes import app
from thumbnet.recipe.keys import sections


def run(*words: str) -> str:
    return CliRunner().invoke(app, ["keys", *words], catch_exceptions=False).output


def test_a_key_is_shown_with_values_default_and_its_line() -> None:
    text = run("training.batch_size")
    assert "  training.batch_size: whole number from 1 to 65,536 (default 128)\n" in text
    assert "      Images a step.\n" in text
    assert "  lr: number above 0, at most 100 (required)\n" in run("cosine")


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(out), "width", width)
    lines = run().splitlines()
    assert max(map(len, lines)) <= width
    for section in sections():
        assert any(line.startswith(f"{section.name}:") for line in lines)


def test_json_is_what_the_library_returns() -> None:
    found = json.loads(run("--json", "optimizer.adam"))
    assert found == json.loads(json.dumps([asdict(one) for one in sections("optimizer.adam")]))
