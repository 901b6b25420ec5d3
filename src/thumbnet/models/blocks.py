"""What two networks or more share."""

from torch import Tensor


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
