"""Figures against torch's own, and a judge that only looks at its part."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from thumbnet.augment.views import Preprocess
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.data.synthetic import synthesize
from thumbnet.errors import DataError
from thumbnet.evaluation.evaluate import Judge, Scores, score
from thumbnet.evaluation.predict import predict_logits

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data") / "packed"
    return synthesize(folder, num_classes=6, train_per_class=4, val_per_class=5, size=16)


class Colors(nn.Module):
    """Answers with sums of pixels: exact, so that batches cannot change a thing."""

    def __init__(self, num_outputs: int = 6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.num_outputs = num_outputs

    def forward(self, images: Tensor) -> Tensor:
        return (images * 255).round()[:, 1, 3 : 3 + self.num_outputs, 5] / 16


@settings(deadline=None, max_examples=40)
@given(num=st.integers(1, 30), num_classes=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_figures_equal_those_of_torch(num: int, num_classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=5, size=(num, num_classes)).astype(np.float32)
    labels = generator.integers(num_classes, size=num)
    scores = score(logits, labels)
    ours, theirs = torch.from_numpy(logits), torch.from_numpy(labels)
    loss = F.cross_entropy(ours.double(), theirs)
    top1 = (ours.argmax(1) == theirs).double().mean()
    top5 = (ours.topk(min(5, num_classes)).indices == theirs[:, None]).any(1).double().mean()
    assert scores.loss == pytest.approx(float(loss), rel=1e-9)
    assert scores.top1 == pytest.approx(float(top1))
    assert scores.top5 == pytest.approx(float(top5))
    assert scores.num_images == num


def test_huge_logits_overflow_nothing() -> None:
    logits = np.array([[1e4, -1e4, 0], [3e38, 0, 0]], dtype=np.float32)
    assert score(logits, np.array([0, 0])) == Scores(1.0, 1.0, 0.0, 2)
    assert score(logits[:1], np.array([1])).loss == 2e4


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_logits_are_chance_and_never_a_warning(broken: float) -> None:
    scores = score(np.full((6, 6), broken, np.float32), np.arange(6))
    assert (scores.top1, scores.top5) == (1 / 6, 5 / 6)
    assert np.isnan(scores.loss)


def test_equal_logits_go_to_the_lower_index() -> None:
    logits = np.zeros((8, 8), dtype=np.float32)
    scores = score(logits, np.arange(8))
    assert (scores.top1, scores.top5) == (1 / 8, 5 / 8)
    assert scores.loss == pytest.approx(np.log(8))


def test_scores_are_plain_data() -> None:
    assert Scores(0.5, 0.75, 1.5, 4).to_dict() == {
        "top1": 0.5, "top5": 0.75, "loss": 1.5, "num_images": 4,
    }  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 7, 250])
def test_a_judge_scores_its_part_whatever_the_batch_size(
    dataset: PackedDataset, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    indices = np.array([0, 3, 4, 8, 11, 12, 17, 22, 23, 29])
    preprocess = Preprocess(16, "rgb", (0.0,), (1.0,))
    judge = Judge(dataset, Part("val", indices), preprocess, CPU)
    in_batches = partial(predict_logits, batch_size=batch_size)
    monkeypatch.setattr("thumbnet.evaluation.evaluate.predict_logits", in_batches)
    val = dataset.splits["val"]
    assert val.labels is not None
    expected = val.images[indices][:, 3:9, 5, 1].astype(np.float32) / 16
    logits = judge.logits(Colors())
    assert np.array_equal(logits, expected)
    assert judge(Colors()) == score(expected, val.labels[indices])
    assert judge(Colors(num_outputs=10)) == score(expected, val.labels[indices])


def test_a_judge_scales_down_once_and_answers_the_same_again(
    dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk: list[int] = []
    shrink = Preprocess.shrink

    def count(self: Preprocess, images: Tensor, size: int | None = None) -> Tensor:
        shrunk.append(len(images))
        return shrink(self, images, size)

    monkeypatch.setattr(Preprocess, "shrink", count)
    part = Part("val", np.arange(30))
    judge = Judge(dataset, part, Preprocess(8, "grey", (0.5,), (0.5,)), CPU)

    class Grey(Colors):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[1:] == (1, 8, 8)
            return images[:, 0, 1:7, 4]

    assert judge(Grey()) == judge(Grey())
    assert sum(shrunk) == 30


def test_a_judge_reports_its_progress(dataset: PackedDataset) -> None:
    judge = Judge(dataset, Part("val", np.arange(30)), Preprocess(16, "rgb", (0,), (1,)), CPU)
    heard: list[tuple[int, int]] = []
    judge(Colors(), lambda *at: heard.append(at))
    assert heard == [(30, 30)]


def test_a_judge_refuses_images_without_labels(dataset: PackedDataset, tmp_path: Path) -> None:
    part = Part("test", np.arange(3))
    with pytest.raises(DataError, match="'test' has no labels; evaluate on train or val"):
        Judge(dataset, part, Preprocess(16, "rgb", (0,), (1,)), CPU)
