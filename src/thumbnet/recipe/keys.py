"""The keys of a recipe, read from its schema: allowed values, default, and one line of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.recipe.augment import AugmentSpec
from thumbnet.recipe.base import Spec
from thumbnet.recipe.mix import MixSpec
from thumbnet.recipe.optim import OptimizerSpec, ScheduleSpec
from thumbnet.recipe.spec import RecipeSpec

KINDS: dict[str, tuple[type[Spec], ...]] = {
    kind: get_args(get_args(union)[0])
    for kind, union in {
        "optimizer": OptimizerSpec,
        "schedule": ScheduleSpec,
        "augmentation": AugmentSpec,
        "mix": MixSpec,
    }.items()
}
USES = {
    "optimizer": "optimizer: {name: adam}",
    "schedule": "training.schedule: {name: cosine, lr: 0.1}",
    "augmentation": "training.augment: [{name: flip}, {name: pad_crop, pad: 4}]",
    "mix": "training.mix: [{name: mixup, alpha: 0.2}]",
}
ROOMS = {  # modules of augmentations, and what they are called together
    "geometry": "position and shape",
    "color": "brightness and color",
    "pixels": "sharpness, noise, erasing",
    "augment": "several at once",
}
NOUNS = {"integer": "whole number", "number": "number", "string": "text"}
Schema = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """One key of a recipe.

    `default` is empty where the key is required; `kind` is what its block may be: optimizer,
    schedule, augmentation or mix.
    """

    path: str
    allowed: str
    default: str
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Section:
    """The keys of one block, or of one kind of block: `optimizer adam`."""

    name: str
    text: str
    keys: tuple[Key, ...]
    kind: str = ""


def tag(spec: type[Spec]) -> str:
    """Return the `name` by which a recipe picks this kind of block."""
    return str(spec.model_fields["name"].default)


def names_by_room(kind: str) -> dict[str, list[str]]:
    """Return the names of a kind; augmentations grouped by what they change, others in one group.

    Example: names_by_room("mix") == {"mixes": ["mixup", "cutmix", "none"]}
    """
    groups: dict[str, list[str]] = {}
    for spec in KINDS[kind]:
        group = (
            ROOMS[spec.__module__.rpartition(".")[2]] if kind == "augmentation" else plural(kind)
        )
        groups.setdefault(group, []).append(tag(spec))
    return groups


def plural(kind: str) -> str:
    """Return the plural of a kind of block."""
    return f"{kind}es" if kind.endswith("x") else f"{kind}s"


def sections(prefix: str | None = None) -> list[Section]:
    """Return all sections, or what a prefix names: a key, a block, a kind or one of its names.

    Raises: RecipeError for a prefix that names nothing
    Example: sections("training.augment")
    """
    everything = [*_blocks(), *_kinds()]
    if prefix is None:
        return everything
    words = [word for word in prefix.split(".") if not word.isdecimal() and word != "N"]
    found = [*_below(".".join(words), everything), *_named(words[-1] if words else "", everything)]
    if not found:
        blocks = [section for section in everything if not section.kind]
        known = [key.path for section in blocks for key in section.keys]
        known += [*(section.name for section in blocks), *map(plural, KINDS)]
        known += [section.name.partition(" ")[2] for section in everything if section.kind]
        raise RecipeError(
            f"a recipe has no key '{prefix}'{did_you_mean(prefix, known)}; "
            "`thumbnet recipe keys` lists all"
        )
    return list(dict.fromkeys(found))


def _below(path: str, everything: list[Section]) -> Iterator[Section]:
    """Return the sections with only the keys at or below a path, then the kinds they may be."""
    kinds: list[str] = []
    for section in everything:
        if section.kind:
            continue
        keys = [key for key in section.keys if _is_below(key.path.replace(".N", ""), path)]
        if keys:
            yield Section(section.name, section.text, tuple(keys))
        kinds += [key.kind for key in keys if key.path.replace(".N", "") == path and key.kind]
    yield from (section for section in everything if section.kind in kinds)


def _is_below(path: str, prefix: str) -> bool:
    return bool(prefix) and (path == prefix or path.startswith(f"{prefix}."))


def _named(word: str, everything: list[Section]) -> Iterator[Section]:
    """Return the sections of a kind, by its name, or of one block of a kind."""
    for section in everything:
        kind, _, name = section.name.partition(" ")
        if section.kind and word in (kind, plural(kind), name):
            yield section


def _blocks() -> Iterator[Section]:
    schema = RecipeSpec.model_json_schema()
    yield from _block("recipe", "", schema, schema["$defs"])


def _block(name: str, prefix: str, schema: Schema, defs: dict[str, Schema]) -> Iterator[Section]:
    """Return the section of a block, then those of the blocks in it."""
    keys: list[Key] = []
    inner: list[Section] = []
    for word, field in schema["properties"].items():
        path = f"{prefix}{word}"
        below = _inner(field, defs)
        is_list = field.get("type") == "array"
        if below is None or any("enum" in option for option in field.get("anyOf", ())):
            keys.append(_key(path, field, word in schema.get("required", ())))
        if below is not None:
            place = f"{path}.N" if is_list else path
            inner += _block(place, f"{place}.", below, defs)
    yield Section(name, _one_line(schema["description"]), tuple(keys))
    yield from inner


def _inner(field: Schema, defs: dict[str, Schema]) -> Schema | None:
    """Return the block that a field is, or is a list of; None for values and for kinds."""
    for option in (field, field.get("items", {}), *field.get("anyOf", ())):
        if "$ref" in option:
            return defs[option["$ref"].rpartition("/")[2]]
    return None


def _kinds() -> Iterator[Section]:
    for kind, specs in KINDS.items():
        for spec in specs:
            schema = spec.model_json_schema()
            if "properties" not in schema:  # it may hold blocks of its own kind
                schema = schema["$defs"][spec.__name__]
            fields, required = schema["properties"], schema.get("required", [])
            own = [word for word in spec.__annotations__ if word != "name"]
            words = dict.fromkeys([*required, *own, *(word for word in fields if word != "name")])
            keys = tuple(_key(word, fields[word], word in required) for word in words)
            yield Section(f"{kind} {tag(spec)}", _one_line(spec.__doc__ or ""), keys, kind)


def _key(path: str, field: Schema, is_required: bool) -> Key:
    kind = next((_kind(option) for option in _options(field) if "discriminator" in option), "")
    default = "" if is_required else _value(field.get("default"))
    return Key(path, _allowed(field), default, _one_line(field["description"]), kind)


def _options(field: Schema) -> list[Schema]:
    options = [field, *field.get("anyOf", ())]
    return options + [option["items"] for option in options if "items" in option]


def _kind(union: Schema) -> str:
    names = set(union["discriminator"]["mapping"])
    return next(kind for kind, specs in KINDS.items() if {tag(spec) for spec in specs} == names)


def _allowed(field: Schema) -> str:
    """Say in words which values a field takes."""
    match field:
        case {"anyOf": options}:
            words = " or ".join(_allowed(one) for one in options if one.get("type") != "null")
        case {"discriminator": _}:
            kind = _kind(field)
            words = f"{'an' if kind[0] in 'ao' else 'a'} {kind}"
        case {"$ref": _}:
            words = "a block of keys"
        case {"enum": names}:
            words = " | ".join(names)
        case {"prefixItems": _, "minimum": _}:
            words = f"[low, high] {_limits(field)}"
        case {"prefixItems": [first, *_]}:
            words = f"pair of {NOUNS[first['type']]}s"
        case {"type": "array", "items": items}:
            words = f"list of {_allowed_in_list(items)}"
        case {"type": "object"}:
            words = "mapping of names to values"
        case {"type": "boolean"}:
            words = "true | false"
        case _:
            words = f"{NOUNS[field['type']]} {_limits(field)}".strip()
    return words


def _allowed_in_list(field: Schema) -> str:
    if "discriminator" in field:
        return plural(_kind(field))
    if "enum" in field:
        return " | ".join(field["enum"])
    if "prefixItems" in field:
        return "pairs"
    return f"{NOUNS[field['type']]}s {_limits(field)}".strip()


def _limits(field: Schema) -> str:
    """Say the limits of a number: `from 0 to 1`, `above 0`, `from 0, below 1`."""
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"from {low:,} to {high:,}"
    if low is not None and below is None:
        return f"of at least {low:,}"
    words = (
        "" if low is None else f"from {low:,}",
        "" if above is None else f"above {above:,}",
        "" if high is None else f"at most {high:,}",
        "" if below is None else f"below {below:,}",
    )
    return ", ".join(filter(None, words))


def _value(default: Any) -> str:
    """Write a default as YAML would have it in one line."""
    if default is None:
        return "null"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in _given(default).items()) + "}"
    if isinstance(default, list):
        return "[" + ", ".join(map(_value, default)) + "]"
    return f"{default:g}" if isinstance(default, float) else str(default) or '""'


def _given(block: dict[str, Any]) -> dict[str, Any]:
    """Return of a default block its name and what has no default of its own."""
    specs = (spec for kind in KINDS.values() for spec in kind if tag(spec) == block.get("name"))
    fields = {name: field for spec in specs for name, field in spec.model_fields.items()}
    return {k: v for k, v in block.items() if k == "name" or fields[k].is_required()}


def _one_line(text: str) -> str:
    return " ".join(text.split())
