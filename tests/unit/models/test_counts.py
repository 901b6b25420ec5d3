"""Every network counts its parameters as its report, or its public weights, do."""

import pytest
import torch
from torch import nn

from thumbnet.models.registry import create_model, model_names

COUNTS = {  # at 200 classes
    "alchnet11": 5_631_560,
    "alchnet19": 44_934_344,  # 63 * 512 * 1024 more than with a global pool
    "alchnet19_gap": 11_904_200,
    "alchnet19_relu_bn": 11_904_200,  # the author's own count
    "alchnet19_relu_bn_flat": 44_934_344,
    "alexnet": 57_823_240,
    "alexnet_3x3": 12_653_128,
    "alexnet_caffe": 20_987_464,
    "alexnet_prelu": 12_658_600,
    "alexnet_zheng": 21_768_520,
    "densenet_network1": 17_916_784,
    "densenet_network2": 11_812_680,
    "fractalnet": 8_487_720,
    "inceptionv3_like": 2_759_528,
    "lenet5": 101_972,  # as the report's code has it
    "resnet18": 11_279_112,
    "resnet18_3x3": 11_271_432,
    "resnet34": 21_387_272,
    "resnet34_3x3": 21_379_592,
    "squeezenet1_0": 838_024,
    "squeezenet1_1": 825_096,
    "thumbnet_quick": 1_215_808,
    "vgg11_zheng": 14_329_608,
    "vgg_like": 6_682_888,
}
TORCHVISION = {  # at 1000 classes
    "alexnet": 61_100_840,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
}


def on_meta(name: str, num_classes: int) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_every_network_is_counted() -> None:
    assert set(COUNTS) == set(model_names())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_at_200_classes(name: str) -> None:
    assert count(on_meta(name, 200)) == COUNTS[name]


@pytest.mark.parametrize("name", TORCHVISION)
def test_parameters_at_1000_classes_are_those_of_torchvision(name: str) -> None:
    assert count(on_meta(name, 1000)) == TORCHVISION[name]


@pytest.mark.parametrize(
    ("name", "published"), [("densenet_network1", 17_927_040), ("densenet_network2", 11_822_920)]
)
def test_keras_counts_running_statistics_too(name: str, published: int) -> None:
    model = on_meta(name, 200)
    statistics = [value for key, value in model.named_buffers() if "running" in key]
    assert count(model) + sum(value.numel() for value in statistics) == published
