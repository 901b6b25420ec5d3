"""Rows of the report vonmartens2019: small networks in PyTorch, from scratch."""

from thumbnet.recipe import (
    ConstantSpec,
    DataSpec,
    MeanStd,
    ModelSpec,
    PhaseSpec,
    PreprocessSpec,
    Published,
    QuirkSpec,
    RecipeSpec,
    SgdSpec,
    TrainingSpec,
)
from thumbnet.recipes.registry import recipe

SGD = SgdSpec(momentum=0.9, weight_decay=0.0)
DATA = DataSpec(protocol="vonmartens2019")


@recipe
def lenet5() -> RecipeSpec:
    """LeNet-5 on 28x28 grey images, 40 epochs."""
    return RecipeSpec(
        name="vonmartens2019/lenet5",
        summary="LeNet-5 on 28x28 grey images",
        model=ModelSpec(name="lenet5"),
        preprocess=PreprocessSpec(
            image_size=28, color="grey", normalize=MeanStd(mean=(0.5,), std=(0.5,))
        ),
        optimizer=SGD,
        training=TrainingSpec(batch_size=32, schedule=ConstantSpec(lr=0.001)),
        phases=(PhaseSpec(epochs=40),),
        data=DATA,
        quirks=QuirkSpec(frozen_after_epoch=1),
        published=Published(
            source="vonmartens2019, table 2, LeNet-5", top1=0.220, train_top1=0.218, epochs=40
        ),
        tolerance=0.01,
        deviations=(
            "the network is initialized with PyTorch's defaults of today",
            "the quirk frozen_after_epoch changes nothing here: no batch norm, no dropout",
        ),
    )


@recipe
def resnet18() -> RecipeSpec:
    """ResNet-18 from scratch at 64x64, with the slips of the report's code."""
    return RecipeSpec(
        name="vonmartens2019/resnet18",
        summary="ResNet-18 with its ImageNet stem, from scratch at 64x64",
        model=ModelSpec(name="resnet18"),
        preprocess=PreprocessSpec(
            image_size=64,
            normalize=MeanStd(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        ),
        optimizer=SGD,
        training=TrainingSpec(batch_size=50, schedule=ConstantSpec(lr=0.001)),
        phases=(PhaseSpec(epochs=40),),
        data=DATA,
        quirks=QuirkSpec(frozen_after_epoch=1, num_outputs=1000),
        published=Published(
            source="vonmartens2019, table 2, ResNet-18", top1=0.237, train_top1=0.228, epochs=40
        ),
        tolerance=0.01,
        deviations=("outputs beyond the 200 classes are left out when judging",),
    )
