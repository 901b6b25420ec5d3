"""Run folders: their names, and what is read from one."""

import json
from pathlib import Path

import pytest

from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import SCHEMA_VERSION, RunFolder, find_run, list_runs, new_run

RECIPE = load_recipe("thumbnet/quick", {"training.seed": 3})


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(name: str = "thumbnet/quick") -> RunFolder:
    run = new_run(name)
    run.write_setup(RECIPE, {"torch": "2"})
    return run


def test_every_file_has_its_name() -> None:
    run = RunFolder(Path("runs/a"))
    files = [run.recipe_file, run.env_file, run.results_file, run.events_file, run.log_file,
             run.state_file, run.weights("best"), run.weights("last")]  # fmt: skip
    assert [path.relative_to("runs/a").as_posix() for path in files] == [
        "recipe.yaml", "env.json", "results.csv", "events.jsonl", "log.txt",
        "state/last.safetensors", "weights/best", "weights/last",
    ]  # fmt: skip
    assert run.name == "a"


def test_the_next_free_name_is_taken() -> None:
    assert [made().path for _ in range(3)] == [
        Path("runs/thumbnet-quick"), Path("runs/thumbnet-quick.2"), Path("runs/thumbnet-quick.3"),
    ]  # fmt: skip
    assert made("mine").path == Path("runs/mine")
    Path("runs/b.2").mkdir()
    assert [made("b").name for _ in range(2)] == ["b", "b.3"]


def test_a_given_folder_is_used_when_it_is_free(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("empty", "new/deep"):
        assert new_run("mine", tmp_path / place).path == tmp_path / place
        assert (tmp_path / place).is_dir()
    assert not Path("runs").exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_folder_in_use_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "there"
    file = target if kind == "file" else target / "precious"
    file.parent.mkdir(exist_ok=True)
    file.write_text("precious")
    with pytest.raises(CheckpointError, match="there already; choose another --out, or resume"):
        new_run("mine", target)
    assert file.read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_a_plain_error() -> None:
    Path("runs").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot make the run folder runs/mine"):
        new_run("mine")
    with pytest.raises(CheckpointError, match="cannot make the run folder"):
        new_run("mine", Path("runs/deep/er"))


def test_setup_comes_back() -> None:
    run = made()
    assert run.recipe() == RECIPE
    assert run.env() == {"schema_version": SCHEMA_VERSION, "torch": "2"}


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", "{}", "\udcff"])
def test_a_damaged_environment_is_refused(text: str | None) -> None:
    run = made()
    run.env_file.unlink()
    if text is not None:
        run.env_file.write_text(text, errors="surrogateescape")
    with pytest.raises(CheckpointError, match=r"run folder .*quick is damaged: env\.json: "):
        run.env()


def test_a_missing_file_of_a_run_is_named() -> None:
    run = made()
    run.env_file.unlink()
    with pytest.raises(CheckpointError, match=r"is damaged: env\.json: it is missing"):
        run.env()


def test_another_schema_is_refused() -> None:
    run = made()
    run.env_file.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(CheckpointError, match=f"run schema version {SCHEMA_VERSION + 1}"):
        run.env()


def test_a_damaged_recipe_is_refused() -> None:
    run = made()
    run.recipe_file.write_text("name: x")
    with pytest.raises(RecipeError, match=r"recipe\.yaml is not a valid recipe"):
        run.recipe()


def test_runs_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    run = made()
    assert find_run("thumbnet-quick") == run
    assert find_run("runs/thumbnet-quick") == run
    assert find_run(tmp_path / run.path).path == tmp_path / run.path
    elsewhere = new_run("mine", tmp_path / "elsewhere")
    elsewhere.write_setup(RECIPE, {})
    assert find_run(str(elsewhere.path)) == elsewhere


def test_an_unknown_run_names_the_nearest() -> None:
    with pytest.raises(CheckpointError, match="no run 'quick'; there is no run under runs/"):
        find_run("quick")
    made(), made("mine")
    with pytest.raises(
        CheckpointError,
        match=r"no run 'tumbnet-quick'; did you mean 'thumbnet-quick'\?; "
        "runs here: mine, thumbnet-quick; ",
    ):
        find_run("tumbnet-quick")


def test_runs_are_listed_by_name() -> None:
    assert list_runs() == []
    for name in ("b", "a", "a"):
        made(name)
    Path("runs/no-run").mkdir()
    assert [run.name for run in list_runs()] == ["a", "a.2", "b"]


def test_what_a_run_killed_at_its_birth_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "env.json").write_text("{}")
    assert new_run("a/b", tmp_path / "run").path == tmp_path / "run"
    (tmp_path / "run" / "recipe.yaml").write_text("name: a/b")
    with pytest.raises(CheckpointError, match="is there already"):
        new_run("a/b", tmp_path / "run")
