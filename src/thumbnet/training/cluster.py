"""What a job asks Slurm for, as text and as data; no torch."""

import shutil
from dataclasses import dataclass, fields
from typing import Any

from thumbnet.errors import RecipeError, did_you_mean

LOCAL = "local"


@dataclass(frozen=True)
class SlurmSpec:
    """What a job asks for; gpus, processes, cpus and memory are a node's, 0 leaves them to Slurm.

    `minutes` are those until the job is stopped, saved and requeued, at most `requeues` times.
    """

    local: bool = False
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    nodes: int = 1
    gpus: int = 0
    processes: int = 0
    cpus: int = 0
    memory_gb: int = 0
    minutes: int = 60
    requeues: int = 3

    @property
    def num_processes(self) -> int:
        """The processes of a node: as asked for, or one a GPU, or one."""
        return self.processes or self.gpus or 1


KEYS = [one.name for one in fields(SlurmSpec) if one.name != LOCAL]
LEAST = {"nodes": 1, "minutes": 5}


def parse_slurm(text: str) -> SlurmSpec:
    """Read `partition=gpu,nodes=2,gpus=4,minutes=120`; the word `local` means this machine.

    Raises: RecipeError for what is unknown, out of range, or said twice
    """
    given: dict[str, Any] = {}
    for word in text.split(","):
        key, equals, value = (part.strip() for part in word.partition("="))
        if key in given:
            raise RecipeError(f"--slurm: {key} is given twice")
        if key == LOCAL and not equals:
            given[LOCAL] = True
        elif key not in KEYS:
            allowed = f"allowed: {', '.join(f'{name}=...' for name in KEYS)}; or {LOCAL}"
            hint = did_you_mean(key, [*KEYS, LOCAL])
            raise RecipeError(f"--slurm: unknown key '{key}'{hint}; {allowed}")
        elif isinstance(getattr(SlurmSpec, key), int):
            given[key] = _number(key, value)
        elif value:
            given[key] = value
        else:
            raise RecipeError(f"--slurm: {key} needs a name, as in {key}=NAME")
    spec = SlurmSpec(**given)
    if spec.local and spec.nodes > 1:
        raise RecipeError(f"--slurm: {LOCAL} is one node, this machine; leave nodes out")
    if spec.gpus and spec.num_processes > spec.gpus:
        raise RecipeError(
            f"--slurm: processes={spec.processes} of a node share gpus={spec.gpus}; "
            "each needs one of its own"
        )
    return spec


def _number(key: str, value: str) -> int:
    least = LEAST.get(key, 0)
    if not value.isdecimal() or int(value) < least:
        raise RecipeError(f"--slurm: {key}={value} must be a whole number of at least {least}")
    return int(value)


def check_cluster(spec: SlurmSpec) -> None:
    """Refuse a machine that cannot submit a job.

    Raises: RecipeError
    """
    missing = [name for name in ("sbatch", "srun") if shutil.which(name) is None]
    if missing and not spec.local:
        raise RecipeError(
            f"this machine has no {' and no '.join(missing)}, so it cannot submit to Slurm; call "
            "this on a login node, or try the same job on this machine with --slurm local"
        )
