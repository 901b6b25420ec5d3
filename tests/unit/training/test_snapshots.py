"""At which steps weights are kept, and that a resume keeps the same."""

import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.inference import evaluate, recipe_of
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.events import Event, Stepped
from thumbnet.training.phases import Plan
from thumbnet.training.session import replay, resume, train

CYCLIC = {"name": "cyclic", "lr": 0.1, "base_lr": 0.01, "half_steps": 3}


def of(snapshots: str | None, *phases: dict[str, object], **more: object) -> RecipeSpec:
    changed = {
        "model.args": {"width": 4}, "training.snapshots": snapshots, "phases": list(phases),
        "preprocess.untrained_size": True, **more,
    }  # fmt: skip
    return load_recipe("thumbnet/quick", {**QUICK_ENGINE, **changed})


def kept(recipe: RecipeSpec, num_images: int = 40) -> dict[int, int]:
    """Map steps to the snapshot that follows each."""
    plan = Plan(recipe, num_images)  # batches of 8: five steps an epoch
    found = {step: plan.at(step).snapshot for step in range(plan.num_steps)}
    return {step: number for step, number in found.items() if number}


def test_at_the_end_of_each_phase() -> None:
    phases = ({"epochs": 1, "image_size": 16}, {"epochs": 2, "image_size": 24})
    assert kept(of("phase", *phases)) == {4: 1, 14: 2}
    assert kept(of(None, *phases)) == {}


def test_at_the_end_of_each_cycle_counted_through_the_run() -> None:
    shared = {"training.schedule": CYCLIC}
    assert kept(of("cycle", {"epochs": 4}, **shared)) == {5: 1, 11: 2, 17: 3}
    two = ({"epochs": 2, "image_size": 16}, {"epochs": 2, "image_size": 24})
    assert kept(of("cycle", *two, **shared)) == {5: 1, 11: 2, 17: 3}  # one schedule over both
    own = ({"epochs": 2, "schedule": CYCLIC}, {"epochs": 1}, {"epochs": 2, "schedule": CYCLIC})
    assert kept(of("cycle", *own)) == {5: 1, 20: 2}


def test_a_cycle_takes_a_cyclic_schedule() -> None:
    with pytest.raises(RecipeError, match=r"training\.snapshots=cycle takes a cyclic schedule"):
        of("cycle", {"epochs": 1})


def test_recipes_without_young_keys_keep_their_digest() -> None:
    """Runs that were begun before the keys were there can be resumed."""
    plain = load_recipe("vonmartens2019/lenet5")
    assert plain.sha256() == "042be70b8e9e82839410aa315715a0fbb699c969ea927dc33547b8f6bc7974c1"
    for key, value in {"snapshots": "phase", "watched_images": 100, "step": "eager",
                       "balance": "loss"}.items():  # fmt: skip
        other = with_overrides(plain, {f"training.{key}": value}, "x")
        assert other.sha256() != plain.sha256()


def contents(run: RunFolder) -> list[bytes]:
    return [(folder / "model.safetensors").read_bytes() for folder in run.snapshots()]


def test_killed_resumed_or_replayed_the_snapshots_are_the_same(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    recipe = of("cycle", {"epochs": 2, "image_size": 16}, **{"training.schedule": CYCLIC})
    whole = train(recipe, tiny, out="whole").run
    plan = Plan(recipe, 76)
    assert len(whole.snapshots()) == max(plan.at(step).snapshot for step in range(plan.num_steps))
    assert len(set(contents(whole))) == len(whole.snapshots()) == 3

    def die(event: Event) -> None:
        if isinstance(event, Stepped) and event.at.step == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tiny, out="killed", observers=[die])
    assert contents(resume("killed", tiny).run) == contents(whole)
    assert contents(replay(whole, tiny, out="again").run) == contents(whole)
    first = whole.snapshots()[0]
    assert recipe_of(first) == whole.recipe()
    assert evaluate(first).judged_on == evaluate(whole.path).judged_on
    said = thumbnet("ensemble", "whole", "--snapshots", "-o", "one")
    assert said.status == 0, said.err
    assert "snapshot-3" in said.out
    assert "best member" in said.out
    said = thumbnet("ensemble", "whole", "--snapshots", "--average-weights", "-o", "mean")
    assert said.status == 0, said.err


def test_a_run_without_snapshots_says_how_to_keep_them(
    thumbnet: Thumbnet, trained: RunFolder
) -> None:
    said = thumbnet("ensemble", trained.path, "--snapshots", "-o", "out")
    assert said.status == 2
    assert "--set training.snapshots=phase" in said.err
    said = thumbnet("ensemble", trained.path, "other", "--snapshots", "-o", "out")
    assert said.status == 2
    assert "--snapshots takes one run, not 2" in said.err
    said = thumbnet("ensemble", "thumbnet/quick", "--snapshots", "--seeds", "2", "-o", "out")
    assert said.status == 2
