"""Published recipes and networks are what they were: every number, every logit.

A change that is meant is pinned anew with `python -m tests.contract.test_pinned`; the difference
then stands in the commit, to be compared with the reports.
"""

import json
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from thumbnet.models.registry import create_model, model_entry, model_names
from thumbnet.recipe import ModelSpec, PhaseSpec, RecipeSpec
from thumbnet.recipes.registry import load_recipe, recipe_names

PINNED = Path(__file__).parent / "pinned"
LOGITS = PINNED / "logits.json"
NUM_CLASSES = 10
FIXED_SIZE = 32  # px, where a network takes more than one
NUM_IMAGES = 4
LEAST = RecipeSpec(name="least", model=ModelSpec(name="lenet5"), phases=(PhaseSpec(epochs=1),))


def recipes_of(source: str) -> dict[str, Any]:
    """Return what the recipes of a source state, without the keys left at their defaults."""
    return {
        name: load_recipe(name).model_dump(mode="json", exclude_defaults=True)
        for name in recipe_names()
        if name.startswith(f"{source}/")
    }


def defaults() -> dict[str, Any]:
    return LEAST.model_dump(mode="json")


SOURCES = sorted({name.partition("/")[0] for name in recipe_names()})


@pytest.mark.parametrize("source", SOURCES)
def test_recipes_state_the_numbers_that_were_compared_with_their_source(source: str) -> None:
    pinned = yaml.safe_load((PINNED / f"{source}.yaml").read_text(encoding="utf-8"))
    recipes = recipes_of(source)
    assert list(recipes) == list(pinned)
    for name, recipe in recipes.items():
        assert recipe == pinned[name], name


def test_what_a_recipe_leaves_out_has_the_values_it_had() -> None:
    pinned = yaml.safe_load((PINNED / "defaults.yaml").read_text(encoding="utf-8"))
    assert {key: value for key, value in defaults().items() if key in pinned} == pinned


def noise(num: int, start: int) -> Tensor:
    """Return numbers in -1 to 1 without a pattern, the same on every machine and version."""
    wave = torch.sin((torch.arange(num, dtype=torch.float64) + start) * 12.9898) * 43758.5453
    return 2 * (wave - wave.floor()) - 1


def fill(model: nn.Module) -> nn.Module:
    """Give every weight and every statistic a value of its own."""
    start = 1
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        values = noise(tensor.numel(), start).reshape(tensor.shape)
        start += tensor.numel()
        if tensor.ndim > 1:
            values *= (6 / prod(tensor.shape[1:])) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = 1 + values / 4
        else:
            values /= 4
        with torch.no_grad():
            tensor.copy_(values)
    return model


def logits(name: str) -> dict[str, list[float]]:
    """Return the logits of some images, as evaluated and as trained, with dropout from a seed."""
    entry = model_entry(name)
    size = entry.image_size or max(entry.min_image_size, FIXED_SIZE)
    model = fill(create_model(name, NUM_CLASSES))
    shape = (NUM_IMAGES, entry.in_channels, size, size)
    images = noise(prod(shape), 0).reshape(shape).float()
    result: dict[str, list[float]] = {}
    with torch.no_grad():
        for mode in ("eval", "train"):
            torch.manual_seed(0)
            output: Tensor = model.train(mode == "train")(images.clone())
            result[mode] = [float(f"{value:.6g}") for value in output.double().flatten().tolist()]
    return result


@pytest.mark.parametrize("name", model_names())
def test_networks_compute_what_they_did(name: str) -> None:
    """Parameter counts see no ReLU, no order of norm and dropout, and no radius of an LRN."""
    pinned = json.loads(LOGITS.read_text(encoding="utf-8"))[name]
    for mode, values in logits(name).items():
        scale = max(abs(value) for value in pinned[mode])
        assert values == pytest.approx(pinned[mode], rel=1e-3, abs=1e-3 * scale), mode


def test_no_pin_is_left_of_what_is_gone() -> None:
    assert sorted(json.loads(LOGITS.read_text(encoding="utf-8"))) == model_names()
    assert {path.stem for path in PINNED.glob("*.yaml")} == {*SOURCES, "defaults"}


def pin() -> None:
    """Write all pins anew."""
    PINNED.mkdir(exist_ok=True)
    for source in SOURCES:
        _write(PINNED / f"{source}.yaml", recipes_of(source))
    _write(PINNED / "defaults.yaml", defaults())
    lines = [f"{json.dumps(name)}: {json.dumps(logits(name))}" for name in model_names()]
    LOGITS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False, width=100), encoding="utf-8")


if __name__ == "__main__":
    pin()
