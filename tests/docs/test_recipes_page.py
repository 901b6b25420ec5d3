"""docs/recipes.md is what the recipes say."""

from docs.make_recipes import PAGE, page

from thumbnet.recipes.registry import ablation_names, load_recipe, recipe_names


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python docs/make_recipes.py`"


def test_page_has_every_recipe_once_in_a_table() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in rows] == recipe_names()
    for line in rows:
        spec = load_recipe(line.split("`")[1])
        assert f"| `{spec.data.protocol}` | {spec.num_epochs:g} |" in line
        if spec.published is not None and spec.published.top1 is not None:
            assert f"| {100 * spec.published.top1:.4g}" in line


def test_page_has_every_deviation_quirk_and_ablation() -> None:
    text = page()
    for name in recipe_names():
        spec = load_recipe(name)
        assert all(f"- {line}\n" in text for line in spec.deviations)
        assert spec.quirks.num_outputs is None or f"`num_outputs={spec.quirks.num_outputs}`" in text
    assert all(f"- `{name}`: " in text for name in ablation_names())
