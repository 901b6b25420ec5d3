"""`thumbnet show` for what is inside a network: filters, maps, slopes, attribution, diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import WeightsOption
from thumbnet.cli.show_files import OutputOption, SvgOption, other_than, place_of, write
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from thumbnet.inference import Predictor
    from thumbnet.model_folder import TrainedModel

RunArgument = Annotated[str, typer.Argument(help="A run, or a model folder.")]
ImageArgument = Annotated[
    str, typer.Argument(help="An image file, or the name of an image in the run's data.")
]
ClassOption = Annotated[
    str | None, typer.Option("--class", help="A class's id or name (default: the predicted one).")
]


def filters(
    run: RunArgument,
    layer: Annotated[str | None, typer.Option(help="A convolution (default: the first).")] = None,
    second: Annotated[bool, typer.Option("--second", help="The second convolution.")] = False,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the filters of the first, the second, or any convolution."""
    from thumbnet.errors import RecipeError
    from thumbnet.visualize.filters import draw_filters
    from thumbnet.visualize.layers import convolutions, find_convolution

    if layer is not None and second:
        raise RecipeError("give either --layer NAME or --second")
    model = _network(run, weights).trained.model
    name = find_convolution(model, layer, second)
    figure = draw_filters(convolutions(model)[name], name, Path(run).name)
    place = place_of("filters", [run], name, other_than("best", weights))
    write(figure, output, place, svg)


def activations(
    run: RunArgument,
    image: ImageArgument,
    layer: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw what each layer makes of an image."""
    from thumbnet.errors import RecipeError
    from thumbnet.visualize.activations import draw_activations, layer_maps

    predictor = _network(run, weights)
    pixels, inputs, _ = _input(predictor, run, image, data)
    maps = layer_maps(predictor.model, inputs, layer or None)
    for name, held in maps.items():
        if held.ndim != 3:
            raise RecipeError(f"layer '{name}' puts out no maps; give one before it flattens")
    title = f"{Path(run).name}: what its layers make of {Path(image).name}"
    figure = draw_activations(pixels, maps, title)
    details = (Path(image).stem, *(layer or ()), other_than("best", weights))
    write(figure, output, place_of("activations", [run], *details), svg)


def prelu(
    run: RunArgument,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the learned PReLU slopes, beside ReLU."""
    from thumbnet.visualize.prelu import draw_slopes, prelu_slopes

    slopes = prelu_slopes(_network(run, weights).trained.model)
    place = place_of("prelu", [run], other_than("best", weights))
    write(draw_slopes(slopes, Path(run).name), output, place, svg)


def saliency(
    run: RunArgument,
    image: ImageArgument,
    class_: ClassOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw which pixels move the logit of the class most, by gradient."""
    from thumbnet.visualize.attribution import draw_attribution
    from thumbnet.visualize.attribution import saliency as find_saliency

    predictor = _network(run, weights)
    pixels, inputs, truth = _input(predictor, run, image, data)
    index, what = _class(predictor, inputs, class_)
    heat = find_saliency(predictor.model, inputs, index)
    title = f"{Path(run).name}: pixels of {Path(image).name} that matter for {what}"
    note = (
        f"{truth}largest absolute gradient of the class's logit over the channels; bright is more"
    )
    figure = draw_attribution(pixels, heat, title, note, "saliency")
    details = (Path(image).stem, class_, other_than("best", weights))
    write(figure, output, place_of("saliency", [run], *details), svg)


def cam(
    run: RunArgument,
    image: ImageArgument,
    layer: Annotated[
        str | None, typer.Option(help="A layer with maps (default: the last).")
    ] = None,
    class_: ClassOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw where the maps of a layer speak for the class, by Grad-CAM."""
    from thumbnet.visualize.attribution import draw_attribution, grad_cam

    predictor = _network(run, weights)
    pixels, inputs, truth = _input(predictor, run, image, data)
    index, what = _class(predictor, inputs, class_)
    heat, name = grad_cam(predictor.model, inputs, index, layer)
    title = f"{Path(run).name}: where {Path(image).name} looks like {what}"
    size = " x ".join(map(str, heat.shape))
    nothing = "" if heat.any() else "; nothing in it looks like this class"
    note = f"{truth}Grad-CAM at layer {name}, {size} pixels; bright is more{nothing}"
    figure = draw_attribution(pixels, heat, title, note, f"Grad-CAM at {name}")
    details = (Path(image).stem, layer, class_, other_than("best", weights))
    write(figure, output, place_of("cam", [run], *details), svg)


def diagram(
    network: Annotated[str, typer.Argument(help="A network's name, a run, or a model folder.")],
    num_classes: Annotated[
        int, typer.Option("--num-classes", "--classes", help="Of a network by name.")
    ] = 200,
    weights: WeightsOption = "best",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw a network's operations, branches, shapes and parameters; SVG scales best."""
    from thumbnet.models.registry import model_names
    from thumbnet.visualize.diagram import draw_diagram
    from thumbnet.visualize.trace import fresh_graph, trace

    if network in model_names():
        graph = fresh_graph(network, num_classes)
        write(draw_diagram(graph, network), output, place_of("diagram", (), network), svg)
        return
    trained = _network(network, weights).trained
    size, channels = trained.preprocess.input_size, trained.preprocess.in_channels
    graph = trace(trained.model, channels, size)
    figure = draw_diagram(graph, f"{Path(network).name} ({trained.architecture})")
    write(figure, output, place_of("diagram", [network], other_than("best", weights)), svg)


def _network(run: str, weights: str) -> Predictor:
    """Load a run's network; an ensemble is many, and no picture shows many."""
    from thumbnet.errors import RecipeError
    from thumbnet.inference import load_predictor

    predictor = load_predictor(run, weights)
    if predictor.trained.members:
        raise RecipeError(f"{run} is an ensemble; give one of the runs it was made of")
    return predictor


def _input(
    predictor: Predictor, run: str, image: str, data: Path | None
) -> tuple[NDArray[np.uint8], Tensor, str]:
    """Return an image's pixels as the network is evaluated on them, its input, its class in words.

    Shapes: -> (S, S, 3), (1, C, R, R)
    """
    import torch

    preprocess = predictor.trained.preprocess
    pixels, truth = _pixels(predictor.trained, run, image, data)
    packed = torch.from_numpy(pixels.copy())[None]
    inputs = preprocess(packed)
    shown = packed
    if preprocess.crop is not None:  # only the window is looked at
        edge = round(packed.shape[1] * (1 - preprocess.crop / preprocess.image_size) / 2)
        shown = packed[:, edge : packed.shape[1] - edge, edge : packed.shape[2] - edge]
    return shown[0].numpy(), inputs, truth


def _pixels(
    trained: TrainedModel, run: str, image: str, data: Path | None
) -> tuple[NDArray[np.uint8], str]:
    """Return an image's pixels, and its true class in words where it is known."""
    from thumbnet.errors import DataError
    from thumbnet.inference import data_of, read_pixels
    from thumbnet.visualize.style import first_name

    path = Path(image)
    if path.is_file():
        return read_pixels(path, trained.preprocess), ""
    dataset = data_of(run, data)
    for split in dataset.splits.values():
        found = (split.names == image.encode()).nonzero()[0]
        if len(found):
            pixels: NDArray[np.uint8] = split.images[found[0]]
            if split.labels is None:
                return pixels, ""
            label = int(split.labels[found[0]])
            return pixels, f"true class: {first_name(dataset.class_names[label])}; "
    raise DataError(
        f"no image '{image}': neither a file nor an image of {dataset.path}; give a "
        f"file, or a name such as {dataset.splits['val'].names[0].decode()}"
    )


def _class(predictor: Predictor, inputs: Tensor, wanted: str | None) -> tuple[int, str]:
    """Return a class's index, and its name with its probability."""
    import torch

    from thumbnet.errors import DataError, did_you_mean
    from thumbnet.visualize.style import first_name

    trained = predictor.trained
    with torch.no_grad():
        probs = predictor.model(inputs)[0, : trained.num_classes].softmax(0)
    index = int(probs.argmax())
    if wanted is not None:
        names = [*trained.wnids, *trained.class_names]
        first = [name.partition(",")[0] for name in names]
        known = names if wanted in names else first
        if wanted not in known:
            raise DataError(
                f"the network knows no class '{wanted}'{did_you_mean(wanted, first)}; "
                "give a class's id or name"
            )
        index = known.index(wanted) % trained.num_classes
    share = f"{100 * float(probs[index]):.1f}\N{NO-BREAK SPACE}%"  # the title is not broken there
    return index, f"{first_name(trained.class_names[index])} ({share})"
