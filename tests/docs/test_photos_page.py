"""The page on own photos: its commands exist with their options, its list of kinds is true."""

import pytest
from tests.docs.shown import ROOT, check_command, commands

from thumbnet.data.decode import CONVERT_HEIC, FORMATS

PAGE = (ROOT / "docs" / "photos.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", commands(PAGE, "bash"))
def test_command_exists(line: str) -> None:
    check_command(line)


def test_kinds_of_images_are_named() -> None:
    assert len(commands(PAGE, "bash")) > 5
    for kind in FORMATS:
        assert kind.lower() in PAGE.lower()
    for command in CONVERT_HEIC.split("`")[1::2]:
        assert f"`{command}`" in PAGE
