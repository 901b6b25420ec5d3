"""Logits of a whole part: in order, in fp32, whatever the batches."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thumbnet.augment.views import Preprocess
from thumbnet.evaluation import predict as predict_module
from thumbnet.evaluation.predict import batch_for, predict_logits

PLAIN = Preprocess(4, "rgb", (0.0,), (1 / 255,))  # pixels as they are


class Probe(nn.Module):
    """Answers with pixels of the first row, and notes how it was asked."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm2d(3)
        self.dtype = dtype
        self.asked: list[tuple[int, bool, bool]] = []

    def forward(self, images: Tensor) -> Tensor:
        channels_last = images.is_contiguous(memory_format=torch.channels_last)
        self.asked.append((len(images), self.training, channels_last))
        return images[:, :, 0, :].flatten(1).to(self.dtype)  # 12 outputs


def pictures(num: int = 20) -> Tensor:
    shape = (num, 4, 4, 3)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def predict(
    model: nn.Module, images: Tensor, num_classes: int = 7, **options: object
) -> np.ndarray:
    return predict_logits(
        model, lambda part: images[part], len(images), PLAIN, num_classes, **options
    )


@pytest.mark.parametrize("batch_size", [1, 7, 20, 250])
def test_rows_are_those_of_the_images_whatever_the_batch_size(batch_size: int) -> None:
    model, images = Probe(), pictures()
    logits = predict(model, images, batch_size=batch_size)
    expected = images[:, 0].permute(0, 2, 1).flatten(1)[:, :7].numpy()
    assert (logits.dtype, logits.shape) == (np.float32, (20, 7))
    assert np.abs(logits - expected).max() < 1e-4
    sizes = [size for size, _, _ in model.asked]
    assert sizes == [batch_size] * (20 // batch_size) + [20 % batch_size] * (20 % batch_size > 0)


def test_outputs_beyond_the_classes_are_left_out() -> None:
    model, images = Probe(), pictures()
    assert np.array_equal(predict(model, images, 5), predict(model, images, 12)[:, :5])


@pytest.mark.parametrize("training", [True, False])
def test_judges_in_eval_mode_and_puts_the_mode_back(training: bool) -> None:
    model = Probe().train(training)
    predict(model, pictures())
    assert {(mode, last) for _, mode, last in model.asked} == {(False, True)}
    assert model.training is training
    assert model.norm.training is training


def test_half_precision_outputs_become_fp32() -> None:
    images = pictures()
    assert predict(Probe(torch.bfloat16), images).dtype == np.float32
    rounded = images[:, 0].permute(0, 2, 1).flatten(1)[:, :7].bfloat16().float().numpy()
    assert np.abs(predict(Probe(torch.bfloat16), images) - rounded).max() <= 1


class Fewer:
    """A stand-in for `ThreadTuner` that goes on with one thread after two batches."""

    def __init__(self, threads: int, *_: object) -> None:
        self.threads, self.num = threads, 0

    def stepped(self, phase: int, seconds: float) -> int:
        self.num += 1
        return self.threads if self.num < 2 else 1


@pytest.mark.parametrize("fails", [False, True])
def test_threads_may_change_on_the_way_and_are_put_back(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(predict_module, "ThreadTuner", Fewer)
    used: list[int] = []

    def note(done: int, total: int) -> None:
        used.append(torch.get_num_threads())
        if fails and done == 4:
            raise KeyboardInterrupt

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with suppress(KeyboardInterrupt):
            predict(Probe(), pictures(), batch_size=1, progress=note, choose_threads=True)
        assert used == [2] + [1] * (3 if fails else 19)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_progress_hears_every_batch() -> None:
    heard: list[tuple[int, int]] = []
    predict(Probe(), pictures(), batch_size=8, progress=lambda *at: heard.append(at))
    assert heard == [(8, 20), (16, 20), (20, 20)]


def test_no_gradients_are_kept() -> None:
    seen = []

    class Watch(Probe):
        def forward(self, images: Tensor) -> Tensor:
            seen.append((super().forward(images) * self.weight).requires_grad)
            return super().forward(images)

    predict(Watch(), pictures())
    assert seen == [False]


def test_a_gpu_judges_many_at_once_and_fewer_of_large_ones() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert batch_for(cpu, 64) == batch_for(cpu, 256) == batch_for(cuda, 512) == 250
    assert batch_for(cuda, 28) == batch_for(cuda, 64) == 2000
    assert batch_for(cuda, 128) == 500


def test_judging_does_not_round_to_tf32() -> None:
    seen = []

    class Asked(Probe):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(torch.backends.cudnn.conv.fp32_precision)
            return super().forward(images)

    before = torch.backends.cudnn.conv.fp32_precision
    predict(Asked(), pictures())
    assert seen == ["ieee"]
    assert torch.backends.cudnn.conv.fp32_precision == before


def test_freed_memory_is_kept_for_several_batches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[bool]()
    monkeypatch.setattr("thumbnet.evaluation.predict.keep_freed_memory", lambda: kept.append(True))
    predict(Probe(), pictures(20), batch_size=20)
    assert not kept
    predict(Probe(), pictures(20), batch_size=19)
    assert kept == [True]
