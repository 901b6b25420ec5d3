"""`thumbnet train --data photos` and nothing else learns from little data."""

from pathlib import Path

import pytest
from tests.cli.driver import Thumbnet
from tests.photos import draw_photos

from thumbnet.inference import evaluate
from thumbnet.runs import find_run

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", range(3))
def test_a_few_photos_are_enough(seed: int, thumbnet: Thumbnet, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", seed=seed)
    said = thumbnet("train", "--data", photos, "--seed", seed)
    assert said.status == 0, said.err
    assert evaluate(find_run("thumbnet-quick").path).scores.top1 >= 0.9


def test_many_classes_of_few_photos_do_not_diverge(thumbnet: Thumbnet, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", {f"class {i:03d}": 5 for i in range(100)})
    said = thumbnet("train", "--data", photos)
    assert said.status == 0, said.err
    last = find_run("thumbnet-quick").last_event()
    assert last["reason"] == "finished"
