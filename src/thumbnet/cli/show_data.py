"""`thumbnet show` for data: samples of classes, and augmented images beside their originals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.show_files import OutputOption, SvgOption, other_than, place_of, write
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.recipe import AugmentSpec, RecipeSpec

DRAWS, SAMPLES = 7, 10  # images a row


def augment(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    data: DataOption = None,
    count: Annotated[int, typer.Option(min=1, max=30, help="Images.")] = 6,
    phase: Annotated[
        int | None, typer.Option(min=1, help="A phase by number (default: the last that augments).")
    ] = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw what a recipe's augmentations make of images, beside the originals."""
    import numpy as np
    import torch

    from thumbnet.build import build_preprocess
    from thumbnet.data.sources import load_dataset
    from thumbnet.data.splits import apply_protocol
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.visualize.samples import augmented, draw_augmented

    spec, dataset = load_recipe(recipe), load_dataset(data, download=False)
    number, specs = _augments(spec, phase)
    size = spec.phases[number - 1].image_size or spec.preprocess.image_size
    part = apply_protocol(dataset, spec.data.protocol).fit
    chosen = part.indices[np.linspace(0, len(part) - 1, min(count, len(part))).astype(int)]
    split = dataset.splits[part.split]
    assert split.labels is not None
    preprocess = build_preprocess(spec.preprocess, dataset)
    packed = torch.from_numpy(split.images[chosen])
    images = preprocess.shrink(packed, min(size, dataset.image_size)).numpy()
    own_seed = spec.training.augment_seed
    draws = augmented(images, specs, DRAWS, spec.training.seed if own_seed is None else own_seed)
    kinds = ", ".join(_names(specs))
    mix = spec.phases[number - 1].mix
    mixed = spec.training.mix if mix is None else mix
    note = (
        f"{len(images)} training images, {DRAWS} draws each, at {images.shape[1]} px, phase "
        f"{number} of {len(spec.phases)}: {kinds}"
        + ("; mixes of two images are left out" if mixed else "")
    )
    names = [dataset.class_names[i] for i in split.labels[chosen]]
    figure = draw_augmented(images, names, draws, f"Augmentation of {spec.name}", note)
    details = (spec.name, None if phase is None else f"phase-{phase}")
    write(figure, output, place_of("augment", (), *details), svg)


def _names(specs: Sequence[AugmentSpec]) -> list[str]:
    """Name the operations, those inside others in brackets."""
    inner = [_names(getattr(one, "ops", ())) for one in specs]
    return [
        one.name.replace("_", " ") + (f" ({', '.join(names)})" if names else "")
        for one, names in zip(specs, inner, strict=True)
    ]


def _augments(spec: RecipeSpec, phase: int | None) -> tuple[int, tuple[AugmentSpec, ...]]:
    """Return the number of a phase and what it augments; without one, the last that does."""
    from thumbnet.errors import RecipeError

    if phase is not None and phase > len(spec.phases):
        raise RecipeError(f"{spec.name} has {len(spec.phases)} phases, no phase {phase}")
    default = spec.training.augment
    each = [default if one.augment is None else one.augment for one in spec.phases]
    numbers = [phase] if phase is not None else range(len(each), 0, -1)
    for number in numbers:
        if each[number - 1]:
            return number, each[number - 1]
    where = spec.name if phase is None else f"phase {phase} of {spec.name}"
    raise RecipeError(f"{where} augments nothing; `thumbnet recipe show {spec.name}` prints it")


def data(
    data: DataOption = None,
    count: Annotated[int, typer.Option(min=1, max=40, help="Classes, evenly spread.")] = 8,
    split: Annotated[str, typer.Option(help="train or val.")] = "train",
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw samples of classes."""
    import numpy as np

    from thumbnet.data.loader import labels_of
    from thumbnet.data.sources import load_dataset
    from thumbnet.data.splits import source_part
    from thumbnet.visualize.samples import draw_samples

    dataset = load_dataset(data, download=False)
    labels = labels_of(dataset, source_part(dataset, split))
    images, num_classes = dataset.splits[split].images, dataset.num_classes
    chosen = np.linspace(0, num_classes - 1, min(count, num_classes)).round().astype(int)
    samples = [
        (dataset.class_names[i], images[np.flatnonzero(labels == i)[:SAMPLES]])
        for i in chosen
        if (labels == i).any()
    ]
    title = f"{dataset.path.name}: samples of {len(samples)} of {num_classes} classes"
    note = (
        f"the first {SAMPLES} of each class in {split}, {len(labels):,} images of "
        f"{dataset.image_size} x {dataset.image_size} px in all"
    )
    place = place_of("data", (), dataset.path.name, other_than("train", split))
    write(draw_samples(samples, title, note), output, place, svg)
