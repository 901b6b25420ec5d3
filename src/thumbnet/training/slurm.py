"""A training as a Slurm job: torchrun on each node, and on with the run where it is requeued."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.helpers import DelayedSubmission, clean_env

from thumbnet.errors import RecipeError
from thumbnet.runs import RunFolder
from thumbnet.training.cluster import LOCAL, SlurmSpec

TOLD_S = 90  # how long before its time is up Slurm tells a job
SAVE_S = 60.0  # of these, at most, until the run has saved and ended
POLL_S = 0.2
AWAIT_S = 600.0  # a run that Slurm stopped leaves it so long to requeue the job, or to kill it
PORTS = range(20_000, 60_000)
# srun may send the signal to all processes of a job; the default of those that train is to die.
DEAF = ("sh", "-c", 'trap "" USR2; exec "$@"', "sh")


@dataclass
class TrainingJob:
    """What each node of a job does; `new` are the words of `thumbnet` that begin the run."""

    run: RunFolder
    spec: SlurmSpec
    new: tuple[str, ...]
    data: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path.cwd)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    def __call__(self) -> None:
        """Run torchrun to its end; a run that is there already is resumed."""
        os.chdir(self.folder)  # what `thumbnet` was given may be relative to it
        at = submitit.JobEnvironment()
        command = self.command(at.node, at.hostnames, PORTS[int(at.job_id) % len(PORTS)])
        print(shlex.join(command), flush=True)
        threads = max(1, self.spec.cpus // self.spec.num_processes)
        environment = {"OMP_NUM_THREADS": str(threads)} if self.spec.cpus else {}
        self._process = subprocess.Popen([*DEAF, *command], env={**os.environ, **environment})
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        try:
            while self._process.poll() is None:
                time.sleep(POLL_S)
        finally:
            self._stop()
        if not self._process.returncode:
            return
        if at.cluster == "slurm" and self.run.last_event().get("reason") == "interrupted":
            time.sleep(AWAIT_S)  # to end now would be to fail, and a failed job is not requeued
        sys.exit(self._process.returncode)

    def command(self, node: int, hosts: Sequence[str], port: int) -> list[str]:
        """Return what a node runs; they meet on the first one, where the first process is too.

        No process makes the run's folder before all have met, so all find it, or none does.
        """
        torchrun = [sys.executable, "-m", "torch.distributed.run"]
        torchrun += [f"--nproc-per-node={self.spec.num_processes}"]
        if len(hosts) == 1:
            torchrun += ["--standalone"]
        else:
            torchrun += [f"--nnodes={len(hosts)}", f"--node-rank={node}"]
            torchrun += [f"--master-addr={hosts[0]}", f"--master-port={port}"]
            torchrun += [f"--local-addr={hosts[node]}"]
        is_there = self.run.recipe_file.is_file()
        words = ("resume", str(self.run.path)) if is_there else self.new
        return [*torchrun, "-m", "thumbnet", *words, *self.data]

    def checkpoint(self) -> DelayedSubmission:
        """Let the run save and end; submitit calls this before it requeues the job."""
        self._stop()
        until = time.monotonic() + SAVE_S
        while self._process and self._process.poll() is None and time.monotonic() < until:
            time.sleep(POLL_S)
        return DelayedSubmission(replace(self))  # the same, without the process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()


@dataclass(frozen=True)
class Submitted:
    """A job that waits or runs; `log` is written from its start on."""

    job_id: str
    log: Path


def submit(job: TrainingJob) -> Submitted:
    """Hand a job to Slurm, or start it on this machine.

    Raises: RecipeError where Slurm refuses it
    """
    spec, name = job.spec, LOCAL if job.spec.local else "slurm"
    executor = submitit.AutoExecutor(
        job.run.slurm,
        name,
        local_max_num_timeout=spec.requeues,
        slurm_max_num_timeout=spec.requeues,
    )
    executor.update_parameters(**parameters(spec, job.run.name))
    try:
        with clean_env():  # of a job that this is submitted from
            submitted = executor.submit(job)
    except (FailedJobError, FailedSubmissionError) as error:
        raise RecipeError(f"Slurm refused the job: {str(error).strip()}") from None
    return Submitted(submitted.job_id, submitted.paths.stdout)


def parameters(spec: SlurmSpec, name: str) -> dict[str, Any]:
    """Return what submitit takes; None leaves a thing to the cluster."""
    cpus = spec.cpus or spec.num_processes
    return {
        "name": name,
        "nodes": spec.nodes,
        "tasks_per_node": 1,
        "gpus_per_node": spec.gpus or None,
        "cpus_per_task": cpus,
        "mem_gb": spec.memory_gb or None,
        "timeout_min": spec.minutes,
        "stderr_to_stdout": True,
        "slurm_partition": spec.partition or None,
        "slurm_account": spec.account or None,
        "slurm_qos": spec.qos or None,
        "slurm_constraint": spec.constraint or None,
        "slurm_signal_delay_s": TOLD_S,
        "slurm_srun_args": [f"--cpus-per-task={cpus}"],  # srun does not take it from sbatch
        "slurm_additional_parameters": {"requeue": True},  # also after the failure of a node
    }
