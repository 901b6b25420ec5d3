"""`thumbnet model`: list and show."""

from typing import Annotated

import typer

from thumbnet.cli.output import make_table, out

app = typer.Typer(help="List networks and look into one.", no_args_is_help=True)
ClassesOption = Annotated[int, typer.Option("--classes", help="Number of classes.")]


@app.command("list")
def list_(num_classes: ClassesOption = 200) -> None:
    """List all networks with their number of parameters."""
    from thumbnet.models.registry import create_model, model_entry, model_names

    table = make_table("network", "parameters, image size", "what")
    for name in model_names():
        entry = model_entry(name)
        model = create_model(name, num_classes)
        size = f"{entry.image_size}" if entry.image_size else f"from {entry.min_image_size}"
        num = sum(p.numel() for p in model.parameters())
        table.add_row(name, f"{num:,}", f"{size} px", entry.summary)
    out.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A network's name.")],
    num_classes: ClassesOption = 200,
) -> None:
    """Print a network's layers that hold parameters."""
    from thumbnet.models.registry import create_model

    model = create_model(name, num_classes)
    table = make_table("parameter", "shape, numbers", title=name)
    total = 0
    for key, value in model.named_parameters():
        table.add_row(key, " x ".join(str(side) for side in value.shape), f"{value.numel():,}")
        total += value.numel()
    table.add_section()
    table.add_row("all", "", f"{total:,}")
    out.print(table)
