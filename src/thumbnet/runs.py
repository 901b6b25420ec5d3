"""The run folder: its place, the names of its files, and what is known of a run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from thumbnet.checkpoint import write_atomic
from thumbnet.data.packed import is_packed, open_packed
from thumbnet.errors import CheckpointError, DataError, did_you_mean, reason_of
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import dump_recipe, load_recipe

SCHEMA_VERSION = 1
RUNS = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; every file name of it is here."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name, as commands take it."""
        return self.path.name

    @property
    def recipe_file(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def env_file(self) -> Path:
        """Versions, machine, and the engine's picks."""
        return self.path / "env.json"

    @property
    def results_file(self) -> Path:
        """One line an epoch."""
        return self.path / "results.csv"

    @property
    def events_file(self) -> Path:
        """One JSON object a line, everything that happened."""
        return self.path / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """What was printed."""
        return self.path / "log.txt"

    @property
    def tensorboard(self) -> Path:
        """Events for TensorBoard, where the run was begun with them."""
        return self.path / "tensorboard"

    @property
    def slurm(self) -> Path:
        """What was submitted as a job, and what the job printed."""
        return self.path / "slurm"

    @property
    def state_file(self) -> Path:
        """What resume starts from."""
        return self.path / "state" / "last.safetensors"

    @property
    def control_file(self) -> Path:
        """One JSON object a line: commands to the process that trains."""
        return self.path / "control.jsonl"

    @property
    def lock_file(self) -> Path:
        """Held by the process that trains."""
        return self.path / "state" / "lock"

    @property
    def claim_file(self) -> Path:
        """Held by the search whose trial the run is."""
        return self.path / "state" / "claim"

    def last_event(self) -> dict[str, Any]:
        """Return the last line of events.jsonl; empty where there is none, or it is cut off."""
        try:
            lines = self.events_file.read_text(encoding="utf-8").splitlines()
            return dict(json.loads(lines[-1])) if lines else {}
        except (OSError, ValueError, TypeError):
            return {}

    def weights(self, which: str) -> Path:
        """Return the model folder of the `best` or the `last` weights."""
        return self.path / "weights" / which

    def snapshot(self, number: int) -> Path:
        """Return the model folder of a snapshot, which count from 1."""
        return self.path / "weights" / f"snapshot-{number}"

    def snapshots(self) -> list[Path]:
        """Return the model folders of the snapshots there are, in their order."""
        found: list[Path] = []
        while (self.snapshot(len(found) + 1) / "model.safetensors").is_file():
            found.append(self.snapshot(len(found) + 1))
        return found

    def recipe(self) -> RecipeSpec:
        """Read the resolved recipe."""
        return load_recipe(self.recipe_file)

    def data_path(self, recipe: RecipeSpec) -> Path | None:
        """Return where the data of this run's recipe lies now; None where nothing is there.

        Older runs kept a path relative to the working folder they were started in, which is mostly
        a folder above the run.
        """
        if recipe.data.path is None:
            return None
        path = Path(recipe.data.path)
        above = () if path.is_absolute() else self.path.resolve().parents
        places = [path, *(folder / path for folder in above)]
        known = (place for place in places if is_packed(place) and _is_of(place, recipe))
        return next(known, path if path.exists() else None)

    def env(self) -> dict[str, Any]:
        """Read the environment.

        Raises: CheckpointError where it is missing, damaged or of another schema version
        """
        try:
            env = json.loads(self.env_file.read_text(encoding="utf-8"))
            version = env["schema_version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"run folder {self.path} is damaged: env.json: {reason_of(error)}"
            ) from None
        if version != SCHEMA_VERSION:
            raise CheckpointError(
                f"{self.path} was written with run schema version {version}; this thumbnet reads "
                f"{SCHEMA_VERSION}; use the version that wrote it, or train anew"
            )
        return dict(env)

    def write_setup(self, recipe: RecipeSpec, env: dict[str, Any]) -> None:
        """Write recipe and environment, which make the folder a run."""
        write_atomic(self.env_file, json.dumps({"schema_version": SCHEMA_VERSION, **env}, indent=1))
        write_atomic(self.recipe_file, dump_recipe(recipe))


class HasRun(Protocol):
    """What a training returns: something with the run that it made."""

    @property
    def run(self) -> RunFolder:
        """The run."""


RunLike = str | Path | RunFolder | HasRun


def run_path(run: RunLike) -> str | Path:
    """Return the name or path of a run, given as such, as a run, or as the result of a training."""
    if isinstance(run, str | Path):
        return run
    return run.path if isinstance(run, RunFolder) else run.run.path


def new_run(recipe_name: str, out: Path | None = None) -> RunFolder:
    """Make the folder of a new run: `out`, or `runs/<recipe>`, or the next free `.2`, `.3`, ...

    Raises: CheckpointError where `out` is there already and not empty, or cannot be made
    """
    if out is not None and out.exists() and not _is_vacant(out):
        raise CheckpointError(f"{out} is there already; choose another --out, or resume that run")
    base = out or RUNS / recipe_name.replace("/", "-")
    number = 1
    while True:
        path = base if number == 1 else base.with_name(f"{base.name}.{number}")
        try:
            path.mkdir(parents=True, exist_ok=out is not None)
            return RunFolder(path)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise CheckpointError(f"cannot make the run folder {path}: {error}") from None


def _is_vacant(path: Path) -> bool:
    """Tell whether a folder holds no run, at most its job, or what one killed at its birth left."""
    if not path.is_dir():
        return False
    return {file.name for file in path.iterdir()} <= {"env.json", ".env.json.tmp", "state", "slurm"}


def find_run(name_or_path: str | Path) -> RunFolder:
    """Return a run by its path, or by its name under `runs/`.

    Raises: CheckpointError for one that is not there, naming the nearest
    """
    for path in (Path(name_or_path), RUNS / name_or_path):
        if (path / "recipe.yaml").is_file():
            return RunFolder(path)
    names = [run.name for run in list_runs()]
    hint = did_you_mean(str(name_or_path), names)
    known = f"; runs here: {', '.join(names)}" if names else f"; there is no run under {RUNS}/"
    raise CheckpointError(f"no run '{name_or_path}'{hint}{known}; a run is a path or such a name")


def _is_of(packed: Path, recipe: RecipeSpec) -> bool:
    """Tell whether a packed folder holds the data of a recipe."""
    try:
        return recipe.data.fingerprint in {None, open_packed(packed).fingerprint}
    except DataError:
        return False


def run_around(folder: Path) -> RunFolder | None:
    """Return the run that a model folder is the weights of; None where it lies alone."""
    run = RunFolder(folder.resolve().parent.parent)
    is_part = folder.resolve().parent.name == "weights" and run.recipe_file.is_file()
    return run if is_part else None


def list_runs() -> list[RunFolder]:
    """Return all runs under `runs/`, by name."""
    return [RunFolder(path.parent) for path in sorted(RUNS.glob("*/recipe.yaml"))]
