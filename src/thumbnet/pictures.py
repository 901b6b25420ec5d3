"""Pictures of runs and networks as matplotlib figures, for use from Python."""

from pathlib import Path

from matplotlib.figure import Figure

from thumbnet.errors import RecipeError
from thumbnet.evaluation.metrics import confusion, most_confused, softmax
from thumbnet.inference import Evaluation, evaluate, evaluate_same, load_predictor
from thumbnet.models.registry import model_names
from thumbnet.report.curve import curve_of
from thumbnet.runs import RunLike, find_run, run_path
from thumbnet.visualize.confusions import draw_confusions
from thumbnet.visualize.curves import draw_curves
from thumbnet.visualize.diagram import draw_diagram
from thumbnet.visualize.gallery import Judged, draw_classes, draw_gallery, draw_hardest
from thumbnet.visualize.style import save as save_figure
from thumbnet.visualize.trace import fresh_graph, trace
from thumbnet.visualize.wins import draw_wins

__all__ = [
    "confusions",
    "curves",
    "diagram",
    "gallery",
    "hardest",
    "hardest_classes",
    "save",
    "wins",
]


def curves(*runs: RunLike) -> Figure:
    """Draw loss, holdout accuracy and learning rate of one or more runs, side by side.

    Raises: RecipeError for more runs than can be read; CheckpointError
    Example: curves("runs/thumbnet-quick").savefig("curves.png")
    """
    folders = [find_run(run_path(run)) for run in runs]
    return draw_curves([curve_of(folder, folder.name) for folder in folders])


def gallery(run: RunLike | Evaluation, count: int = 8, *, name: str | None = None) -> Figure:
    """Draw images that a network has right, has wrong, and has wrong with high probability.

    Args: run: a run or model folder, or what `evaluate` returned for it
        count: images of each kind; name: of the network, in the title
    Example: gallery(thumbnet.evaluate("runs/thumbnet-quick", "val"))
    """
    found, title = _evaluated(run, name)
    return draw_gallery(_judged(found), title, count)


def hardest(run: RunLike | Evaluation, count: int = 24, *, name: str | None = None) -> Figure:
    """Draw the images whose own class the network finds least likely.

    Args: as of `gallery`
    """
    found, title = _evaluated(run, name)
    return draw_hardest(_judged(found), title, count)


def hardest_classes(run: RunLike | Evaluation, *, name: str | None = None) -> Figure:
    """Draw the recall of the classes that the network finds hardest and easiest.

    Args: as of `gallery`
    """
    found, title = _evaluated(run, name)
    return draw_classes(_judged(found), title)


def confusions(run: RunLike | Evaluation, count: int = 20, *, name: str | None = None) -> Figure:
    """Draw the confusion matrix, and the `count` pairs of classes that are confused most.

    Args: as of `gallery`
    """
    found, title = _evaluated(run, name)
    matrix = confusion(found.logits, found.labels)
    return draw_confusions(matrix, most_confused(matrix, count), found.dataset.class_names, title)


def wins(first: RunLike, second: RunLike, count: int = 16) -> Figure:
    """Draw the images that only one of two networks has right.

    Raises: RecipeError where both are the same, or right about the same images
    """
    names = [str(run_path(run)) for run in (first, second)]
    if names[0] == names[1]:
        raise RecipeError(f"{names[0]} is given twice; give two different runs or model folders")
    return wins_of(evaluate_same(names), count)


def wins_of(found: dict[str, Evaluation], count: int = 16) -> Figure:
    """Draw the images that only one of two evaluated networks has right, by their names."""
    (first, one), (second, other) = found.items()
    names = [Path(first).name, Path(second).name]
    return draw_wins(_judged(one), _judged(other), names, one.judged_on, count)


def diagram(network: RunLike, num_classes: int = 200) -> Figure:
    """Draw the operations, branches, shapes and parameters of a network.

    Args: network: a network's name, or a run or model folder
        num_classes: of a network given by its name
    """
    if network in model_names():
        return draw_diagram(fresh_graph(str(network), num_classes), str(network))
    trained = load_predictor(network).trained
    if trained.members:
        raise RecipeError("this is an ensemble; give one of the runs it was made of")
    size, channels = trained.preprocess.input_size, trained.preprocess.in_channels
    name = f"{Path(run_path(network)).name} ({trained.architecture})"
    return draw_diagram(trace(trained.model, channels, size), name)


def save(figure: Figure, path: str | Path) -> None:
    """Write a picture as PNG or SVG, the same bytes each time.

    Raises: RecipeError for a file name of another kind, or one that cannot be written
    Example: save(curves("runs/thumbnet-quick"), "curves.png")
    """
    save_figure(figure, Path(path))


def _evaluated(run: RunLike | Evaluation, name: str | None) -> tuple[Evaluation, str]:
    """Return a network's evaluation, and what to call network and images in a title."""
    found = run if isinstance(run, Evaluation) else evaluate(run)
    own = found.architecture if isinstance(run, Evaluation) else Path(run_path(run)).name
    return found, f"{name or own}, {found.judged_on}"


def _judged(found: Evaluation) -> Judged:
    """Put the images beside what the network says of them."""
    return Judged(found.images, found.labels, softmax(found.logits), found.dataset.class_names)
