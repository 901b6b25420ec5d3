"""Networks with public weights have torchvision's parameter names and shapes, in its order."""

import pytest
import torch

from thumbnet.models.registry import create_model

Shapes = list[tuple[str, tuple[int, ...]]]

ALEXNET = {  # layer: shape of its weight
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}
FIRES = {  # features.N: channels in, squeezed, of each half expanded
    "squeezenet1_0": {
        3: (96, 16, 64),
        4: (128, 16, 64),
        5: (128, 32, 128),
        7: (256, 32, 128),
        8: (256, 48, 192),
        9: (384, 48, 192),
        10: (384, 64, 256),
        12: (512, 64, 256),
    },
    "squeezenet1_1": {
        3: (64, 16, 64),
        4: (128, 16, 64),
        6: (128, 32, 128),
        7: (256, 32, 128),
        9: (256, 48, 192),
        10: (384, 48, 192),
        11: (384, 64, 256),
        12: (512, 64, 256),
    },
}
FIRST = {"squeezenet1_0": (96, 3, 7, 7), "squeezenet1_1": (64, 3, 3, 3)}
DEPTHS = {
    "resnet18": (2, 2, 2, 2),
    "resnet18_3x3": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet34_3x3": (3, 4, 6, 3),
}


def with_bias(layers: dict[str, tuple[int, ...]]) -> Shapes:
    return [
        entry
        for name, shape in layers.items()
        for entry in ((f"{name}.weight", shape), (f"{name}.bias", shape[:1]))
    ]


def squeezenet(name: str) -> Shapes:
    layers = {"features.0": FIRST[name]}
    for i, (width, squeeze, expand) in FIRES[name].items():
        layers[f"features.{i}.squeeze"] = (squeeze, width, 1, 1)
        layers[f"features.{i}.expand1x1"] = (expand, squeeze, 1, 1)
        layers[f"features.{i}.expand3x3"] = (expand, squeeze, 3, 3)
    return with_bias(layers | {"classifier.1": (1000, 512, 1, 1)})


def resnet(name: str) -> Shapes:
    def conv_norm(conv: str, norm: str, shape: tuple[int, ...]) -> Shapes:
        kinds = ("weight", "bias", "running_mean", "running_var")
        return [
            (f"{conv}.weight", shape),
            *((f"{norm}.{kind}", shape[:1]) for kind in kinds),
            (f"{norm}.num_batches_tracked", ()),
        ]

    size = 3 if name.endswith("3x3") else 7
    entries, width = conv_norm("conv1", "bn1", (64, 3, size, size)), 64
    for layer, (depth, out) in enumerate(zip(DEPTHS[name], (64, 128, 256, 512), strict=True), 1):
        for block in range(depth):
            path = f"layer{layer}.{block}"
            entries += conv_norm(f"{path}.conv1", f"{path}.bn1", (out, width, 3, 3))
            entries += conv_norm(f"{path}.conv2", f"{path}.bn2", (out, out, 3, 3))
            if out != width:
                path = f"{path}.downsample"
                entries += conv_norm(f"{path}.0", f"{path}.1", (out, width, 1, 1))
            width = out
    return entries + with_bias({"fc": (1000, 512)})


def own_shapes(name: str) -> Shapes:
    with torch.device("meta"):
        state = create_model(name, 1000).state_dict()
    return [(key, tuple(value.shape)) for key, value in state.items()]


def test_alexnet() -> None:
    assert own_shapes("alexnet") == with_bias(ALEXNET)


@pytest.mark.parametrize("name", FIRES)
def test_squeezenet(name: str) -> None:
    assert own_shapes(name) == squeezenet(name)


@pytest.mark.parametrize(("name", "length"), [("resnet18", 122), ("resnet34", 218)])
def test_resnet(name: str, length: int) -> None:
    for own in (name, f"{name}_3x3"):
        assert own_shapes(own) == resnet(own)
        assert len(resnet(own)) == length
