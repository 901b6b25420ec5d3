"""Make one model folder of several trained networks, and judge it beside its members."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from thumbnet.data.loader import labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.data.splits import apply_protocol
from thumbnet.ensemble_model import ARCHITECTURE, EnsembleNet, Member, plain_preprocess
from thumbnet.ensembles.average import average_weights
from thumbnet.ensembles.seeds import check_vacant
from thumbnet.errors import DataError, RecipeError
from thumbnet.evaluation.compare import Pair, compare
from thumbnet.evaluation.ensemble import combine as mean_of
from thumbnet.evaluation.ensemble import fit_shares, select
from thumbnet.evaluation.evaluate import score
from thumbnet.inference import (
    Evaluation,
    Predictor,
    all_logits,
    evaluate_same,
    load_predictor,
    recipe_of,
)
from thumbnet.model_folder import TrainedModel, write_config, write_weights
from thumbnet.runs import RunLike, find_run, run_path


@dataclass(frozen=True)
class Made:
    """An ensemble, judged: the members in their order, itself last; and its paired comparisons."""

    found: dict[str, Evaluation]
    shares: tuple[float, ...]
    pairs: tuple[Pair, ...]


def make_ensemble(
    runs: Sequence[RunLike],
    folder: str | Path,
    data: PackedDataset | str | Path | None = None,
    *,
    combine: str = "logits",
    shares: Sequence[float] | None = None,
    greedy: bool = False,
    fitted: bool = False,
    averages: bool = False,
    weights: str = "best",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Made:
    """Write the model folder of an ensemble, and judge it on what the first run's report judges.

    Args:
        runs: names or paths of runs or model folders, runs, or results of trainings
        folder: the model folder to write
        greedy: choose on the images watched by the first run's protocol, never on those reported
        fitted: give each the share that makes the cross-entropy of those watched images least
        averages: make one network of the mean of the weights, instead of one of what all put out
    Raises: DataError for fewer than two runs, or runs of other classes or data; RecipeError for
        shares that do not fit, or weights of different networks; CheckpointError where the folder
        is taken
    Example: make_ensemble(["runs/one", "runs/two"], "both").found["both"].scores.top1
    """
    folder = Path(folder)
    names = list(dict.fromkeys(str(run_path(run)) for run in runs))
    if len(names) < 2:
        raise DataError(
            f"{len(names)} network given; an ensemble takes at least two different ones"
        )
    if shares is not None and (len(shares) != len(names) or min(shares) <= 0):
        raise RecipeError("give each member a share above 0, in their order")
    if greedy + fitted + (shares is not None) > 1:
        raise RecipeError("give one of --share, --greedy and --fit: each decides the shares")
    if fitted and averages:
        raise RecipeError("--fit weighs what networks put out; it does not go with their weights")
    check_vacant(folder)
    found = evaluate_same(names, None, data, weights=weights, device=device, progress=progress)
    dataset = found[names[0]].dataset
    predictors = [load_predictor(name, weights, device) for name in names]
    counts: list[float] = list(shares or [1.0] * len(names))
    if greedy or fitted:
        choose = _select if greedy else fit_shares
        counts = _on_watched(choose, names, predictors, dataset, weights, combine, progress)
    kept = [i for i, count in enumerate(counts) if count]
    trained, given = [predictors[i].trained for i in kept], [counts[i] for i in kept]
    first = found[names[0]]
    if averages:
        fit = apply_protocol(dataset, _protocol(names[0])).fit
        one = average_weights(trained, given, dataset, fit, torch.device(device))
        logits = Predictor(one, device).split_logits(dataset, first.part.split, progress)
        logits = logits[first.part.indices]
    else:
        one = _as_one(trained, given, combine)
        logits = mean_of([single.logits for single in found.values()], combine, counts)
    write_config(folder, one)
    write_weights(folder, one.model, {})
    return _judged(found, str(folder), one, logits, counts)


def snapshots_of(runs: Sequence[str]) -> list[str]:
    """Return the model folders of the snapshots that one run kept.

    Raises: DataError for several runs, or one that kept fewer than two
    """
    if len(runs) != 1:
        raise DataError(f"--snapshots takes one run, not {len(runs)}: {', '.join(runs)}")
    found = find_run(runs[0]).snapshots()
    if len(found) < 2:
        raise DataError(
            f"{runs[0]} kept {len(found)} snapshots, an ensemble takes at least two; train it "
            "with --set training.snapshots=phase, or =cycle where its schedule is cyclic"
        )
    return [str(folder) for folder in found]


def _judged(
    found: dict[str, Evaluation],
    name: str,
    one: TrainedModel,
    logits: NDArray[np.float32],
    counts: Sequence[float],
) -> Made:
    """Compare an ensemble with its members; only its own pairs are kept."""
    first = next(iter(found.values()))
    whole = replace(
        first,
        logits=logits,
        scores=score(logits, first.labels),
        architecture=one.architecture,
        num_parameters=sum(p.numel() for p in one.model.parameters()),
    )
    judged = {name: whole, **found}
    pairs = compare({which: each.logits for which, each in judged.items()}, first.labels)
    own = tuple(pair for pair in pairs if pair.first == name)
    total = float(sum(counts))
    return Made({**found, name: whole}, tuple(count / total for count in counts), own)


def _protocol(name: str) -> str:
    recipe = recipe_of(name)
    return recipe.data.protocol if recipe else "holdout"


def _select(
    logits: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], how: str
) -> list[float]:
    return [float(count) for count in select(logits, labels, how)]


def _on_watched(
    choose: Callable[[Sequence[NDArray[np.float32]], NDArray[np.int64], str], list[float]],
    names: Sequence[str],
    predictors: Sequence[Predictor],
    dataset: PackedDataset,
    weights: str,
    combine: str,
    progress: Progress | None,
) -> list[float]:
    watch = apply_protocol(dataset, _protocol(names[0])).watch
    logits = [
        all_logits(name, predictor, dataset, watch.split, weights, progress=progress)[watch.indices]
        for name, predictor in zip(names, predictors, strict=True)
    ]
    return choose(logits, labels_of(dataset, watch), combine)


def _as_one(trained: Sequence[TrainedModel], counts: Sequence[float], combine: str) -> TrainedModel:
    members = tuple(
        Member(
            model=one.model,
            architecture=one.architecture,
            model_args=one.model_args,
            num_outputs=one.num_outputs,
            preprocess=one.preprocess,
            weight=float(count),
        )
        for one, count in zip(trained, counts, strict=True)
    )
    if any(one.members for one in trained):
        raise RecipeError("an ensemble of ensembles is not made; give the networks themselves")
    first = trained[0]
    return TrainedModel(
        model=EnsembleNet(members, first.num_classes, combine),
        architecture=ARCHITECTURE,
        model_args={},
        num_outputs=first.num_classes,
        preprocess=plain_preprocess(first.preprocess),
        wnids=first.wnids,
        class_names=first.class_names,
        fingerprint=first.fingerprint,
        recipe=", ".join(one.recipe for one in trained),
        members=members,
    )
