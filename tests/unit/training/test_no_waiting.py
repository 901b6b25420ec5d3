"""No step waits for the device: a batch and an update on `meta`, whose tensors have no values.

What waits reads a value or copies to the host, and on `meta` either fails; copies to the device
that would be waited for are caught on their way.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.unit.augment.test_operations import SINGLE
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.utils._python_dispatch import TorchDispatchMode

from thumbnet.augment.mix import mix_images
from thumbnet.build import build_preprocess
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.optim.optimizers import make_optimizer
from thumbnet.recipe import (
    AdaGradSpec,
    AdamSpec,
    AugmentSpec,
    CutMixSpec,
    MixUpSpec,
    MuonSpec,
    OptimizerSpec,
    PhaseSpec,
    RandAugmentSpec,
    RandomCropSpec,
    RmsPropSpec,
    SgdSpec,
)
from thumbnet.recipes.registry import load_recipe
from thumbnet.training import step as step_module
from thumbnet.training.engine import Engine, Picks
from thumbnet.training.feed import Feed
from thumbnet.training.phases import Plan
from thumbnet.training.state import TrainState
from thumbnet.training.step import train_step

SGD = SgdSpec(momentum=0.9)
META = torch.device("meta")
ALL = tuple(spec for spec in SINGLE if not isinstance(spec, RandomCropSpec))
COPIES = {torch.ops.aten._to_copy.default: 0, torch.ops.aten.copy_.default: 1}


class NoWaiting(TorchDispatchMode):
    """Fails on a copy from the host to the device that is waited for."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        done = func(*args, **kwargs)
        if func in COPIES and args[COPIES[func]].device.type == "cpu" and done.device == META:
            waits = not (kwargs.get("non_blocking") or True in args[2:])
            assert not waits, f"{func} of {tuple(done.shape)} is waited for"
        return done


@pytest.fixture(autouse=True)
def _foreach_on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clipping of gradients take the way that it takes on a GPU."""
    monkeypatch.setattr(clip_grad, "_device_has_foreach_support", lambda _: True)


def take_steps(
    dataset: PackedDataset,
    augment: tuple[AugmentSpec, ...] = (),
    optimizer: OptimizerSpec = SGD,
) -> None:
    """Take the steps of two epochs, of which the first two are for what is made but once."""
    recipe = load_recipe("thumbnet/quick")
    mix = (MixUpSpec(), CutMixSpec())
    training = recipe.training.model_copy(
        update={"augment": augment, "mix": mix, "label_smoothing": 0.1, "batch_size": 16}
    )
    phases = (PhaseSpec(epochs=2, image_size=32),)
    recipe = recipe.model_copy(update={"training": training, "phases": phases})
    fit = apply_protocol(dataset, "official").fit
    plan = Plan(recipe, len(fit.indices))
    feed = Feed(dataset, fit, build_preprocess(recipe.preprocess, dataset), plan, META)
    engine = Engine(Picks("meta", "fp32", "channels_last", torch.get_num_threads()))
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, dataset.num_classes),
    )  # fmt: skip
    model = engine.place(model).train()
    loss_sum = torch.zeros((), device=META)
    state = TrainState(model, make_optimizer(model, optimizer), loss_sum, clip_norm=1.0)
    state.start_ema(0.9)

    def take(step: int) -> None:
        at = plan.at(step)
        images, labels, mix = feed.batch(at)
        assert images.device == labels.device == META
        state.loss_sum += train_step(state, images, labels, at, engine, mix) * len(images)

    take(0)
    with NoWaiting():
        for step in range(1, plan.num_steps):
            take(step)
    assert state.step == plan.num_steps > 6


@pytest.mark.parametrize(
    "augment",
    [(), ALL, (RandomCropSpec(size=24),), (RandAugmentSpec(),)],
    ids=["none", "all", "random_crop", "rand_augment"],
)
def test_no_augmentation_waits(tiny: PackedDataset, augment: tuple[AugmentSpec, ...]) -> None:
    take_steps(tiny, augment)


@pytest.mark.parametrize(
    "spec",
    [SgdSpec(), AdaGradSpec(), RmsPropSpec(), RmsPropSpec(initial=1), AdamSpec(), MuonSpec()],
    ids=lambda spec: spec.name,
)
def test_no_optimizer_waits(tiny: PackedDataset, spec: OptimizerSpec) -> None:
    take_steps(tiny, optimizer=spec)


@pytest.mark.parametrize(
    "wait",
    [
        lambda images: images.mean().item(),
        lambda images: bool((images > 0).any()),
        lambda images: images.cpu(),
        lambda images: images[images > 0],
        lambda images: torch.zeros(4).to(images.device),
        lambda images: images.copy_(torch.zeros(images.shape)),
    ],
    ids=["item", "bool", "cpu", "mask", "to", "copy_"],
)
def test_what_waits_is_found(
    tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch, wait: Callable[[Tensor], object]
) -> None:
    def waiting(images: Tensor, *rest: Any) -> Tensor:
        wait(images)
        return mix_images(images, *rest)

    monkeypatch.setattr(step_module, "mix_images", waiting)
    with pytest.raises((RuntimeError, NotImplementedError, AssertionError)):
        take_steps(tiny)
