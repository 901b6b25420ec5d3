"""From a run or a model folder to predicted classes of any image."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.augment.views import Preprocess
from thumbnet.data.decode import decode
from thumbnet.data.loader import labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.data.sources import load_dataset
from thumbnet.data.splits import Part, apply_protocol, source_part
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.evaluation.evaluate import Scores, score
from thumbnet.evaluation.predict import predict_logits
from thumbnet.evaluation.stored import Key, stored_logits
from thumbnet.evaluation.views import find_views
from thumbnet.model_folder import WEIGHTS, TrainedModel, read_model
from thumbnet.models.registry import model_entry
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import find_run
from thumbnet.scoring import ranked


@dataclass(frozen=True)
class Guess:
    """One class an image may be of, with its probability."""

    wnid: str
    class_name: str
    prob: float


@dataclass(frozen=True)
class Evaluation:
    """Scores, the images they were made on, and the logits they were made from.

    Shapes: logits (N, num_classes), labels (N,)
    """

    scores: Scores
    judged_on: str
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    dataset: PackedDataset
    part: Part
    architecture: str
    num_parameters: int


class Predictor:
    """A trained network with the preprocessing it was judged with."""

    def __init__(self, trained: TrainedModel, device: str = "cpu") -> None:
        self.trained = trained
        self.device = torch.device(device)
        self.model = trained.model.to(self.device)

    def logits(self, images: Sequence[bytes | Path]) -> NDArray[np.float32]:
        """Run the network over image files of any size, decoded as `data prepare` decodes.

        Shapes: -> (N, num_classes)
        Raises: DataError for a file that is missing or no image
        """
        preprocess = self.trained.preprocess
        pixels = [
            decode(_read(image), preprocess.source_size, preprocess.resize) for image in images
        ]
        packed = torch.from_numpy(np.stack(pixels))

        def fetch(part: slice) -> Tensor:
            return preprocess.shrink(packed[part])

        return predict_logits(self.model, fetch, len(packed), preprocess, self.trained.num_classes)

    def predict(self, images: Sequence[bytes | Path], k: int = 5) -> list[list[Guess]]:
        """Return the `k` likeliest classes of each image, best first.

        Raises: DataError for a file that is missing or no image
        Example: predictor.predict([Path("cat.jpg")])[0][0].class_name
        """
        return self.guesses(self.logits(images), k) if images else []

    def guesses(self, logits: NDArray[np.float32], k: int = 5) -> list[list[Guess]]:
        """Name the `k` largest logits of each row; equal ones go to the lower index."""
        probs = torch.softmax(torch.from_numpy(logits).double(), dim=1).numpy()
        names, wnids = self.trained.class_names, self.trained.wnids
        return [
            [Guess(wnids[i], names[i], float(row[i])) for i in top]
            for row, top in zip(probs, ranked(logits, k), strict=True)
        ]

    def split_logits(
        self,
        dataset: PackedDataset,
        split: str,
        progress: Progress | None = None,
        *,
        views: str = "one",
        image_size: int | None = None,
    ) -> NDArray[np.float32]:
        """Run the network over a whole split, labeled or not.

        Args: views: test-time views, by their name; image_size: of judging, instead of its own
        Shapes: -> (N, num_classes)
        Raises: DataError for other classes; RecipeError for unknown views, or a size that the
            network cannot take
        """
        check_classes(self.trained, dataset)
        seen = find_views(views)
        images = torch.from_numpy(dataset.splits[split].images)
        preprocess = self._preprocess(image_size)

        def fetch(part: slice) -> Tensor:
            return preprocess.shrink(images[part])

        return predict_logits(
            self.model,
            fetch,
            len(images),
            preprocess,
            self.trained.num_classes,
            views=seen,
            progress=_told(progress, "predicting"),
        )

    def _preprocess(self, image_size: int | None) -> Preprocess:
        own, name = self.trained.preprocess, self.trained.architecture
        if image_size in (None, own.image_size):
            return own
        if self.trained.members or own.crop or model_entry(name).image_size:
            raise RecipeError(f"{name} is judged on {own.image_size} pixels only, not {image_size}")
        entry = model_entry(name)
        if image_size < entry.min_image_size:
            raise RecipeError(
                f"{entry.name} takes images of at least {entry.min_image_size} pixels, "
                f"not {image_size}"
            )
        return replace(own, image_size=image_size)


def load_predictor(
    run_or_folder: str | Path, weights: str = "best", device: str = "cpu"
) -> Predictor:
    """Load a run's `best` or `last` weights, or any model folder.

    Raises: CheckpointError where there is none, or it is damaged
    Example: load_predictor("runs/thumbnet-quick").predict([Path("cat.jpg")])
    """
    path = Path(run_or_folder)
    if (path / "config.json").is_file():
        return Predictor(read_model(path), device)
    run = find_run(run_or_folder)
    folder = run.weights(weights)
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError(
            f"{run.path} has no {weights} weights yet; its first epoch has not ended; "
            f"go on with `thumbnet resume {run.name}`"
        )
    return Predictor(read_model(folder), device)


def evaluate(
    run_or_folder: str | Path,
    split: str | None = None,
    data: PackedDataset | str | Path | None = None,
    *,
    weights: str = "best",
    views: str = "one",
    image_size: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a run, or a model folder, in fp32; its predictions are stored and made once.

    Args: split: train or val, all of it; None takes the part that the run's protocol reports
        data: None takes the data the run was trained on
        views: test-time views to average over: one, flip, shifts, crops, ten-crop
        image_size: in px, where the network takes another than its own
    Raises: CheckpointError, DataError
    Example: evaluate("runs/thumbnet-quick").scores.top1
    """
    predictor = load_predictor(run_or_folder, weights, device)
    dataset = data if isinstance(data, PackedDataset) else data_of(run_or_folder, data)
    part, judged_on = _part(run_or_folder, dataset, split)
    labels = labels_of(dataset, part)
    logits = all_logits(
        run_or_folder, predictor, dataset, part.split, weights, views, image_size, progress
    )[part.indices]
    trained = predictor.trained
    return Evaluation(
        scores=score(logits, labels),
        judged_on=judged_on,
        logits=logits,
        labels=labels,
        dataset=dataset,
        part=part,
        architecture=trained.architecture,
        num_parameters=sum(p.numel() for p in trained.model.parameters()),
    )


def evaluate_same(
    runs: Sequence[str],
    split: str | None = None,
    data: PackedDataset | str | Path | None = None,
    *,
    weights: str = "best",
    views: str = "one",
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Evaluation]:
    """Judge several runs on the same images: those that the first run's protocol reports.

    Raises: DataError where the runs know other classes, or were trained on other data;
        CheckpointError
    """
    dataset = data if isinstance(data, PackedDataset) else data_of(runs[0], data)
    part, judged_on = _part(runs[0], dataset, split)
    found: dict[str, Evaluation] = {}
    for run in runs:
        recipe = recipe_of(run)
        own = None if recipe is None else recipe.data.fingerprint
        if data is None and own not in (None, dataset.fingerprint):
            raise DataError(
                f"{run} was trained on other data than {runs[0]}; compare runs of one data set, or "
                "give the images to judge on with --data"
            )
        one = evaluate(
            run, part.split, dataset, weights=weights, views=views, device=device, progress=progress
        )
        logits, labels = one.logits[part.indices], one.labels[part.indices]
        scores = score(logits, labels)
        found[run] = replace(
            one, scores=scores, logits=logits, labels=labels, part=part, judged_on=judged_on
        )
    return found


def all_logits(
    run_or_folder: str | Path,
    predictor: Predictor,
    dataset: PackedDataset,
    split: str,
    weights: str = "best",
    views: str = "one",
    image_size: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return the logits of a whole split: stored ones, or made now and stored beside the run.

    Shapes: -> (N, num_classes)
    Raises: DataError for other classes
    """
    check_classes(predictor.trained, dataset)
    home, file = _weights_file(run_or_folder, weights)
    key = Key(
        split=split,
        fingerprint=dataset.fingerprint,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        image_size=image_size or predictor.trained.preprocess.image_size,
        views=views,
        num_images=len(dataset.splits[split]),
        num_classes=predictor.trained.num_classes,
    )
    return stored_logits(
        home / "predictions",
        key,
        lambda: predictor.split_logits(
            dataset, split, progress, views=views, image_size=image_size
        ),
    )


def _weights_file(run_or_folder: str | Path, weights: str) -> tuple[Path, Path]:
    """Return the folder that predictions go to, and the file of weights."""
    path = Path(run_or_folder)
    if (path / "config.json").is_file():
        return path, path / WEIGHTS
    run = find_run(run_or_folder)
    return run.path, run.weights(weights) / WEIGHTS


def data_of(run_or_folder: str | Path, data: str | Path | None = None) -> PackedDataset:
    """Open the data given, else that which a run was trained on, else what a search finds.

    Raises: DataError
    """
    recipe = recipe_of(run_or_folder)
    if data is None and recipe is not None and recipe.data.path is not None:
        trained_on = Path(recipe.data.path)
        data = trained_on if trained_on.exists() else None
    return load_dataset(data, download=False)


def _part(run_or_folder: str | Path, dataset: PackedDataset, split: str | None) -> tuple[Part, str]:
    """Return the images to judge on, and what to call them."""
    recipe = recipe_of(run_or_folder)
    if split is not None or recipe is None:
        name = split or "val"
        return source_part(dataset, name), f"{name}, all of it"
    protocol = apply_protocol(dataset, recipe.data.protocol)
    chosen = " (chosen on val)" if recipe.data.protocol == "official" else ""
    part = protocol.report
    whole = len(part.indices) == len(dataset.splits[part.split])
    extent = "" if whole else f", {len(part.indices)} images"
    return part, f"{part.split}{extent}, as {recipe.data.protocol} reports{chosen}"


def recipe_of(run_or_folder: str | Path) -> RecipeSpec | None:
    """Return a run's recipe; a model folder alone has none."""
    if (Path(run_or_folder) / "config.json").is_file():
        return None
    return find_run(run_or_folder).recipe()


def check_classes(trained: TrainedModel, dataset: PackedDataset) -> None:
    """Refuse data whose classes are not the network's, by name and in number.

    Raises: DataError
    """
    if trained.wnids == dataset.wnids:
        return
    missing = _few(set(trained.wnids) - set(dataset.wnids))
    added = _few(set(dataset.wnids) - set(trained.wnids))
    raise DataError(
        f"{dataset.path} has {dataset.num_classes} classes, the network knows "
        f"{trained.num_classes}; only the network knows: {missing}; only the data has: {added}; "
        "judge it on the data it was trained for, or train on this data with --init"
    )


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(done, total, what)


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (", ..." if len(ordered) > 3 else "") if ordered else "none"


def _read(image: bytes | Path) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the image {image}: {error}") from None
