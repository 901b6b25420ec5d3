"""Images as a Python user has them, turned into what the network's own decoder reads."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from thumbnet.errors import DataError

ImageLike = str | Path | bytes | Image.Image | NDArray[np.uint8]

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def to_file(image: ImageLike) -> bytes | Path:
    """Return an image as a path, or as the bytes of a file.

    Pixels become a PNG file, so that they are cropped and resized as the files of a data set are.

    Args: image: a path (str or Path), the bytes of a file, a PIL image, or an array of uint8
    Shapes: an array is (H, W, 3) RGB, or (H, W) gray
    Raises: DataError for anything else
    """
    if isinstance(image, bytes | Path):
        return image
    if isinstance(image, str):
        return Path(image)
    if isinstance(image, Image.Image):
        return _png(ImageOps.exif_transpose(image))
    return _png(Image.fromarray(_checked(image)))


def _checked(image: Any) -> NDArray[np.uint8]:
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"{type(image).__name__} is not an image; give a path, bytes, a PIL image, an array of "
            "uint8, or a list of these"
        )
    is_image = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not is_image or image.size == 0:
        raise DataError(
            f"an array of {image.dtype} and shape {image.shape} is not an image; give uint8 values "
            "from 0 to 255 of shape (H, W, 3) or (H, W), and several images as a list"
        )
    return np.ascontiguousarray(image)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    plain = image if image.mode in PNG_MODES else image.convert("RGB")
    plain.save(file, "PNG", compress_level=0)
    return file.getvalue()
