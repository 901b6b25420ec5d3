"""`thumbnet recipe keys`: what a recipe may say."""

from __future__ import annotations

from textwrap import indent, wrap
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import out

if TYPE_CHECKING:
    from thumbnet.recipe.keys import Key, Section

WIDTH = 100  # columns at most, which a line of text is pleasant to read in


def keys(
    prefix: Annotated[
        str | None,
        typer.Argument(help="A key, or a name: training, training.augment, optimizers, adam."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the keys of a recipe: allowed values, default, and what each does."""
    from thumbnet.recipe.keys import sections

    found = sections(prefix)
    if as_json:
        _print_json(found)
        return
    for number, section in enumerate(found):
        if number:
            out.print()
        _print_lines(f"{section.name}: {section.text}", "")
        for key in section.keys:
            _print_lines(f"{key.path}: {key.allowed}{_default(key)}", "  ")
            _print_lines(key.text, "      ")
    if prefix is None:
        out.print()
        _print_lines("Change a key with --set, or in a YAML file; N is 0 for the first phase.", "")


def _default(key: Key) -> str:
    return f" (default {key.default})" if key.default else " (required)"


def _print_lines(text: str, space: str) -> None:
    width = min(WIDTH, out.width) - len(space) - 2
    first, *more = wrap(text, width, break_long_words=False, break_on_hyphens=False)
    lines = [first, *wrap(" ".join(more), width, initial_indent="  ", subsequent_indent="  ")]
    out.print(indent("\n".join(lines), space))


def _print_json(found: list[Section]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([asdict(section) for section in found], indent=1))
