"""A recipe at another image size: everything in it that is counted in pixels scales along."""

from typing import Any

from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import parse_recipe

STEP = 4  # px; sizes of phases below the judged one are multiples
IN_PIXELS = {"pad_crop": "pad", "random_crop": "size", "crop_and_pad": "size"}


def resized(recipe: RecipeSpec, size: int, smallest: int = 8) -> RecipeSpec:
    """Return a recipe that is judged at `size` pixels, with the sizes of its phases in proportion.

    Crops and the augmentations that move by whole pixels scale too. A phase that trained at the
    judged size still does.

    Args: smallest: side in px that no phase goes below, such as the least the network takes
    Raises: RecipeError where what comes out is no valid recipe
    Example: sizes 32, 48 and 64 px become 64, 96 and 128 px for size=128
    """
    judged = recipe.preprocess.image_size
    if size == judged:
        return recipe
    factor = size / judged
    data = _scaled(recipe.model_dump(mode="json"), factor)
    data["preprocess"]["image_size"] = size
    if recipe.preprocess.crop is not None:
        data["preprocess"]["crop"] = _pixels(recipe.preprocess.crop, factor)
    for phase, spec in zip(data["phases"], recipe.phases, strict=True):
        if spec.image_size is not None:
            near = STEP * round(spec.image_size * factor / STEP)
            phase["image_size"] = size if spec.image_size == judged else max(near, smallest)
    return parse_recipe(data, f"{recipe.name} at {size} px")


def _scaled(data: Any, factor: float) -> Any:
    """Scale what augmentations count in pixels, wherever they stand in a recipe."""
    if isinstance(data, list):
        return [_scaled(one, factor) for one in data]
    if not isinstance(data, dict):
        return data
    scaled = {key: _scaled(value, factor) for key, value in data.items()}
    key = IN_PIXELS.get(str(data.get("name")))
    return scaled if key is None else {**scaled, key: _pixels(data[key], factor)}


def _pixels(count: int, factor: float) -> int:
    return max(1, round(count * factor))
