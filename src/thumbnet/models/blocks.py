"""What two networks or more share."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from thumbnet.errors import RecipeError, did_you_mean

TINY = 2  # px; CPU kernels for convolutions waste most of their work on maps this small


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution padded by one, without a bias; to 2x2 pixels or less a matrix product.

    On a CPU the product takes a half to a sixth of the time there; elsewhere and above it is
    never used.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.step = stride

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride)."""
        height, width = ((side - 1) // self.step + 1 for side in x.shape[2:])
        if max(height, width) > TINY or x.device.type != "cpu":
            return super().forward(x)
        if torch.is_autocast_enabled("cpu"):  # a product of our own is not cast for us
            x = x.to(torch.get_autocast_dtype("cpu"))
        pixels = x.permute(0, 2, 3, 1)  # (B, H, W, in)
        weight = self.weight.permute(0, 2, 3, 1)  # (out, 3, 3, in)
        if self.step == 1:
            y: Tensor = _AllToAll.apply(pixels, weight)  # type: ignore[no-untyped-call]
        else:
            y = _windows(pixels, weight, self.step, height, width)
        return y.permute(0, 3, 1, 2)


class _AllToAll(torch.autograd.Function):
    """A 3x3 convolution of a tiny map: each pixel reaches each, so no tap meets the padding.

    Shapes: pixels (B, H, W, in), weight (out, 3, 3, in) -> (B, H, W, out)
    """

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, weight: Tensor) -> Tensor:
        batch, height, width, in_channels = pixels.shape
        matrix = pixels.new_empty(height * width, len(weight), height, width, in_channels)
        for to, taps in zip(matrix, _taps(weight, height, width), strict=True):
            to.copy_(taps)
        x, matrix = pixels.flatten(1), matrix.flatten(2).flatten(0, 1)
        ctx.save_for_backward(x, matrix, weight)
        return (x @ matrix.T).view(batch, height, width, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, matrix, weight = ctx.saved_tensors
        batch, height, width, out_channels = grads[0].shape
        grad = grads[0].flatten(1)
        of_matrix = (grad.T @ x).view(height * width, out_channels, height, width, -1)
        of_weight = torch.zeros_like(weight)
        for taps, part in zip(_taps(of_weight, height, width), of_matrix, strict=True):
            taps.add_(part)
        return (grad @ matrix).view(batch, height, width, -1), of_weight


def _taps(weight: Tensor, height: int, width: int) -> list[Tensor]:
    """Return what reaches each output pixel of a tiny map: views (out, H, W, in)."""
    return [
        weight[:, 1 - i : 1 - i + height, 1 - j : 1 - j + width]
        for i in range(height)
        for j in range(width)
    ]


def _windows(x: Tensor, weight: Tensor, step: int, height: int, width: int) -> Tensor:
    """Multiply the 3x3 window of each output pixel.

    Shapes: x (B, H, W, in), weight (out, 3, 3, in) -> (B, height, width, out)
    """
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))  # (B, H + 2, W + 2, in)
    reach_y, reach_x = step * (height - 1) + 1, step * (width - 1) + 1
    windows = [
        padded[:, i : i + reach_y : step, j : j + reach_x : step]
        for i in range(3)
        for j in range(3)
    ]
    return F.linear(torch.cat(windows, dim=3), weight.flatten(1))


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's 'same': ceil(side / stride) pixels come out.

    Where the padding is odd, its larger half is at the lower right, which a convolution's own
    padding cannot do; only then is the image copied.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride), ceiled."""
        top, bottom = self._padding(x.shape[2], 0)
        left, right = self._padding(x.shape[3], 1)
        if top != bottom or left != right:
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))

    def _padding(self, side: int, axis: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        padding = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        return padding // 2, padding - padding // 2


class LocalResponseNorm(nn.Module):
    """Divide each channel by (1 + alpha * sum of squares of its neighbors) to the power 0.75.

    The sum runs over the channel and `radius` neighbors on either side. It is a 1x1 convolution
    with a band of ones, several times faster than pooling over channels. `alpha` multiplies the
    sum as in TensorFlow; Caffe and PyTorch divide theirs by the number of channels summed.
    """

    band: Tensor

    def __init__(self, channels: int, radius: int, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        index = torch.arange(channels)
        near = (index[:, None] - index).abs() <= radius
        self.register_buffer("band", near.float()[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, channels, H, W)."""
        scaled = x * self.alpha**0.5  # before the square, so that half precision cannot overflow
        root = (1 + F.conv2d(scaled * scaled, self.band)).rsqrt()
        return x * (root * root.sqrt())


def conv_norm_relu(conv: nn.Conv2d) -> nn.Sequential:
    """Follow a convolution by batch norm with Keras' constants, then ReLU."""
    return nn.Sequential(conv, keras_norm(conv.out_channels), nn.ReLU(inplace=True))


def keras_norm(channels: int) -> nn.BatchNorm2d:
    """Build a batch norm with Keras' constants: epsilon 1e-3, and .99 of the old average kept."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def make_dropout(p: float) -> nn.Module:
    """Build a dropout of probability `p`, or nothing for 0.

    Raises: RecipeError unless 0 <= p < 1
    """
    check_option(0 <= p < 1, f"dropout={p} must be in [0, 1)")
    return nn.Dropout(p) if p else nn.Identity()


def check_option(fits: bool, message: str) -> None:
    """Refuse a network's option by `message` unless it fits.

    Raises: RecipeError
    """
    if not fits:
        raise RecipeError(message)


def check_choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse an option that is none of the allowed words, and name the nearest.

    Raises: RecipeError
    """
    hint = did_you_mean(str(value), allowed)
    check_option(value in allowed, f"{key}='{value}'{hint}; allowed: {', '.join(allowed)}")


def draw_cut_normal(weight: Tensor, std: float) -> None:
    """Fill a weight from a normal cut at two deviations, a tenth of the time PyTorch takes."""
    with torch.no_grad():
        share = math.erf(2 / math.sqrt(2))  # of a normal within two deviations, either side
        weight.uniform_(-share, share).erfinv_().mul_(std * math.sqrt(2))


def init_as_tflearn(module: nn.Module) -> None:
    """Draw weights as TFLearn's layers do by default.

    Convolutions `uniform_scaling`: within sqrt(3 / fan_in); linear layers a normal of deviation
    0.02 cut at two deviations; norm weights a normal of mean 1, deviation 0.002; biases zero.
    Epsilon 1e-5 and decay 0.9 (momentum 0.1 here) of the norms are PyTorch's defaults too.
    """
    if isinstance(module, nn.Conv2d):
        bound = math.sqrt(3 / module.weight[0].numel())
        nn.init.uniform_(module.weight, -bound, bound)
    elif isinstance(module, nn.Linear):
        draw_cut_normal(module.weight, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.002)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def init_as_keras(module: nn.Module) -> None:
    """Draw weights as Keras' layers do by default: Glorot's uniform, biases zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_image_size(images: Tensor, image_size: int) -> None:
    """Refuse images that are not `image_size` pixels on both sides.

    Shapes: images (B, C, H, W)
    Raises: ValueError
    """
    height, width = images.shape[-2:]
    if height != image_size or width != image_size:
        raise ValueError(
            f"this network takes images of {image_size}x{image_size} pixels only, "
            f"not {height}x{width}; resize them or set image_size: {image_size}"
        )
