"""`train` on data of any size: fitted to it, warned of, scaled, and found again on resume."""

import shutil
import signal
from pathlib import Path

import pytest
import yaml
from tests.cli.driver import QUICK_ENGINE, Said, Thumbnet
from tests.photos import draw_photos

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder, find_run
from thumbnet.training import foretell, session, trainer

NARROW = {
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "training.threads": 1,
    "model.args": "{width: 4}",
}
ENGINE = [word for key, value in NARROW.items() for word in ("--set", f"{key}={value}")]


def trained(said: Said) -> RecipeSpec:
    """Return the recipe that a run kept."""
    assert said.status == 0, said.err
    (line,) = (line for line in said.out.splitlines() if line.startswith("run folder: "))
    return find_run(line.removeprefix("run folder: ")).recipe()


def test_without_a_recipe_one_is_fitted_and_kept(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet("train", "--data", tiny.path, "--epochs", 0.3, *ENGINE)
    recipe = trained(said)
    assert (recipe.name, recipe.training.batch_size) == ("thumbnet/quick", 16)
    assert recipe.training.schedule.lr == 0.05
    assert recipe.summary == "thumbnet/quick fitted to 76 images of 4 classes"
    assert "thumbnet/quick, fitted to the data:" in said.out
    assert "batch size 16 (not 256): 76 images make 4 steps an epoch" in said.out
    assert "epochs 75 (not 7)" in said.out  # before --epochs
    assert "WARNING" not in said.err


def test_what_is_given_beside_it_stands(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    recipe = trained(
        thumbnet(
            "train", "thumbnet/resnet18-tuned", "--auto", "--data", tiny.path, "--epochs", 0.05,
            "--seed", 3, "--time-budget", "1h", *ENGINE[:-2], "--set", "training.batch_size=20",
            "--set", "model.name=thumbnet_quick", "--set", "training.balance=sampler",
        )
    )  # fmt: skip
    assert (recipe.name, recipe.training.seed) == ("thumbnet/resnet18-tuned", 3)
    assert (recipe.training.batch_size, recipe.training.time_budget_s) == (20, 3600)
    assert recipe.training.schedule.lr == 0.025  # 0.2 in batches of 128, for those of 16
    assert recipe.training.balance == "sampler"


def test_a_recipe_that_does_not_fit_is_warned_of_loudly(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    command = ("train", "thumbnet/quick", "--data", tiny.path, "--epochs", 0.1, *ENGINE)
    said = thumbnet(*command)
    assert "WARNING: 76 images in batches of 256 make 1 step an epoch, 7 in all" in said.err
    assert "What would fit: batch size 16, learning rate 0.05, 75 epochs" in said.err
    assert "--auto" in said.err
    said = thumbnet(
        *command, "--set", "training.batch_size=3", "--set", "training.schedule.lr=0.01"
    )
    assert said.status == 0
    assert "WARNING" not in said.err


def test_photos_as_people_have_them_are_trained_on(thumbnet: Thumbnet, tmp_path: Path) -> None:
    counts = {"kites": 7, "rings": 12, "signs": 9}
    photos = draw_photos(tmp_path / "photos", counts)
    said = thumbnet("train", "--data", photos, "--size", 96, "--epochs", 0.2, *ENGINE)
    recipe = trained(said)
    assert [phase.image_size for phase in recipe.phases] == [48, 72, 96]
    assert recipe.preprocess.image_size == 96
    assert "image sizes 48, 72, 96 px, judged at 96 px (not 64)" in said.out
    assert recipe.data.path is not None
    assert "-96" in Path(recipe.data.path).name  # packed at that size


def test_the_quick_start_fits_own_photos_too(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = list[RecipeSpec]()

    def train(recipe: RecipeSpec, *_: object, **__: object) -> None:
        recipes.append(recipe)
        raise RecipeError("enough seen")

    monkeypatch.setattr(session, "train", train)
    monkeypatch.setattr(foretell, "smaller_if_slow", lambda recipe, *_: recipe)
    assert thumbnet("quickstart", "--data", tiny.path).status == 2
    assert [recipe.training.batch_size for recipe in recipes] == [16]


def test_size_scales_a_named_recipe_too(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet(
        "train", "thumbnet/quick", "--size", 80, "--data", tiny.path, "--epochs", 0.1, *ENGINE,
        "--set", "training.batch_size=8", "--set", "training.schedule.lr=0.01",
    )  # fmt: skip
    assert [phase.image_size for phase in trained(said).phases] == [40, 60, 80]
    assert "the images are packed at 64 px and scaled up to 80 px" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["thumbnet/quick", "--set", "preprocess.image_size=128"], "--size 128"),
        (["zheng2018/alexnet", "--size", "100"], "takes images of 64 pixels, not 100"),
        (["thumbnet/quick", "--size", "12"], "takes images of at least 16 pixels, not 12"),
        (["--size", "7"], "'--size'"),
        (["."], "is a folder, not a recipe; train on its images with: thumbnet train --data ."),
        (["--set", "training.balance=weights"], "training.balance"),
    ],
)
def test_sizes_that_cannot_be_are_refused(
    arguments: list[str], words: str, thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    said = thumbnet("train", *arguments, "--data", tiny.path)
    assert said.status == 2
    assert words in " ".join(said.err.split())
    assert not Path("runs").exists()


def interrupted(thumbnet: Thumbnet, data: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Start a run with a relative path to its data, and stop it after the first epoch."""
    saved = trainer.Trainer._save

    def save(self: trainer.Trainer) -> None:
        saved(self)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_save", save)
        settings = {**QUICK_ENGINE, "model.args": "{width: 4}"}
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        said = thumbnet("train", "thumbnet/quick", "--data", data, "--epochs", 0.2, *words)
    assert said.status == 130
    return find_run("thumbnet-quick")


@pytest.mark.parametrize("older", [False, True])
def test_a_run_is_resumed_from_any_folder(
    older: bool,
    thumbnet: Thumbnet,
    tiny: PackedDataset,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shutil.copytree(tiny.path, tmp_path / "photos")
    run = RunFolder(interrupted(thumbnet, Path("../photos"), monkeypatch).path.resolve())
    recipe = yaml.safe_load(run.recipe_file.read_text())
    assert recipe["data"]["path"] == str((tmp_path / "photos").resolve())
    if older:  # as they were kept before
        recipe["data"]["path"] = "../photos"
        run.recipe_file.write_text(yaml.safe_dump(recipe))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = thumbnet("resume", run.path)
    assert said.status == 0, said.err
    assert thumbnet("evaluate", run.path).status == 0
