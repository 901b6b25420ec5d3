"""What the page says of one run: figures, tables and pictures, ready for the template."""

from collections.abc import Callable
from dataclasses import dataclass, field
from shlex import join
from typing import Any

from matplotlib.figure import Figure

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, ThumbnetError
from thumbnet.evaluation.metrics import (
    Calibration,
    by_class,
    calibration,
    confusion,
    most_confused,
    softmax,
)
from thumbnet.inference import Evaluation, evaluate, load_predictor
from thumbnet.recipe import RecipeSpec
from thumbnet.report.curve import curve_of
from thumbnet.report.pictures import Picture, chart, photographs
from thumbnet.runs import RunFolder
from thumbnet.significance import Interval, exact_interval
from thumbnet.visualize.calibration import draw_calibration
from thumbnet.visualize.confusions import draw_confusions
from thumbnet.visualize.curves import draw_curves
from thumbnet.visualize.filters import draw_filters
from thumbnet.visualize.gallery import Judged, draw_classes, draw_gallery, draw_hardest
from thumbnet.visualize.layers import convolutions

NUM_CONFUSIONS, NUM_HARDEST, NUM_GALLERY = 20, 16, 8


@dataclass(frozen=True)
class ClassLine:
    """A class in the table of classes."""

    wnid: str
    name: str
    precision: float
    recall: float
    f1: float
    num_images: int


@dataclass
class RunView:
    """A run as the page shows it; what is not known is None, and `missing` says why."""

    name: str
    title: str
    recipe: RecipeSpec
    env: dict[str, Any]
    commands: list[str]
    num_epochs: int = 0
    wall_s: float | None = None
    ended: str = "not ended"
    when: str = ""
    evaluation: Evaluation | None = None
    interval: Interval | None = None
    calibration: Calibration | None = None
    classes: list[ClassLine] = field(default_factory=list)
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def chosen_on_val(self) -> bool:
        """Whether the best epoch was chosen on the images it is reported on."""
        return self.recipe.data.protocol == "official"


def view_run(
    folder: RunFolder, title: str, data: PackedDataset | str | None, with_images: bool
) -> RunView:
    """Gather what is known of a run, judging it where its predictions are not stored yet.

    Raises: CheckpointError where the folder itself is damaged
    """
    recipe, env, last = folder.recipe(), folder.env(), folder.last_event()
    view = RunView(folder.name, title, recipe, env, _commands(folder, env))
    if last.get("event") == "ended":
        view.ended = str(last.get("reason", "ended"))
    view.when = str(last.get("time", ""))[:16].replace("T", " ")
    _add(view, "curves", lambda: _curves(view, folder))
    _add(view, "figures", lambda: _judge(view, folder, data, with_images))
    _add(view, "filters", lambda: _filters(view, folder))
    return view


def _add(view: RunView, what: str, fill: Callable[[], None]) -> None:
    """Fill in a part, or note why it is missing."""
    try:
        fill()
    except ThumbnetError as error:
        view.missing.append(f"no {what}: {error}")


def last_wall_s(folder: RunFolder) -> float:
    """Return the training time up to the last epoch.

    Raises: CheckpointError where results.csv holds none
    """
    try:
        last = folder.results_file.read_text(encoding="utf-8").splitlines()[-1]
        return float(last.split(",")[3])
    except (OSError, IndexError, ValueError) as error:
        raise CheckpointError(f"{folder.results_file} is damaged: {error!r}") from None


def _curves(view: RunView, folder: RunFolder) -> None:
    curve = curve_of(folder, view.title)
    view.num_epochs, view.wall_s = len(curve.epochs), last_wall_s(folder)
    best = 100 * max(curve.values["watch_top1"])
    told = f"{view.num_epochs} epochs; best watched top-1 {best:.2f} %"
    view.pictures.append(chart("Training curves", told, draw_curves([curve])))


def _judge(
    view: RunView, folder: RunFolder, data: PackedDataset | str | None, with_images: bool
) -> None:
    found = evaluate(folder.path, data=data)
    names, wnids = found.dataset.class_names, found.dataset.wnids
    scores, matrix = found.scores, confusion(found.logits, found.labels)
    view.evaluation = found
    view.interval = exact_interval(round(scores.top1 * scores.num_images), scores.num_images)
    view.calibration = held = calibration(found.logits, found.labels)
    each = by_class(matrix)
    view.classes = [
        ClassLine(wnids[i], names[i], float(each.precision[i]), float(each.recall[i]),
                  float(each.f1[i]), int(each.num_images[i]))
        for i in range(len(names))
    ]  # fmt: skip
    pairs = most_confused(matrix, NUM_CONFUSIONS)
    view.confusions = [(names[a], names[b], count) for a, b, count in pairs]
    title = f"{view.title} on {found.judged_on}"
    judged = Judged(found.images, found.labels, softmax(found.logits), names)
    drawn: list[tuple[str, str, Figure]] = [
        ("Calibration", f"calibration error {100 * held.error:.2f} points", draw_calibration(
            held.confidence, held.accuracy, held.num_images, held.error, view.title)),
        ("Best and worst classes", "recall of the classes at each end",
         draw_classes(judged, title)),
        ("Confusions", "the pairs are listed in the table", draw_confusions(
            matrix, pairs, names, title)),
    ]  # fmt: skip
    view.pictures += [chart(*one) for one in drawn]
    if with_images:
        view.pictures += [
            photographs("Gallery and most confident wrong", "images right, wrong, and wrong but "
                        "sure, with class and guess", draw_gallery(judged, title, NUM_GALLERY)),
            photographs("Hardest images", "images whose own class is given the least probability",
                        draw_hardest(judged, title, NUM_HARDEST)),
        ]  # fmt: skip


def _filters(view: RunView, folder: RunFolder) -> None:
    model = load_predictor(folder.path).trained.model
    stem = next(iter(convolutions(model).items()), None)
    if stem is None:
        return  # a network without a convolution has no filters to show
    name, layer = stem
    told = f"{layer.out_channels} filters of {name}"
    view.pictures.append(
        photographs("First-layer filters", told, draw_filters(layer, name, view.title))
    )


def _commands(folder: RunFolder, env: dict[str, Any]) -> list[str]:
    """Return the commands that repeat a run, judge it and draw it."""
    begun = [str(word) for word in env.get("command", [])]
    known = begun[:1] == ["thumbnet"]
    own = str(folder.path)
    return [
        *([join(begun)] if known else []),
        join(["thumbnet", "replay", own]),
        join(["thumbnet", "evaluate", own]),
        join(["thumbnet", "report", own]),
    ]
