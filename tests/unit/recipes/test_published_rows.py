"""Every published row is there, with the figures and the protocol of its report."""

from typing import NamedTuple

import pytest

from thumbnet.recipe import (
    AdamSpec,
    ConstantSpec,
    CyclicSpec,
    PlateauSpec,
    RecipeSpec,
    RmsPropSpec,
    SgdSpec,
    StepSpec,
)
from thumbnet.recipes.registry import SOURCES, load_recipe, recipe_names


class Row(NamedTuple):
    model: str
    epochs: float | None
    hours: float | None
    top1: float | None
    top5: float | None = None
    train: float | None = None


# Copied from the reports, in their own units: percent, epochs, hours; None where they are silent.
# zheng2018 section 4.2 and 6; hansen2015 4.1, 4.2, 5; bastidas2017 Metrics & Results;
# abai2019 by columbia2020 II.A and II.B; columbia2020 IV.B and V.A; vonmartens2019 tables 2 and 3.
PUBLISHED = {
    "zheng2018/alexnet-a": Row("alexnet_zheng", 60, 6.5, 27.6),
    "zheng2018/alexnet": Row("alexnet_zheng", 60, 7, 30.8, 48.6),
    "zheng2018/vgg11-a": Row("vgg11_zheng", 65, 4, 26.7),
    "zheng2018/vgg11": Row("vgg11_zheng", 65, 4, 29.9, 47.1),
    "zheng2018/alchnet11": Row("alchnet11", 65, 8.5, 45.8),
    "zheng2018/alchnet11-d": Row("alchnet11", 65, 8.5, 45.3),
    "zheng2018/alchnet19+c": Row("alchnet19_relu_bn", 72, 14, 47.6),
    "zheng2018/alchnet19": Row("alchnet19", 72, 13.5, 55.7, train=55),
    "hansen2015/alexnet-caffe": Row("alexnet_caffe", None, None, 25),
    "hansen2015/alexnet-3x3": Row("alexnet_3x3", None, None, 35),
    "hansen2015/alexnet-prelu": Row("alexnet_prelu", None, 36, 45),
    "hansen2015/ensemble": Row("alexnet_prelu", None, None, None),
    "bastidas2017/vgg-like": Row("vgg_like", None, None, 34.53, train=36.79),
    "bastidas2017/inceptionv3-like": Row("inceptionv3_like", None, None, 40.71, train=40.73),
    "abai2019/network1": Row("densenet_network1", 235, 26, 59.5, train=67),
    "abai2019/network2": Row("densenet_network2", 108, 36, 62.73, train=68.11),
    "columbia2020/model1": Row("densenet_network1", 118, 19.5, 55, train=42),
    "columbia2020/model2": Row("densenet_network2", 123, 26, 44.75, train=57),
    "vonmartens2019/lenet5": Row("lenet5", 40, None, 22.0, train=21.8),
    "vonmartens2019/alexnet": Row("alexnet", 40, None, 24.0, train=23.7),
    "vonmartens2019/squeezenet": Row("squeezenet1_1", 40, None, 23.0, train=23.3),
    "vonmartens2019/resnet18": Row("resnet18", 40, None, 23.7, train=22.8),
    "vonmartens2019/alexnet-pretrained": Row("alexnet", 10, None, 57.3, train=56.2),
    "vonmartens2019/squeezenet-pretrained": Row("squeezenet1_1", 10, None, 58.6, train=58.9),
    "vonmartens2019/resnet18-pretrained": Row("resnet18", 10, None, 62.5, train=62.8),
    "vonmartens2019/alexnet-pretrained-50": Row("alexnet", 50, None, 58.7, train=59.0),
    "vonmartens2019/squeezenet-pretrained-50": Row("squeezenet1_1", 50, None, 54.6, train=54.4),
    "vonmartens2019/resnet18-pretrained-50": Row("resnet18", 50, None, 66.5, train=66.0),
}
PROTOCOLS = {"columbia2020": "columbia2020", "vonmartens2019": "vonmartens2019"}
BATCH_128 = {"zheng2018/alchnet11", "zheng2018/alchnet11-d", "zheng2018/alchnet19+c"}


def source_of(name: str) -> str:
    return name.partition("/")[0]


def of(source: str) -> list[str]:
    return [name for name in PUBLISHED if source_of(name) == source]


def lr_of(spec: RecipeSpec) -> list[tuple[float, float]]:
    """Return epochs and learning rate of every phase."""
    return [(p.epochs, (p.schedule or spec.training.schedule).lr) for p in spec.phases]


def test_all_rows_are_there_and_no_others() -> None:
    assert len(PUBLISHED) == 28
    assert [n for n in recipe_names() if not n.startswith("thumbnet/")] == list(PUBLISHED)
    assert list(dict.fromkeys(map(source_of, PUBLISHED))) == [s for s in SOURCES if s != "thumbnet"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_claims_what_its_report_says(name: str) -> None:
    spec, row = load_recipe(name), PUBLISHED[name]
    claimed = spec.published
    assert claimed is not None
    assert spec.model.name == row.model
    assert (claimed.epochs, claimed.hours) == (row.epochs, row.hours)
    for figure, percent in (
        (claimed.top1, row.top1),
        (claimed.top5, row.top5),
        (claimed.train_top1, row.train),
    ):
        assert figure == (None if percent is None else pytest.approx(percent / 100))
    assert claimed.top1 is not None or claimed.claim
    assert claimed.source.startswith(source_of(name))
    assert spec.deviations


@pytest.mark.parametrize("name", PUBLISHED)
def test_is_judged_by_the_protocol_of_its_report(name: str) -> None:
    spec = load_recipe(name)
    assert spec.data.protocol == PROTOCOLS.get(source_of(name), "official")
    assert spec.published is not None
    assert spec.published.split == ("watch" if name == "columbia2020/model2" else "val")


@pytest.mark.parametrize("name", of("bastidas2017"))
def test_losses_are_those_printed(name: str) -> None:
    published = load_recipe(name).published
    assert published is not None
    assert published.loss == 2.4997


# -- how each report trained


@pytest.mark.parametrize("name", of("zheng2018"))
def test_zheng2018_trains_as_tflearn_does(name: str) -> None:
    spec = load_recipe(name)
    assert spec.preprocess.normalize == "overall"
    assert spec.training.schedule == ConstantSpec(lr=0.001)
    assert spec.training.batch_size == (128 if name in BATCH_128 else 256)
    assert (spec.optimizer.clip_norm, spec.optimizer.weight_decay) == (5, 0)
    assert isinstance(spec.optimizer, RmsPropSpec if "vgg11" in name else SgdSpec)
    kinds = [op.name for op in spec.training.augment]
    if name.endswith("-a"):
        assert kinds == []
    elif name == "zheng2018/alchnet19":
        assert kinds == ["flip", "flip", "sometimes", "pad_crop"]
    else:
        assert kinds == ["flip", "flip", "crop_and_pad"]


def test_zheng2018_rows_differ_in_what_they_compare() -> None:
    one, other = load_recipe("zheng2018/alchnet11"), load_recipe("zheng2018/alchnet11-d")
    assert other.model.args == {"dropout": 0.0}
    same = {"preprocess", "optimizer", "training", "phases", "data"}
    assert one.model_dump(include=same) == other.model_dump(include=same)


@pytest.mark.parametrize("name", of("hansen2015"))
def test_hansen2015_trains_as_caffe_does(name: str) -> None:
    spec = load_recipe(name)
    assert (spec.preprocess.crop, spec.preprocess.image_size) == (60, 64)
    assert [op.name for op in spec.training.augment] == ["random_crop", "flip"]
    assert spec.training.batch_size == 256
    assert isinstance(spec.optimizer, SgdSpec)
    assert (spec.optimizer.momentum, spec.optimizer.weight_decay) == (0.9, 5e-4)


def test_hansen2015_learning_rates_fall_as_told() -> None:
    for name, steps in {"alexnet-caffe": 100_000, "alexnet-3x3": 5_000}.items():
        schedule = load_recipe(f"hansen2015/{name}").training.schedule
        assert schedule == StepSpec(lr=0.01, factor=0.1, every_steps=steps)
    by_hand = [lr for _, lr in lr_of(load_recipe("hansen2015/alexnet-prelu"))]
    assert by_hand == sorted(by_hand, reverse=True)


def test_the_ensemble_names_its_members() -> None:
    spec, member = load_recipe("hansen2015/ensemble"), load_recipe("hansen2015/alexnet-prelu")
    assert spec.ensemble is not None
    assert set(spec.ensemble.members) == {member.name}
    assert 2 <= len(spec.ensemble.members) <= 4
    assert spec.ensemble.combine == "logits"
    assert (spec.model, spec.phases) == (member.model, member.phases)
    assert [n for n in recipe_names() if load_recipe(n).ensemble is not None] == [spec.name]


@pytest.mark.parametrize("name", of("bastidas2017"))
def test_bastidas2017_trains_by_adam_with_l2_on_convolutions(name: str) -> None:
    spec = load_recipe(name)
    assert isinstance(spec.optimizer, AdamSpec)
    assert (spec.optimizer.decay, spec.optimizer.decay_on) == ("l2", "convolutions")
    assert spec.preprocess.normalize == "mean_image"
    affine, flip = spec.training.augment
    assert (affine.name, flip.name) == ("affine", "flip")
    assert affine.model_dump()["rotate"] == (-45, 45)


def test_network1_has_the_phases_of_the_code() -> None:
    spec = load_recipe("abai2019/network1")
    phases = [
        (p.epochs, p.image_size or 64, p.batch_size or spec.training.batch_size, p.augment is None)
        for p in spec.phases
    ]
    assert phases == [
        (15, 32, 256, False),
        (15, 64, 64, False),
        (15, 64, 64, False),
        (10, 16, 256, False),
        (15, 64, 64, False),
        (105, 64, 64, True),
        (70, 64, 64, True),
    ]
    assert {p.steps_per_epoch for p in spec.phases} == {200}
    plateaus = [isinstance(p.schedule, PlateauSpec) for p in spec.phases]
    assert plateaus == [True, True, False, False, False, False, True]


def test_network2_has_the_cycles_of_the_code() -> None:
    spec = load_recipe("abai2019/network2")
    assert isinstance(spec.optimizer, RmsPropSpec)
    assert (spec.optimizer.eps, spec.optimizer.weight_decay) == (1e-8, 2 * 2e-4)
    assert spec.training.batch_size == 128
    cycles = []
    for phase in spec.phases:
        schedule = phase.schedule
        assert isinstance(schedule, CyclicSpec)
        assert schedule.mode == "triangular2"
        cycles.append((schedule.base_lr, schedule.lr, schedule.half_steps, phase.epochs))
    assert cycles == [
        (1e-4, 6e-4, 4686, 24),
        (1e-5, 6e-5, 4686, 24),
        (1e-5, 6e-5, 3128, 24),
        (1e-6, 6e-6, 1564, 12),
        (1e-5, 6e-5, 1564, 12),
        (1e-7, 6e-7, 1564, 12),
    ]
    assert [p.start_from for p in spec.phases] == ["last"] + ["best"] * 5


def test_columbia2020_has_the_phases_of_its_report() -> None:
    model1, model2 = load_recipe("columbia2020/model1"), load_recipe("columbia2020/model2")
    phases = [(p.epochs, p.image_size or 64, p.augment is None) for p in model1.phases]
    assert phases == [
        (8, 32, False),
        (15, 64, False),
        (5, 16, False),
        (15, 64, False),
        (75, 64, True),
    ]
    assert model1.training.batch_size == 128
    assert lr_of(model2) == [(25, 6e-4), (25, 6e-4), (33, 6e-4), (17, 6e-4), (23, 6e-5)]
    assert [p.batch_size for p in model2.phases] == [256, 256, 256, 128, 128]
    assert [p.steps_per_epoch for p in model2.phases] == [200, 200, 200, 312, 312]
    assert (model1.training.augment_seed, model2.training.augment_seed) == (None, None)


@pytest.mark.parametrize("name", of("vonmartens2019"))
def test_vonmartens2019_trains_by_plain_sgd(name: str) -> None:
    spec = load_recipe(name)
    pretrained = "pretrained" in name
    assert spec.training.schedule == ConstantSpec(lr=0.001)
    assert spec.optimizer == SgdSpec(momentum=0.9)
    assert spec.training.augment == ()
    sizes = {"lenet5": (28, 32)}.get(spec.model.name, (224, 100) if pretrained else (64, 50))
    assert (spec.preprocess.image_size, spec.training.batch_size) == sizes
    assert spec.quirks.frozen_after_epoch == 1
    outputs = 1000 if spec.model.name in {"alexnet", "resnet18"} else None
    assert spec.quirks.num_outputs == outputs
    assert spec.model.pretrained == pretrained
    assert ("upper bound" in spec.summary) == pretrained
