"""The keys in which recipes differ."""

from collections.abc import Iterator, Sequence
from typing import Any

from thumbnet.recipe import RecipeSpec

FREE = {"name", "summary", "published", "deviations", "tolerance", "data.fingerprint"}
LONGEST = 60  # letters of a value


def differences(recipes: Sequence[RecipeSpec]) -> dict[str, list[str]]:
    """Return the keys in which recipes differ, as `--set` takes them, with the value in each.

    What a recipe says of itself is left out: its name, what was published, its deviations.

    Example: differences([one, two]) == {"training.batch_size": ["64", "128"]}
    """
    flat = [dict(_leaves(one.model_dump(mode="json"), "")) for one in recipes]
    keys = dict.fromkeys(key for one in flat for key in one)
    found = {key: [_word(one[key]) if key in one else "not set" for one in flat] for key in keys}
    return {
        key: values
        for key, values in found.items()
        if len(set(values)) > 1
        and not any(key == free or key.startswith(f"{free}.") for free in FREE)
    }


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Go down into mappings, and into phases by number; another list is one value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif key == "phases":
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{key}.{number}")
    else:
        yield key, value


def _word(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        value = ", ".join(str(one.get("name", one)) for one in value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
