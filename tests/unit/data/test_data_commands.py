import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from thumbnet.cli.data import app
from thumbnet.cli.main import main
from thumbnet.cli.progress import bar
from thumbnet.data.sources import load_dataset
from thumbnet.data.summary import summarize
from thumbnet.errors import DataError

Files = dict[str, bytes]
Write = Callable[..., Path]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=True)


def test_prepare_info_verify(folder_files: Files, write_zip: Write, tmp_path: Path) -> None:
    target, source = tmp_path / "packed", write_zip(folder_files)
    prepared = run("prepare", source, "-o", target, "--size", 32)
    assert prepared.exit_code == 0
    lines = prepared.stdout.splitlines()
    assert lines[0] == f"{source}: 2 classes, 15 images (train 8, val 4, test 3)"
    assert lines[-2] == f"packed at 32 x 32 pixels (crop): {target}"
    assert lines[-1] == f"next: thumbnet train --data {target}"
    shown = run("info", target).stdout
    for part in (
        "train         8 images, labels\n",
        "test          3 images, no labels\n",
        "32 px (crop)",
        "composited on white",
        "zip",
        f"next: thumbnet train --data {target}",
    ):
        assert part in shown, part
    for text in (prepared.stdout, shown):
        assert [line.split() for line in text.splitlines() if line.split()[:1] == ["dog"]] == [
            ["dog", "4", "2"]
        ]
        assert "..." not in text
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


def test_info_as_json(folder_files: Files, write_folder: Write) -> None:
    source = write_folder({**folder_files, "notes.txt": b"x", "train/cat/bad.jpg": b"x"})
    data = load_dataset(source, skip_broken=True)
    facts = json.loads(run("info", data.path, "--json").stdout)
    assert facts == summarize(data)
    assert facts["classes"][1] == {"wnid": "dog", "name": "dog", "images": {"train": 4, "val": 2}}
    assert facts["splits"]["test"] == {"images": 3, "labels": False, "boxes": False}
    assert (facts["ignored"], facts["fingerprint"]) == ({".txt": 1}, data.fingerprint)
    assert list(facts["skipped"]) == ["train/cat/bad.jpg"]


def test_what_is_left_out_is_told(folder_files: Files, write_zip: Write) -> None:
    others = {"train/cat/bad.jpg": b"x", "train/cat/1.HEIC": b"x", "a.txt": b"x"}
    source = write_zip({**folder_files, **others})
    refused = run("prepare", source)
    assert isinstance(refused.exception, DataError)
    assert "--skip-broken" in str(refused.exception)
    told = run("prepare", source, "--skip-broken", "--workers", 1).stdout
    shown = run("info", told.splitlines()[-1].rpartition(" ")[2]).stdout
    for text in (told, shown):
        assert (
            "ignored 1 .heic file, 1 .txt file\nHEIC photos are not read; convert to JPEG" in text
        )
        assert "left out 1 file that cannot be read (see meta.json): top/train/cat/bad.jpg" in text
    assert "ignored" not in run("prepare", write_zip(folder_files, "whole.zip")).stdout


def folder_of(counts: list[int], photo: bytes) -> Files:
    """Return photos of so many images a class in train, and one each in val."""
    train = {f"train/c{at:02d}/{n}.png": photo for at, num in enumerate(counts) for n in range(num)}
    return train | {f"val/c{at:02d}/0.png": photo for at in range(len(counts))}


@pytest.mark.parametrize(("small", "warns"), [(2, False), (1, True)])
def test_unequal_classes_are_warned_of(
    small: int, warns: bool, image_bytes: Callable[..., bytes], write_folder: Write
) -> None:
    source = write_folder(folder_of([10, 5, small], image_bytes(0, kind="PNG")))
    for command in ("prepare", "info"):
        warning = run(command, source).stderr
        assert ("WARNING: the largest class (c00, 10 train images)" in warning) == warns
        assert ("10.0 times as many images as the smallest (c02, 1)" in warning) == warns
        assert ("training.balance=loss" in warning) == warns


def test_many_classes_are_shown_by_their_ends(
    image_bytes: Callable[..., bytes], write_folder: Write
) -> None:
    photo = image_bytes(0, kind="PNG")
    counts = [3] * 21
    counts[4], counts[7] = 5, 2
    shown = run("info", write_folder(folder_of(counts, photo))).stdout
    assert "The 3 largest and 3 smallest of 21 classes" in shown
    listed = [line.split() for line in shown.splitlines() if line.strip().startswith("c")]
    rows = [words for words in listed if len(words) == 3 and words[0] != "classes"]
    assert rows[1:] == [["c04", "5", "1"], ["c00", "3", "1"], ["c01", "3", "1"],
                    ["c19", "3", "1"], ["c20", "3", "1"], ["c07", "2", "1"]]  # fmt: skip
    equal = run("info", write_folder(folder_of([2] * 21, photo), "equal")).stdout
    assert "images of each class: train 2, val 1\n" in equal


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


def test_names_that_a_terminal_cannot_show(
    image_bytes: Callable[..., bytes], write_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{name}/{n}.jpg": image_bytes(n) for name in ("bée", "漢字") for n in range(2)}
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="cp1252"))
    monkeypatch.setattr(sys, "argv", ["thumbnet", "data", "info", str(write_folder(files))])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    sys.stdout.flush()
    shown = held.getvalue().decode("cp1252").splitlines()
    assert [line.split()[0] for line in shown if line.endswith("1    1")] == ["bée", "??"]
