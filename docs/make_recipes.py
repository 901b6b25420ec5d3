"""Write docs/recipes.md from the recipes themselves: `python docs/make_recipes.py`."""

from pathlib import Path

from thumbnet.recipe import Published, PublishedCurve, RecipeSpec
from thumbnet.recipes.registry import SOURCES, Family, families, load_recipe, recipe_names

PAGE = Path(__file__).with_name("recipes.md")
TITLES = {
    "zheng2018": "AlexNet, VGG11 and AlchNet in TFLearn",
    "hansen2015": "Caffe's AlexNet to PReLU",
    "bastidas2017": "VGG-like and InceptionV3-like networks in Keras",
    "abai2019": "densely connected networks (arXiv:1904.10429)",
    "columbia2020": "the reproduction of abai2019",
    "vonmartens2019": "LeNet-5, AlexNet, SqueezeNet and ResNet-18 in PyTorch",
    "thumbnet": "our own",
}
INTRODUCTION = """\
# Recipes

Written by `docs/make_recipes.py`; change the recipes in `src/thumbnet/recipes/`, not this page.

A recipe named `source/row` is a row of a published report, or one of ours (`thumbnet/`). The
figures are those published: top-1 on val unless noted, in percent, with top-5 in parentheses. Below
each table stand the deviations, which are all things chosen where a report is silent, and the
quirks, slips of a report's own code that its figures came from. `thumbnet recipe show NAME` prints
a recipe whole."""
HEAD = """\
| recipe | network | protocol | epochs | published | what |
|---|---|---|---|---|---|"""
ABLATIONS = """\
## Ablations

Families of recipes that each change a row in one thing, to test a claim. `<row>+<variant>` differs
from `<row>` in the keys named and no others; figures published for the row are not its claim."""


def page() -> str:
    """Return the page as it should be."""
    parts = [INTRODUCTION]
    recipes = [load_recipe(name) for name in recipe_names()]
    for source in SOURCES:
        own = [spec for spec in recipes if spec.name.startswith(f"{source}/")]
        table = "\n".join([HEAD, *map(_row, own)])
        parts += [f"## {source}: {TITLES[source]}", table, *filter(None, map(_notes, own))]
    parts += [ABLATIONS, *map(_family, families())]
    return "\n\n".join(parts) + "\n"


def _row(spec: RecipeSpec) -> str:
    cells = (
        f"`{spec.name}`",
        f"`{spec.model.name}`" + ("" if spec.ensemble is None else " (several)"),
        f"`{spec.data.protocol}`",
        f"{spec.num_epochs:g}",
        _claim(spec.published),
        spec.summary,
    )
    return f"| {' | '.join(cells)} |"


def _claim(published: Published | None) -> str:
    if published is None:
        return ""
    if published.top1 is None:
        return published.claim or ""
    top5 = "" if published.top5 is None else f" ({100 * published.top5:.4g})"
    where = "" if published.split == "val" else " on held-out train"
    return f"{100 * published.top1:.4g}{top5}{where}"


def _notes(spec: RecipeSpec) -> str:
    quirks = {key: value for key, value in spec.quirks.model_dump().items() if value is not None}
    lines = [f"- {line}" for line in spec.deviations]
    if spec.published is not None:
        curve = spec.published.curve
        on_the_way = [] if curve is None else [f"- on the way: {_on_the_way(curve)}"]
        lines = [f"- source: {_source(spec.published)}", *on_the_way, *lines]
    if quirks:
        given = ", ".join(f"`{key}={value}`" for key, value in quirks.items())
        lines.append(f"- quirks: {given}")
    return "\n".join([f"### {spec.name}", "", *lines]) if lines else ""


def _source(published: Published) -> str:
    train = published.train_top1
    given = (
        None if train is None else f"train top-1 {100 * train:.4g}",
        None if published.loss is None else f"loss {published.loss:g}",
        None if published.epochs is None else f"{published.epochs:g} epochs",
        None if published.hours is None else f"{published.hours:g} h",
        published.hardware,
    )
    return "; ".join([published.source, *filter(None, given)])


def _on_the_way(curve: PublishedCurve) -> str:
    points = ", ".join(f"{100 * top1:.4g} after {epoch:g}" for epoch, top1 in curve.points)
    where = "val" if curve.split == "val" else "held-out images"
    return f"{points} epochs, on {where} ({curve.source})"


def _family(family: Family) -> str:
    keys = ", ".join(f"`{key}`" for key in family.keys)
    lines = [f"- `{spec.name}`: {spec.summary}" for spec in family.members]
    claim = f"Claim: {family.claim} ({family.source}). Keys: {keys}."
    return "\n".join([f"### {family.name}", "", claim, "", *lines])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
