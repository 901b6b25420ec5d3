"""LeNet-5 with ReLU and max-pooling, for small grey images."""

from torch import Tensor, nn

from thumbnet.models.blocks import check_image_size
from thumbnet.models.registry import register_model

IMAGE_SIZE = 28


class LeNet5(nn.Module):
    """Two 5x5 convolutions without padding, then three fully connected layers."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 5)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc = nn.Linear(84, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, 28, 28)."""
        check_image_size(images, IMAGE_SIZE)
        # ReLU and max-pooling commute, and the pooled tensor is a quarter of the size.
        x = self.pool(self.conv1(images)).relu_()  # (B, 16, 12, 12)
        x = self.pool(self.conv2(x)).relu_()  # (B, 32, 4, 4)
        x = self.fc1(x.flatten(1)).relu_()
        x = self.fc2(x).relu_()
        logits: Tensor = self.fc(x)
        return logits


@register_model(head="fc", image_size=IMAGE_SIZE)
def lenet5(num_classes: int, in_channels: int = 1) -> nn.Module:
    """LeNet-5 with ReLU: 101,972 parameters at 200 classes of 28x28 grey images.

    Source: vonmartens2019, LeNet-5; PyTorch's default initialization
    """
    return LeNet5(num_classes, in_channels)
