"""The page: runs gathered, compared where they may be, and written as one file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.errors import DataError
from thumbnet.evaluation.compare import Pair, compare
from thumbnet.predictions import replaced
from thumbnet.report.measured import Measured, is_unchanged, without_repeats
from thumbnet.report.pictures import Picture, chart
from thumbnet.report.table import NUM_CLASSES, own_rows, published_rows
from thumbnet.report.view import RunView, view_run
from thumbnet.runs import RunFolder, find_run, list_runs
from thumbnet.version import __version__
from thumbnet.visualize.pareto import Point, draw_pareto
from thumbnet.visualize.style import PALETTE

HERE = Path(__file__).parent
LARGEST = 5 * 2**20


@dataclass
class Group:
    """Runs judged on the same images; `pairs` and `costs` where there are at least two."""

    judged_on: str
    runs: list[RunView] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    costs: Picture | None = None


def make_page(
    runs: Sequence[str],
    results: Sequence[Measured] = (),
    data: PackedDataset | str | None = None,
    *,
    with_images: bool = True,
    progress: Progress | None = None,
) -> str:
    """Return the page of these runs, or of all under `runs/`, as HTML that needs no other file.

    Raises: CheckpointError for an unknown or damaged run; DataError where it grows too large
    """
    folders = _folders(runs)
    views = []
    for number, (title, folder) in enumerate(folders.items()):
        if progress is not None:
            progress(number, len(folders), title)
        views.append(view_run(folder, title, data, with_images))
    measured = without_repeats([*results, *_of_runs(views)])
    judged = [view for view in views if view.evaluation is not None]
    best = max(judged, key=lambda view: view.evaluation.scores.top1 if view.evaluation else 0,
               default=None)  # fmt: skip
    page = (
        _environment()
        .get_template("page.html")
        .render(
            views=views,
            best=best,
            groups=_groups(judged),
            rows=published_rows(measured),
            own_rows=own_rows(measured),
            style=(HERE / "templates" / "style.css").read_text(encoding="utf-8"),
            version=__version__,
            with_images=with_images,
        )
    )
    if len(page.encode()) > LARGEST:
        raise DataError(
            f"the page of {len(views)} runs takes {len(page.encode()) / 2**20:.1f} MiB, over "
            f"{LARGEST // 2**20}; name fewer runs, or leave the photographs out with --no-images"
        )
    return page


def write_page(page: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises: SubmissionError where it cannot be written
    """
    with replaced(path) as file:
        file.write(page)


def _folders(runs: Sequence[str]) -> dict[str, RunFolder]:
    """Return the runs by a title that no two share."""
    folders = [find_run(run) for run in runs] if runs else list_runs()
    unique = {folder.path.resolve(): folder for folder in folders}
    names = [folder.name for folder in unique.values()]
    return {
        folder.name if names.count(folder.name) == 1 else str(folder.path): folder
        for folder in unique.values()
    }


def _of_runs(views: Sequence[RunView]) -> list[Measured]:
    """Return what the runs add to the table: those of an unchanged row, on as many classes."""
    found = []
    for view in views:
        held = view.evaluation
        if held is None or view.ended not in {"finished", "early_stop"}:
            continue
        if is_unchanged(view.recipe) and held.dataset.num_classes == NUM_CLASSES:
            seed, top1 = view.recipe.training.seed, held.scores.top1
            found.append(Measured(view.recipe.name, seed, top1, view.wall_s, view.title))
    return found


def _groups(views: Sequence[RunView]) -> list[Group]:
    """Put runs judged on the same images together, and compare them."""
    groups: dict[tuple[str, str, bytes], Group] = {}
    for view in views:
        held = view.evaluation
        assert held is not None
        key = (held.dataset.fingerprint, held.part.split, held.part.indices.tobytes())
        groups.setdefault(key, Group(held.judged_on)).runs.append(view)
    for group in groups.values():
        if len(group.runs) > 1:
            found = {view.title: view.evaluation for view in group.runs if view.evaluation}
            labels = next(iter(found.values())).labels
            group.pairs = compare({title: one.logits for title, one in found.items()}, labels)
            group.costs = _costs(group)
    return list(groups.values())


def _costs(group: Group) -> Picture | None:
    """Draw accuracy against parameters and training time, of at most as many as have colors."""
    points = []
    for view in group.runs[: len(PALETTE)]:
        held, ends = view.evaluation, view.interval
        assert held is not None
        assert ends is not None
        costs = {"parameters": float(held.num_parameters)}
        if view.wall_s:
            costs["training time, s"] = view.wall_s
        points.append(Point(view.title, held.scores.top1, ends.low, ends.high, costs))
    told = "top-1 with 95 % intervals; the figures stand in the table of runs"
    return chart("Accuracy and what it costs", told, draw_pareto(points, group.judged_on))


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = lambda share: f"{100 * share:.2f}\N{NO-BREAK SPACE}%"
    made.filters["duration"] = _duration
    return made


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
