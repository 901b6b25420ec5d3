"""`thumbnet model`: list and show."""

from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import Table, out, print_tables

if TYPE_CHECKING:
    from thumbnet.models.describe import ModelDescription

MIB = 2**20

app = typer.Typer(help="List networks and look into one.", no_args_is_help=True)
ClassesOption = Annotated[
    int, typer.Option("--num-classes", "--classes", help="Number of classes.")
]


@app.command("list")
def list_(num_classes: ClassesOption = 200) -> None:
    """List all networks with their number of parameters."""
    import torch

    from thumbnet.models.registry import create_model, model_entry, model_names

    table = Table("network", "parameters, image size", "what", text="what")
    for name in model_names():
        entry = model_entry(name)
        with torch.device("meta"):  # shapes without numbers
            model = create_model(name, num_classes)
        size = f"{entry.image_size}" if entry.image_size else f"from {entry.min_image_size}"
        num = sum(p.numel() for p in model.parameters())
        table.add_row(name, f"{num:,}", f"{size} px", entry.summary)
    out.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A network's name.")],
    image_size: Annotated[
        int | None, typer.Option(help="Side of the images in px (default: the network's, or 64).")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images a step, for the memory.")] = 128,
    num_classes: ClassesOption = 200,
) -> None:
    """Print a network's layers, its computation, and the memory its training takes."""
    from thumbnet.models.describe import describe
    from thumbnet.models.registry import model_entry

    found = describe(name, num_classes, image_size=image_size, batch_size=batch_size)
    table = Table(
        "layer, kind", "output, parameters, MFLOP", drop="kind", title=model_entry(name).summary
    )
    for layer in found.layers:
        output = " x ".join(str(side) for side in layer.output)
        parameters = f"{layer.num_parameters:,}" if layer.num_parameters else ""
        flops = f"{layer.flops / 1e6:,.2f}" if layer.flops else ""
        table.add_row(layer.name, layer.kind, output, parameters, flops)
    table.add_section()
    table.add_row("all", "", "", f"{found.num_parameters:,}", f"{found.flops / 1e6:,.2f}")
    print_tables([table, _costs(found)])


def _costs(found: "ModelDescription") -> Table:
    whole = ", the whole image" if found.receptive_field == found.image_size else ""
    table = Table("cost", "amount", "of what", text="of what")
    names = found.parameter_names
    for what, amount, note in (
        ("parameters", f"{found.num_parameters:,}", f"from {names[0]} to {names[-1]}"),
        ("image size", f"{found.image_size} px", ""),
        ("receptive field", f"{found.receptive_field} px", f"of the last feature map{whole}"),
        (
            "computation",
            f"{found.flops / 1e6:,.1f} MFLOP",
            "an image forward; multiply and add are two; a step takes about three times that",
        ),
        ("state", f"{found.state_bytes / MIB:,.0f} MiB", "weights, gradients, momentum"),
        (
            "activations",
            f"{found.activation_bytes / MIB:,.0f} MiB",
            f"kept at a batch of {found.batch_size}; about half in 16 bits",
        ),
        ("training", f"{found.training_bytes / MIB:,.0f} MiB", "in 32 bits"),
    ):
        table.add_row(what, amount, note)
    return table
