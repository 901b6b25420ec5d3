"""The rule that fits a recipe to a data set, and the warning where one does not fit."""

from math import floor, log2, sqrt

import pytest

from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.auto import few_steps_warning, fit_recipe, least_steps
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import ablation_names, load_recipe, recipe_names
from thumbnet.training.phases import Plan

QUICK = load_recipe("thumbnet/quick")


def fit(
    num_images: int, num_classes: int, recipe: RecipeSpec = QUICK, size: int = 64
) -> RecipeSpec:
    return fit_recipe(recipe, num_images, num_classes, size, 16).recipe


def test_tiny_imagenet_leaves_quick_as_it_is() -> None:
    fitted = fit_recipe(QUICK, 95_000, 200, 64, 16)
    assert fitted.recipe == QUICK
    assert fitted.reasons == (
        "batch size 256: 95,000 images make 371 steps an epoch",
        "learning rate 0.8: it follows the batch size",
        "epochs 7: 2,597 steps in all; 200 classes need about 864",
        "image sizes 32, 48, 64 px, judged at 64 px",
    )


def test_few_photos_get_small_batches_a_low_rate_and_more_epochs() -> None:
    fitted = fit_recipe(QUICK, 308, 6, 64, 16)
    training = fitted.recipe.training
    assert (training.batch_size, training.schedule.lr) == (16, 0.05)
    assert [phase.epochs for phase in fitted.recipe.phases] == [6, 6, 6]
    assert fitted.recipe.summary == "thumbnet/quick fitted to 308 images of 6 classes"
    assert fitted.reasons[0] == "batch size 16 (not 256): 308 images make 19 steps an epoch"
    assert fitted.recipe.optimizer.clip_norm == 1
    assert fitted.reasons[1] == (
        "learning rate 0.05 (not 0.8): it follows the batch size; gradients are clipped at norm 1"
    )
    assert fitted.reasons[2] == ("epochs 18 (not 7): 342 steps in all; 6 classes need about 358")


@pytest.mark.parametrize("num_classes", [2, 6, 100, 200])
@pytest.mark.parametrize("num_images", [10, 100, 308, 500, 5_000, 20_000, 95_000, 1_000_000])
def test_what_is_promised_holds(num_images: int, num_classes: int) -> None:
    recipe = fit(num_images, num_classes)
    plan = Plan(recipe, num_images)
    batch_size, steps = recipe.training.batch_size, plan.phases[0].steps_per_epoch
    assert 16 <= batch_size <= 256
    assert steps >= 20 or batch_size == 16
    assert batch_size == 256 or floor(num_images / (2 * batch_size)) < 20  # no smaller than needed
    assert recipe.training.schedule.lr == pytest.approx(0.8 * batch_size / 256)
    assert 7 <= recipe.num_epochs <= 100
    enough = 100 * (1 + log2(num_classes)) - steps
    assert plan.num_steps >= enough or recipe.num_epochs == 100
    assert plan.num_steps * batch_size <= max(7 * num_images, 2 * 864 * 256)


@pytest.mark.parametrize("name", recipe_names() + ablation_names()[::7])
def test_every_recipe_can_be_fitted(name: str) -> None:
    recipe = load_recipe(name)
    if recipe.ensemble is not None:
        return
    size = recipe.preprocess.image_size
    fitted = fit_recipe(recipe, 300, 5, size).recipe
    assert fitted.num_epochs >= recipe.num_epochs
    assert fitted.training.batch_size <= recipe.training.batch_size
    ratio = fitted.training.batch_size / recipe.training.batch_size
    power = ratio if recipe.optimizer.name == "sgd" else sqrt(ratio)
    expected = recipe.training.schedule.lr * power
    assert fitted.training.schedule.lr == pytest.approx(expected, rel=0.01)
    assert fit_recipe(fitted, 300, 5, size).recipe == fitted  # nothing is left to do


def test_phases_with_batches_and_rates_of_their_own_follow() -> None:
    schedule = {"name": "cyclic", "lr": 0.4, "base_lr": 0.1, "half_steps": 5}
    own = {"phases.0.batch_size": 512, "phases.0.schedule": schedule}
    fitted = fit(1280, 10, with_overrides(QUICK, own, "own"))
    assert fitted.training.batch_size == 64
    assert fitted.phases[0].batch_size == 128
    rates = fitted.phases[0].schedule.model_dump()
    assert (rates["lr"], rates["base_lr"]) == (0.1, 0.025)


def test_large_images_are_judged_as_they_are() -> None:
    fitted = fit(308, 6, size=128)
    assert [phase.image_size for phase in fitted.phases] == [64, 96, 128]
    assert fitted.preprocess.image_size == 128


def test_a_recipe_of_few_steps_is_warned_of_with_what_fits() -> None:
    text = few_steps_warning(QUICK, fit(308, 6), 308)
    assert text is not None
    first, second = text.splitlines()
    assert first.startswith("WARNING: 308 images in batches of 256 make 1 step an epoch, 7 in all")
    assert second == (
        "What would fit: batch size 16, learning rate 0.05, 18 epochs (342 steps). "
        "Give --auto to train so."
    )


@pytest.mark.parametrize("num_images", [256 * 20, 95_000])
def test_enough_steps_are_no_matter(num_images: int) -> None:
    assert few_steps_warning(QUICK, fit(num_images, 6), num_images) is None


def test_what_cannot_be_better_is_not_warned_of() -> None:
    fitted = fit(100, 2)
    assert least_steps(fitted, 100) == 6
    assert few_steps_warning(fitted, fit(100, 2, fitted), 100) is None
