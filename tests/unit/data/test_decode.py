import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from thumbnet.data import decode as subject
from thumbnet.data.decode import decode
from thumbnet.errors import DataError


def saved(image: Image.Image, kind: str = "PNG", **save) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **save)
    return held.getvalue()


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("resize", ["crop", "letterbox"])
def test_the_right_size_is_not_resampled(resize: str) -> None:
    pixels = noise(16, 16)
    found = decode(saved(Image.fromarray(pixels)), 16, resize)
    assert np.array_equal(found, pixels)
    assert found.dtype == np.uint8
    assert found.flags.writeable


def test_gray_becomes_three_equal_channels() -> None:
    gray = noise(8, 8)[..., 0]
    for data in (saved(Image.fromarray(gray)), saved(Image.fromarray(gray).convert("LA"))):
        assert np.array_equal(decode(data, 8), np.stack([gray] * 3, -1))


def test_gray_jpeg_and_cmyk(image_bytes: Callable[..., bytes]) -> None:
    assert decode(image_bytes(0, mode="L"), 64).shape == (64, 64, 3)
    color, cmyk = decode(image_bytes(0), 64), decode(image_bytes(0, mode="CMYK"), 64)
    assert np.abs(color.astype(int) - cmyk).mean() < 4


def test_palette_and_bilevel() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = (255, 0, 0)
    image = Image.fromarray(pixels)
    assert np.array_equal(decode(saved(image.quantize(4)), 8), pixels)
    assert set(np.unique(decode(saved(image.convert("1", dither=0)), 8))) <= {0, 255}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_composited_on_white(kind: str) -> None:
    pixels = np.full((8, 8, 4), 100, np.uint8)
    pixels[..., 3] = [[255] * 4 + [0] * 2 + [51] * 2] * 8
    data = saved(Image.fromarray(pixels), kind, **({"lossless": True} if kind == "WEBP" else {}))
    found = decode(data, 8)
    assert (found[:, :4] == 100).all()
    assert (found[:, 4:6] == 255).all()
    assert (found[:, 6:] == 224).all()  # a fifth of 100, four fifths of 255
    before = decode(data, 8, background="black")
    assert before[0, :, 0].tolist() == [100] * 4 + [0] * 2 + [20] * 2


def test_other_transparency_is_composited_on_white() -> None:
    flat = Image.fromarray(np.array([[0, 1] * 4] * 8, np.uint8), mode=None).convert("P")
    flat.putpalette([9, 9, 9, 100, 100, 100])
    for kind in ("PNG", "GIF"):
        found = decode(saved(flat, kind, transparency=0), 8)
        assert found[0, :2, 0].tolist() == [255, 100], kind
    gray_alpha = Image.merge("LA", (Image.new("L", (8, 8), 40), Image.new("L", (8, 8), 0)))
    assert (decode(saved(gray_alpha), 8) == 255).all()
    color = saved(Image.new("RGB", (8, 8), (1, 2, 3)), transparency=(1, 2, 3))
    assert (decode(color, 8) == 255).all()
    deep = np.full((8, 8), 1000, np.uint16)
    deep[:, 4:] = 2000
    found = decode(saved(Image.fromarray(deep), transparency=2000), 8)
    assert found[0, [0, 7], 0].tolist() == [3, 255]


def test_sixteen_bits_are_not_clipped() -> None:
    deep = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(decode(saved(Image.fromarray(deep), kind), 8)[..., 0], deep >> 8)
    wide = saved(Image.fromarray(deep.astype(np.int32)), "TIFF")
    assert np.array_equal(decode(wide, 8)[..., 0], deep >> 8)


def test_floating_point_pixels_are_refused() -> None:
    data = saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    with pytest.raises(DataError, match="floating-point numbers; save it with 8 or 16 bits"):
        decode(data, 8)


def test_exif_orientation_is_applied() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: the top is to the right
    for kind in ("PNG", "WEBP", "JPEG", "TIFF"):
        save = {"lossless": True} if kind == "WEBP" else {}
        found = decode(saved(Image.fromarray(pixels), kind, exif=exif, **save), 16)
        assert found[:, 8:].min() > 250, kind
        assert found[:, :8].max() < 5, kind


def test_crop_takes_the_center() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    assert (decode(saved(Image.fromarray(pixels)), 20) == 255).all()
    assert (decode(saved(Image.fromarray(pixels.transpose(1, 0, 2))), 20) == 255).all()


def test_letterbox_keeps_all_and_pads_with_black() -> None:
    found = decode(saved(Image.fromarray(np.full((20, 40, 3), 200, np.uint8))), 16, "letterbox")
    assert (found[4:12] == 200).all()
    assert (found[:4] == 0).all()
    assert (found[12:] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (63, 64), (200, 100)])
@pytest.mark.parametrize("resize", ["crop", "letterbox"])
def test_every_size_fits(size: tuple[int, int], resize: str) -> None:
    found = decode(saved(Image.new("RGB", size, (90, 90, 90))), 32, resize)
    assert found.shape == (32, 32, 3)
    assert found.max() == 90


def test_shrinking_is_antialiased() -> None:
    checker = np.indices((256, 256)).sum(0) % 2 * 255
    found = decode(saved(Image.fromarray(checker.astype(np.uint8))), 16)
    assert found.std() < 3
    assert abs(found.mean() - 127.5) < 3


def test_a_large_jpeg_shrinks_to_nearly_the_same() -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(ramp[None, :, None], (512, 512, 3)).copy())
    found, plain = decode(saved(image, "JPEG", quality=95), 32), decode(saved(image), 32)
    assert np.abs(found.astype(int) - plain).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF"])
def test_kinds_that_are_read(kind: str, image_bytes: Callable[..., bytes]) -> None:
    found, plain = decode(image_bytes(0, kind=kind), 64), decode(image_bytes(0, kind="PNG"), 64)
    assert np.abs(found.astype(int) - plain).mean() < 4


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_read(kind: str) -> None:
    first, others = Image.new("RGB", (8, 8), (255, 0, 0)), [Image.new("RGB", (8, 8), (0, 0, 255))]
    save = {"lossless": True} if kind == "WEBP" else {}
    data = saved(first, kind, save_all=True, append_images=others, **save)
    assert (decode(data, 8) == (255, 0, 0)).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_modes_of_tiff(mode: str) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 255
    image = Image.fromarray(pixels)
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        converted = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
        assert converted is not None
    else:
        converted = (image.convert("P") if mode == "PA" else image).convert(mode)
    found = decode(saved(converted, "TIFF"), 8)
    assert found[:4].min() > 250
    assert found[4:].max() < 5


@pytest.mark.parametrize("kind", ["PPM", "ICO"])
def test_other_kinds_are_refused(kind: str, image_bytes: Callable[..., bytes]) -> None:
    with pytest.raises(DataError, match="not an image of the kinds JPEG, PNG, WEBP, BMP, GIF, TIF"):
        decode(image_bytes(0, kind=kind), 64)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_heic_photo_is_told_whatever_its_name(brand: bytes) -> None:
    with pytest.raises(DataError, match=r"a HEIC or AVIF photo.*convert to JPEG .*mogrify"):
        decode(b"\0\0\0\x18ftyp" + brand + bytes(20), 64)


def test_broken_files_are_refused(image_bytes: Callable[..., bytes]) -> None:
    with pytest.raises(DataError, match="empty"):
        decode(b"", 64)
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF"):
        whole = image_bytes(0, kind=kind)
        for part in (whole[:3], whole[:20], whole[: len(whole) * 2 // 3]):
            with pytest.raises(DataError):
                decode(part, 64)


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7100, 10_000, 60_000])
def test_bombs_are_refused_before_decoding(side: int) -> None:
    with pytest.raises(DataError, match="pixels"):
        decode(bomb(side, side), 64)


def test_the_cap_counts_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("RGB", (10, 10)))
    monkeypatch.setattr(subject, "MAX_PIXELS", 100)
    decode(data, 8)
    monkeypatch.setattr(subject, "MAX_PIXELS", 99)
    with pytest.raises(DataError, match="10 x 10 pixels"):
        decode(data, 8)


def test_the_cap_counts_what_a_large_photo_is_decoded_to(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Image.new("RGB", (160, 160), (90, 90, 90))
    monkeypatch.setattr(subject, "MAX_PIXELS", 100 * 100)
    assert decode(saved(photo, "JPEG"), 16).shape == (16, 16, 3)
    with pytest.raises(DataError, match="160 x 160 pixels"):
        decode(saved(photo, "PNG"), 16)


def test_unknown_resize() -> None:
    with pytest.raises(DataError, match="unknown resize 'stretch'; allowed: crop, letterbox"):
        decode(b"", 8, "stretch")
