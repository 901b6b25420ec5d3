"""One preprocessing object, equal to Pillow's grey and to the plain formulas."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from thumbnet.augment.views import Preprocess, encode_mean_image

RGB = Preprocess(64, "rgb", (0.48, 0.45, 0.4), (0.28, 0.27, 0.26))
GREY = Preprocess(28, "grey", (0.5,), (0.25,))


def pictures(num: int = 3, size: int = 8) -> Tensor:
    shape = (num, size, size, 3)
    return torch.from_numpy(np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8))


def test_grey_equals_pillow_for_every_kind_of_color() -> None:
    levels = np.array([*range(0, 256, 5), 1, 2, 127, 128, 254], dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    side = len(levels)
    table = colors.reshape(1, side, side * side, 3)
    expected = np.asarray(Image.fromarray(table[0]).convert("L"))
    grey = GREY.shrink(torch.from_numpy(table), size=10**6)
    assert grey.shape == (1, side, side * side, 1)
    assert grey.dtype == torch.uint8
    assert np.array_equal(grey[0, :, :, 0], expected)


def test_color_stays_where_nothing_is_to_be_done() -> None:
    images = pictures()
    assert torch.equal(RGB.shrink(images, 8), images)
    assert (RGB.in_channels, GREY.in_channels) == (3, 1)


def test_shrink_never_enlarges() -> None:
    images = pictures(size=8)
    assert torch.equal(RGB.shrink(images), images)  # to 64
    assert torch.equal(RGB.shrink(images, 9), images)
    assert RGB.shrink(images, 7).shape == (3, 7, 7, 3)


@pytest.mark.parametrize("size", [32, 48, 28])
def test_shrink_is_an_antialiased_bilinear_filter(size: int) -> None:
    images = pictures(size=64)
    small = RGB.shrink(images, size)
    assert (small.shape, small.dtype) == ((3, size, size, 3), torch.uint8)
    assert small.is_contiguous()
    for image, result in zip(images.numpy(), small.numpy(), strict=True):
        pillow = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(pillow).astype(int) - result).max() <= 1


def test_halving_averages_over_four_by_four_pixels() -> None:
    """Half size, antialiased: the weights 1, 3, 3, 1 in both directions."""
    images = pictures(size=8)
    small = RGB.shrink(images, 4).int()
    weights = np.array([1, 3, 3, 1])
    for row, col in ((1, 1), (1, 2), (2, 1), (2, 2)):  # the border is weighted anew
        window = images[:, 2 * row - 1 : 2 * row + 3, 2 * col - 1 : 2 * col + 3].numpy()
        mean = np.einsum("i,j,bijc->bc", weights, weights, window) / 64
        assert np.abs(small[:, row, col].numpy() - mean).max() <= 1


def test_grey_images_are_scaled_down_too() -> None:
    images = pictures(size=64)
    assert torch.equal(GREY.shrink(images), GREY.shrink(GREY_64.shrink(images)[..., [0, 0, 0]]))
    assert GREY.shrink(images).shape == (3, 28, 28, 1)


GREY_64 = Preprocess(64, "grey", (0.5,), (0.25,))


@pytest.mark.parametrize(
    ("mean", "std"), [((0.48, 0.45, 0.4), (0.28, 0.27, 0.26)), ((0.4,), (0.3,))]
)
def test_normalization_is_the_plain_formula(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    images = pictures()
    inputs = Preprocess(8, "rgb", mean, std).to_input(images)
    expected = (images.numpy() / 255.0 - np.array(mean)) / np.array(std)  # float64
    assert inputs.dtype == torch.float32
    assert inputs.shape == (3, 3, 8, 8)
    assert np.abs(inputs.numpy() - expected.transpose(0, 3, 1, 2)).max() < 2e-6


def test_input_lies_in_channels_last_strides() -> None:
    inputs = Preprocess(8, "rgb", (0.4,), (0.3,)).to_input(pictures())
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert inputs.stride() == (8 * 8 * 3, 1, 8 * 3, 3)


def test_to_input_enlarges_and_never_shrinks() -> None:
    images = pictures(size=8)
    plain = Preprocess(8, "rgb", (0.4,), (0.3,)).to_input(images)
    large = RGB_16.to_input(images)
    expected = F.interpolate(plain, size=(16, 16), mode="bilinear", align_corners=False)
    assert torch.allclose(large, expected, atol=1e-6)
    assert RGB_16.to_input(images, 12).shape == (3, 3, 12, 12)
    assert torch.equal(RGB_16.to_input(images, 4), plain)


RGB_16 = Preprocess(16, "rgb", (0.4,), (0.3,))


def test_inputs_do_not_change_the_packed_pixels() -> None:
    images = pictures()
    before = images.clone()
    GREY(images), RGB(images)
    assert torch.equal(images, before)


def test_a_call_shrinks_then_normalizes() -> None:
    images = pictures(size=32)
    grey = GREY(images)
    assert grey.shape == (3, 1, 28, 28)
    assert torch.equal(grey, GREY.to_input(GREY.shrink(images)))
    by_hand = (GREY.shrink(images).float() / 255 - 0.5) / 0.25
    assert torch.allclose(grey, by_hand.permute(0, 3, 1, 2), atol=1e-6)


# -- floating levels, windows and the mean image


def test_fractions_of_levels_are_normalized_and_left_alone() -> None:
    images = pictures()
    levels = images.float()
    planes = levels.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)  # as a policy hands them
    for given in (levels, planes):
        before = given.clone()
        inputs = RGB.to_input(given, 8)
        assert torch.allclose(inputs, RGB.to_input(images, 8), atol=1e-6)
        assert inputs.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(given, before)


CROPPED = Preprocess(8, "rgb", (0.4,), (0.3,), crop=6)


def test_the_central_window_is_judged() -> None:
    images = pictures(size=8)
    whole = Preprocess(8, "rgb", (0.4,), (0.3,))(images)
    judged = CROPPED(images)
    assert (CROPPED.input_size, RGB.input_size) == (6, 64)
    assert torch.equal(judged, whole[:, :, 1:7, 1:7])
    assert judged.is_contiguous(memory_format=torch.channels_last)
    large = Preprocess(16, "rgb", (0.4,), (0.3,), crop=11)(images)
    enlarged = Preprocess(16, "rgb", (0.4,), (0.3,))(images)
    assert torch.equal(large, enlarged[:, :, 2:13, 2:13])


def test_a_window_cut_out_already_is_not_cut_again() -> None:
    window = pictures(size=8)[:, 2:8, :6]
    plain = Preprocess(6, "rgb", (0.4,), (0.3,)).to_input(window)
    assert torch.equal(CROPPED.to_input(window, 8), plain)


def mean_image(size: int = 8) -> NDArray[np.float32]:
    return np.random.default_rng(3).random((size, size, 3), dtype=np.float32)


WITH_MEAN_IMAGE = Preprocess(
    8, "rgb", (0.0,), (1.0,), source_size=8, mean_image=encode_mean_image(mean_image())
)


def test_the_mean_image_is_subtracted() -> None:
    images = pictures(size=8)
    expected = images.numpy() / 255 - mean_image()
    result = WITH_MEAN_IMAGE(images).numpy()
    assert np.abs(result - expected.transpose(0, 3, 1, 2)).max() < 1.6e-5  # 16 bits
    scaled = replace(WITH_MEAN_IMAGE, mean=(0.1,), std=(0.5,))(images).numpy()
    assert np.abs(scaled - (expected.transpose(0, 3, 1, 2) - 0.1) / 0.5).max() < 5e-5


def test_the_mean_image_follows_size_and_window() -> None:
    mean, images = mean_image(), pictures(size=8)
    small = replace(WITH_MEAN_IMAGE, image_size=5)
    scaled = F.interpolate(
        torch.from_numpy(mean).permute(2, 0, 1)[None], size=(5, 5), mode="bilinear", antialias=True
    )
    shrunk = small.shrink(images)
    expected = shrunk.permute(0, 3, 1, 2) / 255 - scaled
    assert torch.allclose(small.to_input(shrunk), expected, atol=2e-5)
    assert torch.allclose(WITH_MEAN_IMAGE.to_input(shrunk, 5), expected, atol=2e-5)
    cropped = replace(WITH_MEAN_IMAGE, crop=6)
    center = WITH_MEAN_IMAGE(images)[:, :, 1:7, 1:7]
    assert torch.equal(cropped(images), center)
    assert torch.allclose(cropped.to_input(images[:, 1:7, 1:7], 8), center, atol=1e-6)
    large = replace(WITH_MEAN_IMAGE, image_size=16)(images)
    enlarged = F.interpolate(WITH_MEAN_IMAGE(images), size=(16, 16), mode="bilinear")
    assert torch.allclose(large, enlarged, atol=1e-6)


def test_the_mean_image_turns_grey_with_the_images() -> None:
    images = pictures(size=8)
    grey = replace(WITH_MEAN_IMAGE, color="grey")
    expected = (images.numpy() / 255 - mean_image()) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey(images)[:, 0].numpy() - expected).max() < 0.5 / 255 + 3e-5  # whole levels


def test_a_configuration_of_before_still_loads() -> None:
    old = {"image_size": 64, "color": "rgb", "mean": [0.5], "std": [0.25]}
    old |= {"source_size": 64, "resize": "crop"}
    assert Preprocess.from_dict(old) == Preprocess(64, "rgb", (0.5,), (0.25,))


def test_comes_back_from_its_plain_data() -> None:
    pad = Preprocess(32, "rgb", (0.5,), (0.5,), source_size=96, resize="pad")
    for one in (RGB, GREY, pad, replace(pad, crop=28), WITH_MEAN_IMAGE):
        plain = one.to_dict()
        assert Preprocess.from_dict(plain) == one
        assert Preprocess.from_dict(json.loads(json.dumps(plain))) == one
