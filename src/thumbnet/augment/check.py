"""Refuse augmentations that cannot run at a size, before any training."""

from collections.abc import Iterator, Sequence

from thumbnet.recipe import (
    AugmentSpec,
    CropAndPadSpec,
    OneOfSpec,
    PadCropSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SomeOfSpec,
    SometimesSpec,
)

COMBINATORS = (SometimesSpec, OneOfSpec, SomeOfSpec, RandomOrderSpec)


def check_augment(specs: Sequence[AugmentSpec], size: int, crop: int | None = None) -> None:
    """Refuse parameters that do not fit images of this size, wherever in the tree they stand.

    Args: crop: side of the window of such images that is judged, where that is not all
    Raises: ValueError
    """
    for number, spec in enumerate(specs):
        if isinstance(spec, RandomCropSpec):
            _check_random_crop(spec, number, size, crop)
            size = spec.size
        else:
            for one, parents in _nodes(spec, ()):
                _check_node(one, parents, size)


def _check_random_crop(spec: RandomCropSpec, number: int, size: int, crop: int | None) -> None:
    if number > 0:
        raise ValueError(
            f"random_crop must stand first, but {number} operation(s) stand before it; "
            "what follows it is given the smaller images"
        )
    if spec.size > size:
        raise ValueError(f"random_crop: size={spec.size} is larger than the images, {size} pixels")
    if crop is None and spec.size == size:
        return
    if spec.size != crop:
        judged = f"crop is {crop}" if crop is not None else f"all {size} pixels are judged"
        raise ValueError(
            f"random_crop: size={spec.size}, but {judged}; set preprocess.crop so that the "
            "network is evaluated on images of the size it is trained on"
        )


def _check_node(spec: AugmentSpec, parents: tuple[str, ...], size: int) -> None:
    if isinstance(spec, PadCropSpec) and spec.pad >= size:
        raise ValueError(
            f"{_at(parents)}pad_crop: pad={spec.pad} must be below the image size {size}"
        )
    if isinstance(spec, CropAndPadSpec) and spec.size > size:
        raise ValueError(
            f"{_at(parents)}crop_and_pad: size={spec.size} is larger than the images, {size} pixels"
        )
    if isinstance(spec, RandomCropSpec):
        raise ValueError(f"{_at(parents)}random_crop must stand first, outside of other operations")
    if isinstance(spec, RandomOrderSpec) and "random_order" in parents:
        raise ValueError(
            f"{_at(parents)}random_order: it is inside another random_order, which draws the "
            "order of all operations in it; put these operations there directly"
        )


def _at(parents: tuple[str, ...]) -> str:
    return "".join(f"{parent}: " for parent in parents)


def _nodes(
    spec: AugmentSpec, parents: tuple[str, ...]
) -> Iterator[tuple[AugmentSpec, tuple[str, ...]]]:
    """Yield an operation and all that stand inside it, with the names of those around each."""
    yield spec, parents
    if isinstance(spec, COMBINATORS):
        for op in spec.ops:
            yield from _nodes(op, (*parents, spec.name))
