"""Write a model folder that can be handed on: proven first, then put in place as a whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thumbnet.checkpoint import write_atomic
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.errors import CheckpointError, DataError
from thumbnet.export.card import Source, model_card
from thumbnet.export.onnx import ONNX, Session, write_onnx
from thumbnet.export.parity import Parity, check_parity, parity
from thumbnet.inference import Evaluation, evaluate, load_predictor
from thumbnet.model_folder import read_model, write_config, write_weights
from thumbnet.runs import RunLike, find_run, run_path

CARD = "README.md"


@dataclass(frozen=True)
class Exported:
    """The folder written, what its network scores, and how near its ONNX graph comes."""

    folder: Path
    evaluation: Evaluation
    parity: Parity | None


def export_run(
    run_or_folder: RunLike,
    folder: str | Path,
    data: PackedDataset | str | Path | None = None,
    *,
    onnx: bool = False,
    weights: str = "best",
    progress: Progress | None = None,
) -> Exported:
    """Write a run's network as a model folder with its card, and as an ONNX graph if asked.

    Args: run_or_folder: its path or name, a run, or the result of a training
        folder: the model folder to write
        data: None takes the data the run was trained on; the card's figures are made on it, and
        the graph is compared with the network on all of the split that the run's protocol reports
    Raises: CheckpointError for a run without weights, or a folder that is taken; ParityError for
        a graph that is not the network, with nothing written; RecipeError, DataError
    Example: export_run("runs/thumbnet-quick", "exported", onnx=True)
    """
    folder, run_or_folder = Path(folder), run_path(run_or_folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is there already; choose another --output")
    evaluation = evaluate(run_or_folder, None, data, weights=weights, progress=progress)
    trained = load_predictor(run_or_folder, weights).trained
    found = None
    with _whole(folder) as temporary:
        write_config(temporary, trained)
        write_weights(temporary, trained.model, {})
        written = read_model(temporary)
        if onnx:
            write_onnx(temporary / ONNX, written)
            found = compare_graph(temporary, evaluation.dataset, evaluation.part.split, progress)
            check_parity(found)
        source = _source_of(run_or_folder)
        write_atomic(temporary / CARD, model_card(folder.name, trained, evaluation, source, found))
    return Exported(folder, evaluation, found)


def compare_graph(
    folder: Path, dataset: PackedDataset, split: str, progress: Progress | None = None
) -> Parity:
    """Compare a folder's ONNX graph with its network on every image of a split.

    Raises: DataError for images of another size than the graph takes
    """
    predictor = load_predictor(folder)
    size = predictor.trained.preprocess.source_size
    if dataset.image_size != size:
        raise DataError(
            f"{dataset.path} holds images of {dataset.image_size} pixels, the network was trained "
            f"on {size}; give data packed at {size} with --data"
        )
    theirs = Session(folder / ONNX).logits(dataset.splits[split].images, progress)
    return parity(predictor.split_logits(dataset, split, progress), theirs)


def _source_of(run_or_folder: str | Path) -> Source | None:
    """Return what a run knows of its making; a model folder alone knows nothing."""
    if (Path(run_or_folder) / "config.json").is_file():
        return None
    run = find_run(run_or_folder)
    return Source(run.recipe(), run.env())


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder` to write in; renamed to it at the end, or removed."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}; choose another --output") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
