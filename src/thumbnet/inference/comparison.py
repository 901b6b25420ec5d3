"""Compare trained networks pair by pair on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.evaluation.compare import Pair
from thumbnet.evaluation.compare import compare as compare_logits
from thumbnet.inference.judge import Evaluation, evaluate_same
from thumbnet.runs import RunLike, run_path


@dataclass(frozen=True)
class Comparison:
    """Each network's evaluation by its name, in the order given, and every pair of them."""

    evaluations: dict[str, Evaluation]
    pairs: tuple[Pair, ...]


def compare(
    runs: Sequence[RunLike],
    split: str | None = None,
    data: PackedDataset | str | Path | None = None,
    *,
    weights: str = "best",
    views: str = "one",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Comparison:
    """Compare networks pair by pair on the same images, corrected for many comparisons.

    Args: runs: two or more names or paths of runs or model folders, runs, or results of trainings
        split: train or val, all of it; None takes the part that the first run's protocol reports
    Raises: DataError for fewer than two networks, other classes or other data; CheckpointError
    Example: compare(["runs/small", "runs/large"]).pairs[0].difference
    """
    names = [str(run_path(run)) for run in runs]
    found = evaluate_same(
        names, split, data, weights=weights, views=views, device=device, progress=progress
    )
    labels = next(iter(found.values())).labels
    pairs = compare_logits({name: one.logits for name, one in found.items()}, labels)
    return Comparison(found, tuple(pairs))
