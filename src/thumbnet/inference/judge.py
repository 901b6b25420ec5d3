"""Judge runs and model folders on labeled images; predictions are made once and stored."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.loader import images_of, labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.data.sources import load_dataset
from thumbnet.data.splits import Part, apply_protocol, source_part
from thumbnet.errors import DataError
from thumbnet.evaluation.evaluate import Scores, score
from thumbnet.evaluation.stored import Key, stored_logits
from thumbnet.inference.predictor import Predictor, check_classes, load_predictor
from thumbnet.model_folder import WEIGHTS
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder, RunLike, find_run, run_around, run_path
from thumbnet.scoring import ranked

SETS = {"train": "training set", "val": "validation set", "test": "test set"}


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

    @property
    def images(self) -> NDArray[np.uint8]:
        """The judged images.

        Shapes: (N, H, W, C)
        """
        return images_of(self.dataset, self.part)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image's top-1 is right.

        Shapes: (N,)
        """
        right: NDArray[np.bool_] = ranked(self.logits, 1)[:, 0] == self.labels
        return right


def evaluate(
    run_or_folder: RunLike,
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

    Args: run_or_folder: its path or name, a run, or the result of a training
        split: train, val or a labelled test, whole; None takes what the run's protocol reports
        data: None takes the data the run was trained on
        views: test-time views to average over: one, flip, shifts, crops, ten-crop
        image_size: in px, where the network takes another than its own
    Raises: CheckpointError, DataError
    Example: evaluate("runs/thumbnet-quick").scores.top1
    """
    path = run_path(run_or_folder)
    predictor = load_predictor(path, weights, device)
    dataset = data if isinstance(data, PackedDataset) else data_of(path, data)
    part, judged_on = _part(path, dataset, split)
    labels = labels_of(dataset, part)
    logits = all_logits(path, predictor, dataset, part.split, weights, views, image_size, progress)[
        part.indices
    ]
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
                "give the images to evaluate on with --data"
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
    home, file = weights_file(run_or_folder, weights)
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


def weights_file(run_or_folder: str | Path, weights: str) -> tuple[Path, Path]:
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
    run = _run_of(run_or_folder)
    if data is None and run is not None:
        data = run.data_path(run.recipe())
    return load_dataset(data, download=False)


def _part(run_or_folder: str | Path, dataset: PackedDataset, split: str | None) -> tuple[Part, str]:
    """Return the images to judge on, and what to call them."""
    recipe = recipe_of(run_or_folder)
    if split is not None or recipe is None:
        name = split or "val"
        return source_part(dataset, name), SETS.get(name, name)
    protocol = apply_protocol(dataset, recipe.data.protocol)
    chosen = ", on which the best epoch was chosen" if recipe.data.protocol == "official" else ""
    part, whole = protocol.report, len(dataset.splits[protocol.report.split])
    extent = "" if len(part) == whole else f"{len(part):,} of {whole:,} images of the "
    return part, f"{extent}{SETS[part.split]}{chosen}"


def recipe_of(run_or_folder: str | Path) -> RecipeSpec | None:
    """Return a run's recipe, also for a model folder in it; one that lies alone has none."""
    run = _run_of(run_or_folder)
    return run.recipe() if run else None


def _run_of(run_or_folder: str | Path) -> RunFolder | None:
    if (Path(run_or_folder) / "config.json").is_file():
        return run_around(Path(run_or_folder))
    return find_run(run_or_folder)
