"""Who gets which operation: probabilities, exclusive choices, and the six orders."""

import numpy as np
import pytest

from thumbnet.augment.draws import Array
from thumbnet.augment.tree import Drawing, Leaf, flatten, group_by_kind
from thumbnet.recipe import (
    AffineSpec,
    AugmentSpec,
    BlurSpec,
    CropPadPercentSpec,
    EraseSpec,
    FlipSpec,
    HueSpec,
    MultiplySpec,
    NoiseSpec,
    OneOfSpec,
    PadCropSpec,
    RandAugmentSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SaturationSpec,
    SharpnessSpec,
    SomeOfSpec,
    SometimesSpec,
    TrivialAugmentSpec,
)

NUM = 8000
ALWAYS = FlipSpec(p=1)
THREE: tuple[AugmentSpec, ...] = (BlurSpec(), AffineSpec(), MultiplySpec())


def leaves_of(*specs: AugmentSpec, seed: int = 0, epoch: int = 0) -> list[Leaf]:
    return flatten(specs, Drawing(NUM, 32, seed, epoch))


def times(leaves: list[Leaf]) -> Array:
    """Count the operations that each image gets."""
    counted: Array = np.stack([leaf.active for leaf in leaves]).sum(axis=0)
    return counted


def within_4_sigma(active: Array, p: float) -> bool:
    return bool(abs(active.mean() - p) <= 4 * np.sqrt(p * (1 - p) / len(active)))


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_sometimes_gives_all_operations_or_none(p: float) -> None:
    one, two = leaves_of(SometimesSpec(p=p, ops=(BlurSpec(), MultiplySpec())))
    assert within_4_sigma(one.active, p)
    assert np.array_equal(one.active, two.active)


def test_nested_probabilities_multiply() -> None:
    inner = SometimesSpec(p=0.5, ops=(FlipSpec(p=0.4),))
    outer, flip = leaves_of(SometimesSpec(p=0.5, ops=(ALWAYS, inner)))
    assert within_4_sigma(flip.active, 0.1)
    assert not (flip.active & ~outer.active).any()
    assert within_4_sigma(flip.active[outer.active], 0.2)


@pytest.mark.parametrize("spec", [FlipSpec(p=0.3), EraseSpec(p=0.3)])
def test_flips_and_rectangles_happen_with_their_probability(spec: AugmentSpec) -> None:
    (leaf,) = leaves_of(spec)
    assert within_4_sigma(leaf.active, 0.3)


def test_one_of_gives_exactly_one_each_as_often() -> None:
    leaves = leaves_of(OneOfSpec(ops=THREE))
    assert np.array_equal(times(leaves), np.ones(NUM))
    assert all(within_4_sigma(leaf.active, 1 / 3) for leaf in leaves)
    assert [leaf.group for leaf in leaves] == ["geometry", "color", "rest"]  # neighbors can join


def test_one_of_keeps_the_order_inside_its_branches() -> None:
    branch = SometimesSpec(p=1, ops=(NoiseSpec(), MultiplySpec(), ALWAYS))
    leaves = leaves_of(OneOfSpec(ops=(branch, AffineSpec())))
    assert [leaf.spec.name for leaf in leaves] == ["noise", "multiply", "flip", "affine"]


def test_some_of_gives_as_many_as_it_may() -> None:
    leaves = leaves_of(SomeOfSpec(num=(1, 2), ops=THREE))
    many = times(leaves)
    assert within_4_sigma(many == 1, 0.5)
    assert within_4_sigma(many == 2, 0.5)
    assert all(within_4_sigma(leaf.active, 0.5) for leaf in leaves)
    assert [leaf.spec for leaf in leaves] == list(THREE)
    everything = leaves_of(SomeOfSpec(num=(3, 3), ops=THREE))
    assert all(leaf.active.all() for leaf in everything)


def sequences(leaves: list[Leaf]) -> list[tuple[str, ...]]:
    return [
        tuple(leaf.spec.name for leaf in leaves if leaf.active[number]) for number in range(NUM)
    ]


def test_random_order_draws_six_orders_of_three_groups() -> None:
    found = sequences(leaves_of(RandomOrderSpec(ops=THREE)))
    orders = sorted(set(found))
    assert len(orders) == 6
    assert all(sorted(order) == ["affine", "blur", "multiply"] for order in orders)
    for order in orders:
        assert within_4_sigma(np.array([one == order for one in found]), 1 / 6)


def test_random_order_keeps_the_order_within_a_group() -> None:
    ops: tuple[AugmentSpec, ...] = (
        SharpnessSpec(),
        ALWAYS,
        MultiplySpec(),
        AffineSpec(),
        HueSpec(),
        BlurSpec(),
        PadCropSpec(),
    )
    for order in set(sequences(leaves_of(RandomOrderSpec(ops=ops)))):
        assert len(order) == len(ops)
        text = " ".join(order)
        for group in ("flip affine pad_crop", "multiply hue", "sharpness blur"):
            assert group in text


def test_gates_hold_inside_random_order() -> None:
    ops = tuple(SometimesSpec(p=0.3, ops=(spec,)) for spec in THREE)
    leaves = leaves_of(SometimesSpec(p=0.5, ops=(RandomOrderSpec(ops=ops),)))
    for name in ("blur", "affine", "multiply"):
        many = times([leaf for leaf in leaves if leaf.spec.name == name])
        assert set(np.unique(many)) == {0, 1}
        assert within_4_sigma(many == 1, 0.15)


def test_neighbors_of_a_kind_join_and_those_nobody_gets_are_left_out() -> None:
    specs = (
        FlipSpec(p=1),
        PadCropSpec(),
        AffineSpec(),
        SometimesSpec(p=0, ops=(BlurSpec(),)),
        CropPadPercentSpec(),
        MultiplySpec(),
        SaturationSpec(),
        HueSpec(),
        MultiplySpec(),
        NoiseSpec(),
        NoiseSpec(),
    )
    joined = [[leaf.spec.name for leaf in one] for one in group_by_kind(leaves_of(*specs))]
    assert joined == [
        ["flip", "pad_crop"],
        ["affine", "crop_pad_percent"],
        ["multiply", "saturation"],
        ["hue"],
        ["multiply"],
        ["noise"],
        ["noise"],
    ]


def test_every_operation_draws_from_a_stream_of_its_own() -> None:
    def drawn(seed: int, epoch: int) -> list[Array]:
        nested = SometimesSpec(p=1, ops=(PadCropSpec(), PadCropSpec()))
        leaves = leaves_of(PadCropSpec(), nested, seed=seed, epoch=epoch)
        return [leaf.table[name] for leaf in leaves for name in ("top", "left")]

    columns = [*drawn(0, 0), *drawn(0, 1), *drawn(1, 0), *drawn(1, 1)]
    for one, first in enumerate(columns):
        for other in columns[:one]:
            assert within_4_sigma(first == other, 1 / 9)
    assert all(np.array_equal(*pair) for pair in zip(drawn(1, 1), columns[-6:], strict=True))


def test_what_follows_a_random_crop_is_drawn_for_its_size() -> None:
    _, erased = leaves_of(RandomCropSpec(size=12), EraseSpec(p=1, area=(1, 1), aspect=(1, 1)))
    assert (erased.table["bottom"] == 12).all()


SPANS: dict[str, tuple[AugmentSpec, str, float, float]] = {  # (parameter, lowest, highest)
    "multiply": (MultiplySpec(factor=(0.5, 1.5)), "factor", 0.5, 1.5),
    "rotate": (AffineSpec(rotate=(-30, 60)), "rotate", -30, 60),
    "scale": (AffineSpec(scale=(0.5, 2), per_axis=True), "scale_y", 0.5, 2),
    "translate": (AffineSpec(translate_y=(-0.2, 0.4)), "translate_y", -0.2, 0.4),
    "fill value": (AffineSpec(fill_value=(0, 255)), "fill_value", 0, 255),
    "side": (CropPadPercentSpec(percent=(-0.1, 0.2)), "bottom", -0.1, 0.2),
    "sigma": (BlurSpec(sigma=(1, 3)), "sigma", 1, 3),
}


@pytest.mark.parametrize("name", SPANS)
def test_parameters_are_drawn_evenly_from_their_range(name: str) -> None:
    spec, column, low, high = SPANS[name]
    (leaf,) = leaves_of(spec)
    drawn = leaf.table[column].reshape(NUM, -1)[:, 0]
    assert low <= drawn.min() < drawn.max() <= high
    sigma = (high - low) / np.sqrt(12 * NUM)
    assert abs(drawn.mean() - (low + high) / 2) < 4 * sigma
    assert within_4_sigma(drawn < low + 0.25 * (high - low), 0.25)


def test_per_channel_draws_are_the_share_of_images_they_should_be() -> None:
    (leaf,) = leaves_of(MultiplySpec(per_channel=0.2))
    factor = leaf.table["factor"]
    assert within_4_sigma((factor[:, 0] != factor[:, 1]), 0.2)
    assert np.array_equal(factor[:, 0] != factor[:, 1], factor[:, 0] != factor[:, 2])


def test_one_scale_serves_both_axes_unless_told_otherwise() -> None:
    (same,) = leaves_of(AffineSpec(scale=(0.5, 2)))
    assert np.array_equal(same.table["scale_x"], same.table["scale_y"])
    (apart,) = leaves_of(AffineSpec(scale=(0.5, 2), per_axis=True))
    assert abs(np.corrcoef(apart.table["scale_x"], apart.table["scale_y"])[0, 1]) < 0.05


def test_rectangles_have_their_area_and_aspect_and_lie_inside() -> None:
    (leaf,) = leaves_of(EraseSpec(p=1, area=(0.1, 0.3), aspect=(0.5, 2)))
    height = leaf.table["bottom"] - leaf.table["top"]
    width = leaf.table["right"] - leaf.table["left"]
    assert abs((height * width).mean() / 32**2 - 0.2) < 0.01
    assert 0.4 < (height / width).min() < 0.6
    assert abs(np.log(height / width).mean()) < 0.03
    assert leaf.table["top"].min() == leaf.table["left"].min() == 0
    assert leaf.table["bottom"].max() == leaf.table["right"].max() == 32
    (cutout,) = leaves_of(EraseSpec(p=1, area=(0.25, 0.25), aspect=(1, 1), clipped=True))
    assert (cutout.table["bottom"] - cutout.table["top"] == 16).all()
    assert (cutout.table["top"].min(), cutout.table["top"].max()) == (-8, 23)


def test_trivial_augment_gives_one_of_fourteen_at_one_of_31_magnitudes() -> None:
    leaves = leaves_of(TrivialAugmentSpec())
    assert len(leaves) == 13  # the fourteenth does nothing
    assert all(within_4_sigma(leaf.active, 1 / 14) for leaf in leaves)
    assert times(leaves).max() == 1
    tables = [leaf.table for leaf in leaves]
    assert set(np.unique(np.abs(tables[4]["rotate"])).round(6)) == {4.5 * i for i in range(31)}
    assert within_4_sigma(tables[4]["rotate"] > 0, 0.5 * 30 / 31)
    assert np.abs(np.tan(np.radians(tables[0]["shear_x"]))).max() == pytest.approx(0.99)
    assert tables[2]["translate_x"].max() == pytest.approx(1)  # 32 of 32 pixels
    assert (tables[5]["factor"].min(), tables[5]["factor"].max()) == pytest.approx((0.01, 1.99))
    bits = next(leaf.table["bits"] for leaf in leaves if leaf.spec.name == "posterize")
    assert set(bits) == set(range(2, 9))
    names = [leaf.spec.name for leaf in leaves]
    assert names[:5] == ["affine"] * 5
    assert names[5:8] == ["multiply", "saturation", "contrast"]
    assert set(names[8:]) == {"sharpness", "posterize", "solarize", "autocontrast", "equalize"}


def test_rand_augment_gives_its_number_at_its_magnitude() -> None:
    leaves = leaves_of(RandAugmentSpec(num=2, magnitude=15))
    assert len(leaves) == 26
    many = times(leaves)
    assert within_4_sigma(many == 2, (13 / 14) ** 2)
    rotated = [leaf.table["rotate"] for leaf in (leaves[4], leaves[17])]
    assert set(np.abs(np.concatenate(rotated))) == {15}
    assert set(leaves[5].table["factor"].round(6)) == {0.55, 1.45}
