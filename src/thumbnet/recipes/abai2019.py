"""Rows of abai2019 (arXiv:1904.10429): two densely connected networks in Keras, on Colab."""

import math

from thumbnet.recipe import (
    AdamSpec,
    AffineSpec,
    AugmentSpec,
    BlurSpec,
    CoarseDropoutSpec,
    ConstantSpec,
    ContrastSpec,
    CropPadPercentSpec,
    CyclicSpec,
    DataSpec,
    Fill,
    FlipSpec,
    MeanStd,
    ModelSpec,
    MultiplySpec,
    NoiseSpec,
    PhaseSpec,
    PlateauSpec,
    PreprocessSpec,
    Published,
    PublishedCurve,
    RandomOrderSpec,
    RecipeSpec,
    RmsPropSpec,
    SomeOfSpec,
    SometimesSpec,
    TrainingSpec,
)
from thumbnet.recipes.registry import recipe

ANY_FILL: tuple[Fill, ...] = ("constant", "edge", "reflect", "symmetric", "wrap")
ANY_VALUE = (0.0, 255.0)
DIVIDED_BY_255 = MeanStd(mean=(0.0,) * 3, std=(1.0,) * 3)
PLATEAU = PlateauSpec(lr=1e-3, factor=math.sqrt(0.1), patience=5, min_lr=5e-7)
STEPS = 200  # an epoch of the notebook


def _affine(**ranges: tuple[float, float]) -> AffineSpec:
    """Return an affine map with imgaug's defaults: bilinear, on black."""
    return AffineSpec.model_validate(
        {"interpolation": ("bilinear",), "fill": ("constant",), **ranges}
    )


KINDS_1: dict[str, AugmentSpec] = {
    "scale": _affine(scale=(0.5, 1.5)),
    "rotate": _affine(rotate=(20, 20)),
    "coarse-dropout": CoarseDropoutSpec(p=(0, 0.2), size=(0.05, 0.07)),
    "noise": NoiseSpec(sd=(12.75, 12.75)),
    "crop-pad": CropPadPercentSpec(percent=(-0.25, 0.25), fill=("constant",)),
}
KINDS_2: dict[str, AugmentSpec] = {
    "blur": BlurSpec(sigma=(0, 2)),
    "crop-pad": CropPadPercentSpec(percent=(-0.1, 0.2), fill=ANY_FILL, fill_value=ANY_VALUE),
    "affine": AffineSpec(
        scale=(0.8, 1.5),
        per_axis=True,
        translate_x=(-0.2, 0.2),
        translate_y=(-0.2, 0.2),
        rotate=(-45, 45),
        shear=(-16, 16),
        interpolation=("nearest", "bilinear"),
        fill=ANY_FILL,
        fill_value=ANY_VALUE,
    ),
    "coarse-dropout": CoarseDropoutSpec(p=(0.03, 0.15), size=(0.02, 0.05), per_channel=0.2),
    "multiply": MultiplySpec(factor=(0.8, 1.2), per_channel=0.2),
    "contrast": ContrastSpec(factor=(0.75, 1.5), per_channel=0.5),
}
FLIPS: tuple[AugmentSpec, ...] = (FlipSpec(p=0.5), FlipSpec(axis="vertical", p=0.2))
AUGMENT_1 = SomeOfSpec(num=(0, len(KINDS_1)), ops=tuple(KINDS_1.values()))
MIXTURE_2 = (
    *FLIPS,
    RandomOrderSpec(ops=tuple(SometimesSpec(p=0.5, ops=(op,)) for op in KINDS_2.values())),
)
AUGMENT_2 = SometimesSpec(p=0.5, ops=MIXTURE_2)

CYCLES = (  # lowest and highest learning rate, steps up, epochs
    (1e-4, 6e-4, 4686, 24),
    (1e-5, 6e-5, 4686, 24),
    (1e-5, 6e-5, 3128, 24),
    (1e-6, 6e-6, 1564, 12),
    (1e-5, 6e-5, 1564, 12),
    (1e-7, 6e-7, 1564, 12),
)
COLAB = "Google Colab"
SETTINGS_OF_CODE = "settings of the augmentation as in the authors' code; the paper names its kinds"


def _part(epochs: int, **changes: object) -> PhaseSpec:
    return PhaseSpec.model_validate({"epochs": epochs, "steps_per_epoch": STEPS, **changes})


@recipe
def network1() -> RecipeSpec:
    """Network 1: three image sizes in turn, then augmented."""
    return RecipeSpec(
        name="abai2019/network1",
        summary="densely connected network 1: three image sizes, then augmented",
        model=ModelSpec(name="densenet_network1"),
        preprocess=PreprocessSpec(image_size=64, normalize=DIVIDED_BY_255),
        optimizer=AdamSpec(beta1=0.9, beta2=0.999, eps=1e-7),
        training=TrainingSpec(
            batch_size=64, schedule=ConstantSpec(lr=1e-3), augment=(AUGMENT_1,), augment_seed=42
        ),
        phases=(
            _part(15, image_size=32, batch_size=256, schedule=PLATEAU, augment=()),
            _part(15, schedule=PLATEAU, augment=()),
            _part(15, augment=()),
            _part(10, image_size=16, batch_size=256, augment=()),
            _part(15, augment=()),
            _part(7 * 15),
            _part(4 * 15 + 10, schedule=PLATEAU),
        ),
        data=DataSpec(protocol="official"),
        published=Published(
            source="abai2019, arXiv:1904.10429, network 1; columbia2020, section II",
            top1=0.595,
            train_top1=0.67,
            epochs=235,
            hours=26,
            hardware=COLAB,
            curve=PublishedCurve(
                source="abai2019, the runs of network 1",
                points=(
                    (15, 0.256),
                    (30, 0.443),
                    (45, 0.489),
                    (55, 0.091),
                    (70, 0.502),
                    (245, 0.595),
                ),
            ),
        ),
        tolerance=0.01,
        deviations=(
            "245 epochs of 200 steps, as in the authors' code; columbia2020 counts 235",
            "each epoch draws a new order of all images; Keras went on in the order it had begun",
            "phases without a plateau run at 1e-3; Keras's saved model kept the lower learning "
            "rate that an earlier plateau had left",
            "the last four runs of 15 epochs and the one of 10 are one phase, so that the learning "
            "rate stays where the plateau brought it",
            SETTINGS_OF_CODE,
            "the seed of the augmentation is 42, the other one in the code 101: chosen",
        ),
    )


@recipe
def network2() -> RecipeSpec:
    """Network 2: six cyclic phases, each from the best weights so far."""
    return RecipeSpec(
        name="abai2019/network2",
        summary="densely connected network 2: six phases of cyclic learning rates",
        model=ModelSpec(name="densenet_network2"),
        preprocess=PreprocessSpec(image_size=64, normalize=DIVIDED_BY_255),
        optimizer=RmsPropSpec(rho=0.9, eps=1e-8, weight_decay=4e-4, decay_on="convolutions"),
        training=TrainingSpec(
            batch_size=128,
            schedule=ConstantSpec(lr=1e-4),
            augment=(AUGMENT_2,),
            augment_seed=101,
            drop_last=True,
        ),
        phases=tuple(
            PhaseSpec(
                epochs=epochs,
                schedule=CyclicSpec(
                    base_lr=low, lr=high, half_steps=half_steps, mode="triangular2"
                ),
                start_from="best" if number else "last",
            )
            for number, (low, high, half_steps, epochs) in enumerate(CYCLES)
        ),
        data=DataSpec(protocol="official"),
        published=Published(
            source="abai2019, arXiv:1904.10429, network 2; columbia2020, section II",
            top1=0.6273,
            train_top1=0.6811,
            epochs=108,
            hours=36,
            hardware=COLAB,
            curve=PublishedCurve(
                source="abai2019, the runs of network 2",
                points=(
                    (24, 0.5326),
                    (48, 0.6086),
                    (72, 0.6174),
                    (84, 0.6243),
                    (96, 0.6183),
                    (108, 0.6273),
                ),
            ),
        ),
        tolerance=0.01,
        deviations=(
            "RMSprop, as in the authors' code; the paper says Adam",
            "Keras's l2(2e-4) on every convolution is a weight decay of 4e-4",
            "half of the images are augmented, as the paper says; the code passes every image "
            "through the same operations, and a comment in it drops contrast after three phases",
            "flips come first, and the other operations change places by groups: geometry, color "
            "and the rest; the code orders all of them at random",
            SETTINGS_OF_CODE,
            "the seed of the augmentation is 101, the one in this network's code",
            "a phase begins with a fresh optimizer; Keras's saved model kept its state",
            "an epoch is 781 steps, the last images of an order are left out; Keras went on in it",
        ),
    )
