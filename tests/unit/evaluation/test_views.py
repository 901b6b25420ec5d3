"""Test-time views against windows cut by hand, and the mean over them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from thumbnet.errors import RecipeError
from thumbnet.evaluation.views import VIEWS, cropped, find_views, mean_over, shifted

IMAGES = torch.arange(2 * 3 * 32 * 32, dtype=torch.float32).view(2, 3, 32, 32)


def test_how_many_there_are() -> None:
    numbers = {name: len(views) for name, views in VIEWS.items()}
    assert numbers == {"one": 1, "flip": 2, "shifts": 10, "crops": 5, "ten-crop": 10}


@pytest.mark.parametrize("name", VIEWS)
def test_all_keep_the_shape_and_leave_the_images_alone(name: str) -> None:
    before = IMAGES.clone()
    seen = [view(IMAGES) for view in VIEWS[name]]
    assert all(images.shape == IMAGES.shape for images in seen)
    assert torch.equal(IMAGES, before)
    different = {tuple(images.flatten().tolist()) for images in seen}
    assert len(different) == len(seen)


def test_a_shift_moves_by_a_sixteenth() -> None:
    moved = shifted(1, -1)(IMAGES)
    assert torch.equal(moved[:, :, 2:, :-2], IMAGES[:, :, :-2, 2:])
    assert torch.equal(moved[:, :, 0, :-2], IMAGES[:, :, 2, 2:])  # reflected


def test_a_crop_is_a_window_scaled_back() -> None:
    corner = cropped(1, 0)(IMAGES)
    window = IMAGES[:, :, 4:, :28]
    assert torch.equal(corner, F.interpolate(window, size=(32, 32), mode="bilinear"))


def test_logits_are_averaged() -> None:
    def model(images: Tensor) -> Tensor:
        return images[:, :, 0, 0].double()

    expected = (IMAGES[:, :, 0, 0] + IMAGES[:, :, 0, -1]) / 2
    assert torch.equal(mean_over(VIEWS["flip"], model, IMAGES), expected)


def test_unknown_views_are_refused() -> None:
    with pytest.raises(RecipeError, match="unknown views 'flop'; did you mean 'flip'"):
        find_views("flop")
