"""Any form in which Python has an image gives what its file gives; others are refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thumbnet.errors import DataError
from thumbnet.inference import Predictor, load_predictor
from thumbnet.inference.images import to_file
from thumbnet.runs import RunFolder


@pytest.fixture(scope="module")
def predictor(trained: RunFolder) -> Predictor:
    return load_predictor(trained)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_one_image_gives_one_result_and_a_list_gives_a_list(
    predictor: Predictor, picture: Path
) -> None:
    (expected,) = predictor.predict([picture], k=3)
    assert len(expected) == 3
    image = Image.open(picture)
    forms = (picture, str(picture), picture.read_bytes(), image, np.asarray(image))
    for form in forms:
        assert predictor.predict(form, k=3) == expected
    for several in (predictor.predict([*forms], k=3), predictor.predict((picture, image), k=3)):
        for one in several:  # a batch of another size differs in the last bits
            assert [guess.wnid for guess in one] == [guess.wnid for guess in expected]
            assert one[0].prob == pytest.approx(expected[0].prob, abs=1e-4)
    assert len(predictor.predict([*forms])) == 5
    assert predictor.predict([]) == []


def test_gray_arrays_and_images_of_any_mode_are_read(predictor: Predictor, picture: Path) -> None:
    gray = np.asarray(Image.open(picture).convert("L"))
    assert predictor.predict(gray) == predictor.predict(np.stack([gray] * 3, axis=2))
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"):
        assert len(predictor.predict(Image.open(picture).convert(mode), k=2)) == 2


def test_the_orientation_of_a_photo_is_applied_once(predictor: Predictor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    from_file = predictor.predict(file.getvalue())
    assert predictor.predict(Image.open(file)) == from_file
    assert predictor.predict(pixels) != from_file


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (3, "int is not an image; give a path"),
        (None, "NoneType is not an image"),
        (np.zeros((4, 4, 3), np.float32), "an array of float32"),
        (np.zeros((2, 4, 4, 3), np.uint8), "several images as a list"),
        (np.zeros((4, 4, 4), np.uint8), "of shape"),
        (np.zeros((0, 4, 3), np.uint8), "of shape"),
    ],
)
def test_what_is_no_image_is_refused(image: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_file(image)  # type: ignore[arg-type]
