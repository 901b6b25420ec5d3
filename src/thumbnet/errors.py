"""The errors a user may cause; each says what came, what is allowed, and what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches
from json import JSONDecodeError


class ThumbnetError(Exception):
    """A mistake the user can mend; commands print its message and exit with status 2."""


class RecipeError(ThumbnetError):
    """A recipe, network, key or setting that is unknown or out of range."""


class DataError(ThumbnetError):
    """A data set that is missing, damaged or of another shape than asked for."""


class CheckpointError(ThumbnetError):
    """A run folder, weights file or saved state that cannot be used."""


class SubmissionError(ThumbnetError):
    """A file of predicted labels that does not fit the data set."""


class DivergedError(ThumbnetError):
    """Training met a loss that is not finite; the last good checkpoint is kept."""


class RankError(ThumbnetError):
    """Several processes that cannot train a run together."""


class LostRankError(RankError):
    """One of the processes that train a run together is gone; the last save is kept."""


def reason_of(error: Exception) -> str:
    """Say in plain words why a file could not be read or understood.

    Example: reason_of(KeyError("step")) == "'step' is missing"
    """
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, JSONDecodeError):
        return f"it is not valid JSON (line {error.lineno}, column {error.colno})"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) or type(error).__name__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else an empty string.

    Example: did_you_mean("lenet", ["lenet5", "resnet18"]) == "; did you mean 'lenet5'?"
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
