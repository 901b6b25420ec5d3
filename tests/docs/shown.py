"""What pages show: their code blocks, the `thumbnet` commands in them, and whether these exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import typer

from thumbnet.cli.main import app

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"(?:^|[/ '])(thumbnet [a-z].*)")
END = re.compile(r" [>|] | #")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str, *languages: str) -> list[str]:
    """Return the commands in the blocks of these languages, without prompt, remark or pipe."""
    lines = [line for name in languages for block in blocks(text, name) for line in whole(block)]
    found = (COMMAND.search(re.sub(r"\$\(.*?\)", "X", line)) for line in lines)
    said = [END.split(match[1])[0].strip() for match in found if match]
    return [line.removesuffix("'") if line.count("'") % 2 else line for line in said]


def whole(block: str) -> list[str]:
    """Return the lines of a block; one that ends with a backslash goes on in the next."""
    return block.replace("\\\n", " ").splitlines()


def check_command(line: str) -> None:
    """Read a command and its options as the program would, and run nothing."""
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "commands"):  # a family of commands
        context = command.make_context("thumbnet", [words[0]], parent=context)
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]
    command.make_context("thumbnet", words, parent=context)
