"""Where a network looks: gradient saliency and Grad-CAM."""

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.taps import taps
from thumbnet.visualize.grid import Cell, Row, draw_rows
from thumbnet.visualize.layers import map_layers
from thumbnet.visualize.style import HEAT

Floats = NDArray[np.float32]


def saliency(model: nn.Module, images: Tensor, class_index: int) -> Floats:
    """Return how much each pixel moves a class's logit: the largest gradient over its channels.

    Shapes: images (1, C, H, W) -> (H, W)
    Source: arXiv:1312.6034, section 3
    """
    inputs = images.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(inputs)[0, class_index], inputs)
    return np.asarray(gradient[0].abs().amax(0).cpu().float())


def grad_cam(
    model: nn.Module, images: Tensor, class_index: int, layer: str | None = None
) -> tuple[Floats, str]:
    """Return where the maps of a layer speak for a class, and the layer: the given or last one.

    Each channel is weighted by the mean gradient of the class's logit; what is below 0 is cut.

    Shapes: images (1, C, H, W) -> (h, w), the layer's own size
    Raises: RecipeError for a layer the network has not, or whose output is no map that the
        logit depends on
    Source: arXiv:1610.02391
    """
    if layer is None:
        with torch.no_grad():
            layers = map_layers(model, images)
        if not layers:
            raise RecipeError("the network has no layer with maps; Grad-CAM needs a convolution")
        layer = layers[-1]
    with torch.enable_grad(), taps(model, [layer]) as outputs:
        logit = model(images.detach().clone().requires_grad_())[0, class_index]
        maps = outputs.get(layer)
        if maps is None or maps.ndim != 4:
            shape = "nothing" if maps is None else " x ".join(map(str, maps.shape[1:]))
            raise RecipeError(
                f"layer '{layer}' puts out {shape}, no map (channels x height x width); "
                "give a --layer before the network flattens"
            )
        (gradient,) = torch.autograd.grad(logit, maps, allow_unused=True)
    if gradient is None:
        raise RecipeError(f"the class does not depend on layer '{layer}'; give another --layer")
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    cam = (weights * maps).sum(1).relu()[0]
    return cam.detach().cpu().float().numpy(), layer


def overlay(image: NDArray[np.uint8], heat: Floats, strength: float = 0.8) -> Floats:
    """Lay a map over an image, scaled up to it; the hotter, the more it covers.

    Shapes: image (H, W, 3), heat (h, w) -> (H, W, 3)
    Units: levels -> [0, 1]
    """
    scaled = torch.from_numpy(to_unit(heat))[None, None]
    size = image.shape[:2]
    wide = F.interpolate(scaled, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()
    colors = colormaps[HEAT](wide)[..., :3]
    cover = strength * np.sqrt(wide[..., None])
    mixed: Floats = ((1 - cover) * (image / 255) + cover * colors).astype(np.float32)
    return mixed


def to_unit(heat: Floats) -> Floats:
    """Scale a map that is nowhere negative to a largest value of 1."""
    largest = float(heat.max())
    return np.asarray(heat / largest) if largest > 0 else heat


def draw_attribution(
    image: NDArray[np.uint8], heat: Floats, title: str, note: str, name: str
) -> Figure:
    """Draw an image, a map of where it matters, and the one on the other.

    Shapes: image (H, W, 3), heat (h, w)
    """
    cells = [
        Cell(image, "the image"),
        Cell(to_unit(heat), name, cmap=HEAT, low=0, high=1),
        Cell(overlay(image, heat), "both"),
    ]
    return draw_rows([Row(cells)], title, note, cell=2.2)
