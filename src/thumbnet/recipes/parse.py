"""Plain data against the recipe schema, with messages that name the nearest right key."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.recipe import RecipeSpec, Spec
from thumbnet.recipe.keys import KINDS, USES, names_by_room, tag

Loc = tuple[str | int, ...]
LEAST = (
    "a recipe needs at least `name`, `model: {name: ...}` and `phases: [{epochs: 10}]`; a file may "
    "take them from a `base: thumbnet/quick`"
)
WORDS = {  # of pydantic's messages, and plainer ones
    "Input should be": "must be",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "a valid integer, got a number with a fractional part": "a whole number",
    "a valid number, unable to parse string as a number": "a number",
    "a valid integer": "a whole number",
    "a valid tuple": "a list",
    "a valid string": "text",
    "a valid ": "a ",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
    "Tuple should have": "must have",
    " after validation": "",
    "Value error, ": "",
}


def parse_recipe(data: Any, origin: str) -> RecipeSpec:
    """Check plain data against the schema.

    Args: origin names where the data came from, for messages.
    Raises: RecipeError listing every key that is unknown, missing or out of range.
    """
    return _parse(data, f"{origin} is not a valid recipe:", origin, {})


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
            raise RecipeError(f"{origin}: '{dotted}': '{parents[-1]}' is one value without keys")
    return _parse(data, f"{origin} cannot be changed like this:", origin, overrides)


def _parse(data: Any, head: str, origin: str, changes: Mapping[str, Any]) -> RecipeSpec:
    if not isinstance(data, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of keys, not {type(data).__name__}")
    try:
        return RecipeSpec.model_validate(data)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
        places = [problem["loc"] for problem in problems]
        inner = [
            problem
            for problem in problems
            if not any(len(p) > len(problem["loc"]) == _shared(p, problem["loc"]) for p in places)
        ]
        lines = dict.fromkeys([*_leftovers(inner, changes), *_missing(inner)])
        lines |= dict.fromkeys(_explain(problem) for problem in inner if not problem.get("done"))
        raise RecipeError("\n  ".join([head, *lines])) from None


def _descend(at: Any, part: str, dotted: str) -> Any:
    if isinstance(at, list):
        if not part.isdecimal() or int(part) >= len(at):
            raise RecipeError(f"'{dotted}': '{part}' must be a position from 0 to {len(at) - 1}")
        return at[int(part)]
    if isinstance(at, dict):
        if part not in at:
            near = did_you_mean(part, at) or "."
            raise RecipeError(f"'{dotted}': no key '{part}'{near} Keys there: {', '.join(at)}")
        if at[part] is None:
            at[part] = {}
        return at[part]
    raise RecipeError(f"'{dotted}': '{part}' has no key above it, only one value")


def _shared(a: Loc, b: Loc) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _leftovers(problems: list[dict[str, Any]], changes: Mapping[str, Any]) -> list[str]:
    """Explain keys of a block that a changed `name` left over, and mark them as done."""
    left: dict[str, list[str]] = {}
    kinds: dict[str, type[Spec]] = {}
    for problem in problems:
        if problem["type"] != "extra_forbidden":
            continue
        block, specs = _walk(problem["loc"][:-1])
        word = str(problem["loc"][-1])
        if f"{block}.name" in changes and f"{block}.{word}" not in changes:
            problem["done"] = True
            left.setdefault(block, []).append(word)
            kinds[block] = specs[0]
    return [
        f"{block}: {tag(kinds[block])} has no {' and no '.join(words)}; replace the whole block: "
        f"--set '{block}={_example(kinds[block])}'"
        for block, words in left.items()
    ]


def _example(spec: type[Spec]) -> str:
    required = (word for word, field in spec.model_fields.items() if field.is_required())
    return "{" + ", ".join([f"name: {tag(spec)}", *(f"{word}: ..." for word in required)]) + "}"


def _missing(problems: list[dict[str, Any]]) -> list[str]:
    """Explain in one line what a recipe lacks at its top, and mark it as done."""
    top = [one for one in problems if one["type"] == "missing" and len(one["loc"]) == 1]
    for problem in top:
        problem["done"] = True
    names = ", ".join(str(problem["loc"][0]) for problem in top)
    return [f"{names}: missing; {LEAST}"] if top else []


def _explain(problem: dict[str, Any]) -> str:
    loc, kind = problem["loc"], problem["type"]
    where, _ = _walk(loc)
    if kind == "extra_forbidden":
        return f"{where}: no such key{_keys_there(loc)}"
    if kind == "missing":
        return f"{where}: missing; {_description(loc)}"
    if kind == "union_tag_invalid":
        return f"{where}: {_unknown_kind(problem)}"
    rule = _rule(problem)
    if loc[:2] == ("model", "args") and len(loc) > 3:  # one place of several types
        where, rule = ".".join(map(str, loc[:-1])), "must be a number, text, true or false"
    return f"{where or 'recipe'}: {rule} (got {problem['input']!r:.80})"


def _rule(problem: dict[str, Any]) -> str:
    match problem["type"]:
        case "union_tag_not_found":
            return "must be a block with a `name`"
        case "string_pattern_mismatch":
            return f"must be a {_description(problem['loc'])}"
        case "model_type" | "model_attributes_type":
            return "must be a block of keys"
    message = str(problem["msg"])
    for old, new in WORDS.items():
        message = message.replace(old, new)
    return message


def _keys_there(loc: Loc) -> str:
    """Name the keys that a block has in place of an unknown one."""
    block, specs = _walk(loc[:-1])
    known = sorted({name for spec in specs for name in spec.model_fields})
    is_kind = len(specs) == 1 and any(specs[0] in kinds for kinds in KINDS.values())
    owner = tag(specs[0]) if is_kind else block or "a recipe"
    return f"{did_you_mean(str(loc[-1]), known) or '.'} Keys of {owner}: {', '.join(known)}"


def _unknown_kind(problem: dict[str, Any]) -> str:
    """Name the blocks of a kind; say so where the name is one of another kind."""
    got, expected = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
    names = {kind: [tag(spec) for spec in specs] for kind, specs in KINDS.items()}
    kind = next(kind for kind in KINDS if expected == ", ".join(map(repr, names[kind])))
    other = next((other for other in KINDS if got in names[other]), None)
    hint = did_you_mean(got, names[kind])
    if other is not None:
        hint = f"; '{got}' is a kind of {other}, as in `{USES[other]}`."
    groups = names_by_room(kind).items()
    listed = "; ".join(f"{group}: {', '.join(words)}" for group, words in groups)
    return f"no {kind} '{got}'{hint or '.'} {listed[0].upper()}{listed[1:]}"


def _description(loc: Loc) -> str:
    _, specs = _walk(loc[:-1])
    fields = (spec.model_fields.get(str(loc[-1])) for spec in specs)
    text = next((field.description for field in fields if field and field.description), "")
    return text[:1].lower() + text[1:].removesuffix(".")


def _walk(loc: Loc) -> tuple[str, list[type[Spec]]]:
    """Return a place as a dotted key, and the blocks that may stand there.

    pydantic's place also names the kind that it took a block for; a key does not.
    """
    at: list[type[Spec]] = [RecipeSpec]
    words: list[str] = []
    for part in loc:
        if isinstance(part, int):
            words.append(str(part))
            continue
        fields = [spec.model_fields[part].annotation for spec in at if part in spec.model_fields]
        taken = [spec for spec in at if _is_called(spec, part)]
        if not fields and (taken or "[" in part):
            at = taken or at
            continue
        words.append(part)
        at = [spec for field in fields for spec in _specs_in(field)]
    return ".".join(words), at


def _is_called(spec: type[Spec], part: str) -> bool:
    named = "name" in spec.model_fields and not spec.model_fields["name"].is_required()
    return spec.__name__ == part or (named and tag(spec) == part)


def _specs_in(annotation: Any) -> list[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [spec for part in get_args(annotation) for spec in _specs_in(part)]
