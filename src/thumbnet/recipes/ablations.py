"""What reports claim of layers, optimizers and rates: families that change a row in one thing."""

import math
from collections.abc import Iterator
from typing import Any

from thumbnet.recipe import (
    AdaGradSpec,
    RecipeSpec,
    SgdSpec,
)
from thumbnet.recipes import hansen2015
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import ablation, load_recipe


def vary(row: str, variant: str, summary: str, **changes: Any) -> RecipeSpec:
    """Return `row` as `<row>+<variant>` with keys replaced, their dots written `__`.

    The figure published for the row is not its claim.
    """
    name = f"{row}+{variant}"
    own = {"name": name, "summary": summary, "published": None, "tolerance": None}
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return with_overrides(load_recipe(row), own | given, name)


# -- layers


@ablation(
    "dropout is worth half a point on AlchNet11",
    source="zheng2018, section 5.3",
    keys=("model.args",),
)
def dropout() -> Iterator[RecipeSpec]:
    """The other networks of the report without dropout; alchnet11-d is a row of its own."""
    for row in ("alexnet", "vgg11", "alchnet19+c", "alchnet19"):
        yield vary(
            f"zheng2018/{row}", "no-dropout", "without dropout", model__args={"dropout": 0.0}
        )


@ablation(
    "batch norm before ReLU is worth 8 points; the rows differ in their heads too",
    source="zheng2018, section 5.5",
    keys=("model.name",),
)
def norm_order() -> Iterator[RecipeSpec]:
    """The four AlchNets of 19 layers under the training of the best."""
    row = "zheng2018/alchnet19"
    yield vary(row, "gap", "global pool", model__name="alchnet19_gap")
    yield vary(row, "relu-bn", "ReLU first, global pool", model__name="alchnet19_relu_bn")
    yield vary(
        row, "relu-bn-flat", "ReLU first, no global pool", model__name="alchnet19_relu_bn_flat"
    )


@ablation(
    "19 layers are better than 11",
    source="zheng2018, section 5.2",
    keys=("model.name",),
)
def depth() -> Iterator[RecipeSpec]:
    """Two blocks a width instead of one, all else as in alchnet11."""
    yield vary("zheng2018/alchnet11", "19-layers", "19 layers", model__name="alchnet19_relu_bn")


@ablation(
    "batch norm instead of dropout helps against over-fitting",
    source="bastidas2017, Metrics & Results",
    keys=("model.args",),
)
def norm_or_dropout() -> Iterator[RecipeSpec]:
    """The VGG-like network with dropout where it has batch norm."""
    yield vary(
        "bastidas2017/vgg-like",
        "dropout",
        "dropout instead of batch norm",
        model__args={"norm": "dropout"},
    )


@ablation(
    "PReLU is worth 10 points, and Xavier initialization speeds up training",
    source="hansen2015, section 4.1",
    keys=("model", "preprocess.normalize"),
)
def activation() -> Iterator[RecipeSpec]:
    """PReLU and Xavier's weights one by one, and the best network without PReLU."""
    row = "hansen2015/alexnet-3x3"
    yield vary(row, "prelu", "PReLU", model__args={"activation": "prelu"})
    yield vary(
        row,
        "xavier",
        "Xavier's weights, for which pixels are scaled to 0 to 1",
        model__args={"init": "xavier"},
        preprocess__normalize=hansen2015.UNITS,
    )
    relu = {"name": "alexnet_3x3", "args": {"init": "xavier"}}
    yield vary("hansen2015/alexnet-prelu", "relu", "ReLU", model=relu)


@ablation(
    "without LRN, with smaller filters and pools: 10 points",
    source="hansen2015, section 4.1",
    keys=("model.args",),
)
def lrn() -> Iterator[RecipeSpec]:
    """LRN put back into the 3x3 network, and taken out of zheng2018's AlexNet."""
    yield vary("hansen2015/alexnet-3x3", "lrn", "with LRN", model__args={"lrn": True})
    yield vary("zheng2018/alexnet", "no-lrn", "without LRN", model__args={"lrn": False})


@ablation(
    "any other number of layers is disastrous; pools, FC layers and widths change nothing",
    source="hansen2015, section 4.1",
    keys=("model.args",),
)
def layers() -> Iterator[RecipeSpec]:
    """More or fewer convolutions, pools, FC layers and channels."""
    changes: tuple[tuple[str, str, dict[str, int | float]], ...] = (
        ("4-conv", "one convolution fewer", {"num_conv": 4}),
        ("6-conv", "one convolution more", {"num_conv": 6}),
        ("2-pools", "one pool fewer", {"num_pools": 2}),
        ("4-pools", "one pool more", {"num_pools": 4}),
        ("2-fc", "one FC layer fewer", {"num_fc": 2}),
        ("4-fc", "one FC layer more", {"num_fc": 4}),
        ("half-width", "half the channels", {"width": 0.5}),
        ("double-width", "twice the channels", {"width": 2.0}),
    )
    for variant, summary, args in changes:
        yield vary("hansen2015/alexnet-3x3", variant, summary, model__args=args)


@ablation(
    "SqueezeNet v1.1 is as good as v1.0 at 2.4 times less computation",
    source="vonmartens2019, section 3.3",
    keys=("model.name",),
)
def squeezenet_version() -> Iterator[RecipeSpec]:
    """SqueezeNet v1.0 in place of v1.1."""
    for row in ("vonmartens2019/squeezenet", "vonmartens2019/squeezenet-pretrained"):
        yield vary(row, "v1.0", "SqueezeNet v1.0", model__name="squeezenet1_0")


# -- optimizers, learning rates, lengths


@ablation(
    "Nesterov is about twice as fast; neither it nor AdaGrad nor plain SGD ends better",
    source="hansen2015, section 4.1",
    keys=("optimizer", "training.schedule.lr"),
)
def optimizer() -> Iterator[RecipeSpec]:
    """The optimizers tried; AdaGrad, whose first steps are its longest, at a tenth of the rate."""
    shared: dict[str, Any] = {"weight_decay": 5e-4, "decay_on": "weights", "norm_bias_lr": 2.0}
    optimizers = {
        "sgd": (SgdSpec(momentum=0.0, **shared), 0.01),
        "nesterov": (SgdSpec(momentum=0.9, nesterov=True, **shared), 0.01),
        "adagrad": (AdaGradSpec(eps=1e-8, initial=0.0, **shared), 0.001),
    }
    for variant, (spec, lr) in optimizers.items():
        yield vary(
            "hansen2015/alexnet-3x3",
            variant,
            f"{variant} in place of momentum, learning rate {lr:g}",
            optimizer=spec,
            training__schedule__lr=lr,
        )


@ablation(
    "falls every 5,000 iterations converge far sooner than every 100,000",
    source="hansen2015, section 4.1",
    keys=("training.schedule.every_steps", "phases.*.epochs"),
)
def decay_interval() -> Iterator[RecipeSpec]:
    """Each network with the other's interval, and as many epochs as the other has."""
    rows = {"hansen2015/alexnet-3x3": (100_000, 300), "hansen2015/alexnet-caffe": (5_000, 50)}
    for row, (steps, epochs) in rows.items():
        yield vary(
            row,
            f"decay-{steps}",
            f"the learning rate falls every {steps:,} iterations, {epochs} epochs",
            training__schedule__every_steps=steps,
            phases__0__epochs=epochs,
        )


@ablation(
    ".001 is a good learning rate and .0005 a worse; too low is slow, too high does not converge",
    source="zheng2018, section 5.4",
    keys=("optimizer", "training.schedule.lr"),
)
def learning_rate() -> Iterator[RecipeSpec]:
    """VGG11 at four learning rates, with RMSprop and with momentum SGD."""
    row, momentum = "zheng2018/vgg11", SgdSpec(momentum=0.9, clip_norm=5.0)
    for lr in ("0.1", "0.0005", "0.00001"):
        yield vary(row, f"lr-{lr}", f"learning rate {lr}", training__schedule__lr=float(lr))
    for lr in ("0.1", "0.001", "0.0005", "0.00001"):
        summary = f"momentum SGD, learning rate {lr}"
        changes = {"optimizer": momentum, "training__schedule__lr": float(lr)}
        yield vary(row, f"momentum-{lr}", summary, **changes)


@ablation(
    "Keras's saved models kept the learning rate to which a plateau had brought it",
    source="the code of abai2019",
    keys=("training.schedule.lr", "phases.*.schedule.lr"),
)
def kept_learning_rate() -> Iterator[RecipeSpec]:
    """From its second phase on network 1 trains at the rate its first ended with."""
    lower = 1e-3 * math.sqrt(0.1)
    yield vary(
        "abai2019/network1",
        "kept-lr",
        "the learning rate stays down after the first phase",
        training__schedule__lr=lower,
        phases__1__schedule__lr=lower,
        phases__6__schedule__lr=lower,
    )


@ablation(
    "batch sizes from 32 to 100 and epochs from 10 to 50 were tried, no effect is told",
    source="vonmartens2019, section 4",
    keys=("training.batch_size", "phases.*.epochs"),
)
def batch_size_and_epochs() -> Iterator[RecipeSpec]:
    """Every network from scratch at the batch sizes and epochs its row has not."""
    for row in ("lenet5", "alexnet", "squeezenet", "resnet18"):
        name = f"vonmartens2019/{row}"
        for size in sorted({32, 50, 100} - {load_recipe(name).training.batch_size}):
            yield vary(name, f"batch-{size}", f"batch size {size}", training__batch_size=size)
        for epochs in (10, 50):
            yield vary(name, f"epochs-{epochs}", f"{epochs} epochs", phases__0__epochs=epochs)


@ablation(
    "train mode set once is the likely reason for 23 %",
    source="the code of vonmartens2019",
    keys=("quirks",),
)
def slips() -> Iterator[RecipeSpec]:
    """The networks from scratch without the slips of the report's code."""
    for row in ("alexnet", "squeezenet", "resnet18"):
        yield vary(f"vonmartens2019/{row}", "no-slips", "without the slips", quirks={})
