"""All of the study of objects: of several networks, on the same images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.loader import images_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.effects import Bin, Effect, bins_of, effects_of, interaction
from thumbnet.errors import DataError
from thumbnet.evaluation.objects import (
    FEATURES,
    TRAIN_PER_CLASS,
    background_distinction,
    measure_objects,
)
from thumbnet.scoring import ranked

BY_BACKGROUND = ("area", "sides")  # the features asked about for classes of plain backgrounds

Line = tuple[str, str, str, float, float, int, float, float, float]


@dataclass(frozen=True)
class NetworkStudy:
    """What each feature does to one network.

    `alone` are effects with class held fixed, `together` with the other features held fixed too;
    `by_background` is by how much an effect differs in classes whose background gives them away.
    """

    top1: float
    bins: Mapping[str, list[Bin]]
    alone: Mapping[str, Effect]
    together: Mapping[str, Effect]
    by_background: Mapping[str, Effect]

    def lines(self, network: str) -> Iterator[Line]:
        """Yield the columns of `COLUMNS`."""
        for feature, bins in self.bins.items():
            for one in bins:
                place = (one.low, one.high, one.num_images)
                ends = (one.interval.low, one.interval.high)
                yield (network, feature, "top1", *place, one.top1, *ends)
                ends = (one.adjusted_interval.low, one.adjusted_interval.high)
                yield (network, feature, "top1, class held fixed", *place, one.adjusted, *ends)
        num_images = sum(one.num_images for one in next(iter(self.bins.values())))
        nowhere = (float("nan"), float("nan"), num_images)
        for kind, effects in (
            ("effect, class held fixed", self.alone),
            ("effect, class and other features held fixed", self.together),
            ("more effect where backgrounds are distinctive", self.by_background),
        ):
            for feature, effect in effects.items():
                ends = (effect.interval.low, effect.interval.high)
                yield (network, feature, kind, *nowhere, effect.change, *ends)


COLUMNS = ("network", "feature", "what", "from", "to", "images", "value", "low", "high")


def study_objects(
    dataset: PackedDataset, part: Part, logits: Mapping[str, NDArray[np.float32]]
) -> dict[str, NetworkStudy]:
    """Study what objects do to each network, on the images of one part.

    Shapes: logits (N, C) each, in the order of the part
    Raises: DataError for images without boxes
    """
    split, train = dataset.splits[part.split], dataset.splits["train"]
    if split.boxes is None or train.boxes is None or split.labels is None:
        raise DataError(
            f"{dataset.path} has no bounding boxes; the study of objects needs them, as Tiny "
            "ImageNet has for train and val"
        )
    images, boxes = images_of(dataset, part), split.boxes[part.indices]
    labels = split.labels[part.indices]
    objects = measure_objects(images, boxes)
    features = {name: getattr(objects, name) for name in FEATURES}
    assert train.labels is not None
    some = _some(train.labels)
    known = (train.images[some], train.boxes[some], train.labels[some])
    distinction = background_distinction(known, (images, boxes, labels), dataset.num_classes)
    found = {}
    for name, one in logits.items():
        right = ranked(one, 1)[:, 0] == labels
        found[name] = NetworkStudy(
            top1=float(right.mean()),
            bins={key: bins_of(value, right, labels) for key, value in features.items()},
            alone={
                key: effect
                for feature, value in features.items()
                for key, effect in effects_of({feature: value}, right, labels).items()
            },
            together=effects_of(features, right, labels),
            by_background={
                key: interaction(features[key], distinction, right, labels) for key in BY_BACKGROUND
            },
        )
    return found


def _some(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first images of each class."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[place < TRAIN_PER_CLASS])
