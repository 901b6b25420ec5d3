"""Every index map, and every composition of them, equals its obvious twin in numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.augment import geometry

Image = NDArray[np.uint8]
FILLS = {"reflect": "reflect", "zeros": "constant"}  # ours -> numpy's


def pictures(batch: int, size: int, channels: int = 3) -> Tensor:
    """Pixels that are never black, so that a border is told from a picture."""
    shape = (batch, size, size, channels)
    return torch.from_numpy(np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8))


def each(images: Tensor, twin: Callable[[Image, int], Image]) -> Image:
    return np.stack([twin(image, number) for number, image in enumerate(images.numpy())])


def pad_crop_twin(image: Image, top: int, left: int, pad: int, fill: str) -> Image:
    size = len(image)
    mode: Any = FILLS[fill]
    padded: Image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode=mode)
    return padded[top : top + size, left : left + size]


def crop_and_pad_twin(image: Image, top: int, left: int, crop: int) -> Image:
    black, border = np.zeros_like(image), (len(image) - crop) // 2
    for row in range(crop):
        for col in range(crop):
            black[border + row, border + col] = image[top + row, left + col]
    return black


def test_identity_moves_nothing() -> None:
    images = pictures(2, 5)
    still = geometry.identity(2, 5, torch.device("cpu"))
    assert still.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert torch.equal(geometry.move_pixels(images, still, still), images)
    assert torch.equal(geometry.move_pixels(images, None, None), images)


@pytest.mark.parametrize("size", [1, 4, 7])
def test_flip_mirrors_the_marked_images(size: int) -> None:
    images = pictures(3, size)
    flipped = torch.tensor([True, False, True])
    index = geometry.flip(size, flipped)
    for axis, (rows, cols) in enumerate([(index, None), (None, index)]):
        turned = [
            np.flip(image, axis) if n != 1 else image for n, image in enumerate(images.numpy())
        ]
        expected = np.stack(turned)
        assert np.array_equal(geometry.move_pixels(images, rows, cols), expected)


@pytest.mark.parametrize("fill", ["reflect", "zeros"])
@pytest.mark.parametrize(("size", "pad"), [(6, 0), (6, 1), (6, 5), (7, 3)])
def test_pad_crop_equals_padding_then_cutting(size: int, pad: int, fill: str) -> None:
    starts = [(top, left) for top in range(2 * pad + 1) for left in range(2 * pad + 1)]
    images = pictures(len(starts), size)
    top, left = torch.tensor(starts).T
    rows = geometry.pad_crop(size, top, pad, fill)
    cols = geometry.pad_crop(size, left, pad, fill)
    expected = each(images, lambda image, n: pad_crop_twin(image, *starts[n], pad, fill))
    assert np.array_equal(geometry.move_pixels(images, rows, cols), expected)


@pytest.mark.parametrize(("size", "crop"), [(6, 6), (6, 1), (6, 3), (7, 4), (7, 5)])
def test_crop_and_pad_centers_the_window_on_black(size: int, crop: int) -> None:
    last = size - crop + 1
    starts = [(top, left) for top in range(last) for left in range(last)]
    images = pictures(len(starts), size)
    top, left = torch.tensor(starts).T
    rows = geometry.crop_and_pad(size, top, crop)
    cols = geometry.crop_and_pad(size, left, crop)
    moved = geometry.move_pixels(images, rows, cols)
    expected = each(images, lambda image, n: crop_and_pad_twin(image, *starts[n], crop))
    assert np.array_equal(moved, expected)
    assert ((moved > 0).all(3).sum((1, 2)) == crop * crop).all()


@pytest.mark.parametrize("pad", [-1, 6])
def test_pad_crop_refuses_a_pad_the_image_cannot_reflect(pad: int) -> None:
    with pytest.raises(ValueError, match=rf"pad={pad} must be in \[0, 6\) at 6 pixels"):
        geometry.pad_crop(6, torch.zeros(1, dtype=torch.int64), pad, "reflect")


@pytest.mark.parametrize("crop", [0, 7])
def test_crop_and_pad_refuses_a_window_that_does_not_fit(crop: int) -> None:
    with pytest.raises(ValueError, match=rf"crop={crop} must be in \[1, 6\] at 6 pixels"):
        geometry.crop_and_pad(6, torch.zeros(1, dtype=torch.int64), crop)


@pytest.mark.parametrize("crop", [1, 4, 7])
def test_random_crop_cuts_out_a_window_of_its_size(crop: int) -> None:
    last = 8 - crop
    starts = [(top, left) for top in range(last) for left in range(last)]
    images = pictures(len(starts), 7)
    top, left = torch.tensor(starts).T
    rows, cols = geometry.random_crop(top, crop), geometry.random_crop(left, crop)
    moved = geometry.move_pixels(images, rows, cols)
    for image, cut, (y, x) in zip(images, moved, starts, strict=True):
        assert torch.equal(cut, image[y : y + crop, x : x + crop])
    again = geometry.compose(rows, geometry.flip(crop, torch.ones(len(starts), dtype=torch.bool)))
    assert torch.equal(geometry.move_pixels(images, again, cols), moved.flip(1))


def test_only_the_marked_images_move() -> None:
    images, active = pictures(3, 5), torch.tensor([True, False, True])
    index = geometry.only(geometry.flip(5, torch.ones(3, dtype=torch.bool)), active)
    moved = geometry.move_pixels(images, None, index)
    assert torch.equal(moved[1], images[1])
    assert torch.equal(moved[::2], images[::2].flip(2))


index_maps = st.integers(1, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(-1, size - 1), min_size=size, max_size=size), min_size=3, max_size=3
    )
)


@settings(deadline=None, max_examples=50)
@given(data=st.data(), first=index_maps)
def test_a_composed_map_equals_both_in_turn(data: st.DataObject, first: list[list[int]]) -> None:
    size = len(first[0])
    then = data.draw(index_maps.filter(lambda index: len(index[0]) == size))
    images, one, two = pictures(3, size), torch.tensor(first), torch.tensor(then)
    both = geometry.compose(one, two)
    in_turn = geometry.move_pixels(geometry.move_pixels(images, one, None), two, None)
    assert torch.equal(geometry.move_pixels(images, both, None), in_turn)
    in_turn = geometry.move_pixels(geometry.move_pixels(images, None, one), None, two)
    assert torch.equal(geometry.move_pixels(images, None, both), in_turn)


@settings(deadline=None, max_examples=50)
@given(rows=index_maps, channels=st.sampled_from([1, 3]), data=st.data())
def test_moving_pixels_equals_a_loop_over_them(
    rows: list[list[int]], channels: int, data: st.DataObject
) -> None:
    size = len(rows[0])
    cols = data.draw(index_maps.filter(lambda index: len(index[0]) == size))
    images = pictures(3, size, channels)
    before = images.clone()
    expected = torch.zeros_like(images)
    for image in range(3):
        for row in range(size):
            for col in range(size):
                at = rows[image][row], cols[image][col]
                if min(at) >= 0:
                    expected[image, row, col] = images[image, at[0], at[1]]
    moved = geometry.move_pixels(images, torch.tensor(rows), torch.tensor(cols))
    assert torch.equal(moved, expected)
    planes = images.permute(0, 3, 1, 2).float()
    moved = geometry.move_planes(planes, torch.tensor(rows), torch.tensor(cols))
    assert torch.equal(moved, expected.permute(0, 3, 1, 2).float())
    assert torch.equal(planes, images.permute(0, 3, 1, 2).float())
    assert torch.equal(images, before)
