"""The parts that ranks do come to the whole: batches, losses, gradients and figures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed import HashStore
from typing_extensions import override

from thumbnet.augment.mix import MixPlan
from thumbnet.build import build_preprocess, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.data.synthetic import synthesize
from thumbnet.errors import DataError, LostRankError, RankError
from thumbnet.evaluation.evaluate import score, tally
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.training.distributed import Group, join
from thumbnet.training.engine import Engine, Picks
from thumbnet.training.feed import Feed
from thumbnet.training.phases import Plan, StepPlan
from thumbnet.training.ranks import ALONE
from thumbnet.training.state import TrainState
from thumbnet.training.step import train_step
from thumbnet.training.world import World

CPU = torch.device("cpu")
PICKS = Picks("cpu", "fp32", "contiguous", 1)
CROP_FLIP = [{"name": "pad_crop", "pad": 2}, {"name": "flip"}]
MIXES = {"mixup": {"name": "mixup", "alpha": 1.0}, "cutmix": {"name": "cutmix", "alpha": 1.0}}


class Apart(Group):
    """A rank whose sums nobody adds up: its own are looked at."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(World(rank, size), HashStore())

    @override
    def network(self, model: nn.Module) -> nn.Module:
        return model

    @override
    def mean(self, value: Tensor) -> Tensor:
        return value


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data") / "packed"
    return synthesize(folder, num_classes=4, train_per_class=12, val_per_class=2)


@pytest.fixture(scope="module")
def uneven(data: PackedDataset) -> PackedDataset:
    """The same images, labelled as classes of 24, 12, 9 and 3."""
    train = data.splits["train"]
    labels = np.repeat(np.arange(4), (24, 12, 9, 3))
    return replace(data, splits={**data.splits, "train": replace(train, labels=labels)})


def feed_of(data: PackedDataset, mixes: Sequence[str], world: World, balance: str = "none") -> Feed:
    settings = {
        "training.batch_size": 13,
        "training.augment": CROP_FLIP,
        "training.mix": [MIXES[name] for name in mixes],
        "training.balance": balance,
    }
    recipe = load_recipe("vonmartens2019/lenet5")
    recipe = resolve(with_overrides(recipe, settings, "small"), data)
    part = apply_protocol(data, "official").fit
    plan = Plan(recipe, len(part))
    return Feed(data, part, build_preprocess(recipe.preprocess, data), plan, CPU, world)


@pytest.mark.parametrize("balance", ["none", "sampler"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_are_fed_the_images_of_one_process_in_its_order(
    size: int, balance: str, data: PackedDataset
) -> None:
    whole = feed_of(data, [], World(), balance)
    feeds = [feed_of(data, [], World(rank, size), balance) for rank in range(size)]
    for step in range(8):  # two epochs, the last batch of each smaller
        at = whole.plan.at(step)
        images, labels, _ = whole.batch(at)
        parts = [feed.batch(at) for feed in feeds]
        assert torch.equal(torch.cat([part[0] for part in parts]), images)
        assert torch.equal(torch.cat([part[1] for part in parts]), labels)


def one_step(feed: Feed, at: StepPlan, ranks: Group | None) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for group in optimizer.param_groups:
        group |= {"lr_scale": 1.0, "shrink": 0.0}
    state = TrainState(model, optimizer, torch.zeros(()))
    images, labels, mix = feed.batch(at)
    of = ALONE if ranks is None else ranks
    loss = train_step(state, images, labels, at, Engine(PICKS), mix, of, feed.weights)
    return loss, [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("mixes", [[], ["mixup"], ["cutmix"]], ids=str)
@pytest.mark.parametrize(("size", "balance"), [(2, "none"), (4, "none"), (7, "none"), (4, "loss")])
def test_means_over_ranks_are_means_over_the_batch(
    size: int, balance: str, mixes: list[str], uneven: PackedDataset
) -> None:
    """Also where shares are uneven, and where the last batch leaves ranks without one."""
    whole = feed_of(uneven, mixes, World(), balance)
    for step in (0, 3):  # 13 images, then 9
        at = whole.plan.at(step)
        loss, gradients = one_step(whole, at, None)
        parts = [
            one_step(feed_of(uneven, mixes, World(rank, size), balance), at, Apart(rank, size))
            for rank in range(size)
        ]
        assert torch.stack([part[0] for part in parts]).mean() == pytest.approx(float(loss))
        for number, gradient in enumerate(gradients):
            mean = torch.stack([part[1][number] for part in parts]).mean(0)
            assert torch.allclose(mean, gradient, atol=1e-6)


def test_a_mix_is_cut_with_its_partners() -> None:
    plan = MixPlan(torch.tensor([3, 0, 1, 2]), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    part = plan.of(2, 4)
    images = torch.arange(4).roll(-2)
    assert images[part.partner].tolist() == plan.partner[2:].tolist() == [1, 2]
    assert part.weight.tolist() == plan.weight[2:].tolist()


@pytest.mark.parametrize("cuts", [[], [3], [0, 5], [2, 2, 9]])
def test_sums_over_parts_score_as_the_whole(cuts: list[int]) -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(11, 7)).astype(np.float32), random.integers(0, 7, 11)
    parts = zip(np.split(logits, cuts), np.split(labels, cuts), strict=True)
    tallies = [tally(*part) for part in parts]
    expected = score(logits, labels)
    assert sum(part.top1 for part in tallies) / 11 == expected.top1
    assert sum(part.top5 for part in tallies) / 11 == expected.top5
    assert sum(part.loss for part in tallies) / 11 == pytest.approx(expected.loss)


def test_threads_are_not_more_than_a_process_was_given() -> None:
    picks = Apart(0, 2).picks(Picks("cpu", "bf16", "contiguous", 64, "graph"))
    assert picks == Picks("cpu", "bf16", "contiguous", torch.get_num_threads())


def test_refuses_more_processes_than_there_are_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RankError, match="has no GPU of its own, there are 0; start fewer"):
        Apart(0, 2).picks(Picks("cuda", "bf16", "contiguous", 1))
    with pytest.raises(RankError, match="not mps; give --device cpu"):
        Apart(0, 2).picks(Picks("mps", "bf16", "contiguous", 1))


def test_refuses_other_data_than_the_first_has(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = Apart(1, 2)
    monkeypatch.setattr(rank, "told", lambda make: "the first one's")
    rank.check_same("the first one's")
    with pytest.raises(DataError, match=r"process 1 on .* has another recipe or other data"):
        rank.check_same("mine")


def test_a_lost_process_is_told_from_a_fault() -> None:
    rank = Apart(0, 2)
    with (
        pytest.raises(LostRankError, match=r"process of mine is gone.*resume mine"),
        rank.together("mine"),
    ):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [::1]")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), rank.together("mine"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_of_several_ranks_one_has_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnet.training.distributed.WORD_S", 0.01)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    store = HashStore()
    ranks = [Group(World(rank, 3), store) for rank in range(3)]
    lost = LostRankError("the first is gone")
    assert [ranks[2].has_word(lost), ranks[1].has_word(lost)] == [True, False]
    other = [Group(World(rank, 2), HashStore()) for rank in range(2)]
    assert other[1].has_word(DataError("this one's alone"))  # after it waited for the first
    assert other[0].has_word(DataError("its own store"))


def test_one_process_waits_for_nobody() -> None:
    assert join() is ALONE
    model = nn.Linear(1, 1)
    assert ALONE.network(model) is model
    assert ALONE.told(lambda: 3) == 3
    assert ALONE.numbers(1.5, 2) == [1.5, 2]
