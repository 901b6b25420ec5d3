"""Rows of the report bastidas2017: a VGG-like and an InceptionV3-like network in Keras."""

from thumbnet.recipe import (
    AdamSpec,
    AffineSpec,
    ConstantSpec,
    DataSpec,
    FlipSpec,
    ModelSpec,
    PhaseSpec,
    PreprocessSpec,
    Published,
    RecipeSpec,
    TrainingSpec,
)
from thumbnet.recipes.registry import recipe

BY_HAND = ((40, 0.001), (20, 0.0003), (20, 0.0001))  # epochs, learning rate

CHOSEN = (
    "the learning rate was adjusted by hand: chosen 40 epochs at .001, 20 at .0003, 20 at .0001",
    "epochs and batch size are not given: chosen 80 and 128",
    "L2 of unknown strength on every convolution: chosen Keras's l2(1e-4), a weight decay of 2e-4",
    "shifts of unknown size: chosen up to .1 of height and width",
    "rotated and shifted to the nearest pixel, with the edge repeated: Keras's defaults of 2017",
)
LOSS = "the report gives both of its rows the same losses: a copying error for one of them"


def _recipe(
    row: str, summary: str, model: str, title: str, top1: float, train_top1: float, chosen: str
) -> RecipeSpec:
    """Return a row; Adam, L2, the mean image and the augmentation hold for both."""
    augment = AffineSpec(
        rotate=(-45, 45),
        translate_x=(-0.1, 0.1),
        translate_y=(-0.1, 0.1),
        interpolation=("nearest",),
        fill=("edge",),
    )
    return RecipeSpec(
        name=f"bastidas2017/{row}",
        summary=summary,
        model=ModelSpec(name=model),
        preprocess=PreprocessSpec(image_size=64, normalize="mean_image"),
        optimizer=AdamSpec(weight_decay=2e-4, decay="l2", decay_on="convolutions"),
        training=TrainingSpec(
            batch_size=128, schedule=ConstantSpec(lr=0.001), augment=(augment, FlipSpec())
        ),
        phases=tuple(PhaseSpec(epochs=n, schedule=ConstantSpec(lr=lr)) for n, lr in BY_HAND),
        data=DataSpec(protocol="official"),
        published=Published(
            source=f"bastidas2017, Metrics & Results, {title}",
            top1=top1,
            train_top1=train_top1,
            loss=2.4997,
        ),
        tolerance=0.03,
        deviations=(*CHOSEN, chosen, LOSS),
    )


@recipe
def vgg_like() -> RecipeSpec:
    """Nine small convolutions with batch norm, then a dense layer."""
    return _recipe(
        "vgg-like",
        "nine small convolutions with batch norm",
        "vgg_like",
        "VGG-Like",
        top1=0.3453,
        train_top1=0.3679,
        chosen="one width and the dense layer's are damaged in print: read as 32 and 1024",
    )


@recipe
def inceptionv3_like() -> RecipeSpec:
    """Five Inception modules after a short stem: the report's best."""
    return _recipe(
        "inceptionv3-like",
        "a short stem and five small Inception modules",
        "inceptionv3_like",
        "InceptionV3-Like",
        top1=0.4071,
        train_top1=0.4073,
        chosen="the widths of the Inception modules are not given: chosen",
    )
