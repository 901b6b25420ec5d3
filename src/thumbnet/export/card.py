"""The card of a model: what it is, what it was made of, what it scores, and how to use it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from thumbnet.evaluation.metrics import calibration, softmax
from thumbnet.export.parity import Parity
from thumbnet.export.usage import usage
from thumbnet.inference import Evaluation
from thumbnet.model_folder import TrainedModel
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import dump_recipe
from thumbnet.significance import bootstrap_interval, exact_interval

PROTOCOLS = {
    "official": "fitted on train; the weights were chosen on val, where they are judged as well, "
    "as was published: the scores are a little too good",
    "holdout": "fitted on train but for about one in twenty images of each class, on which the "
    "weights were chosen; val was only judged",
    "columbia2020": "fitted on four fifths of train, chosen on the last fifth; val was only judged",
    "vonmartens2019": "fitted on train, chosen on one half of val, judged on the other half",
}
IMAGENET_TERMS = (
    "Its images come from ImageNet, whose terms allow non-commercial research and education only."
)
UNKNOWN_TERMS = "Under which terms its images may be used, its owners can tell."
NO_LICENSE = (
    "No licence is given for these weights here. Before they are handed on, whoever trained them "
    "decides on one, minding the terms of the data."
)


@dataclass(frozen=True)
class Source:
    """What a run keeps of its making."""

    recipe: RecipeSpec
    env: dict[str, Any]


@dataclass(frozen=True)
class _Score:
    name: str
    kind: str
    value: float
    shown: str
    interval: str


def model_card(
    name: str,
    trained: TrainedModel,
    evaluation: Evaluation,
    source: Source | None,
    parity: Parity | None = None,
) -> str:
    """Return the card in Markdown, below a head that the Hugging Face hub reads.

    Args: source: of a run; None for a model folder, whose making is not known
    """
    scores, split = _scores(evaluation), evaluation.part.split
    parts = [
        _head(name, evaluation, scores),
        f"# {name}\n\n{_what(trained, evaluation)}",
        f"## Data\n\n{_data(evaluation)}",
        f"## Training\n\n{_training(trained, source)}",
        f"## Scores\n\n{_table(scores, evaluation)}",
        *([f"## ONNX\n\n{_onnx(parity, trained)}"] if parity is not None else []),
        usage(name, trained, _source_name(evaluation), split, with_onnx=parity is not None),
        *([f"## Environment\n\n{_environment(source)}"] if source is not None else []),
        f"## Licence\n\n{NO_LICENSE}",
    ]
    return "\n\n".join(parts) + "\n"


def data_name(evaluation: Evaluation) -> str:
    """Return what the data set is called: its source's name, or Tiny ImageNet."""
    meta = evaluation.dataset.meta
    is_tiny_imagenet = meta.get("layout") == "tiny-imagenet"
    return "Tiny ImageNet" if is_tiny_imagenet else str(meta.get("name", "an image folder"))


def _source_name(evaluation: Evaluation) -> str:
    """Return the name of the archive or folder that the data was packed from."""
    meta = evaluation.dataset.meta
    return str(meta.get("source", {}).get("name") or meta.get("name", "DATA"))


def _head(name: str, evaluation: Evaluation, scores: list[_Score]) -> str:
    metrics = [
        {"type": score.kind, "name": score.name, "value": round(score.value, 6)} for score in scores
    ]
    dataset = {
        "type": data_name(evaluation).lower().replace(" ", "-"),
        "name": data_name(evaluation),
        "split": evaluation.part.split,
    }
    task = {"type": "image-classification", "name": "Image Classification"}
    head = {
        "library_name": "thumbnet",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", evaluation.architecture],
        "metrics": ["accuracy"],
        "model-index": [
            {"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}
        ],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---"


def _what(trained: TrainedModel, evaluation: Evaluation) -> str:
    view = trained.preprocess
    lines = [
        f"An image classifier: `{trained.architecture}`, {evaluation.num_parameters:,} parameters, "
        f"{trained.num_classes} classes of {data_name(evaluation)}.",
        f"It sees {view.input_size}x{view.input_size} pixels, "
        f"{'grey' if view.color == 'grey' else 'in color'}; images of any size are first brought "
        f"to {view.source_size}x{view.source_size}.",
    ]
    lines += [
        f"- member `{one.architecture}`, weight {one.weight:g}, recipe `{recipe}`"
        for one, recipe in zip(trained.members, trained.recipe.split(", "), strict=False)
    ]
    return "\n".join(lines)


def _data(evaluation: Evaluation) -> str:
    dataset = evaluation.dataset
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits.items())
    is_tiny_imagenet = dataset.meta.get("layout") == "tiny-imagenet"
    terms = IMAGENET_TERMS if is_tiny_imagenet else UNKNOWN_TERMS
    return (
        f"{data_name(evaluation)}: {dataset.num_classes} classes, images: {counts}; "
        f"fingerprint `{dataset.fingerprint}`.\n{terms}"
    )


def _training(trained: TrainedModel, source: Source | None) -> str:
    if source is None:
        return f"Made of: {trained.recipe}. This card was written from a model folder, not a run."
    recipe = source.recipe
    published = recipe.published
    lines = [
        f"Recipe `{recipe.name}`: {recipe.summary or 'no summary'}",
        f"- protocol `{recipe.data.protocol}`: {PROTOCOLS[recipe.data.protocol]}",
        f"- {recipe.num_epochs:g} epochs in {len(recipe.phases)} phases, "
        f"optimizer `{recipe.optimizer.name}`, batches of {recipe.training.batch_size}, "
        f"seed {recipe.training.seed}",
        f"- sha256 of the recipe: `{recipe.sha256()}`",
    ]
    if (begun := source.env.get("begun_from")) is not None and begun:
        lines.append(f"- begun from weights of kind `{begun['kind']}`, sha256 `{begun['sha256']}`")
    if published is not None and published.top1 is not None:
        lines.append(
            f"- published by {published.source}: top-1 {100 * published.top1:.2f} % on "
            f"{published.split}"
        )
    lines += [f"- departs from its source: {text}" for text in recipe.deviations]
    own = recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": None})})
    return (
        "\n".join(lines)
        + "\n\nThe whole recipe; save it and give it to `thumbnet train`:\n\n"
        + f"```yaml\n{dump_recipe(own).strip()}\n```"
    )


def _scores(evaluation: Evaluation) -> list[_Score]:
    scores, labels = evaluation.scores, evaluation.labels
    found = []
    for name, kind, share in (
        ("top-1", "accuracy", scores.top1),
        ("top-5", "top-5-accuracy", scores.top5),
    ):
        ends = exact_interval(round(share * scores.num_images), scores.num_images)
        interval = f"{100 * ends.low:.2f} to {100 * ends.high:.2f} %"
        found.append(_Score(name, kind, share, f"{100 * share:.2f} %", interval))
    own = softmax(evaluation.logits)[np.arange(len(labels)), labels]
    ends = bootstrap_interval(-np.log(np.maximum(own, np.finfo(np.float64).tiny)))
    interval = f"{ends.low:.4f} to {ends.high:.4f}"
    found.append(
        _Score("cross-entropy", "cross-entropy", scores.loss, f"{scores.loss:.4f}", interval)
    )
    error = calibration(evaluation.logits, labels).error
    found.append(_Score("calibration error", "ece", error, f"{100 * error:.2f} %", ""))
    return found


def _table(scores: list[_Score], evaluation: Evaluation) -> str:
    rows = [f"| {score.name} | {score.shown} | {score.interval} |" for score in scores]
    head = "| figure | value | 95 % interval |\n|---|---:|---:|\n"
    return (
        f"Judged on {evaluation.judged_on}: {evaluation.scores.num_images:,} images, one view, in "
        f"32 bits. The intervals are for the choice of images; another seed of training moves the "
        f"figures too.\n\n{head}" + "\n".join(rows)
    )


def _onnx(found: Parity, trained: TrainedModel) -> str:
    size = trained.preprocess.source_size
    return (
        f"`model.onnx` takes `images`, uint8 (batch, {size}, {size}, 3), RGB, and gives `logits` "
        f"(batch, {trained.num_classes}); scaling and normalization are inside.\n"
        f"Compared with PyTorch on {found.num_images:,} images: top-1 equal on all but for ties "
        f"({found.num_ties} images have two largest logits within 1e-4), largest difference of a "
        f"logit {found.absolute:.2g}, relative to its image's largest {found.relative:.2g}."
    )


def _environment(source: Source) -> str:
    env = source.env
    versions = ", ".join(
        f"{name} {env[name]}" for name in ("thumbnet", "python", "torch", "numpy", "pillow")
    )
    picks = env.get("engine", {}).get("picks", {})
    picked = ", ".join(f"{key} {picks[key]}" for key in ("device", "precision") if key in picks)
    machine = f"{env.get('machine')}, {env.get('num_cores')} cores, GPU: {env.get('gpu') or 'none'}"
    return f"- {versions}\n- {machine}\n- trained with: {picked or 'not recorded'}"
