"""`thumbnet recipe`: list, show, diff."""

from typing import Annotated

import typer

from thumbnet.cli.output import make_table, out

app = typer.Typer(help="List, print and compare recipes.", no_args_is_help=True)

SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key: training.batch_size=64.")
]


@app.command("list")
def list_() -> None:
    """List all built-in recipes with the figures they stand for."""
    from thumbnet.recipes.registry import load_recipe, recipe_names

    table = make_table("recipe, network", "epochs, published", "what")
    for name in recipe_names():
        spec = load_recipe(name)
        claim = "" if spec.published is None else f"{100 * spec.published.top1:.1f} %"
        table.add_row(name, spec.model.name, f"{spec.num_epochs:g}", claim, spec.summary)
    out.print(table)


@app.command()
def show(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    set_: SetOption = None,
) -> None:
    """Print a recipe as YAML; save it to a file to make it your own."""
    from thumbnet.recipes.registry import dump_recipe, load_recipe, parse_overrides

    print(dump_recipe(load_recipe(recipe, parse_overrides(set_ or []))), end="")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    second: Annotated[str, typer.Argument(help="Another.")],
) -> None:
    """Print the lines in which two recipes differ."""
    from difflib import unified_diff

    from thumbnet.recipes.registry import dump_recipe, load_recipe

    one, two = (dump_recipe(load_recipe(name)).splitlines() for name in (first, second))
    for line in unified_diff(one, two, fromfile=first, tofile=second, n=2, lineterm=""):
        print(line)
