"""A training as a job: what is submitted, and that it runs; a stand-in takes Slurm's place."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from submitit.helpers import DelayedSubmission
from tests.cli.driver import Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.session import same_weights
from thumbnet.training.slurm import TrainingJob

SBATCH = """#!/bin/sh
[ -n "$REFUSED" ] && { echo "sbatch: error: invalid partition specified: gpu" >&2; exit 1; }
echo "Submitted batch job 4711"
[ -z "$RUNS" ] || nohup bash "$1" >sbatch.log 2>&1 </dev/null &
"""
SRUN = f"""#!{sys.executable}
import os, subprocess, sys
words = sys.argv[1:]
at = words.index("--output") + 1
command = [word for word in words[at + 1 :] if not word.startswith("--cpus")]
tasks = []
for node in "01":
    told = {{"NTASKS": 2, "JOB_ID": 4711, "JOB_NUM_NODES": 2, "NODEID": node, "PROCID": node,
            "LOCALID": 0, "JOB_NODELIST": "localhost,localhost"}}
    env = {{**os.environ, **{{"SLURM_" + key: str(value) for key, value in told.items()}}}}
    with open(words[at].replace("%j", "4711").replace("%t", node), "a") as log:
        tasks.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
sys.exit(max(task.wait() for task in tasks))
"""
LENET = ("vonmartens2019/lenet5", *settings())
GPUS = "partition=gpu,account=lab,nodes=2,gpus=4,minutes=120,memory_gb=64"
RUN = RunFolder(Path("runs/vonmartens2019-lenet5"))


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("sbatch", SBATCH), ("srun", SRUN)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def submitted(run: RunFolder) -> TrainingJob:
    function = DelayedSubmission.load(run.slurm / "4711_submitted.pkl").function
    assert isinstance(function, TrainingJob)
    return function


@pytest.mark.usefixtures("slurm")
def test_what_is_submitted(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    options = ("--data", tiny.path, "--epochs", 3, "--seed", 5)
    said = thumbnet("train", *LENET, *options, "--slurm", GPUS)
    assert said.status == 0, said.err
    log = RUN.slurm.absolute() / "4711_0_log.out"
    for words in ("job 4711: 2 nodes of 4 processes", f"tail -F {log}", "scancel 4711"):
        assert words in said.out
    script = (RUN.slurm / "4711_submission.sh").read_text()
    asked = dict(re.findall(r"#SBATCH --(\S+?)(?:=(.*))?$", script, re.MULTILINE))
    assert asked["partition"] == "gpu"
    assert asked["account"] == "lab"
    assert (asked["nodes"], asked["ntasks-per-node"], asked["gpus-per-node"]) == ("2", "1", "4")
    assert (asked["time"], asked["mem"], asked["cpus-per-task"]) == ("120", "64GB", "4")
    assert asked["signal"] == "USR2@90"
    assert {"requeue", "open-mode"} <= set(asked)
    assert not {"qos", "constraint"} & set(asked)
    kept = load_recipe(RUN.slurm / "recipe.yaml")
    assert kept == load_recipe("vonmartens2019/lenet5", dict(map(_setting, settings()[1::2])))


def _setting(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    return key, int(value) if value.isdecimal() else value


@pytest.mark.usefixtures("slurm")
def test_what_each_node_runs(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    assert thumbnet("train", *LENET, "--data", tiny.path, "--slurm", GPUS).status == 0
    job = submitted(RUN)
    command = job.command(1, ["node7", "node9"], 20_001)
    torchrun, thumbnets = command[: command.index("thumbnet")], command[command.index("thumbnet") :]
    assert torchrun[:3] == [sys.executable, "-m", "torch.distributed.run"]
    assert set(torchrun[3:-1]) == {
        "--nproc-per-node=4", "--nnodes=2", "--node-rank=1", "--master-addr=node7",
        "--master-port=20001", "--local-addr=node9",
    }  # fmt: skip
    kept, data = str(RUN.slurm / "recipe.yaml"), ["--data", str(tiny.path.resolve())]
    assert thumbnets[1:] == ["train", kept, "--out", str(RUN.path), *data]
    assert "--standalone" in job.command(0, ["node7"], 20_001)
    RUN.recipe_file.write_text("")  # the job was requeued, and finds its run
    assert job.command(0, ["node7"], 20_001)[-4:] == ["resume", str(RUN.path), *data]


@pytest.mark.usefixtures("slurm")
def test_a_refused_job_leaves_nothing(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSED", "1")
    said = thumbnet("train", *LENET, "--data", tiny.path, "--slurm", "partition=gpu")
    assert said.status == 2
    assert "Slurm refused the job: sbatch: error: invalid partition specified: gpu" in said.err
    assert not RUN.path.exists()


def test_without_submitit_or_slurm(thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    said = thumbnet("train", *LENET, "--slurm", "nodes=2")
    assert said.status == 2
    assert "no sbatch and no srun" in said.err
    monkeypatch.setitem(sys.modules, "submitit", None)
    said = thumbnet("train", *LENET, "--slurm", "nodes=2")
    assert said.status == 2
    assert "pip install 'thumbnet[slurm]'" in said.err
    assert not Path("runs").exists()


def start(*words: object) -> str:
    """Submit in a process of its own, which is over before the job is; return its id."""
    command = [sys.executable, "-m", "thumbnet", *map(str, words)]
    with Path("said").open("w") as file:
        subprocess.run(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=True)
    found = re.search(r"job (\d+):", Path("said").read_text())
    assert found is not None
    return found[1]


def wait_until(is_so: Callable[[], object], seconds: float = 200) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, [file.read_text() for file in RUN.slurm.glob("*.out")]
        time.sleep(0.1)


def ended() -> bool:
    return RUN.last_event().get("reason") == "finished"


@pytest.mark.soak
def test_on_this_machine_a_preempted_job_ends_as_if_never_stopped(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    options = ("--data", tiny.path, "--epochs", 60)
    job = start("train", *LENET, *options, "--slurm", "local")
    wait_until(RUN.results_file.is_file)
    (task,) = Path(f"/proc/{job}/task/{job}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)
    wait_until(ended)
    events = RUN.events_file.read_text()
    assert '"interrupted"' in events
    assert '"resumed"' in events
    assert thumbnet("train", *LENET, *options, "--out", "unbroken").status == 0
    assert same_weights(RUN, RunFolder(Path("unbroken")))


@pytest.mark.soak
@pytest.mark.usefixtures("slurm")
def test_two_nodes_meet_and_train_one_run(
    tiny: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNS", "1")
    start("train", *LENET, "--data", tiny.path, "--epochs", 2, "--slurm", "nodes=2,processes=1")
    wait_until(ended)
    assert '"num_ranks": 2' in RUN.events_file.read_text()
    assert "run folder" in (RUN.slurm / "4711_0_log.out").read_text()
    assert "run folder" not in (RUN.slurm / "4711_1_log.out").read_text()
