"""What every registered network promises, whatever its family."""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from thumbnet.models.registry import create_model, model_entry, model_names
from thumbnet.models.taps import taps

NAMES = model_names()
LIGHT = {"lenet5", "thumbnet_quick"}
NUM_CLASSES = 10  # enough for SqueezeNet, whose logits end in a ReLU, not to be all zero

pytestmark = pytest.mark.parametrize("name", NAMES)


@cache
def built(name: str) -> nn.Module:
    """Build once; tests that train or change weights take a copy."""
    torch.manual_seed(0)
    return create_model(name, NUM_CLASSES).eval()


def images_for(name: str, count: int = 2, in_channels: int | None = None) -> Tensor:
    entry = model_entry(name)
    size = entry.image_size or max(entry.min_image_size, 32)
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, in_channels or entry.in_channels, size, size, generator=generator)


def shapes(name: str, num_classes: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {k: v.shape for k, v in create_model(name, num_classes).state_dict().items()}


def test_has_a_summary(name: str) -> None:
    assert model_entry(name).summary.endswith(".")


@pytest.mark.parametrize("num_classes", [3, 200])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_takes_classes_and_channels(name: str, num_classes: int, in_channels: int) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes, in_channels)
    images = images_for(name, in_channels=in_channels)
    assert model(images.to("meta")).shape == (2, num_classes)


def test_takes_its_default_channels_and_smallest_size(name: str) -> None:
    entry = model_entry(name)
    size = entry.min_image_size
    logits = built(name)(torch.zeros(2, entry.in_channels, size, size))
    assert logits.shape == (2, NUM_CLASSES)
    assert logits.isfinite().all()


def test_head_is_all_that_depends_on_the_classes(name: str) -> None:
    few, many = shapes(name, 3), shapes(name, 5)
    assert few.keys() == many.keys()
    differing = {key for key in few if few[key] != many[key]}
    head = model_entry(name).head
    counters = {key for key in few if key.endswith("num_batches_tracked")}
    assert differing == {key for key in few if key.startswith(f"{head}.")} - counters
    assert differing


def test_every_parameter_gets_a_finite_gradient(name: str) -> None:
    model = copy.deepcopy(built(name)).train()
    with torch.no_grad():
        for parameter in model.parameters():  # so that no layer hides behind a zero
            parameter.add_(0.01 * torch.randn_like(parameter))
    count = 16 if "drop_path" in model_entry(name).options else 4  # few may leave a layer out
    model(images_for(name, count)).logsumexp(1).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


def test_evaluation_repeats_and_ignores_the_rest_of_the_batch(name: str) -> None:
    model, images = built(name), images_for(name, 3)
    with torch.no_grad():
        logits = model(images)
        assert torch.equal(model(images), logits)
        torch.testing.assert_close(model(images[1:2]), logits[1:2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_forward_leaves_its_input_alone(name: str, training: bool) -> None:
    images = images_for(name)
    before = images.clone()
    copy.deepcopy(built(name)).train(training)(images)
    assert torch.equal(images, before)


def test_state_dict_round_trip(name: str) -> None:
    model, images = built(name), images_for(name)
    other = create_model(name, NUM_CLASSES).eval()
    with torch.no_grad():
        assert not torch.equal(other(images), model(images))
        other.load_state_dict(model.state_dict())
        assert torch.equal(other(images), model(images))


def test_channels_last_gives_the_same_logits(name: str) -> None:
    images = images_for(name)
    other = copy.deepcopy(built(name)).to(memory_format=torch.channels_last)
    with torch.no_grad():
        logits = other(images.to(memory_format=torch.channels_last))
        torch.testing.assert_close(logits, built(name)(images), rtol=1e-4, atol=1e-4)


def skip_without_bf16(name: str) -> None:
    """Skip what takes minutes where products in bf16 are emulated: CPUs without AVX-512."""
    if name not in LIGHT and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no fast bf16")


def test_bfloat16_is_close(name: str) -> None:
    skip_without_bf16(name)
    images = images_for(name, 8)
    with torch.no_grad():
        exact = built(name)(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = built(name)(images).float()
    assert (rough - exact).norm() < 0.05 * exact.norm()


def test_trains_under_bfloat16(name: str) -> None:
    skip_without_bf16(name)
    model = copy.deepcopy(built(name)).train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images_for(name, 4))
    logits.float().logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_taps_read_every_top_layer_and_change_nothing(name: str) -> None:
    model, images = built(name), images_for(name)
    head = model_entry(name).head
    layers = [layer for layer, _ in model.named_children()]
    layers += [] if head in layers else [head]
    with torch.no_grad():
        before = model(images)
        with taps(model, layers) as outputs:
            assert torch.equal(model(images), before)
        assert outputs.keys() == set(layers)
        assert torch.equal(outputs[head], before)


def test_wrong_image_size_is_refused_by_name(name: str) -> None:
    entry = model_entry(name)
    if entry.image_size is None:
        size = max(40, entry.min_image_size)
        assert built(name)(torch.zeros(1, entry.in_channels, size, size + 8)).shape == (
            1,
            NUM_CLASSES,
        )
        return
    size = entry.image_size
    with pytest.raises(ValueError, match=rf"{size}x{size} pixels only, not {size}x{size + 4}"):
        built(name)(torch.zeros(1, entry.in_channels, size, size + 4))
