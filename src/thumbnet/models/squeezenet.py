"""SqueezeNet under torchvision's parameter names, so that its public weights load by name."""

import torch
from torch import Tensor, nn

from thumbnet.models.blocks import make_dropout
from thumbnet.models.registry import register_model


class Fire(nn.Module):
    """Squeeze to few channels by 1x1, then expand by 1x1 and by 3x3 side by side."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, 2 * expand, H, W)."""
        x = self.squeeze(x).relu_()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu_()


class SqueezeNet(nn.Module):
    """A convolution, eight fire modules among three max-pools, and a 1x1 convolution as head."""

    def __init__(self, num_classes: int, features: nn.Sequential, dropout: float) -> None:
        super().__init__()
        self.features = features
        head = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(
            make_dropout(dropout),
            head,
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is head:
                    nn.init.normal_(module.weight, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes), none below zero, for images (B, C, H, W)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


@register_model(head="classifier", min_image_size=21)
def squeezenet1_0(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """SqueezeNet 1.0: 96 filters of 7x7 first, pools after layers 1, 4 and 8.

    Source: arXiv:1602.07360, table 1; vonmartens2019, SqueezeNet
    """
    features = nn.Sequential(
        nn.Conv2d(in_channels, 96, 7, stride=2),
        nn.ReLU(inplace=True),
        _pool(),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),
        _pool(),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        _pool(),
        Fire(512, 64, 256),
    )
    return SqueezeNet(num_classes, features, dropout)


@register_model(head="classifier", min_image_size=17)
def squeezenet1_1(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """SqueezeNet 1.1: 64 filters of 3x3 first, pools early; 2.35 times less computation.

    The authors say 2.4; convolutions counted at 224x224 give 2.35.

    Source: arXiv:1602.07360 and the authors' release 1.1; vonmartens2019, SqueezeNet
    """
    features = nn.Sequential(
        nn.Conv2d(in_channels, 64, 3, stride=2),
        nn.ReLU(inplace=True),
        _pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        _pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        _pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
    return SqueezeNet(num_classes, features, dropout)
