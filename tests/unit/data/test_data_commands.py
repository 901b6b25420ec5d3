import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from thumbnet.cli.data import app
from thumbnet.cli.progress import bar
from thumbnet.errors import DataError

Files = dict[str, bytes]
Write = Callable[..., Path]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=True)


def test_prepare_info_verify(folder_files: Files, write_zip: Write, tmp_path: Path) -> None:
    target = tmp_path / "packed"
    prepared = run("prepare", write_zip(folder_files), "-o", target, "--size", 32)
    assert prepared.exit_code == 0
    assert prepared.stdout.splitlines()[-1] == str(target)
    shown = run("info", target).stdout
    for part in ("8 images labels", "3 images unlabelled", "2 (cat; dog", "32 px (crop)", "zip"):
        assert part in shown, part
    fine = run("verify", target)
    assert (fine.exit_code, fine.stdout) == (0, f"{target}: fine\n")
    with (target / "val_images.npy").open("r+b") as file:
        file.seek(500)
        file.write(b"\0\1\2\3")
    wrong = run("verify", target)
    assert wrong.exit_code == 1
    assert "val_images.npy differs from its checksum" in wrong.stdout
    os.truncate(target / "val_images.npy", 10)
    assert run("verify", target).exit_code == 1


def test_verify_and_info_pack_an_archive_first(folder_files: Files, write_zip: Write) -> None:
    source = write_zip(folder_files)
    assert run("verify", source).exit_code == 0
    assert "8 images" in run("info", source).stdout


def test_skipped_files_are_told(folder_files: Files, write_zip: Write) -> None:
    source = write_zip({**folder_files, "train/cat/bad.jpg": b"x"})
    refused = run("prepare", source)
    assert isinstance(refused.exception, DataError)
    assert "--skip-broken" in str(refused.exception)
    told = run("prepare", source, "--skip-broken", "--workers", 1)
    assert "1 files left out, listed in meta.json: train/cat/bad.jpg" in told.stdout


def test_synth(tmp_path: Path) -> None:
    size = ("--num-classes", 3, "--train-per-class", 2, "--val-per-class", 1, "--size", 16)
    made = run("synth", "-o", tmp_path / "s", *size)
    assert made.stdout == f"{tmp_path / 's'}\n"
    assert run("verify", tmp_path / "s").exit_code == 0


def test_fetch_says_what_failed(tmp_path: Path) -> None:
    failed = run("fetch", "--folder", tmp_path, "--url", "http://127.0.0.1:9/t.zip")
    assert isinstance(failed.exception, DataError)
    assert "cannot be reached" in str(failed.exception)


def test_plain_lines_are_few() -> None:
    held, now = io.StringIO(), 0.0
    with bar("x", Console(file=held), clock=lambda: now) as progress:
        for step in range(1, 13):
            now = float(step)
            progress(step, 12, "work")
        progress(1, 1, "short work")
    assert held.getvalue().splitlines() == ["work: 50%", "work: 92%", "work: 100% in 11 s"]


def test_a_bar_on_a_terminal() -> None:
    held = io.StringIO()
    with bar("x", Console(file=held, force_terminal=True, width=60)) as progress:
        progress(1, 2, "first")
        progress(5, 0, "second")
    assert "second" in held.getvalue()


def test_help_of_every_command() -> None:
    for command in ("fetch", "prepare", "info", "verify", "synth"):
        shown = run(command, "--help")
        assert shown.exit_code == 0, command


def test_errors_pass_upward(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        CliRunner().invoke(app, ["info", str(tmp_path / "no")], catch_exceptions=False)
