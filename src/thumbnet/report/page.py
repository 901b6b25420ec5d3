"""The page: runs gathered, compared where they may be, and written as one file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress, silent
from thumbnet.errors import DataError
from thumbnet.evaluation.compare import Pair, compare
from thumbnet.model_folder import CONFIG, WEIGHTS
from thumbnet.predictions import replaced
from thumbnet.recipes.changes import differences
from thumbnet.report.measured import Measured, is_unchanged, without_repeats
from thumbnet.report.pictures import Drawing, Picture, fit
from thumbnet.report.table import NUM_CLASSES, TableRow, own_rows, published_rows
from thumbnet.report.view import RunView, view_model, view_run
from thumbnet.runs import RunFolder, find_run, list_runs, run_around
from thumbnet.version import __version__
from thumbnet.visualize.pareto import Point, draw_pareto
from thumbnet.visualize.style import PALETTE

HERE = Path(__file__).parent
LARGEST = 5 * 2**20  # bytes of a page
SPARE = 2**16  # of these, for what is said of pictures left out


@dataclass
class Group:
    """Runs evaluated on the same images; the rest is there where they are at least two.

    `differences` are the keys in which their recipes differ, with the value of each run.
    """

    judged_on: str
    runs: list[RunView] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    is_drawn: bool = False
    differences: dict[str, list[str]] = field(default_factory=dict)

    @property
    def best(self) -> RunView:
        """The run of the highest top-1."""
        return max(self.runs, key=lambda run: run.evaluation.scores.top1 if run.evaluation else 0)


def make_page(
    runs: Sequence[str],
    results: Sequence[Measured] = (),
    data: PackedDataset | str | None = None,
    *,
    with_images: bool = True,
    all_rows: bool = False,
    live: int | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> str:
    """Return the page of these runs and model folders, or of all runs under `runs/`, as HTML.

    It needs no other file, but for the script of a live page, whose version is `live`; on that a
    run is evaluated only when nobody trains it any more. Pictures are drawn as finely as a page of
    5 MiB allows for so many.

    Args: all_rows: also published rows of which nothing was trained
        warn: is told of each part that a run lacks, and why
    Raises: CheckpointError for an unknown or damaged run or model folder; DataError where the
        text alone grows too large
    """
    version = None if live is None else lambda: live
    *_, page = make_pages(
        runs, results, data, with_images=with_images, all_rows=all_rows, version=version,
        progress=progress, warn=warn,
    )  # fmt: skip
    return page


def make_pages(
    runs: Sequence[str],
    results: Sequence[Measured] = (),
    data: PackedDataset | str | None = None,
    *,
    with_images: bool = True,
    all_rows: bool = False,
    version: Callable[[], int] | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Yield the page of `make_page` as it fills: runs one by one, then their pictures; last whole.

    Args: version: of the next page, where the page is live
    """
    tell = progress or silent
    folders = find_folders(runs)
    views: list[RunView] = []
    maker = _Maker(views, results, with_images, all_rows, version)
    for number, (title, folder) in enumerate(folders.items()):
        tell(number, len(folders), "reading runs")
        if isinstance(folder, RunFolder):
            view = view_run(folder, title, data, with_images, version is not None, progress)
        else:
            view = view_model(folder, title, data, with_images, progress)
        views.append(view)
        if warn is not None:
            for reason in view.missing:
                warn(f"{title}: {reason}")
        if version is not None and number + 1 < len(folders):
            yield maker.render()
    tell(len(folders), len(folders), "reading runs")
    maker.gather()
    text = len(maker.render().encode())
    if text > LARGEST - SPARE:
        raise DataError(
            f"the text alone of a page of {len(views)} runs takes {text / 2**20:.1f} MiB; at most "
            f"{(LARGEST - SPARE) / 2**20:.1f} are allowed; name fewer runs"
        )
    for _ in _share_out(LARGEST - SPARE - text, views, maker.groups, tell):
        if version is not None:
            yield maker.render()
    yield maker.render()


class _Maker:
    """Renders the page of what is known so far."""

    def __init__(
        self,
        views: list[RunView],
        results: Sequence[Measured],
        with_images: bool,
        all_rows: bool,
        version: Callable[[], int] | None,
    ) -> None:
        self.views, self.results = views, results
        self.all_rows, self.version = all_rows, version
        self.groups: list[Group] = []
        self.rows: list[TableRow] = []
        self.template = partial(
            _environment().get_template("page.html").render,
            style=style(),
            thumbnet=__version__,
            with_images=with_images,
        )

    def gather(self) -> None:
        """Compare the runs, and put them beside the published rows."""
        measured = without_repeats([*self.results, *_of_runs(self.views)])
        self.groups = _groups([view for view in self.views if view.evaluation is not None])
        self.rows = [*published_rows(measured, self.all_rows), *own_rows(measured)]

    def render(self) -> str:
        """Return the page."""
        live = None if self.version is None else self.version()
        return self.template(views=self.views, groups=self.groups, rows=self.rows, live=live)


def style() -> str:
    """Return the style sheet of every page."""
    return (HERE / "templates" / "style.css").read_text(encoding="utf-8")


def _share_out(
    num_bytes: int, views: Sequence[RunView], groups: Sequence[Group], tell: Progress
) -> Iterator[None]:
    """Draw all pictures within these bytes; what one does not need, the next may take."""
    places: list[RunView | Group] = [*groups, *views]
    total, done = sum(len(place.drawings) for place in places), 0
    for number, place in enumerate(places):

        def drawn(count: int, before: int = done) -> None:
            tell(before + count, total, "drawing pictures")

        own = max(0, num_bytes) // (len(places) - number)
        place.pictures, left_out = fit(place.drawings, own, drawn)
        place.is_drawn = True
        done += len(place.drawings)
        num_bytes -= sum(one.size for one in place.pictures)
        if left_out and isinstance(place, RunView):
            place.missing.append(
                f"{', '.join(left_out)}: the page would weigh more than {LARGEST // 2**20} MiB; "
                "name fewer runs to see them"
            )
        yield
    tell(total, total, "drawing pictures")


def write_page(page: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises: SubmissionError where it cannot be written
    """
    with replaced(path) as file:
        file.write(page)


def find_folders(runs: Sequence[str]) -> dict[str, RunFolder | Path]:
    """Return runs and model folders, which are paths, by a title that no two share.

    Raises: CheckpointError for one that is not there
    """
    found = [_find(run) for run in runs] if runs else list_runs()
    unique = {_path(folder).resolve(): folder for folder in found}
    names = [_name(folder) for folder in unique.values()]
    return {
        str(_path(folder)) if names.count(_name(folder)) > 1 else _name(folder): folder
        for folder in unique.values()
    }


def _find(run: str) -> RunFolder | Path:
    """Return a model folder by its path, also one that lacks a file, else a run."""
    path = Path(run)
    is_model = any((path / file).is_file() for file in (CONFIG, WEIGHTS))
    return path if is_model else find_run(run)


def _path(folder: RunFolder | Path) -> Path:
    return folder.path if isinstance(folder, RunFolder) else folder


def _name(folder: RunFolder | Path) -> str:
    """Return a run's or folder's own name; a run's weights are named with it."""
    own = _path(folder).resolve().name
    around = run_around(folder) if isinstance(folder, Path) else None
    return own if around is None else f"{around.path.name}, {own}"


def _of_runs(views: Sequence[RunView]) -> list[Measured]:
    """Return what the runs add to the table: those of an unchanged row, on as many classes."""
    found = []
    for view in views:
        held = view.evaluation
        if held is None or view.recipe is None or view.ended not in {"finished", "early_stop"}:
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
            group.drawings = [_costs(group)]
            recipes = [view.recipe for view in group.runs]
            if None not in recipes:
                group.differences = differences([one for one in recipes if one is not None])
    return list(groups.values())


def _costs(group: Group) -> Drawing:
    """Draw accuracy against parameters and training time, of at most as many as have colors."""
    points = []
    for view in group.runs[: len(PALETTE)]:
        held, ends = view.evaluation, view.interval
        assert held is not None
        assert ends is not None
        costs = {"parameters, millions": held.num_parameters / 1e6}
        if view.wall_s:
            costs["training time, minutes"] = view.wall_s / 60
        points.append(Point(view.title, held.scores.top1, ends.low, ends.high, costs))
    told = "top-1 with 95 % intervals; the figures are in the table of runs"
    return Drawing("Accuracy and cost", told, lambda: draw_pareto(points, group.judged_on))


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
