"""`thumbnet data`: fetch, prepare, info, verify, synth."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from thumbnet.cli.output import out as shown
from thumbnet.cli.progress import bar

app = typer.Typer(help="Get, pack and check data sets.", no_args_is_help=True)

DataArgument = Annotated[
    Path | None,
    typer.Argument(help="Archive, image folder or packed folder; searched for if not given."),
]
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
    """Pack an archive or a folder of images once, for quick training."""
    from thumbnet.data import prepare as library

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
    if skipped := dataset.meta["skipped"]:
        shown.print(
            f"{len(skipped)} files left out, listed in meta.json: {', '.join(list(skipped)[:10])}"
        )
    shown.print(str(dataset.path))


@app.command()
def info(data: DataArgument = None) -> None:
    """Show splits, classes, statistics and origin of a data set."""
    from thumbnet.data.packed import PackedDataset
    from thumbnet.data.sources import load_dataset

    with bar("preparing") as progress:
        dataset: PackedDataset = load_dataset(data, download=False, progress=progress)
    table = Table(show_header=False, box=None)
    for split in dataset.splits.values():
        extras = [name for name in ("labels", "boxes") if getattr(split, name) is not None]
        table.add_row(split.name, f"{len(split):,} images {' '.join(extras) or 'unlabelled'}")
    names = "; ".join(dataset.class_names[:3])
    table.add_row("classes", f"{dataset.num_classes} ({names}; ...)")
    table.add_row("image size", f"{dataset.image_size} px ({dataset.resize})")
    table.add_row("mean", _numbers(dataset.mean))
    table.add_row("std", _numbers(dataset.std))
    table.add_row("overall", _numbers((dataset.overall_mean, dataset.overall_std)))
    table.add_row("source", _source(dataset.meta))
    table.add_row("skipped", f"{len(dataset.meta['skipped'])} files")
    table.add_row("fingerprint", dataset.fingerprint)
    table.add_row("path", str(dataset.path))
    shown.print(table)


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


def _numbers(values: tuple[float, ...]) -> str:
    return "  ".join(f"{value:.4f}" for value in values)


def _source(meta: dict[str, Any]) -> str:
    source = meta["source"]
    sha = f", sha256 {source['sha256'][:12]}" if "sha256" in source else ""
    return f"{source['name']} ({source['kind']}{sha}), decoded by {meta['decoder']}"
