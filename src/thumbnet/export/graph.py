"""A network as one graph from packed pixels to logits, in operations that ONNX has."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from thumbnet.augment.views import GREY, Preprocess
from thumbnet.ensemble_model import EnsembleNet
from thumbnet.model_folder import TrainedModel


def packed_network(trained: TrainedModel) -> nn.Module:
    """Return the network with its preprocessing, for packed images of its own source size.

    Shapes: images (B, S, S, 3) uint8 -> (B, num_classes) float32
    """
    if not trained.members:
        return PackedNet(trained.model, trained.preprocess, trained.num_classes).eval()
    assert isinstance(trained.model, EnsembleNet)
    nets = [PackedNet(one.model, one.preprocess, trained.num_classes) for one in trained.members]
    return PackedEnsemble(nets, trained.model.shares, trained.model.combine).eval()


class PackedNet(nn.Module):
    """One network behind its preprocessing; outputs beyond the classes are left out."""

    def __init__(self, model: nn.Module, preprocess: Preprocess, num_classes: int) -> None:
        super().__init__()
        self.preprocess, self.model = PreprocessGraph(preprocess), model
        self.num_classes = num_classes

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, S, S, 3) uint8."""
        logits: Tensor = self.model(self.preprocess(images))
        return logits[:, : self.num_classes].float()


class PackedEnsemble(nn.Module):
    """What EnsembleNet computes, each member from the packed pixels themselves."""

    def __init__(self, nets: list[PackedNet], shares: list[float], combine: str) -> None:
        super().__init__()
        self.nets, self.shares, self.combine = nn.ModuleList(nets), shares, combine

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, S, S, 3) uint8."""
        outputs = [net(images) for net in self.nets]
        if self.combine == "probs":
            outputs = [logits.softmax(1) for logits in outputs]
        total: Tensor = sum(
            (share * out for share, out in zip(self.shares[1:], outputs[1:], strict=True)),
            self.shares[0] * outputs[0],
        )
        if self.combine == "probs":
            return total.clamp(min=torch.finfo(torch.float32).tiny).log()
        return total


class PreprocessGraph(nn.Module):
    """`Preprocess` as matrix products: the same whole levels, the same normalization."""

    down: Tensor
    grey: Tensor
    scale: Tensor
    shift: Tensor
    up: Tensor

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.is_grey = preprocess.color == "grey"
        source, size = preprocess.source_size, preprocess.image_size
        side = min(source, size)
        self.shrinks, self.grows = side < source, side < size
        down, self.precision = level_weights(source, side)
        plain = replace(preprocess, image_size=side, crop=None)
        level = torch.ones(1, side, side, preprocess.in_channels)
        bare = replace(plain, mean=(0.0,), mean_image=None)
        crop = preprocess.crop or size
        first = (size - crop) // 2
        self.register_buffer("down", down)
        self.register_buffer("grey", torch.tensor(GREY, dtype=torch.float64).view(3, 1))
        self.register_buffer("scale", bare.to_input(level)[0].contiguous())
        self.register_buffer("shift", plain.to_input(0 * level)[0].contiguous())
        up = _weights(side, size, torch.float32)  # as torch computes them where it scales up
        self.register_buffer("up", up[first : first + crop])

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's input (B, C, R, R) for images (B, S, S, 3) uint8."""
        if self.is_grey:
            images = torch.floor((images.double() @ self.grey + 32768) / 65536)
        pixels = images.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)
        if self.shrinks:
            levels = self._rounded(pixels.double() @ self.down.T)
            pixels = self._rounded(self.down @ levels)
        inputs = pixels.float() * self.scale + self.shift
        if self.grows or len(self.up) < inputs.shape[-1]:
            inputs = self.up @ inputs @ self.up.T
        return inputs

    def _rounded(self, sums: Tensor) -> Tensor:
        return torch.floor(sums / 2**self.precision + 0.5).clamp(0, 255)


def level_weights(source: int, size: int) -> tuple[Tensor, int]:
    """Return the whole numbers by which torch scales `uint8` levels down, and their precision.

    torch rounds to whole levels after the rows and again after the columns; with these weights in
    64 bits both sums are exact.

    Shapes: -> (size, source) float64, in units of 2**-precision
    """
    weights = _weights(source, size, torch.float64)
    largest, precision = float(weights.max()), 0
    while precision < 22 and int(0.5 + largest * 2 ** (precision + 1)) < 1 << 15:
        precision += 1
    return torch.floor(weights * 2**precision + 0.5), precision


def _weights(source: int, size: int, dtype: torch.dtype) -> Tensor:
    """Return what bilinear scaling of a line does, antialiased where it shrinks, as a matrix.

    Shapes: -> (size, source)
    """
    lines = torch.eye(source, dtype=dtype)[None, None]
    scaled = F.interpolate(
        lines, size=(size, source), mode="bilinear", antialias=size < source, align_corners=False
    )
    return scaled[0, 0]
