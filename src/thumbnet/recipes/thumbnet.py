"""Our own recipes, tuned on the watched part of `holdout`; official val is only reported.

A tuned row has the network, the input and the number of parameters of a published one; its
training is free.
"""

from collections.abc import Mapping

from thumbnet.recipe import (
    AugmentSpec,
    CutMixSpec,
    EraseSpec,
    FlipSpec,
    MixSpec,
    MixUpSpec,
    ModelSpec,
    MuonSpec,
    NoMixSpec,
    OneCycleSpec,
    PadCropSpec,
    PhaseSpec,
    PreprocessSpec,
    RandomCropSpec,
    RecipeSpec,
    SgdSpec,
    TrainingSpec,
    TriangularSpec,
    TrivialAugmentSpec,
)
from thumbnet.recipes.registry import recipe

SGD = SgdSpec(momentum=0.9, nesterov=True, weight_decay=5e-4, decay_on="weights")
MIXES = (CutMixSpec(alpha=1.0, share=0.5), MixUpSpec(alpha=0.2, share=0.25), NoMixSpec(share=0.25))


def _shifted(pad: int) -> tuple[AugmentSpec, ...]:
    return (FlipSpec(), PadCropSpec(pad=pad))


@recipe
def quick() -> RecipeSpec:
    """Train a small network in minutes on two CPU cores: most epochs at 32 px, the last at 64."""
    return RecipeSpec(
        name="thumbnet/quick",
        summary="a small network in minutes on a CPU: epochs at 32, 48, then 64 px",
        model=ModelSpec(name="thumbnet_quick"),
        optimizer=SGD,
        training=TrainingSpec(
            batch_size=256,
            schedule=TriangularSpec(lr=0.8, warmup=0.15),
            augment=_shifted(3),
            label_smoothing=0.1,
            drop_last=True,
        ),
        phases=(
            PhaseSpec(epochs=4, image_size=32),
            PhaseSpec(epochs=2, image_size=48),
            PhaseSpec(epochs=1, image_size=64),
        ),
    )


def _speedrun(
    threshold: str,
    summary: str,
    phases: Mapping[int, float],
    augment: tuple[AugmentSpec, ...],
    *,
    width: int,
    lr: float = 0.16,
    batch_size: int = 256,
    mix: tuple[MixSpec, ...] = (),
) -> RecipeSpec:
    """Return a race to a threshold: `phases` are epochs by image size, judged at the last size.

    From 48 px on the first layers rest: a third of the time there, for nothing lost.
    """
    return RecipeSpec(
        name=f"thumbnet/speedrun{threshold}",
        summary=summary,
        model=ModelSpec(
            name="thumbnet_quick", args={"width": width, "pool": "max_mean", "identity": True}
        ),
        preprocess=PreprocessSpec(image_size=max(phases)),
        optimizer=MuonSpec(
            momentum=0.8,
            num_iterations=3,
            other_lr=5.0,
            weight_decay=0.02,
            decay_on="convolutions",
        ),
        training=TrainingSpec(
            batch_size=batch_size,
            schedule=TriangularSpec(lr=lr, warmup=0.08),
            augment=augment,
            mix=mix,
            label_smoothing=0.1,
            drop_last=True,
            watched_images=1000,
        ),
        phases=tuple(
            PhaseSpec(epochs=n, image_size=size, freeze=("stem", "group1") if size >= 48 else ())
            for size, n in phases.items()
        ),
    )


@recipe
def speedrun45() -> RecipeSpec:
    """Reach 45 % in minutes on two CPU cores: benchmarks/SPEEDRUN.md."""
    sizes = {24: 2, 32: 3.7, 48: 1.6}
    return _speedrun("45", "a race to 45 % on official val", sizes, _shifted(1), width=32)


@recipe
def speedrun55() -> RecipeSpec:
    """Reach 55.7 %: it ends at 52.6, benchmarks/SPEEDRUN.md."""
    sizes, text = {24: 3, 32: 7, 48: 3, 64: 2}, "a race to 55.7 % on official val"
    return _speedrun("55", text, sizes, _shifted(2), width=40, lr=0.22, batch_size=512)


@recipe
def speedrun62() -> RecipeSpec:
    """Reach 62.73 %: it ends at 57.7, benchmarks/SPEEDRUN.md.

    A quarter of the batches is pasted together, so that it learns less by heart. Large batches
    keep wide convolutions at the machine's rate, and halve Muon's part of the time.
    """
    sizes, mix = {24: 4, 32: 9, 48: 5, 64: 5}, (CutMixSpec(share=0.25), NoMixSpec(share=0.75))
    text = "a race to 62.73 % on official val"
    return _speedrun("62", text, sizes, _shifted(3), width=64, lr=0.22, batch_size=512, mix=mix)


@recipe
def lenet5_tuned() -> RecipeSpec:
    """LeNet-5 on the same 28x28 grey images, with Muon and shifts, half as long again."""
    return RecipeSpec(
        name="thumbnet/lenet5-tuned",
        summary="LeNet-5 with Muon, flips and shifts",
        model=ModelSpec(name="lenet5"),
        preprocess=PreprocessSpec(image_size=28, color="grey", normalize="overall"),
        optimizer=MuonSpec(momentum=0.95),
        training=TrainingSpec(
            batch_size=128,
            schedule=TriangularSpec(lr=0.012, warmup=0.15),
            augment=_shifted(2),
            drop_last=True,
        ),
        phases=(PhaseSpec(epochs=60),),
    )


@recipe
def resnet18_tuned() -> RecipeSpec:
    """ResNet-18 with its ImageNet stem, sizes growing to 64 px."""
    return RecipeSpec(
        name="thumbnet/resnet18-tuned",
        summary="ResNet-18, 7x7 stem, epochs at 32, 48, then 64 px",
        model=ModelSpec(name="resnet18"),
        optimizer=SGD,
        training=TrainingSpec(
            batch_size=128,
            schedule=TriangularSpec(lr=0.2, warmup=0.15),
            label_smoothing=0.1,
            drop_last=True,
        ),
        phases=(
            PhaseSpec(epochs=14, image_size=32, augment=_shifted(2)),
            PhaseSpec(epochs=5, image_size=48, augment=_shifted(3)),
            PhaseSpec(epochs=6, image_size=64, augment=_shifted(4)),
        ),
    )


@recipe
def squeezenet_tuned() -> RecipeSpec:
    """SqueezeNet 1.1 with Muon, which does without batch norm, sizes growing to 64 px."""
    return RecipeSpec(
        name="thumbnet/squeezenet-tuned",
        summary="SqueezeNet 1.1 with Muon, epochs at 48, then 64 px",
        model=ModelSpec(name="squeezenet1_1", args={"dropout": 0.2}),
        optimizer=MuonSpec(momentum=0.95, weight_decay=0.01, decay_on="weights", clip_norm=1.0),
        training=TrainingSpec(
            batch_size=128,
            schedule=TriangularSpec(lr=0.005, warmup=0.1),
            label_smoothing=0.1,
            drop_last=True,
        ),
        phases=(
            PhaseSpec(epochs=16, image_size=48, augment=_shifted(3)),
            PhaseSpec(epochs=13, image_size=64, augment=_shifted(4)),
        ),
    )


@recipe
def alexnet_prelu_tuned() -> RecipeSpec:
    """PReLU AlexNet on windows of 60 px, with Muon and erased rectangles."""
    return RecipeSpec(
        name="thumbnet/alexnet-prelu-tuned",
        summary="PReLU AlexNet with Muon and erased rectangles",
        model=ModelSpec(name="alexnet_prelu"),
        preprocess=PreprocessSpec(image_size=64, crop=60),
        optimizer=MuonSpec(momentum=0.95, weight_decay=0.01, decay_on="weights", clip_norm=1.0),
        training=TrainingSpec(
            batch_size=256,
            schedule=TriangularSpec(lr=0.02, warmup=0.1),
            augment=(RandomCropSpec(size=60), FlipSpec(), EraseSpec(p=0.25)),
            label_smoothing=0.1,
            drop_last=True,
        ),
        phases=(PhaseSpec(epochs=60),),
    )


def _long(
    row: str,
    network: str,
    epochs: Mapping[int | None, int],  # by image size; None is the network's own
    summary: str = "one cycle, TrivialAugment, CutMix and MixUp",
    *,
    lr: float = 0.4,
    batch: int = 256,
) -> RecipeSpec:
    """Return a long training of a network with batch norm, as a GPU does it in minutes."""
    return RecipeSpec(
        name=f"thumbnet/{row}",
        summary=summary,
        model=ModelSpec(name=network),
        optimizer=SGD,
        training=TrainingSpec(
            batch_size=batch,
            schedule=OneCycleSpec(lr=lr),
            augment=(FlipSpec(), PadCropSpec(pad=4), TrivialAugmentSpec()),
            mix=MIXES,
            label_smoothing=0.1,
            ema_decay=0.999,
            drop_last=True,
        ),
        phases=tuple(PhaseSpec(epochs=n, image_size=size) for size, n in epochs.items()),
    )


@recipe
def alchnet19_tuned() -> RecipeSpec:
    """AlchNet19 as published, trained as nets are today."""
    return _long("alchnet19-tuned", "alchnet19", {None: 80}, lr=0.2)


@recipe
def inceptionv3_like_tuned() -> RecipeSpec:
    """The InceptionV3-like network, trained as nets are today."""
    return _long("inceptionv3-like-tuned", "inceptionv3_like", {None: 80})


@recipe
def network2_tuned() -> RecipeSpec:
    """Densely connected network 2, trained as nets are today."""
    return _long("network2-tuned", "densenet_network2", {None: 80}, lr=0.2, batch=128)


@recipe
def resnet34_tuned() -> RecipeSpec:
    """ResNet-34 with a stem for small images."""
    return _long("resnet34-tuned", "resnet34_3x3", {None: 80})


@recipe
def fractalnet_tuned() -> RecipeSpec:
    """FractalNet, wished for by bastidas2017."""
    return _long("fractalnet-tuned", "fractalnet", {None: 80}, lr=0.2)


@recipe
def speedrun70() -> RecipeSpec:
    """Reach 70.4 % on a GPU, the best published ResNet-18: not run yet, benchmarks/SPEEDRUN.md."""
    summary = "a race to 70.4 % on official val, on a GPU"
    return _long("speedrun70", "resnet18_3x3", {32: 40, 48: 40, 64: 36}, summary)


@recipe
def best() -> RecipeSpec:
    """Train the best single network we know of, in 20 minutes of a large GPU: not run yet."""
    summary = "ResNet-34, one cycle, sizes growing to 64 px"
    return _long("best", "resnet34_3x3", {32: 50, 48: 40, 64: 60}, summary)
