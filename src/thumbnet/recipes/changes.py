"""The keys in which a recipe differs from another, and a short text of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from thumbnet.recipe import RecipeSpec

LEFT_OUT: dict[str, set[str] | bool] = {  # what a recipe says of itself, and what the data decides
    "data": {"num_classes", "fingerprint", "path"},
    "name": True,
    "summary": True,
    "published": True,
    "deviations": True,
    "tolerance": True,
}


def changed_keys(recipe: RecipeSpec, base: RecipeSpec) -> dict[str, Any]:
    """Return the dotted keys whose values are not those of `base`; None where one is not set.

    Example: changed_keys(load_recipe("thumbnet/quick", {"training.seed": 1}), quick)
    """
    own, other = (spec.model_dump(mode="json", exclude=LEFT_OUT) for spec in (recipe, base))
    return dict(_differences(own, other, ""))


def differences(recipes: Sequence[RecipeSpec]) -> dict[str, list[str]]:
    """Return the keys in which some of these recipes differ, with the value of each in words.

    Example: differences([one, two]) == {"training.batch_size": ["64", "128"]}
    """
    first = recipes[0]
    of_first: dict[str, Any] = {}
    for other in recipes:
        of_first |= changed_keys(first, other)
    changes = [changed_keys(recipe, first) for recipe in recipes]
    return {
        key: [_text(change.get(key, value)) for change in changes]
        for key, value in of_first.items()
    }


def describe_changes(changes: Mapping[str, Any], num_epochs: float) -> str:
    """Return changed keys as short words; phases that were all scaled are one number of epochs.

    Example: "batch_size=64 lr=0.4 epochs=12"
    """
    scaled = {key for key in changes if key.startswith("phases.") and key.endswith(".epochs")}
    words = {key: value for key, value in changes.items() if key not in scaled}
    if scaled:
        words["epochs"] = round(num_epochs, 2)
    names = short_names(words)
    return " ".join(f"{names[key]}={_text(value)}" for key, value in words.items())


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Return the last part of each dotted key; the whole key where others end alike."""
    last = {key: key.rpartition(".")[2] for key in keys}
    ends = list(last.values())
    return {key: key if ends.count(end) > 1 else end for key, end in last.items()}


def _differences(own: Any, other: Any, key: str) -> Iterator[tuple[str, Any]]:
    if own == other:
        return
    if isinstance(own, dict) and isinstance(other, dict) and own.get("name") == other.get("name"):
        for name in [*own, *(name for name in other if name not in own)]:
            yield from _differences(own.get(name), other.get(name), f"{key}.{name}".lstrip("."))
    elif _are_blocks(own) and _are_blocks(other) and len(own) == len(other):
        for number, pair in enumerate(zip(own, other, strict=True)):
            yield from _differences(*pair, f"{key}.{number}")
    else:
        yield key, own


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ",".join(f"{key}:{_text(item)}" for key, item in value.items())
        return str(value.get("name") or f"{{{pairs}}}")
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
