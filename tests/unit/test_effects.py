"""Effects that were planted are found, and none where there is none."""

import numpy as np
import pytest

from thumbnet.effects import bins_of, effects_of, interaction, within

NUM_CLASSES, EACH = 20, 200
LABELS = np.repeat(np.arange(NUM_CLASSES), EACH)


def draws(seed: int, count: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).uniform(0, 1, (count, len(LABELS)))
    return drawn if count > 1 else drawn[0]


def test_a_planted_effect_is_found_beside_one_that_is_none() -> None:
    feature, other, luck = draws(0, 3)
    right = luck < 0.3 + 0.4 * feature
    found = effects_of({"feature": feature, "other": other}, right, LABELS)
    assert found["feature"].is_sure
    assert found["feature"].interval.low < 0.4 * 0.8 < found["feature"].interval.high
    assert not found["other"].is_sure


def test_what_only_the_class_does_is_no_effect() -> None:
    luck, noise = draws(1, 2)
    feature = LABELS / NUM_CLASSES + 0.1 * noise
    right = luck < 0.2 + 0.6 * LABELS / NUM_CLASSES  # easy classes have large values
    assert not effects_of({"feature": feature}, right, LABELS)["feature"].is_sure
    bins = bins_of(feature, right, LABELS)
    assert bins[-1].top1 - bins[0].top1 > 0.3
    assert abs(bins[-1].adjusted - bins[0].adjusted) < 0.05


def test_of_two_that_go_together_only_the_one_that_acts_has_an_effect() -> None:
    feature, noise, luck = draws(2, 3)
    shadow = feature + noise
    right = luck < 0.2 + 0.6 * feature
    assert effects_of({"shadow": shadow}, right, LABELS)["shadow"].is_sure
    both = effects_of({"feature": feature, "shadow": shadow}, right, LABELS)
    assert both["feature"].is_sure
    assert abs(both["shadow"].change) < 0.1 < both["feature"].interval.low


def test_an_interval_holds_nothing_in_about_95_of_100_draws() -> None:
    sure = 0
    for seed in range(100):
        feature, luck = draws(100 + seed, 2)
        sure += effects_of({"feature": feature}, luck < 0.5, LABELS)["feature"].is_sure
    assert 0 <= sure <= 12


def test_a_feature_that_does_not_vary_has_no_effect() -> None:
    luck = draws(3)
    assert effects_of({"flat": np.ones(len(LABELS))}, luck < 0.5, LABELS) == {}


@pytest.mark.parametrize("planted", [True, False])
def test_an_effect_that_differs_between_classes(planted: bool) -> None:
    feature, luck = draws(4, 2)
    by_class = np.linspace(0, 1, NUM_CLASSES)
    strength = 0.6 * (by_class[LABELS] if planted else 0.5)
    found = interaction(feature, by_class, luck < 0.2 + strength * feature, LABELS)
    assert found.is_sure == planted
    if planted:
        assert found.interval.low < 0.6 * 0.8 * 0.8 < found.interval.high


def test_classes_without_a_value_are_left_out() -> None:
    feature, luck = draws(5, 2)
    by_class = np.linspace(0, 1, NUM_CLASSES)
    right = luck < 0.2 + 0.6 * feature
    by_class[:5] = np.nan
    kept = LABELS >= 5
    alone = interaction(feature[kept], by_class[5:], right[kept], LABELS[kept] - 5)
    assert interaction(feature, by_class, right, LABELS) == pytest.approx(alone)


def test_bins_hold_all_images_and_keep_equal_values_together() -> None:
    feature = np.random.default_rng(6).integers(0, 5, len(LABELS)).astype(float)
    right = draws(6) < 0.5
    bins = bins_of(feature, right, LABELS)
    assert [one.low for one in bins] == [one.high for one in bins] == [0, 1, 2, 3, 4]
    assert [one.num_images for one in bins] == [int((feature == value).sum()) for value in range(5)]
    for value, one in enumerate(bins):
        assert one.top1 == pytest.approx(right[feature == value].mean())
        assert one.interval.low < one.top1 < one.interval.high
        assert one.adjusted_interval.low < one.adjusted < one.adjusted_interval.high


def test_within_leaves_no_class_a_mean() -> None:
    centered = within(draws(7), LABELS)
    assert np.allclose(np.bincount(LABELS, centered), 0)
