"""An epoch may be judged on some of the watched images."""

from pathlib import Path

from tests.cli.driver import QUICK_ENGINE

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.training.events import EpochEnded, Event, Started
from thumbnet.training.session import train


def test_an_epoch_is_judged_on_so_many_images(tiny: PackedDataset, tmp_path: Path) -> None:
    seen = list[Event]()
    given = {**QUICK_ENGINE, "model.args": {"width": 4}, "training.watched_images": 2}
    recipe = load_recipe("thumbnet/quick", given)  # holdout watches one image of each class
    train(recipe, tiny, epochs=1, out=tmp_path / "run", observers=[seen.append])
    assert [e.num_watched for e in seen if isinstance(e, Started)] == [2]
    assert {e.scores.top1 for e in seen if isinstance(e, EpochEnded)} <= {0.0, 0.5, 1.0}
