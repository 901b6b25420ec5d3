"""`thumbnet train` and `thumbnet resume`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thumbnet.cli.data import print_notes
from thumbnet.cli.duration import parse_duration
from thumbnet.cli.output import err, out
from thumbnet.cli.slurm import SlurmOption, read_slurm, submit_resume, submit_training
from thumbnet.errors import RecipeError

if TYPE_CHECKING:
    from thumbnet.data.packed import PackedDataset
    from thumbnet.recipe import RecipeSpec
    from thumbnet.training.events import Observer
    from thumbnet.training.results import Result

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="A packed folder, an archive or an image folder."),
]


PACKED_SIZE = 64  # px, of images that are packed here unless --size asks for another


class Tracker(StrEnum):
    """What else the epochs are written for."""

    TENSORBOARD = "tensorboard"


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe's name, or a YAML file (default: thumbnet/quick, fitted to the data)."
        ),
    ] = None,
    data: DataOption = None,
    auto: Annotated[
        bool,
        typer.Option(
            "--auto", help="Fit batch size, learning rate, epochs and image sizes to the data."
        ),
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(
            min=8, max=1024, help="Judge at this many pixels, and scale the sizes of all phases."
        ),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The run folder (default: runs/<recipe>).")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Lengthen or shorten the whole recipe to this.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Plan to fit into this time: 90s, 5m, 1.5h.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    init: Annotated[
        str | None, typer.Option(help="A run whose weights to start from; new classes are fine.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="The file of a pretrained recipe's weights (default: downloaded)."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps (default: the fastest).")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key: training.batch_size=64.")
    ] = None,
    track: Annotated[
        Tracker | None, typer.Option(help="Write the epochs for TensorBoard too; so will resume.")
    ] = None,
    slurm: SlurmOption = None,
) -> None:
    """Train a recipe in a new run folder; without a recipe, one that is fitted to the data."""
    from thumbnet.cli.live import LiveTraining
    from thumbnet.cli.progress import bar
    from thumbnet.data.prepare import SIZES
    from thumbnet.data.sources import load_dataset
    from thumbnet.data.summary import summarize
    from thumbnet.recipes.auto import BASE
    from thumbnet.recipes.registry import load_recipe, parse_overrides
    from thumbnet.training import session
    from thumbnet.training.distributed import join

    job = None if slurm is None else read_slurm(slurm)
    trackers = _trackers(track is not None)
    budget_s = None if time_budget is None else parse_duration(time_budget)
    if recipe is not None and Path(recipe).is_dir():
        raise RecipeError(
            f"{recipe} is a folder, not a recipe; train on its images with: "
            f"thumbnet train --data {recipe}"
        )
    overrides = parse_overrides(set_ or [])
    load_recipe(recipe or BASE, overrides)  # a mistake is reported before the data is prepared
    packed_size = min(size or PACKED_SIZE, SIZES[-1])
    with bar("preparing the data") as progress:
        dataset = join().in_turn(lambda: load_dataset(data, size=packed_size, progress=progress))
    out.print(f"data: {dataset.path}")
    spec = _fitted(load_recipe(recipe or BASE), dataset, size, overrides, auto or recipe is None)
    print_notes(summarize(dataset), err, balanced=spec.training.balance != "none")
    if job is not None:
        options = {"epochs": epochs, "time-budget": time_budget, "seed": seed, "init": init,
                   "weights": weights, "device": device, "track": track}  # fmt: skip
        submit_training(job, spec, dataset.path, out_folder, options)
        return
    with LiveTraining() as live:
        result = session.train(
            spec,
            dataset,
            out=out_folder,
            init=init,
            weights=weights,
            epochs=epochs,
            time_budget_s=budget_s,
            seed=seed,
            device=device,
            observers=[live, *trackers],
        )
    end(result)
    if trackers:
        out.print(f"look at it with: tensorboard --logdir {result.run.tensorboard}")


def _fitted(
    spec: RecipeSpec,
    dataset: PackedDataset,
    size: int | None,
    overrides: dict[str, Any],
    auto: bool,
) -> RecipeSpec:
    """Return the recipe at the size asked for, fitted to the data or with a warning that it is not.

    What --set gives comes last and stands.
    """
    from thumbnet.build import at_size, fit_to_data
    from thumbnet.data.splits import apply_protocol
    from thumbnet.recipes.auto import few_steps_warning
    from thumbnet.recipes.parse import with_overrides

    cut = {key: value for key, value in overrides.items() if key.startswith("data.")}
    spec = with_overrides(spec, cut, spec.name) if cut else spec  # it decides how many are fitted
    fitted = fit_to_data(spec, dataset, size)
    if auto:
        out.print(f"{spec.name}, fitted to the data:")
        for reason in fitted.reasons:
            out.print(f"  {reason}")
        spec = fitted.recipe
    elif size is not None:
        spec = at_size(spec, size)
    spec = with_overrides(spec, overrides, spec.name) if overrides else spec
    judged, packed = spec.preprocess.image_size, dataset.image_size
    if PACKED_SIZE < packed > judged:
        out.print(
            f"the images are packed at {packed} px and scaled down to {judged} px; --size {packed} "
            "uses all of them"
        )
    if size is not None and packed < size:
        out.print(
            f"the images are packed at {packed} px and scaled up to {size} px; pack them larger "
            f"with: thumbnet data prepare SOURCE --size {size}"
        )
    if not auto:
        num_images = len(apply_protocol(dataset, spec.data.protocol).fit)
        warning = few_steps_warning(spec, fitted.recipe, num_images)
        if warning is not None:
            err.print(warning, style="bold yellow")
    return spec


def resume(
    run: Annotated[str, typer.Argument(help="A run: its name under runs/, or its path.")],
    data: DataOption = None,
    slurm: SlurmOption = None,
) -> None:
    """Go on with an interrupted run from its last saved step."""
    from thumbnet.cli.live import LiveTraining
    from thumbnet.runs import find_run
    from thumbnet.training import session

    if slurm is not None:
        submit_resume(read_slurm(slurm), find_run(run), data)
        return
    folder = find_run(run)
    if not folder.state_file.is_file():
        err.print(
            f"{folder.name} has no saved state ({folder.state_file} is missing): "
            "it starts again at step 0"
        )
    trackers = _trackers(folder.tensorboard.is_dir())
    with LiveTraining() as live:
        result = session.resume(run, data, observers=[live, *trackers])
    end(result)


def _trackers(wanted: bool) -> list[Observer]:
    from thumbnet.training.track import TensorBoard

    return [TensorBoard()] if wanted else []


def end(result: Result) -> None:
    """Print what came of a run and what may be done with it; exit with 130 if interrupted."""
    path = result.run.path
    if result.reason == "interrupted":
        out.print(f"interrupted and saved; go on with: thumbnet resume {path}")
        raise typer.Exit(130)
    why = {
        "early_stop": " (stopped early)",
        "time_budget": " (time budget used up)",
        "stopped": " (stopped by hand)",
    }
    out.print(
        f"done in {result.wall_s:.0f} s{why.get(result.reason, '')}: best watched top-1 "
        f"{100 * result.best_top1:.2f} % after epoch {result.best_epoch}"
    )
    _report_slowness(result)
    out.print(f"run folder: {path}")
    out.print(f"judge it with: thumbnet evaluate {path}")


def _report_slowness(result: Result) -> None:
    """Say how many steps the machine was too slow for, loudly where they were most."""
    from thumbnet.training.recorder import ON_A_SLOW_MACHINE

    if 2 * result.num_trained < result.num_steps and result.reason in {"finished", "time_budget"}:
        err.print(
            f"WARNING: only {result.num_trained} of {result.num_steps} planned "
            "steps were trained: the machine was slower than estimated, and the network learned "
            f"less than it could. {ON_A_SLOW_MACHINE}",
            style="bold yellow",
        )
    elif result.num_skipped:
        out.print(
            f"The machine was slower than estimated: skipped {result.num_skipped:,} of "
            f"{result.num_steps:,} steps to stay within the time budget. `thumbnet replay` skips "
            "the same"
        )
