"""A challenge to look at: synthetic images, three teams, two days of entries."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thumbnet.challenge.bundle import read_bundle
from thumbnet.challenge.entities import Refusal, Rules, Team
from thumbnet.challenge.operate import Created, create, hide_part, open_store
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store import Clock, utc_now
from thumbnet.data.packed import PackedDataset

NAME = "Shapes, textures, colors: a demo"
SIDE = 16  # px that the trained classifier looks at
NUM_FEATURES = 600
RIDGE = 1.0
STEP = timedelta(hours=9)  # the sixth entry came within the last two hours, the quota

Images = NDArray[np.uint8]
Guess = Callable[[Images], NDArray[np.int64]]


@dataclass(frozen=True)
class Demo:
    """A challenge that has been going on for two days; tokens by the names of the teams."""

    made: Created
    tokens: dict[str, str]


def make_demo(
    folder: Path, dataset: PackedDataset, clock: Clock = utc_now, public_url: str | None = None
) -> Demo:
    """Create a challenge and play it as three teams would: by the bundle, and one entry at a time.

    One team guesses, one looks at the mean color, and one trains: ridge regression on random
    features, in numpy, since a challenge needs no torch; each of its entries saw more images.

    Raises: ChallengeError where the folder is not empty
    """
    now = clock()
    opens = now - timedelta(days=2)
    description = (
        f"Synthetic images of {dataset.num_classes} classes: shapes in textures and colors."
    )
    rules = Rules(NAME, opens, closes=now + timedelta(days=12), description=description)
    made = create(
        folder,
        dataset,
        hide_part(dataset, "val"),
        rules,
        seed=0,
        public_url=public_url,
        baseline=True,
        clock=_stopped(opens),
    )
    return Demo(made, _play(folder, dataset, made.settings.bundle, opens))


def _play(folder: Path, dataset: PackedDataset, file: Path, opens: datetime) -> dict[str, str]:
    """Enter what the teams guess, in the order of time; return the tokens of the teams."""
    bundle = read_bundle(file)
    images = np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in bundle.images()])
    _, store = open_store(folder, _stopped(opens))
    tokens: dict[str, str] = {}
    played: list[tuple[datetime, Team, str, Guess]] = []
    try:
        for place, (name, entries) in enumerate(_teams(dataset)):
            team, tokens[name] = store.add_team(name)
            first = opens + timedelta(minutes=41 * place + 12)
            played += [(first + STEP * turn, team, *entry) for turn, entry in enumerate(entries)]
        for moment, team, note, guess in sorted(played, key=lambda turn: turn[0]):
            store.clock = _stopped(moment)
            pairs = zip(bundle.names, guess(images), strict=True)
            content = "".join(f"{image} {bundle.wnids[index]}\n" for image, index in pairs)
            outcome = store.submit(team, content.encode(), note)
            if isinstance(outcome, Refusal):
                raise ChallengeError(f"the demo's own entry was refused: {outcome}")
    finally:
        store.close()
    return tokens


def _stopped(moment: datetime) -> Clock:
    return lambda: moment


def _teams(dataset: PackedDataset) -> Iterator[tuple[str, list[tuple[str, Guess]]]]:
    """Name the teams, and how each entry comes to its labels."""
    random = np.random.default_rng(0)
    yield (
        "Dice",
        [
            (f"a class drawn for each image, throw {throw}", _drawn(dataset.num_classes, random))
            for throw in (1, 2, 3)
        ],
    )
    yield (
        "Color wheel",
        [
            (f"the nearest mean color, {count} images a class", _by_color(dataset, count))
            for count in (10, 50)
        ],
    )
    yield (
        "Ridge runners",
        [
            (f"ridge regression, {count} images a class", _by_ridge(dataset, count))
            for count in (5, 10, 20, 40, 80, 240)
        ],
    )


def _drawn(num_classes: int, random: np.random.Generator) -> Guess:
    return lambda images: random.integers(0, num_classes, len(images))


def _by_color(dataset: PackedDataset, per_class: int) -> Guess:
    known, labels = _some(dataset, per_class)
    means = known.mean((1, 2))
    centers = np.stack([means[labels == index].mean(0) for index in range(dataset.num_classes)])

    def guess(images: Images) -> NDArray[np.int64]:
        gaps = images.mean((1, 2))[:, None] - centers
        return np.asarray((gaps**2).sum(2).argmin(1))

    return guess


def _by_ridge(dataset: PackedDataset, per_class: int) -> Guess:
    known, labels = _some(dataset, per_class)
    random = np.random.default_rng(1)
    count = SIDE * SIDE * 3
    weights = random.normal(0, 4 / count**0.5, (count, NUM_FEATURES))
    bias = random.uniform(-1, 1, NUM_FEATURES)

    def features(images: Images) -> NDArray[np.float64]:
        return np.maximum(_shrunk(images) @ weights + bias, 0)

    seen = features(known)
    targets = np.eye(dataset.num_classes)[labels] - 1 / dataset.num_classes
    gram = seen.T @ seen + RIDGE * np.eye(NUM_FEATURES)
    solved = np.linalg.solve(gram, seen.T @ targets)
    return lambda images: np.asarray((features(images) @ solved).argmax(1))


def _shrunk(images: Images) -> NDArray[np.float64]:
    """Average blocks of pixels.

    Shapes: (N, S, S, 3), S a multiple of SIDE -> (N, SIDE * SIDE * 3)
    """
    block = images.shape[1] // SIDE
    folded = images.reshape(len(images), SIDE, block, SIDE, block, 3)
    means: NDArray[np.float64] = folded.mean((2, 4)).reshape(len(images), -1)
    return means / 255 - 0.5


def _some(dataset: PackedDataset, per_class: int) -> tuple[Images, NDArray[np.int64]]:
    """Take the first training images of each class."""
    split = dataset.splits["train"]
    assert split.labels is not None
    labels, classes = split.labels, range(dataset.num_classes)
    chosen = np.concatenate([np.flatnonzero(labels == index)[:per_class] for index in classes])
    return split.images[chosen], labels[chosen]
