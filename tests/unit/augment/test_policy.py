"""Parameters are drawn once an epoch, and pixels depend on (seed, epoch) alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.augment.policy import Policy, check_augment
from thumbnet.recipe import AugmentSpec, CropAndPadSpec, FlipSpec, PadCropSpec

SIZE, NUM = 9, 23
ALL = (
    FlipSpec(),
    PadCropSpec(pad=2),
    FlipSpec(axis="vertical"),
    CropAndPadSpec(size=6),
    PadCropSpec(pad=3, fill="zeros"),
)


def pictures(num: int = NUM, size: int = SIZE) -> Tensor:
    shape = (num, size, size, 3)
    return torch.from_numpy(np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8))


def twin(image: NDArray[np.uint8], spec: AugmentSpec, drawn: Sequence[int]) -> NDArray[np.uint8]:
    size = len(image)
    if isinstance(spec, FlipSpec):
        return np.flip(image, 1 if spec.axis == "horizontal" else 0) if drawn[0] else image
    top, left = drawn
    if isinstance(spec, PadCropSpec):
        pad, mode = spec.pad, "reflect" if spec.fill == "reflect" else "constant"
        image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode=mode)
        return image[top : top + size, left : left + size]
    black, border = np.zeros_like(image), (size - spec.size) // 2
    inside = slice(border, border + spec.size)
    black[inside, inside] = image[top : top + spec.size, left : left + spec.size]
    return black


specs = st.one_of(
    st.builds(FlipSpec, axis=st.sampled_from(["horizontal", "vertical"])),
    st.builds(
        PadCropSpec, pad=st.integers(1, SIZE - 1), fill=st.sampled_from(["zeros", "reflect"])
    ),
    st.builds(CropAndPadSpec, size=st.integers(1, SIZE)),
)


@settings(deadline=None, max_examples=60)
@given(sequence=st.lists(specs, min_size=1, max_size=5), seed=st.integers(0, 99))
def test_any_sequence_equals_its_twins_one_after_the_other(
    sequence: list[AugmentSpec], seed: int
) -> None:
    images = pictures(5)
    policy = Policy(sequence, 5, SIZE, seed, epoch=1)
    expected = []
    for number, image in enumerate(images.numpy()):
        for spec, table in zip(sequence, policy.tables, strict=True):
            image = twin(image, spec, table[:, number].tolist())  # noqa: PLW2901
        expected.append(image)
    assert np.array_equal(policy(images, 0), np.stack(expected))


@pytest.mark.parametrize("batch_size", [1, 3, 7, NUM])
def test_pixels_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    images, policy = pictures(), Policy(ALL, NUM, SIZE, seed=3, epoch=2)
    whole = policy(images, 0)
    again = Policy(ALL, NUM, SIZE, seed=3, epoch=2)
    parts = [again(images[i : i + batch_size], i) for i in range(0, NUM, batch_size)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(whole, images)


def test_epochs_seeds_and_operations_draw_apart() -> None:
    def drawn(seed: int, epoch: int) -> Tensor:
        two = Policy((PadCropSpec(pad=4), PadCropSpec(pad=4)), 500, SIZE, seed, epoch)
        return torch.cat(two.tables)

    tables = [drawn(0, 0), drawn(0, 1), drawn(1, 0), drawn(1, 1)]
    columns = torch.cat(tables)  # every row was drawn for another purpose
    for one in range(len(columns)):
        for other in range(one):
            share = (columns[one] == columns[other]).float().mean()
            assert share < 0.25, (one, other)  # 1/9 by chance
    assert torch.equal(drawn(1, 1), tables[3])


def test_drawn_parameters_fill_their_range() -> None:
    policy = Policy((PadCropSpec(pad=3), CropAndPadSpec(size=5)), 2000, SIZE, seed=0, epoch=0)
    pad_crop, crop_and_pad = policy.tables
    assert pad_crop.shape == crop_and_pad.shape == (2, 2000)
    for row in pad_crop:
        assert sorted(set(row.tolist())) == list(range(7))
    for row in crop_and_pad:
        assert sorted(set(row.tolist())) == list(range(5))
    assert not torch.equal(pad_crop[0], pad_crop[1])


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_a_flip_happens_with_its_probability(p: float) -> None:
    (table,) = Policy((FlipSpec(p=p),), 4000, SIZE, seed=0, epoch=0).tables
    assert set(table.flatten().tolist()) == {0, 1} - ({1} if p == 0 else {0} if p == 1 else set())
    assert float(table.float().mean()) == pytest.approx(p, abs=0.03)


def test_a_flip_goes_along_its_axis() -> None:
    images = pictures()
    for axis, dimension in (("horizontal", 2), ("vertical", 1)):
        policy = Policy((FlipSpec(axis=axis, p=1),), NUM, SIZE, seed=0, epoch=0)
        assert torch.equal(policy(images, 0), images.flip(dimension))


def test_no_augmentation_hands_the_images_through() -> None:
    images = pictures()
    assert Policy((), NUM, SIZE, seed=0, epoch=0)(images, 0) is images


def test_check_augment_refuses_what_does_not_fit() -> None:
    check_augment((FlipSpec(), PadCropSpec(pad=31), CropAndPadSpec(size=32)), 32)
    with pytest.raises(ValueError, match="pad_crop: pad=32 must be below the image size 32"):
        check_augment((FlipSpec(), PadCropSpec(pad=32)), 32)
    with pytest.raises(ValueError, match="crop_and_pad: size=33 is over the image size 32"):
        check_augment((CropAndPadSpec(size=33),), 32)
