"""Make one model folder of several trained networks, and judge it beside its members."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from thumbnet.data.loader import labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.data.splits import apply_protocol
from thumbnet.ensemble_model import ARCHITECTURE, EnsembleNet, Member, plain_preprocess
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.evaluation.compare import Pair, compare
from thumbnet.evaluation.ensemble import combine as mean_of
from thumbnet.evaluation.ensemble import select
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


@dataclass(frozen=True)
class Made:
    """An ensemble, judged: the members in their order, itself last; and its paired comparisons."""

    found: dict[str, Evaluation]
    shares: tuple[float, ...]
    pairs: tuple[Pair, ...]


def make_ensemble(
    runs: Sequence[str],
    folder: Path,
    data: PackedDataset | str | Path | None = None,
    *,
    combine: str = "logits",
    shares: Sequence[float] | None = None,
    greedy: bool = False,
    weights: str = "best",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Made:
    """Write the model folder of an ensemble, and judge it on what the first run's report judges.

    Args: greedy chooses on the images watched by the first run's protocol, never on those reported
    Raises: DataError for fewer than two runs, or runs of other classes or data; RecipeError for
        shares that do not fit; CheckpointError where the folder is taken
    """
    names = list(dict.fromkeys(runs))
    if len(names) < 2:
        raise DataError(
            f"{len(names)} network given; an ensemble takes at least two different ones"
        )
    if shares is not None and (greedy or len(shares) != len(names) or min(shares) <= 0):
        raise RecipeError("give each member a share above 0, in their order, or --greedy, not both")
    if folder.exists() and any(folder.iterdir()):
        raise CheckpointError(f"{folder} is there already; choose another --output")
    found = evaluate_same(names, None, data, weights=weights, device=device, progress=progress)
    dataset = found[names[0]].dataset
    predictors = [load_predictor(name, weights, device) for name in names]
    counts: list[float] = list(shares or [1.0] * len(names))
    if greedy:
        counts = _greedy(names, predictors, dataset, weights, combine, progress)
    kept = [i for i, count in enumerate(counts) if count]
    total = float(sum(counts))
    trained = _as_one([predictors[i].trained for i in kept], [counts[i] for i in kept], combine)
    write_config(folder, trained)
    write_weights(folder, trained.model, {})
    logits = mean_of([one.logits for one in found.values()], combine, counts)
    first = found[names[0]]
    whole = replace(
        first,
        logits=logits,
        scores=score(logits, first.labels),
        architecture=ARCHITECTURE,
        num_parameters=sum(found[names[i]].num_parameters for i in kept),
    )
    judged = {str(folder): whole, **found}
    pairs = compare({name: one.logits for name, one in judged.items()}, first.labels)
    own = tuple(pair for pair in pairs if pair.first == str(folder))
    return Made({**found, str(folder): whole}, tuple(c / total for c in counts), own)


def _greedy(
    names: Sequence[str],
    predictors: Sequence[Predictor],
    dataset: PackedDataset,
    weights: str,
    combine: str,
    progress: Progress | None,
) -> list[float]:
    recipe = recipe_of(names[0])
    watch = apply_protocol(dataset, recipe.data.protocol if recipe else "holdout").watch
    logits = [
        all_logits(name, predictor, dataset, watch.split, weights, progress=progress)[watch.indices]
        for name, predictor in zip(names, predictors, strict=True)
    ]
    return [float(count) for count in select(logits, labels_of(dataset, watch), combine)]


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
