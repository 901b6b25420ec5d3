"""`thumbnet recipe`: list, show, diff, keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.duration import format_number
from thumbnet.cli.output import Table, out, print_tables
from thumbnet.cli.recipe_keys import keys

if TYPE_CHECKING:
    from thumbnet.recipe import RecipeSpec

app = typer.Typer(help="List, print and compare recipes.", no_args_is_help=True)
app.command()(keys)

SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key: training.batch_size=64.")
]


@app.command("list")
def list_(
    ablations: Annotated[
        bool, typer.Option("--ablations", help="List the ablations with the claims they test.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Only those of one source: zheng2018.")
    ] = None,
) -> None:
    """List all built-in recipes with the figures they stand for."""
    from thumbnet.recipes.registry import check_source

    if source is not None:
        check_source(source)
    if ablations:
        _list_ablations(source)
    else:
        _list_recipes(source)


def _list_recipes(source: str | None) -> None:
    from thumbnet.recipes.registry import SOURCES, load_recipe, recipe_names

    table = Table("recipe, network", "epochs, top-1, (top-5)", "what", text="what", drop="network")
    for key in SOURCES if source is None else [source]:
        table.add_section()
        for name in (name for name in recipe_names() if name.startswith(f"{key}/")):
            spec = load_recipe(name)
            table.add_row(
                name, spec.model.name, format_number(spec.num_epochs), *_claim(spec), spec.summary
            )
    out.print(table)


def _list_ablations(source: str | None) -> None:
    from thumbnet.recipes.registry import families

    tables = []
    for family in families():
        members = [m for m in family.members if source in {None, m.name.partition("/")[0]}]
        if not members:
            continue
        title = f"{family.name}: {family.claim} [{family.source}]"
        table = Table("recipe, network", "epochs", "what", title=title, text="what", drop="network")
        for spec in members:
            table.add_row(spec.name, spec.model.name, format_number(spec.num_epochs), spec.summary)
        tables.append(table)
    print_tables(tables)


def _claim(spec: "RecipeSpec") -> tuple[str, str]:
    """Return the published top-1 and top-5 as they are shown."""
    claimed = spec.published
    if claimed is None:
        return "", ""
    top1 = "" if claimed.top1 is None else f"{100 * claimed.top1:.4g} %"
    top5 = "" if claimed.top5 is None else f"({100 * claimed.top5:.4g})"
    return top1, top5


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
    first: Annotated[str, typer.Argument(help="A recipe's name, a YAML file, or a run.")],
    second: Annotated[str, typer.Argument(help="Another.")],
) -> None:
    """Print the lines in which two recipes, or the recipes of runs, differ."""
    from difflib import unified_diff

    from thumbnet.recipes.registry import dump_recipe

    one, two = (dump_recipe(_recipe_of(name)).splitlines() for name in (first, second))
    for line in unified_diff(one, two, fromfile=first, tofile=second, n=2, lineterm=""):
        print(line)


def _recipe_of(name: str) -> "RecipeSpec":
    """Return a recipe by its name or file, or that of a run by its name or path."""
    from thumbnet.errors import RecipeError, did_you_mean
    from thumbnet.recipes.registry import load_recipe, recipe_names
    from thumbnet.runs import RUNS, find_run, list_runs

    if any((path / "recipe.yaml").is_file() for path in (Path(name), RUNS / name)):
        return find_run(name).recipe()
    if Path(name).is_dir():
        raise RecipeError(f"{name} is not a run: it has no recipe.yaml")
    if "/" in name or name.endswith((".yaml", ".yml")):
        return load_recipe(name)
    known = [run.name for run in list_runs()] + recipe_names()
    raise RecipeError(
        f"'{name}' is neither a run nor a recipe{did_you_mean(name, known) or ';'} "
        "`thumbnet runs list` and `thumbnet recipe list` show all"
    )
