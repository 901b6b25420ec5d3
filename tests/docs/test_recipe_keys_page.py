"""docs/recipe-keys.md is what the schema says, and its example loads."""

from docs.make_recipe_keys import PAGE, page


def test_page_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run `python docs/make_recipe_keys.py`"
