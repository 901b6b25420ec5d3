"""Write docs/recipe-keys.md from the schema of recipes: `python docs/make_recipe_keys.py`."""

from pathlib import Path

from thumbnet.recipe.keys import KINDS, USES, Key, Section, names_by_room, plural, sections

PAGE = Path(__file__).with_name("recipe-keys.md")
INTRODUCTION = """\
# Keys of a recipe

Written by `docs/make_recipe_keys.py` from the schema in `src/thumbnet/recipe/`; do not edit it
here. `thumbnet recipe keys [PREFIX]` prints the same in a terminal.

Change a key for one run with `--set training.batch_size=64`, or in a YAML file that states only
what differs:

```yaml
base: thumbnet/quick
training:
  batch_size: 64
```

`base` is a recipe's name or another file. Mappings merge key by key; a list, a value, and a block
whose `name` differs are replaced. The base's own `name`, `summary`, `published` and `tolerance` are
not taken over; without a `name` the file's name is taken. `thumbnet recipe show FILE` prints the
whole recipe.

`N` is the number of a phase, 0 for the first. `null` means that nothing is given."""
HEAD = """\
| key | values | default | |
|---|---|---|---|"""


def page() -> str:
    """Return the page as it should be."""
    found = sections()
    parts = [INTRODUCTION]
    for section in found:
        if not section.kind:
            parts += [f"## {section.name}", section.text, _table(section)]
    for kind in KINDS:
        parts += [f"## {plural(kind).capitalize()}", f"As in `{USES[kind]}`.", _names(kind)]
        for section in found:
            if section.kind == kind:
                name = section.name.partition(" ")[2]
                parts += [f"### {name}", section.text, *([_table(section)] if section.keys else [])]
    return "\n\n".join(parts) + "\n"


def _names(kind: str) -> str:
    groups = names_by_room(kind).items()
    return "\n".join(f"- {room}: {', '.join(f'`{n}`' for n in names)}" for room, names in groups)


def _table(section: Section) -> str:
    return "\n".join([HEAD, *map(_row, section.keys)])


def _row(key: Key) -> str:
    default = f"`{key.default}`" if key.default else "required"
    cells = (f"`{key.path}`", key.allowed, default, key.text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
