"""docs/python.md: its blocks run one after the other, and it shows every public function."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.driver import QUICK_ENGINE
from tests.docs.shown import ROOT, blocks

import thumbnet
from thumbnet import pictures
from thumbnet.models import registry
from thumbnet.recipes.registry import _recipes as recipes

SMALL = {
    **QUICK_ENGINE,
    "model.args.width": 4,
    "preprocess.image_size": 16,
    "phases": [{"epochs": 1, "image_size": 16}],
}
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def test_every_public_function_is_shown_and_has_a_docstring() -> None:
    for name in thumbnet.__all__:
        member = getattr(thumbnet, name)
        if callable(member) and not name.endswith("Error"):
            assert f"thumbnet.{name}(" in PAGE, name
            assert member.__doc__
    assert dir(thumbnet) == thumbnet.__all__
    for name in pictures.__all__:
        assert name in PAGE
        assert getattr(pictures, name).__doc__


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", PAGE))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / "docs" / path).exists()


def test_the_blocks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = thumbnet.load_recipe("thumbnet/quick", SMALL)
    monkeypatch.setitem(recipes, "thumbnet/quick", lambda: small)
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    Image.open(tmp_path / "photos" / "cat" / "0.jpg").save(tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    registry.model_names()  # loads the families, once in a process
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    names: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(blocks(PAGE, "python")):
        exec(compile(block, f"python.md, block {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "did you mean 'thumbnet/quick'" in said
    assert "epoch 1" in said
    for file in ("curves.png", "gallery.png", "confusions.svg", "diagram.png", "exported"):
        assert (tmp_path / file).exists()
