"""Help as it is printed: nothing in it is taken for markup and lost."""

import re
from collections.abc import Iterator

import click
import pytest
import typer

from thumbnet.cli.main import app


def commands(one: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, one
    for word, inner in getattr(one, "commands", {}).items():
        yield from commands(inner, f"{name} {word}")


MARKUP = re.compile(r"\[[a-z#/@]")
ALL = dict(commands(typer.main.get_command(app), "thumbnet"))


@pytest.mark.parametrize("name", ALL)
def test_no_help_holds_what_rich_takes_for_markup(name: str) -> None:
    texts = [ALL[name].help, *(getattr(one, "help", None) for one in ALL[name].params)]
    assert not [text for text in texts if text and MARKUP.search(text)]
    assert texts[0]
