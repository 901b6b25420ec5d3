"""A recipe at another size: all that counts pixels scales, and it can still run."""

import pytest

from thumbnet.augment.check import check_augment
from thumbnet.build import at_size, check_judged_size
from thumbnet.errors import RecipeError
from thumbnet.models.registry import model_entry
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe, recipe_names
from thumbnet.recipes.sizes import resized

QUICK = load_recipe("thumbnet/quick")
FREE = [
    name for name in recipe_names() if model_entry(load_recipe(name).model.name).image_size is None
]


@pytest.mark.parametrize(
    ("size", "phases", "pad"),
    [
        (128, [64, 96, 128], 6),
        (96, [48, 72, 96], 4),
        (100, [48, 76, 100], 5),
        (24, [16, 16, 24], 1),
    ],
)
def test_phases_and_pads_scale(size: int, phases: list[int], pad: int) -> None:
    recipe = at_size(QUICK, size)
    assert recipe.preprocess.image_size == size
    assert [phase.image_size for phase in recipe.phases] == phases
    assert recipe.training.augment[1].model_dump()["pad"] == pad
    assert recipe.training.model_dump(exclude={"augment"}) == QUICK.training.model_dump(
        exclude={"augment"}
    )


def test_its_own_size_changes_nothing() -> None:
    assert resized(QUICK, 64) is QUICK


@pytest.mark.parametrize("size", [40, 96, 200])
@pytest.mark.parametrize("name", FREE)
def test_every_recipe_of_a_free_network_can_run_at_another_size(name: str, size: int) -> None:
    recipe = at_size(load_recipe(name), size)
    entry = model_entry(recipe.model.name)
    if size < entry.min_image_size:
        return
    check_judged_size(recipe)
    for phase in recipe.phases:
        pixels = phase.image_size or size
        assert entry.min_image_size <= pixels <= max(size, entry.min_image_size)
        augment = recipe.training.augment if phase.augment is None else phase.augment
        check_augment(augment, pixels, crop=recipe.preprocess.crop)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_at_the_size_it_is_judged_at(name: str) -> None:
    check_judged_size(load_recipe(name))


def test_a_size_that_nothing_trains_at_is_refused_unless_allowed() -> None:
    recipe = with_overrides(QUICK, {"preprocess.image_size": 128}, "quick")
    with pytest.raises(RecipeError) as caught:
        check_judged_size(recipe)
    said = str(caught.value)
    assert "judged at 128 px, but trains at 32, 48, 64 px only" in said
    assert "--size 128" in said
    check_judged_size(with_overrides(recipe, {"preprocess.untrained_size": True}, "quick"))
