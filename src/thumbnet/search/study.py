"""A search's study: its folder, its database, and what tells it from another search."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from thumbnet.checkpoint import write_atomic
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder
from thumbnet.search.space import Space, own_point

SCHEMA_VERSION = 1
SEARCHES = Path("searches")
FULL = 1000  # a trial's figures are told by the part of its steps done, in thousandths
UNPRUNED_TRIALS, UNPRUNED_PART = 4, FULL // 5  # before the median says anything
OWN = "own"  # marks the trial of the recipe as it is
LOCK_S = 60.0  # how long a writer waits for another in SQLite


@dataclass(frozen=True)
class SearchSpec:
    """A search as data: the resolved recipe, what is changed in it, the seed of the draws."""

    recipe: RecipeSpec
    space: Space
    seed: int

    def facts(self) -> dict[str, object]:
        """Return what makes it this search, for people and for comparison."""
        return {
            "schema_version": SCHEMA_VERSION,
            "recipe": self.recipe.name,
            "recipe_sha256": self.recipe.sha256(),
            "space": {one.key: str(one) for one in self.space},
            "seed": self.seed,
        }

    @property
    def study_name(self) -> str:
        """A name that no other search has, also in a database that many share."""
        text = json.dumps(self.facts(), sort_keys=True)
        return f"{self.recipe.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class StudyFolder:
    """A search's folder; every file name of it is here."""

    path: Path

    @property
    def about_file(self) -> Path:
        """What is searched."""
        return self.path / "search.json"

    @property
    def database(self) -> Path:
        """The trials, where no other storage is given."""
        return self.path / "study.db"

    @property
    def best_file(self) -> Path:
        """The best recipe so far."""
        return self.path / "best.yaml"

    def picture(self, name: str) -> Path:
        """Return the file of a picture."""
        return self.path / "plots" / f"{name}.png"

    def trial(self, number: int) -> RunFolder:
        """Return a trial's run folder."""
        return RunFolder(self.path / f"trial-{number:04d}")

    def begin(self, spec: SearchSpec) -> None:
        """Make the folder of a search, or check that it is this one's.

        Raises: CheckpointError where it is another's, or cannot be made
        """
        wanted = spec.facts()
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            found = self._about()
            if found != wanted:
                differs = ", ".join(key for key in wanted if found.get(key) != wanted[key])
                raise CheckpointError(
                    f"{self.path} is there already and holds another search (other: {differs}); "
                    "go on with that by its own command, or choose another --out"
                )
        write_atomic(self.about_file, json.dumps(wanted, indent=1))

    def _about(self) -> dict[str, object]:
        try:
            return dict(json.loads(self.about_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


@contextmanager
def open_study(
    spec: SearchSpec, folder: StudyFolder, url: str | None, prunes: bool = True
) -> Iterator[optuna.Study]:
    """Open the study of a search, or begin it with the recipe as it is for its first trial.

    Args: url is that of any database SQLAlchemy knows; None takes SQLite in the folder
    Raises: RecipeError for a URL that cannot be used; CheckpointError for a damaged database
    """
    storage = _open_storage(folder, url)
    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner: BasePruner = NopPruner()
    if prunes:
        pruner = MedianPruner(n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=UNPRUNED_PART)
    try:
        yield _study(spec, storage, pruner)
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise CheckpointError(
            f"the search's database failed: {_first_line(error)}; trials are kept as they were "
            "last saved; the same command goes on"
        ) from None
    finally:
        optuna.logging.set_verbosity(loud)
        storage.remove_session()
        storage.engine.dispose()


def _study(spec: SearchSpec, storage: RDBStorage, pruner: BasePruner) -> optuna.Study:
    name = spec.study_name
    try:
        study = optuna.create_study(
            study_name=name, storage=storage, pruner=pruner, direction="maximize"
        )
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    own, outside = own_point(spec.space, spec.recipe)
    if not outside:
        study.enqueue_trial(dict(own), user_attrs={OWN: True})
    return study


def _open_storage(folder: StudyFolder, url: str | None) -> RDBStorage:
    place = url or f"sqlite:///{folder.database.resolve()}"
    options = {"connect_args": {"timeout": LOCK_S}} if place.startswith("sqlite") else {}
    try:
        return RDBStorage(place, engine_kwargs=options)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        if url is None:
            raise CheckpointError(f"cannot open {folder.database}: {_first_line(error)}") from None
        raise RecipeError(
            f"cannot use the storage: {_first_line(error)}; give the URL of a database, e.g. "
            "postgresql+psycopg://user@host/name, whose driver is installed"
        ) from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def sampler_of(spec: SearchSpec, number: int) -> TPESampler:
    """Return what draws a trial: a function of the seed, its number, and the trials before it.

    Source: Bergstra and others 2011; an unbroken search and a resumed one draw the same
    """
    seed = int(np.random.SeedSequence([spec.seed, number]).generate_state(1)[0])
    return TPESampler(seed=seed)


@contextmanager
def ignoring_over() -> Iterator[None]:
    """Let pass what is told of a trial that is over, since another machine took it for dead."""
    with suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError):
        yield
