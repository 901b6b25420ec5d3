"""Plain data against the recipe schema, with messages that name the nearest right key."""

from typing import Any, get_args

from pydantic import ValidationError

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.recipe import RecipeSpec, Spec


def parse_recipe(data: Any, origin: str) -> RecipeSpec:
    """Check plain data against the schema.

    Args: origin names where the data came from, for messages.
    Raises: RecipeError listing every key that is unknown, missing or out of range.
    """
    if not isinstance(data, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of keys, not {type(data).__name__}")
    try:
        return RecipeSpec.model_validate(data)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
        places = [problem["loc"] for problem in problems]
        lines = [
            _explain(problem)
            for problem in problems
            if not any(len(p) > len(problem["loc"]) == _shared(p, problem["loc"]) for p in places)
        ]
        raise RecipeError(f"{origin} is no valid recipe:\n  " + "\n  ".join(lines)) from None


def with_overrides(recipe: RecipeSpec, overrides: dict[str, Any], origin: str) -> RecipeSpec:
    """Return the recipe with dotted keys replaced, e.g. `training.batch_size` or `phases.0.epochs`.

    Raises: RecipeError for a key the schema does not know or a value it refuses.
    """
    data = recipe.model_dump(mode="json")
    for dotted, value in overrides.items():
        at: Any = data
        *parents, last = dotted.split(".")
        for part in parents:
            at = _descend(at, part, dotted)
        if isinstance(at, list):
            _descend(at, last, dotted)
            at[int(last)] = value
        elif isinstance(at, dict):
            at[last] = value
        else:
            raise RecipeError(f"{origin}: '{dotted}' leads through a plain value, not a mapping")
    return parse_recipe(data, origin)


def _descend(at: Any, part: str, dotted: str) -> Any:
    if isinstance(at, list):
        if not part.isdecimal() or int(part) >= len(at):
            raise RecipeError(f"'{dotted}': '{part}' must be a position from 0 to {len(at) - 1}")
        return at[int(part)]
    if isinstance(at, dict):
        if part not in at:
            raise RecipeError(f"'{dotted}': unknown key '{part}'{did_you_mean(part, at)}")
        if at[part] is None:
            at[part] = {}
        return at[part]
    raise RecipeError(f"'{dotted}': '{part}' stands below a plain value, not a mapping")


def _shared(a: tuple[Any, ...], b: tuple[Any, ...]) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _explain(problem: dict[str, Any]) -> str:
    loc = tuple(problem["loc"])
    where = ".".join(str(part) for part in loc) or "recipe"
    if problem["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        near = did_you_mean(str(loc[-1]), known)
        return f"{where}: unknown key{near}; allowed here: {', '.join(sorted(known))}"
    message = problem["msg"].removeprefix("Value error, ")
    shown = "" if problem["type"] == "missing" else f" (got {problem['input']!r:.80})"
    return f"{where}: {message}{shown}"


def _known_keys(loc: tuple[Any, ...]) -> set[str]:
    """Return the keys allowed at a place of the schema; a union is told apart by its tag."""
    at: list[type[Spec]] = [RecipeSpec]
    for part in loc:
        if isinstance(part, int):
            continue
        fields = [cls.model_fields[part].annotation for cls in at if part in cls.model_fields]
        if fields:
            at = [spec for field in fields for spec in _specs_in(field)]
        else:
            at = [c for c in at if "name" in c.model_fields and _tag(c) == part] or at
    return {name for cls in at for name in cls.model_fields}


def _tag(cls: type[Spec]) -> Any:
    return cls.model_fields["name"].default


def _specs_in(annotation: Any) -> list[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [spec for part in get_args(annotation) for spec in _specs_in(part)]
