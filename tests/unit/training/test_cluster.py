"""What `--slurm` takes, and what it refuses before anything is done."""

from pathlib import Path

import pytest

from thumbnet.errors import RecipeError
from thumbnet.training.cluster import SlurmSpec, check_cluster, parse_slurm


def test_keys_and_defaults() -> None:
    spec = parse_slurm("partition=gpu, nodes=2, gpus=4, minutes=120")
    assert spec == SlurmSpec(partition="gpu", nodes=2, gpus=4, minutes=120)
    assert spec.num_processes == 4
    assert parse_slurm("local") == SlurmSpec(local=True)
    assert parse_slurm("local,processes=2").num_processes == 2
    assert parse_slurm("cpus=8").num_processes == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partion=gpu", "unknown key 'partion'; did you mean 'partition'?; allowed: partition="),
        ("locl", "did you mean 'local'?"),
        ("local=1", "unknown key 'local'"),
        ("", "unknown key ''"),
        ("nodes=0", "nodes=0 must be a whole number of at least 1"),
        ("minutes=2", "minutes=2 must be a whole number of at least 5"),
        ("gpus=x", "gpus=x must be a whole number"),
        ("gpus=-1", "gpus=-1 must be"),
        ("gpus", "gpus= must be"),
        ("qos=", "qos needs a name"),
        ("gpus=1,gpus=2", "gpus is given twice"),
        ("local,nodes=2", "local is one node"),
        ("gpus=2,processes=4", "processes=4 of a node share gpus=2"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse_slurm(text)
    assert said in str(refused.value)


def test_a_machine_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check_cluster(SlurmSpec(local=True))
    with pytest.raises(RecipeError, match=r"no sbatch and no srun.*--slurm local"):
        check_cluster(SlurmSpec())
    for name in ("sbatch", "srun"):
        (tmp_path / name).touch(0o755)
    check_cluster(SlurmSpec())
