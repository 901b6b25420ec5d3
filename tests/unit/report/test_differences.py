"""The keys in which recipes differ."""

from thumbnet.recipes.registry import load_recipe
from thumbnet.report.differences import differences


def test_keys_that_differ_are_those_of_set() -> None:
    changes = {"training.batch_size": 64, "training.schedule.lr": 0.25, "phases.0.epochs": 2.0}
    one, other = load_recipe("thumbnet/quick"), load_recipe("thumbnet/quick", changes)
    found = differences([one, other, one])
    assert {key: values[1] for key, values in found.items()} == {
        "training.batch_size": "64", "training.schedule.lr": "0.25", "phases.0.epochs": "2",
    }  # fmt: skip
    assert all(values[0] == values[2] != values[1] for values in found.values())
    assert differences([one, one]) == {}


def test_what_a_recipe_says_of_itself_is_left_out() -> None:
    found = differences([load_recipe("vonmartens2019/lenet5"), load_recipe("thumbnet/quick")])
    assert "model.name" in found
    assert not {"name", "summary", "published"} & {key.partition(".")[0] for key in found}
