"""Rows of the report vonmartens2019: four networks in PyTorch, from scratch and pretrained."""

from thumbnet.recipe import (
    ConstantSpec,
    DataSpec,
    MeanStd,
    ModelSpec,
    PhaseSpec,
    PreprocessSpec,
    Published,
    PublishedCurve,
    QuirkSpec,
    RecipeSpec,
    SgdSpec,
    TrainingSpec,
)
from thumbnet.recipes.registry import recipe

IMAGENET = MeanStd(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
HEAD_OF_1000 = QuirkSpec(frozen_after_epoch=1, num_outputs=1000)
OUTPUTS = "outputs beyond the 200 classes are left out when judging"
COLUMN = "the column 'training accuracy' seems to be the other half of val, not the training images"


def _recipe(
    row: str,
    summary: str,
    model: ModelSpec,
    preprocess: PreprocessSpec,
    *,
    batch_size: int,
    quirks: QuirkSpec,
    published: Published,
    deviations: tuple[str, ...],
) -> RecipeSpec:
    """Return a row; SGD .001 with momentum .9, no weight decay and no augmentation hold for all."""
    assert published.epochs is not None
    return RecipeSpec(
        name=f"vonmartens2019/{row}",
        summary=summary,
        model=model,
        preprocess=preprocess,
        optimizer=SgdSpec(momentum=0.9, weight_decay=0.0),
        training=TrainingSpec(batch_size=batch_size, schedule=ConstantSpec(lr=0.001)),
        phases=(PhaseSpec(epochs=published.epochs),),
        data=DataSpec(protocol="vonmartens2019"),
        quirks=quirks,
        published=published,
        tolerance=0.01,
        deviations=(*deviations, COLUMN),
    )


def _scratch(
    row: str,
    model: str,
    title: str,
    top1: float,
    train_top1: float,
    quirks: QuirkSpec,
    deviations: tuple[str, ...] = (),
) -> RecipeSpec:
    """Return a row of table 2: 40 epochs on the images as they are."""
    return _recipe(
        row,
        f"{title} from scratch at 64x64",
        ModelSpec(name=model),
        PreprocessSpec(image_size=64, normalize=IMAGENET),
        batch_size=50,
        quirks=quirks,
        published=Published(
            source=f"vonmartens2019, table 2, {title}", top1=top1, train_top1=train_top1, epochs=40
        ),
        deviations=deviations,
    )


def _pretrained(
    scratch: RecipeSpec, epochs: int, top1: float, train_top1: float, row: str
) -> RecipeSpec:
    """Return a row of table 3: the network of `scratch` with ImageNet's weights, at 224x224."""
    title = scratch.summary.partition(" from scratch")[0]
    return _recipe(
        row,
        f"{title} pretrained on ImageNet, at 224x224: an upper bound",
        scratch.model.model_copy(update={"pretrained": True}),
        PreprocessSpec(image_size=224, normalize=IMAGENET),
        batch_size=100,
        quirks=scratch.quirks,
        published=Published(
            source=f"vonmartens2019, table 3, {title}, {epochs} epochs",
            top1=top1,
            train_top1=train_top1,
            epochs=epochs,
        ),
        deviations=(
            "an upper bound: Tiny ImageNet's images are drawn from ImageNet's training set, which "
            "the weights have seen",
            "224x224, as table 3 says; the report's text and code say 224x244",
            *(line for line in scratch.deviations if line != COLUMN),
        ),
    )


@recipe
def lenet5() -> RecipeSpec:
    """LeNet-5 on 28x28 grey images, 40 epochs."""
    return _recipe(
        "lenet5",
        "LeNet-5 from scratch on 28x28 grey images",
        ModelSpec(name="lenet5"),
        PreprocessSpec(image_size=28, color="grey", normalize=MeanStd(mean=(0.5,), std=(0.5,))),
        batch_size=32,
        quirks=QuirkSpec(frozen_after_epoch=1),
        published=Published(
            source="vonmartens2019, table 2, LeNet-5",
            top1=0.220,
            train_top1=0.218,
            epochs=40,
            curve=PublishedCurve(
                source="the log in the author's notebook", split="watch", points=((30, 0.139),)
            ),
        ),
        deviations=(
            "the network is initialized with PyTorch's defaults of today",
            "the quirk frozen_after_epoch changes nothing here: no batch norm, no dropout",
            "the log in the author's notebook ends at .139 after 30 epochs",
        ),
    )


@recipe
def alexnet() -> RecipeSpec:
    """AlexNet from scratch at 64x64, with the slips of the report's code."""
    return _scratch("alexnet", "alexnet", "AlexNet", 0.240, 0.237, HEAD_OF_1000, (OUTPUTS,))


@recipe
def squeezenet() -> RecipeSpec:
    """SqueezeNet v1.1 from scratch at 64x64; its head has the 200 outputs."""
    quirks = QuirkSpec(frozen_after_epoch=1)
    return _scratch("squeezenet", "squeezenet1_1", "SqueezeNet", 0.230, 0.233, quirks)


@recipe
def resnet18() -> RecipeSpec:
    """ResNet-18 from scratch at 64x64, with the slips of the report's code."""
    return _scratch("resnet18", "resnet18", "ResNet-18", 0.237, 0.228, HEAD_OF_1000, (OUTPUTS,))


@recipe
def alexnet_pretrained() -> RecipeSpec:
    """AlexNet with ImageNet's weights, 10 epochs."""
    return _pretrained(alexnet(), 10, 0.573, 0.562, "alexnet-pretrained")


@recipe
def squeezenet_pretrained() -> RecipeSpec:
    """SqueezeNet v1.1 with ImageNet's weights, 10 epochs."""
    return _pretrained(squeezenet(), 10, 0.586, 0.589, "squeezenet-pretrained")


@recipe
def resnet18_pretrained() -> RecipeSpec:
    """ResNet-18 with ImageNet's weights, 10 epochs."""
    return _pretrained(resnet18(), 10, 0.625, 0.628, "resnet18-pretrained")


@recipe
def alexnet_pretrained_50() -> RecipeSpec:
    """AlexNet with ImageNet's weights, 50 epochs."""
    return _pretrained(alexnet(), 50, 0.587, 0.590, "alexnet-pretrained-50")


@recipe
def squeezenet_pretrained_50() -> RecipeSpec:
    """SqueezeNet v1.1 with ImageNet's weights, 50 epochs."""
    return _pretrained(squeezenet(), 50, 0.546, 0.544, "squeezenet-pretrained-50")


@recipe
def resnet18_pretrained_50() -> RecipeSpec:
    """ResNet-18 with ImageNet's weights, 50 epochs: the report's best."""
    return _pretrained(resnet18(), 50, 0.665, 0.660, "resnet18-pretrained-50")
