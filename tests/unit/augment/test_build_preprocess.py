"""The preprocessing of a recipe, made from the data set's own statistics."""

import json

import numpy as np
import pytest
import torch

from thumbnet.augment.views import Preprocess
from thumbnet.build import build_preprocess
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipe import PreprocessSpec


def test_the_mean_image_of_train_is_subtracted(tiny: PackedDataset) -> None:
    preprocess = build_preprocess(PreprocessSpec(normalize="mean_image"), tiny)
    images = torch.from_numpy(tiny.splits["train"].images)
    inputs = preprocess(images)
    assert float(inputs.mean(0).abs().max()) < 1e-4  # of each pixel and channel
    expected = images[:3].numpy() / 255 - tiny.mean_image()
    assert np.abs(inputs[:3].numpy() - expected.transpose(0, 3, 1, 2)).max() < 2e-5
    loaded = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    assert torch.equal(loaded(images[:3]), inputs[:3])


def test_the_window_of_the_recipe_is_judged(tiny: PackedDataset) -> None:
    spec = PreprocessSpec(crop=56, normalize="overall")
    images = torch.from_numpy(tiny.splits["val"].images)
    whole = build_preprocess(PreprocessSpec(normalize="overall"), tiny)(images)
    preprocess = build_preprocess(spec, tiny)
    assert preprocess.input_size == spec.input_size == 56
    assert torch.equal(preprocess(images), whole[:, :, 4:60, 4:60])


def test_a_window_that_looks_like_the_data_itself_is_refused(tiny: PackedDataset) -> None:
    spec = PreprocessSpec(image_size=80, crop=tiny.image_size)
    with pytest.raises(RecipeError, match="it must differ from the data's own size, 64"):
        build_preprocess(spec, tiny)
