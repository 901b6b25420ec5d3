"""What the page says of a run or a model folder: figures, tables, pictures for the template."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shlex import join
from typing import Any

from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.errors import CheckpointError, ThumbnetError, reason_of
from thumbnet.evaluation.metrics import (
    Calibration,
    by_class,
    calibration,
    confusion,
    most_confused,
    softmax,
)
from thumbnet.inference import Evaluation, evaluate, load_predictor, recipe_of
from thumbnet.model_folder import TrainedModel, read_model
from thumbnet.recipe import RecipeSpec
from thumbnet.report.curve import curve_of
from thumbnet.report.pictures import Drawing, Picture
from thumbnet.runs import RunFolder
from thumbnet.significance import Interval, exact_interval
from thumbnet.training.control import is_trained
from thumbnet.visualize.calibration import draw_calibration
from thumbnet.visualize.confusions import draw_confusions
from thumbnet.visualize.curves import draw_curves
from thumbnet.visualize.filters import filter_cells
from thumbnet.visualize.gallery import Judged, draw_classes, gallery_rows, hardest_cells
from thumbnet.visualize.grid import Row
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
    """A run or model folder as the page shows it; what is not known is None or empty.

    `missing` says why a part is not there; `drawings` become `pictures` once it is known how many
    bytes there are for them, and `is_drawn` then.
    """

    title: str
    recipe_name: str
    recipe: RecipeSpec | None
    commands: list[str]
    kind: str = "run"
    env: dict[str, Any] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    num_epochs: int = 0
    wall_s: float | None = None
    ended: str = ""
    when: str = ""
    evaluation: Evaluation | None = None
    interval: Interval | None = None
    calibration: Calibration | None = None
    classes: list[ClassLine] = field(default_factory=list)
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    is_drawn: bool = False
    missing: list[str] = field(default_factory=list)

    @property
    def chosen_on_val(self) -> bool:
        """Whether the best epoch was chosen on the images it is reported on."""
        return self.recipe is not None and self.recipe.data.protocol == "official"


def view_run(
    folder: RunFolder,
    title: str,
    data: PackedDataset | str | None,
    with_images: bool,
    live: bool = False,
    progress: Progress | None = None,
) -> RunView:
    """Gather what is known of a run, evaluating it where its predictions are not stored yet.

    Args: live: leave a run that is being trained the computer, and evaluate it when it has ended

    Raises: CheckpointError where the folder itself is damaged
    """
    recipe, env, last = folder.recipe(), folder.env(), folder.last_event()
    view = RunView(title, recipe.name, recipe, _commands(folder, env), env=env)
    view.ended = str(last.get("reason", "ended")) if last.get("event") == "ended" else "not ended"
    view.when = str(last.get("time", ""))[:16].replace("T", " ")
    _add(view, "curves", lambda: _curves(view, folder))
    if live and is_trained(folder):
        view.ended = "still training"
        view.missing.append("no figures: the run is still training; it is evaluated when it ends")
    else:
        _add(view, "figures", lambda: _judge(view, folder.path, data, with_images, progress))
    _add(view, "filters", lambda: _filters(view, load_predictor(folder.path).trained))
    return view


def view_model(
    path: Path,
    title: str,
    data: PackedDataset | str | None,
    with_images: bool,
    progress: Progress | None = None,
) -> RunView:
    """Gather what is known of a model folder, an ensemble's too: all but how it was trained.

    Raises: CheckpointError where it is damaged
    """
    trained = read_model(path)
    own = str(path)
    commands = [join(["thumbnet", command, own]) for command in ("evaluate", "report")]
    view = RunView(title, trained.recipe, recipe_of(path), commands, kind="model folder")
    if trained.members:
        view.kind = f"ensemble of {len(trained.members)}"
        total = sum(member.weight for member in trained.members)
        view.members = [
            f"{member.architecture}, share {member.weight / total:.3f}"
            for member in trained.members
        ]
    _add(view, "figures", lambda: _judge(view, path, data, with_images, progress))
    _add(view, "filters", lambda: _filters(view, trained))
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
        raise CheckpointError(f"{folder.results_file} is damaged: {reason_of(error)}") from None


def _curves(view: RunView, folder: RunFolder) -> None:
    curve = curve_of(folder, view.title)
    view.num_epochs, view.wall_s = len(curve.epochs), last_wall_s(folder)
    best = 100 * max(curve.values["watch_top1"])
    told = f"{view.num_epochs} epochs; best holdout top-1 {best:.2f} %"
    view.drawings.append(Drawing("Training curves", told, lambda: draw_curves([curve])))


def _judge(
    view: RunView,
    path: Path,
    data: PackedDataset | str | None,
    with_images: bool,
    progress: Progress | None,
) -> None:
    found = evaluate(path, data=data, progress=progress)
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
    title = f"{view.title}, {found.judged_on}"
    judged = Judged(found.images, found.labels, softmax(found.logits), names)
    view.drawings += [
        Drawing("Calibration", f"calibration error {100 * held.error:.2f} points",
                lambda: draw_calibration(held.confidence, held.accuracy, held.num_images,
                                         held.error, view.title)),
        Drawing("Best and worst classes", "recall of the classes at each end",
                lambda: draw_classes(judged, title)),
        Drawing("Confusions", "the pairs are listed in the table",
                lambda: draw_confusions(matrix, pairs, names, title)),
    ]  # fmt: skip
    if with_images:
        view.drawings += [
            Drawing("Gallery and most confident wrong", "some images that are right, some that are "
                    "wrong, and the wrong ones with the highest probability",
                    lambda: gallery_rows(judged, NUM_GALLERY)),
            Drawing("Hardest images", "images whose own class gets the lowest probability",
                    lambda: [Row(hardest_cells(judged, NUM_HARDEST))]),
        ]  # fmt: skip


def _filters(view: RunView, trained: TrainedModel) -> None:
    stem = next(iter(convolutions(trained.model).items()), None)
    if stem is None:
        return  # a network without a convolution has no filters to show
    name, layer = stem
    if layer.in_channels not in (1, 3):
        return  # its filters are no colors
    told = f"{layer.out_channels} filters of {name}, each scaled by its largest weight; gray is 0"
    view.drawings.append(Drawing("First-layer filters", told, lambda: [Row(filter_cells(layer))]))


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
