"""The registry's errors name what is allowed."""

import subprocess
import sys

import pytest
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models import registry
from thumbnet.models.registry import create_model, model_entry, model_names, register_model


@pytest.fixture
def spare_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    model_names()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def test_names_are_sorted_and_complete() -> None:
    names = model_names()
    assert names == sorted(names)
    assert {"alchnet19", "lenet5", "resnet18", "resnet18_3x3", "thumbnet_quick"} <= set(names)


def test_entry_tells_sizes_and_channels() -> None:
    lenet5, quick = model_entry("lenet5"), model_entry("thumbnet_quick")
    assert (lenet5.image_size, lenet5.min_image_size, lenet5.in_channels) == (28, 28, 1)
    assert (quick.image_size, quick.min_image_size, quick.in_channels) == (None, 16, 3)
    assert (lenet5.head, quick.head) == ("fc", "head")
    assert (lenet5.options, quick.options) == ((), ("width", "pool", "identity"))
    assert lenet5.summary.startswith("LeNet-5")


def test_unknown_name_suggests_the_nearest_and_what_to_do() -> None:
    with pytest.raises(
        RecipeError, match=r"unknown model 'lenet'; did you mean 'lenet5'\?"
    ) as error:
        create_model("lenet", 10)
    assert "`thumbnet model list` shows all" in str(error.value)
    assert "import the module that registers it" in str(error.value)


def test_unknown_option_names_the_allowed_ones() -> None:
    with pytest.raises(
        RecipeError, match=r"no option 'widht'; did you mean 'width'\?; .*: width, pool, identity$"
    ):
        create_model("thumbnet_quick", 10, widht=8)
    with pytest.raises(RecipeError, match=r"no option 'width'; options allowed: none$"):
        create_model("lenet5", 10, width=8)


@pytest.mark.parametrize("counts", [{"num_classes": 0}, {"num_classes": 5, "in_channels": 0}])
def test_counts_below_one_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="=0 must be at least 1"):
        create_model("lenet5", **counts)


@pytest.mark.usefixtures("spare_registry")
def test_registers_under_the_function_name_and_only_once() -> None:
    def tiny(num_classes: int, in_channels: int = 2) -> nn.Module:
        """Tiny.

        More.
        """
        return nn.Linear(in_channels, num_classes)

    assert register_model(head="weight", min_image_size=4)(tiny) is tiny
    entry = model_entry("tiny")
    assert (entry.builder, entry.head, entry.summary) == (tiny, "weight", "Tiny.")
    assert (entry.min_image_size, entry.image_size, entry.in_channels) == (4, None, 2)
    assert create_model("tiny", 7).weight.shape == (7, 2)
    with pytest.raises(ValueError, match="'tiny' is registered already"):
        register_model()(tiny)


def test_importing_the_registry_does_not_import_torch() -> None:
    code = "import sys, thumbnet.models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
