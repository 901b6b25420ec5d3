"""The one look of all pictures, and how a figure becomes a file: the same bytes each time."""

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from thumbnet.errors import RecipeError

# Okabe and Ito's colors, told apart with any color vision: doi.org/10.1038/nmeth.1618
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, YELLOW, BLACK = "#56B4E9", "#E69F00", "#F0E442", "#000000"
PALETTE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, BLACK, YELLOW)
INK, GREY, PALE = "#1A1A1A", "#666666", "#EDEDED"
SEQUENTIAL, DIVERGING, HEAT = "cividis", "PuOr", "inferno"

DPI = 144
TITLE_SIZE, NOTE_SIZE, TEXT_SIZE, SMALL_SIZE = 12, 9, 9, 7.5  # points
HEADER = 0.66  # inches above the picture for title and note
SUFFIXES = (".png", ".svg")
LINE = 1.45  # height of a line of text in its size

LOOK: dict[str, object] = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "text.parse_math": False,  # a class name may hold a dollar sign
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": PALE,
    "lines.linewidth": 1.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "svg.hashsalt": "thumbnet",
}


@contextmanager
def look() -> Iterator[None]:
    """Draw in the common look within this block, and leave matplotlib as it was."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in any script
        mpl.rcParams.update(mpl.rcParamsDefault)  # not the user's own settings
        mpl.rcParams.update(LOOK)  # type: ignore[arg-type]  # keys and values of many types
        yield


def new_figure(width: float, height: float, title: str, note: str = "") -> tuple[Figure, float]:
    """Make a figure with its title and note on top.

    Units: inches; `height` is that below the header, which is added to it
    Returns: the figure, and the share of its height below the header
    """
    titles = wrap(title, width - 0.3, TITLE_SIZE * 1.08)
    notes = wrap(note, width - 0.3, NOTE_SIZE) if note else []
    header = (len(titles) * TITLE_SIZE + len(notes) * NOTE_SIZE) * LINE / 72 + 0.22
    whole = height + header
    figure = Figure(figsize=(width, whole), facecolor="white")
    top = 1 - 0.1 / whole
    figure.text(0.15 / width, top, "\n".join(titles), size=TITLE_SIZE, weight="bold", va="top")
    below = top - len(titles) * TITLE_SIZE * LINE / 72 / whole
    figure.text(0.15 / width, below, "\n".join(notes), size=NOTE_SIZE, color=GREY, va="top")
    return figure, height / whole


def wrap(text: str, width: float, size: float = TEXT_SIZE) -> list[str]:
    """Break a text into lines of at most `width` inches at `size` points."""
    return textwrap.wrap(text, max(8, int(width * 72 / (0.6 * size))))


def spread(places: Sequence[float], gap: float, last: float) -> list[float]:
    """Move ascending places apart to at least `gap`, within 0 and `last` where they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    for i in range(len(moved) - 1, -1, -1):
        moved[i] = min(moved[i], last if i + 1 == len(moved) else moved[i + 1] - gap)
    return moved


def first_name(class_name: str) -> str:
    """Return the first of the synonyms in a class name."""
    return class_name.partition(",")[0]


def shorten(text: str, length: int) -> str:
    """Cut a class name to its first synonym and at most `length` characters."""
    return cut(first_name(text), length)


def cut(text: str, length: int) -> str:
    """Cut a text to at most `length` characters; dots show that there is more."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def render(figure: Figure, kind: str, dpi: float = DPI) -> bytes:
    """Return the bytes of a `png` or `svg` file; equal figures give equal bytes."""
    held = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with look():
        figure.savefig(held, format=kind, dpi=dpi, metadata=metadata)
    return held.getvalue()


def check_path(path: Path) -> Path:
    """Refuse a file name that says no kind of picture.

    Raises: RecipeError
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RecipeError(f"cannot write a picture to '{path}'; end its name in .png or .svg")
    return path


def save(figure: Figure, path: Path) -> None:
    """Write a figure as the ending of `path` says, whole or not at all; folders are made.

    Raises: RecipeError for another ending, or where it cannot be written
    """
    data = render(figure, check_path(path).suffix.lower()[1:])
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise RecipeError(f"cannot write {path}: {error}; choose another place with -o") from None
