"""The data that the contract tests train on."""

import pytest

from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data")
    return synthesize(folder / "packed", num_classes=4, train_per_class=3, val_per_class=2)
