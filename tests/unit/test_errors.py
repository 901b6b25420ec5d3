"""Why a file cannot be read, in words and without its bytes."""

import json

import pytest

from thumbnet.errors import did_you_mean, reason_of


def failure(text: bytes) -> Exception:
    try:
        json.loads(text.decode())
    except ValueError as error:
        return error
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), "it is missing"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (failure(b"\xff\xfe" * 99), "it is not UTF-8 text"),
        (failure(b"{"), "it is not valid JSON (line 1, column 2)"),
        (KeyError("step"), "'step' is missing"),
        (TypeError("a list was found"), "a list was found"),
        (ValueError(), "ValueError"),
    ],
)
def test_reasons_are_plain(error: Exception, words: str) -> None:
    assert reason_of(error) == words


def test_the_nearest_word_is_suggested() -> None:
    assert did_you_mean("lenet", ["lenet5", "resnet18"]) == "; did you mean 'lenet5'?"
    assert did_you_mean("x", ["lenet5"]) == ""
