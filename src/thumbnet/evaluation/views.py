"""Test-time views: the same images shifted, mirrored or cropped, and judged by the mean."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from thumbnet.errors import RecipeError, did_you_mean

View = Callable[[Tensor], Tensor]  # (B, C, S, S) -> same

CROP = 0.875  # of the side: the windows of the crops
SHIFT = 1 / 16  # of the side


def mirror(images: Tensor) -> Tensor:
    """Mirror left and right."""
    return images.flip(3)


def shifted(down: int, right: int) -> View:
    """Return a view moved by so many sixteenths of the side, edges repeated by reflection."""

    def view(images: Tensor) -> Tensor:
        size = images.shape[-1]
        reach = max(1, round(size * SHIFT))
        padded = F.pad(images, (reach,) * 4, mode="reflect")
        top, left = reach - down * reach, reach - right * reach
        return padded[:, :, top : top + size, left : left + size]

    return view


def cropped(vertical: float, horizontal: float) -> View:
    """Return a view of a window at this part of the way, scaled back to the whole size."""

    def view(images: Tensor) -> Tensor:
        size = images.shape[-1]
        side = round(size * CROP)
        top, left = round(vertical * (size - side)), round(horizontal * (size - side))
        window = images[:, :, top : top + side, left : left + side]
        return F.interpolate(window, size=(size, size), mode="bilinear", align_corners=False)

    return view


def _plain(images: Tensor) -> Tensor:
    return images


def _mirrored(views: Sequence[View]) -> tuple[View, ...]:
    def turned(view: View) -> View:
        return lambda images: mirror(view(images))

    return (*views, *(turned(view) for view in views))


_SHIFTS = [shifted(down, right) for down, right in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
_CROPS = [cropped(v, h) for v, h in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5))]

VIEWS: Mapping[str, tuple[View, ...]] = {
    "one": (_plain,),
    "flip": _mirrored([_plain]),
    "shifts": _mirrored(_SHIFTS),
    "crops": tuple(_CROPS),
    "ten-crop": _mirrored(_CROPS),
}


def find_views(name: str) -> tuple[View, ...]:
    """Return the views of a name.

    Raises: RecipeError for an unknown one
    """
    if name not in VIEWS:
        raise RecipeError(
            f"unknown views '{name}'{did_you_mean(name, VIEWS)}; allowed: {', '.join(VIEWS)}"
        )
    return VIEWS[name]


def mean_over(views: Sequence[View], model: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the mean of the logits over the views.

    Shapes: images (B, C, S, S) -> (B, num_outputs) float32
    """
    total = None
    for view in views:
        seen = view(images).contiguous(memory_format=torch.channels_last)
        logits = model(seen).float()
        total = logits if total is None else total + logits
    assert total is not None
    return total / len(views) if len(views) > 1 else total
