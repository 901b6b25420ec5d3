"""`--slurm` of `thumbnet train` and `thumbnet resume`: the same training, as a job."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.extras import needs
from thumbnet.cli.output import out
from thumbnet.errors import RankError, RecipeError
from thumbnet.training.cluster import SlurmSpec, check_cluster, parse_slurm
from thumbnet.training.world import find_world

if TYPE_CHECKING:
    from thumbnet.recipe import RecipeSpec
    from thumbnet.runs import RunFolder
    from thumbnet.training.slurm import TrainingJob

SlurmOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY=VALUE,...",
        help="Submit it as a Slurm job: partition=gpu,nodes=2,gpus=4,minutes=120, also account, "
        "qos, constraint, and for each node processes, cpus, memory_gb; `local` tries the job "
        "on this machine.",
    ),
]


def read_slurm(text: str) -> SlurmSpec:
    """Read the option, and refuse what cannot be submitted before anything is done."""
    needs("a Slurm job", "slurm", "submitit")
    if find_world().size > 1:
        raise RankError("a job is submitted by one process and runs torchrun itself")
    spec = parse_slurm(text)
    check_cluster(spec)
    return spec


def submit_training(
    spec: SlurmSpec,
    recipe: RecipeSpec,
    data: Path,
    out_folder: Path | None,
    options: Mapping[str, object],
) -> None:
    """Submit a new run: its folder is made now, and the recipe kept as it is now."""
    from thumbnet.checkpoint import write_atomic
    from thumbnet.recipes.registry import dump_recipe
    from thumbnet.runs import new_run
    from thumbnet.training.slurm import TrainingJob

    run = new_run(recipe.name, out_folder)
    kept = run.slurm / "recipe.yaml"
    kept.parent.mkdir(exist_ok=True)
    write_atomic(kept, dump_recipe(recipe))
    given = {"out": run.path, **options}
    words = [word for key, value in given.items() if value is not None
             for word in (f"--{key}", str(value))]  # fmt: skip
    try:
        _submit(
            TrainingJob(run, spec, ("train", str(kept), *words), ("--data", str(data.resolve())))
        )
    except RecipeError:
        rmtree(run.slurm)
        with suppress(OSError):
            run.path.rmdir()
        raise


def submit_resume(spec: SlurmSpec, run: RunFolder, data: Path | None) -> None:
    """Submit what is left of a run."""
    from thumbnet.training.slurm import TrainingJob

    named = () if data is None else ("--data", str(data.resolve()))
    _submit(TrainingJob(run, spec, ("resume", str(run.path)), named))


def _submit(job: TrainingJob) -> None:
    from thumbnet.training.slurm import submit

    spec, submitted = job.spec, submit(job)
    each = f"{spec.num_processes} process{'es' if spec.num_processes > 1 else ''}"
    nodes = f"{spec.nodes} node{'s' if spec.nodes > 1 else ''}"
    out.print(
        f"job {submitted.job_id}: {nodes} of {each}, {spec.minutes} minutes, then saved and "
        f"requeued up to {spec.requeues} times"
    )
    out.print(f"run folder: {job.run.path}")
    out.print(f"follow it with: tail -F {submitted.log}")
    out.print(f"or, once it trains: thumbnet report --watch {job.run.path}")
    out.print(f"cancel it with: {'kill' if spec.local else 'scancel'} {submitted.job_id}")
