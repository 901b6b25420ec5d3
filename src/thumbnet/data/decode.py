"""From the bytes of an image file to square RGB pixels; used by prepare and by predict."""

import io
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from thumbnet.errors import DataError

Resize = Literal["crop", "letterbox"]
RESIZES: tuple[str, ...] = get_args(Resize)
BACKGROUNDS = {"white": 255, "black": 0}  # what transparent pixels are composited on
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 50_000_000

# What Pillow raises for files that are broken, hostile or no image at all.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    MemoryError,
    OverflowError,
    Image.DecompressionBombError,
    Warning,  # where the caller makes errors of them
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")
CONVERT_HEIC = (
    "convert to JPEG first, for example with ImageMagick (`mogrify -format jpg *.heic`) or on a "
    "Mac (`sips -s format jpeg *.heic --out .`)"
)
_ORIENTED = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")


def decode(
    data: bytes, size: int, resize: str = "crop", background: str = "white"
) -> NDArray[np.uint8]:
    """Decode an image file and bring it to `size` pixels square.

    Reads JPEG, PNG, WebP, BMP, GIF and TIFF; of several frames or pages the first. Gray, palette,
    CMYK and 16-bit images become 8-bit RGB, transparent pixels are composited on `background`,
    and the EXIF orientation is applied. An image that has the size already is not resampled.

    Shapes: -> (size, size, 3)
    Args: resize: "crop" scales the shorter side to `size` and cuts the center out, "letterbox"
        scales the longer side and pads with black; both bicubic, antialiased
        background: "white", or "black" as data was packed before
    Raises: DataError with the reason, if this is no image that can be read
    """
    if resize not in RESIZES:
        raise DataError(f"unknown resize {resize!r}; allowed: {', '.join(RESIZES)}")
    try:
        image = _to_rgb(_open(data, size), BACKGROUNDS[background])
        if image.size != (size, size):
            image = _crop(image, size) if resize == "crop" else _letterbox(image, size)
        return np.array(image, dtype=np.uint8)
    except _BROKEN as error:
        raise DataError(_reason(data, error)) from error


def _open(data: bytes, size: int) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.format in ("JPEG", "MPO") and min(image.size) >= 4 * size:
        image.draft(None, (2 * size, 2 * size))  # the decoder itself halves large photos
    width, height = image.size  # as it will be decoded
    if width * height > MAX_PIXELS:
        raise DataError(f"{width} x {height} pixels; allowed are {MAX_PIXELS:,}")
    if any(key in image.info for key in _ORIENTED):
        image = ImageOps.exif_transpose(image)
    return image


def _to_rgb(image: Image.Image, level: int) -> Image.Image:
    """Convert any mode to RGB, transparent pixels composited on gray of this level."""
    transparent = image.info.get("transparency")
    if image.mode == "RGB" and transparent is None:
        return image
    if image.mode == "F":
        raise DataError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits a pixel; a plain conversion would clip
        deep = np.asarray(image).astype(np.int64)
        gray = (deep.clip(0, 65535) >> 8).astype(np.uint8)
        if transparent is not None:
            gray[deep == transparent] = level
        return Image.fromarray(gray).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or transparent is not None:
        clear = image.convert("RGBA")
        board = Image.new("RGB", clear.size, (level,) * 3)
        board.paste(clear, mask=clear.getchannel("A"))
        return board
    return image.convert("RGB")


def _crop(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _letterbox(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    scale = size / max(width, height)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    board = Image.new("RGB", (size, size))
    corner = ((size - fitted[0]) // 2, (size - fitted[1]) // 2)
    board.paste(image.resize(fitted, Image.Resampling.BICUBIC), corner)
    return board


def _reason(data: bytes, error: BaseException) -> str:
    if not data:
        return "the file is empty"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return f"a HEIC or AVIF photo, whatever its name; {CONVERT_HEIC}"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of the kinds {', '.join(FORMATS)}"
    return f"broken image ({error})"
