"""`thumbnet data`: fetch, prepare, info, verify, synth."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from thumbnet.cli.output import Table, err, print_facts
from thumbnet.cli.output import out as shown
from thumbnet.cli.progress import bar

app = typer.Typer(help="Get, pack and check data sets.", no_args_is_help=True)

DataArgument = Annotated[
    Path | None,
    typer.Argument(help="Archive, image folder or packed folder; searched for if not given."),
]
ALL_LISTED, ENDS_LISTED = 20, 3  # classes shown one by one; else the largest and the smallest
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="Folder to write; else cache.")]


@app.command()
def fetch(
    folder: Annotated[Path | None, typer.Option(help="Where to; else the cache.")] = None,
    url: Annotated[str | None, typer.Option(help="Another address of the same file.")] = None,
) -> None:
    """Download Tiny ImageNet (248 MB); a broken download is resumed."""
    from dataclasses import replace

    from thumbnet.data import download
    from thumbnet.data.cache import cache_dir

    remote = replace(download.TINY_IMAGENET, url=url) if url else download.TINY_IMAGENET
    with bar(f"downloading {remote.name}") as progress:
        path = download.fetch(remote, folder or cache_dir(), progress=progress)
    shown.print(str(path))


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="Archive or folder of images.")],
    *,
    out: OutOption = None,
    size: Annotated[int, typer.Option(help="Image size in pixels.")] = 64,
    resize: Annotated[str, typer.Option(help="crop or letterbox.")] = "crop",
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out files that are no image.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Decoding threads.")] = None,
) -> None:
    """Pack an archive or a folder of images once, for quick training.

    Reads JPEG, PNG, WebP, BMP, GIF and TIFF (of several frames the first), puts transparent images
    on white and turns photos upright. Other files are ignored and counted.
    """
    from thumbnet.data import prepare as library
    from thumbnet.data.summary import summarize

    with bar("preparing") as progress:
        dataset = library.prepare(
            source,
            out,
            size=size,
            resize=resize,
            skip_broken=skip_broken,
            workers=workers,
            progress=progress,
        )
    facts = summarize(dataset)
    counts = ", ".join(f"{name} {split['images']:,}" for name, split in facts["splits"].items())
    total = sum(split["images"] for split in facts["splits"].values())
    shown.print(f"{source}: {facts['num_classes']} classes, {total:,} images ({counts})\n")
    _print_classes(facts)
    print_notes(facts, shown)
    shown.print(f"packed at {size} x {size} pixels ({resize}): {dataset.path}")
    _print_next(facts, dataset.path)


@app.command()
def info(
    data: DataArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show splits, classes with their counts, statistics and origin of a data set."""
    from thumbnet.data.sources import load_dataset
    from thumbnet.data.summary import summarize

    with bar("preparing") as progress:
        dataset = load_dataset(data, download=False, progress=progress)
    facts = summarize(dataset)
    if as_json:
        shown.print(json.dumps(facts, indent=2))
        return
    splits = [
        (name, f"{split['images']:,} images, {_kinds(split)}")
        for name, split in facts["splits"].items()
    ]
    print_facts([
        *splits,
        ("val from", (facts["val_rule"] or "not recorded").removeprefix("val is ")),
        ("classes", str(facts["num_classes"])),
        ("image size", f"{facts['image_size']} px ({facts['resize']})"),
        ("transparency", f"composited on {facts['background']}"),
        ("mean", _numbers(facts["mean"])),
        ("std", _numbers(facts["std"])),
        ("overall", _numbers([facts["overall_mean"], facts["overall_std"]])),
        ("source", _source(facts)),
        ("fingerprint", facts["fingerprint"]),
        ("path", facts["path"]),
    ])  # fmt: skip
    shown.print("")
    _print_classes(facts)
    print_notes(facts, shown)
    _print_next(facts, data or dataset.path)


def _print_classes(facts: dict[str, Any]) -> None:
    """Print how many images each class has: of many classes the largest and the smallest."""
    classes = _by_size(facts)
    splits = list(classes[0]["images"])
    columns = {split: {one["images"][split] for one in classes} for split in splits}
    title, listed = None, facts["classes"]
    if len(classes) > ALL_LISTED and all(len(counts) == 1 for counts in columns.values()):
        each = ", ".join(f"{split} {min(counts):,}" for split, counts in columns.items())
        shown.print(f"images of each class: {each}")
        return
    if len(classes) > ALL_LISTED:
        listed = classes[:ENDS_LISTED] + classes[-ENDS_LISTED:]
        title = f"The {ENDS_LISTED} largest and {ENDS_LISTED} smallest of {len(classes)} classes"
    table = Table("class", ", ".join(splits), title=title)
    for one in listed:
        table.add_row(one["name"], *(f"{one['images'][split]:,}" for split in splits))
    shown.print(table)
    shown.print("")


def _by_size(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(facts["classes"], key=lambda one: -one["images"]["train"])


def print_notes(facts: dict[str, Any], console: Console, *, balanced: bool = False) -> None:
    """Say what was ignored or left out, and warn of classes of very different size.

    Args: facts: of `summarize`; balanced: whether training makes up for different sizes
    """
    from thumbnet.data.image_folder import heic_advice, ignored_text
    from thumbnet.data.summary import IMBALANCE

    if ignored := facts["ignored"]:
        console.print(f"ignored {ignored_text(ignored)}")
    if advice := heic_advice(facts["ignored"]):
        console.print(advice)
    if skipped := facts["skipped"]:
        first = ", ".join(list(skipped)[:10]) + (", ..." if len(skipped) > 10 else "")
        noun = "file that" if len(skipped) == 1 else "files that"
        console.print(f"left out {len(skipped)} {noun} cannot be read (see meta.json): {first}")
    if facts["imbalance"] > IMBALANCE and not balanced:
        large, small = _by_size(facts)[0], _by_size(facts)[-1]
        err.print(
            f"WARNING: the largest class ({large['name']}, {large['images']['train']:,} train "
            f"images) has {facts['imbalance']:.1f} times as many images as the smallest "
            f"({small['name']}, {small['images']['train']:,}). A network then favors large "
            "classes. Add images to the small ones, or train with --set training.balance=loss "
            "(or sampler).",
            style="bold yellow",
        )


def _print_next(facts: dict[str, Any], data: Path) -> None:
    recipe = "" if facts["layout"] == "image-folder" else "thumbnet/quick "
    shown.print(f"next: thumbnet train {recipe}--data {shlex.quote(str(data))}")


@app.command()
def verify(data: DataArgument = None) -> None:
    """Recompute every checksum; exit 0 if all is fine, 1 with the list of problems."""
    from thumbnet.data.packed import is_packed, verify_packed
    from thumbnet.data.sources import load_dataset, locate

    path = locate(data)
    with bar("checking") as progress:
        if path is None or not is_packed(path):
            path = load_dataset(data, download=False, progress=progress).path
        problems = verify_packed(path, progress)
    for problem in problems:
        shown.print(problem)
    shown.print(f"{path}: {f'{len(problems)} problems' if problems else 'fine'}")
    if problems:
        raise typer.Exit(1)


@app.command()
def synth(
    *,
    out: OutOption = None,
    num_classes: Annotated[int, typer.Option(help="2 to 100.")] = 20,
    train_per_class: Annotated[int, typer.Option(help="Train images of each class.")] = 500,
    val_per_class: Annotated[int, typer.Option(help="Val images of each class.")] = 50,
    size: Annotated[int, typer.Option(help="Image size in pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Another seed draws other images.")] = 0,
) -> None:
    """Draw a data set by formula: shapes with textures, learned in a minute."""
    from thumbnet.data.synthetic import synthesize

    dataset = synthesize(
        out,
        num_classes=num_classes,
        train_per_class=train_per_class,
        val_per_class=val_per_class,
        size=size,
        seed=seed,
    )
    shown.print(str(dataset.path))


def _kinds(split: dict[str, Any]) -> str:
    return " and ".join(kind for kind in ("labels", "boxes") if split[kind]) or "no labels"


def _numbers(values: list[float]) -> str:
    return "  ".join(f"{value:.4f}" for value in values)


def _source(facts: dict[str, Any]) -> str:
    source = facts["source"]
    sha = f", sha256 {source['sha256'][:12]}" if "sha256" in source else ""
    return f"{source['name']} ({source['kind']}{sha}), decoded by {facts['decoder']}"
