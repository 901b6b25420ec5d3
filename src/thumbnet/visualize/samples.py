"""Samples of a data set, and of what a recipe's augmentations make of its images."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thumbnet.augment.policy import Policy
from thumbnet.recipe import AugmentSpec
from thumbnet.visualize.grid import Cell, Row, draw_rows
from thumbnet.visualize.style import first_name

Images = NDArray[np.uint8]


def augmented(images: Images, specs: Sequence[AugmentSpec], draws: int, seed: int) -> list[Images]:
    """Augment the same images as so many epochs would.

    Shapes: images (N, S, S, C) -> `draws` times (N, R, R, C)
    """
    held = torch.from_numpy(np.ascontiguousarray(images))
    order = torch.arange(len(held))
    results = []
    for epoch in range(draws):
        policy = Policy(specs, len(held), held.shape[1], seed, epoch, order=order)
        moved = policy(held, 0)
        results.append(moved.round().clamp(0, 255).to(torch.uint8).numpy())
    return results


def draw_augmented(
    images: Images, names: Sequence[str], draws: Sequence[Images], title: str, note: str
) -> Figure:
    """Draw each original with what was drawn from it, a row an image.

    Shapes: images (N, S, S, C); each of draws (N, R, R, C)
    """
    rows = [
        Row(
            [
                Cell(_flat(shown[i]), "original" if e == 0 else f"epoch {e}", low=0, high=255)
                for e, shown in enumerate((images, *draws))
            ],
            first_name(names[i]),
        )
        for i in range(len(images))
    ]
    return draw_rows(rows, title, note, cell=1.0)


def draw_samples(samples: Sequence[tuple[str, Images]], title: str, note: str) -> Figure:
    """Draw images of classes, a row a class.

    Shapes: each (N, S, S, 3)
    """
    rows = [Row([Cell(image) for image in images], first_name(name)) for name, images in samples]
    return draw_rows(rows, title, note, cell=1.0)


def _flat(image: Images) -> Images:
    """Drop the last axis of a grey image, as pictures want it."""
    return image[..., 0] if image.shape[2] == 1 else image
