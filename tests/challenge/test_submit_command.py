"""`thumbnet submit`, `submissions` and `scoreboard`, as a participant calls them."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.challenge.played import FILE, Played, play, receipt
from tests.cli.driver import Thumbnet

from thumbnet.challenge import client as client_module
from thumbnet.challenge.bundle import read_bundle, write_bundle
from thumbnet.challenge.entities import Rules
from thumbnet.challenge.parse import parse_submission
from thumbnet.challenge.token import default_file, find_token
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import SubmissionError
from thumbnet.inference import Predictor
from thumbnet.runs import RunFolder

TOKEN = "tok-3v9d2m7q4xw"
RULES = Rules("Small images", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
SCORE = {"value": 0.613, "half_width": 0.017, "num_images": 3000}


@pytest.fixture
def server() -> Iterator[Played]:
    with play() as played:
        yield played


@pytest.fixture(autouse=True)
def nothing_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THUMBNET_TOKEN", raising=False)
    monkeypatch.delenv("THUMBNET_CHALLENGE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_bytes(FILE)
    return path


@pytest.fixture(scope="module")
def bundle(tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    write_bundle(path, tiny.splits["val"].images, tiny.wnids, tiny.class_names, RULES, seed=1)
    return path


def test_a_file_is_submitted_and_its_receipt_shown(
    server: Played, thumbnet: Thumbnet, file: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    server.status, server.body = 201, receipt(next_slot=soon.isoformat())
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--note", "x y")
    assert said.status == 0, said.err
    assert "entry 3 of blue: 61.0 % ± 1.7, 3,000 images" in said.out
    assert hashlib.sha256(FILE).hexdigest() in said.out
    assert "next slot in 2 h" in said.out
    assert "4 entries left" in said.out
    method, path, headers, content = server.last
    assert (method, path, content) == ("POST", "/api/v1/submissions", FILE)
    assert headers["x-note"] == "x%20y"
    assert TOKEN not in said.out + said.err


def test_too_early_is_a_no_with_a_countdown(server: Played, thumbnet: Thumbnet, file: Path) -> None:
    slot = datetime.now(UTC) + timedelta(minutes=83)
    server.status = 429
    server.body = {"reason": "quota", "message": "one entry every 2 h", "errors": [],
                   "retry_at": slot.isoformat()}  # fmt: skip
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN)
    assert said.status == 1
    assert "one entry every 2 h" in said.err
    assert "next slot in 1 h 2" in said.err
    assert "--wait" in said.err
    assert said.out == ""


def test_wait_waits_for_the_slot_then_submits(
    server: Played, thumbnet: Thumbnet, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = datetime.now(UTC) + timedelta(minutes=83)
    waited: list[datetime] = []

    def wait_until(self: object, until: datetime, tell: Any = None) -> None:
        waited.append(until)
        tell(until - timedelta(minutes=5))
        server.status, server.body = 201, receipt()

    monkeypatch.setattr(client_module.Client, "wait_until", wait_until)
    server.body = {"next_slot": slot.isoformat()}
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--wait")
    assert said.status == 0, said.err
    assert waited == [slot]
    assert "next slot in 1 h 2" in said.err
    assert [path for _, path, _, _ in server.asked] == ["/api/v1/submissions"] * 2
    assert [method for method, _, _, _ in server.asked] == ["GET", "POST"]


def test_wait_waits_again_where_another_was_quicker(
    server: Played, thumbnet: Thumbnet, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = datetime.now(UTC) + timedelta(minutes=83)

    def wait_until(self: object, until: datetime, tell: Any = None) -> None:
        server.status, server.body = 201, receipt()

    monkeypatch.setattr(client_module.Client, "wait_until", wait_until)
    server.status = 429
    server.body = {"reason": "quota", "message": "no", "retry_at": slot.isoformat()}
    monkeypatch.setattr(client_module.Client, "next_slot", lambda self: None)
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--wait")
    assert said.status == 0, said.err
    assert len(server.asked) == 2


def test_wait_does_not_wait_for_what_will_not_come(
    server: Played, thumbnet: Thumbnet, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status, server.body = 403, {"reason": "closed", "message": "the challenge is over"}
    monkeypatch.setattr(client_module.Client, "next_slot", lambda self: None)
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--wait")
    assert said.status == 1
    assert "the challenge is over" in said.err


def test_ctrl_c_ends_the_wait(
    server: Played, thumbnet: Thumbnet, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client_module.Client, "wait_until", interrupted)
    server.body = {"next_slot": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--wait")
    assert said.status == 130


def test_a_malformed_file_shows_all_errors(server: Played, thumbnet: Thumbnet, file: Path) -> None:
    server.status = 422
    server.body = {"reason": "malformed", "message": "cannot be read", "errors": ["line 1: a",
                   "line 2: \x1b[31mb"]}  # fmt: skip
    for more in ([], ["--check"]):
        said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, *more)
        assert said.status == 1
        assert "line 1: a\nline 2: ?[31mb\n" in said.err


def test_check_by_the_server(server: Played, thumbnet: Thumbnet, file: Path) -> None:
    server.body = {"ok": True, "num_images": 2, "sha256": "ab" * 32, "size_bytes": 20}
    said = thumbnet("submit", file, "--check", "--challenge", server.url, "--token", TOKEN)
    assert said.status == 0
    assert "well formed: 2 images" in said.out
    assert server.last[1] == "/api/v1/check"


def test_check_with_a_bundle_takes_neither_token_nor_network(
    thumbnet: Thumbnet, bundle: Path, tmp_path: Path
) -> None:
    names = read_bundle(bundle).names
    wnid = read_bundle(bundle).wnids[0]
    good = tmp_path / "good.csv"
    good.write_text("image,label\n" + "".join(f"{name},{wnid}\n" for name in names))
    said = thumbnet("submit", good, "--check", "--data", bundle)
    assert (said.status, said.out) == (0, "well formed: 16 images, 4 classes\n")
    good.write_text(f"{names[0]} {wnid}\n{names[0]} {wnid}\n")
    said = thumbnet("submit", good, "--check", "--data", bundle)
    assert said.status == 1
    assert f"line 2: image '{names[0]}' is already in line 1" in said.err
    assert "15 images are missing" in said.err


def test_a_bundle_at_hand_keeps_a_malformed_file_from_being_sent(
    server: Played, thumbnet: Thumbnet, bundle: Path, file: Path
) -> None:
    said = thumbnet("submit", file, "--challenge", server.url, "--token", TOKEN, "--data", bundle)
    assert said.status == 1
    assert "nothing was sent" in said.err
    assert not server.asked


def test_a_run_predicts_the_bundle(
    server: Played, thumbnet: Thumbnet, bundle: Path, trained: RunFolder, tiny: PackedDataset,
    tmp_path: Path
) -> None:  # fmt: skip
    from thumbnet.inference import load_predictor
    from thumbnet.scoring import ranked

    kept = tmp_path / "kept.txt"
    said = thumbnet("submit", trained.path, "--check", "--data", bundle, "-o", kept)
    assert said.status == 0, said.err
    opened = read_bundle(bundle)
    found = parse_submission(kept.read_bytes(), opened.names, opened.wnids, opened.class_names)
    names = write_bundle(
        tmp_path / "again.zip", tiny.splits["val"].images, tiny.wnids, tiny.class_names, RULES, 1
    )
    logits = load_predictor(trained.path).split_logits(tiny, "val")
    expected = dict(zip(names, ranked(logits, 1)[:, 0].tolist(), strict=True))
    assert dict(zip(opened.names, found[:, 0].tolist(), strict=True)) == expected

    server.status, server.body = 201, receipt(kept.read_bytes())
    said = thumbnet("submit", trained.path, "--challenge", server.url, "--token", TOKEN, "--data",
                    bundle)  # fmt: skip
    assert said.status == 0, said.err
    assert server.last[3] == kept.read_bytes()


def test_a_run_predicts_once_and_only_after_server_and_token_answered(
    server: Played,
    thumbnet: Thumbnet,
    trained: RunFolder,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.path, run, ignore=shutil.ignore_patterns("predictions"))
    words = ("submit", run, "--data", bundle, "--challenge")
    assert "no token of your team" in thumbnet(*words, server.url).err
    server.status = 401
    said = thumbnet(*words, server.url, "--token", TOKEN)
    assert (said.status, "does not know this token" in said.err) == (2, True)
    said = thumbnet(*words, "http://127.0.0.1:9", "--token", TOKEN)
    assert (said.status, "cannot reach" in said.err) == (2, True)
    assert not (run / "predictions").exists()
    kept = tmp_path / "labels.txt"
    assert thumbnet("submit", run, "--check", "--data", bundle, "-o", kept).status == 0

    def again(self: Predictor, images: object) -> None:
        raise AssertionError("predicted twice")

    monkeypatch.setattr(Predictor, "logits", again)
    server.status, server.body = 201, receipt(kept.read_bytes())
    said = thumbnet(*words, server.url, "--token", TOKEN)
    assert said.status == 0, said.err
    assert [method for method, _, _, _ in server.asked] == ["GET", "GET", "POST"]
    assert server.last[3] == kept.read_bytes()


def test_a_run_of_other_classes_is_refused(
    thumbnet: Thumbnet, trained: RunFolder, other: PackedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "other.zip"
    write_bundle(path, other.splits["val"].images, other.wnids, other.class_names, RULES, seed=1)
    said = thumbnet("submit", trained.path, "--check", "--data", path)
    assert said.status == 2
    assert "differ in 2 of their classes" in said.err


def test_a_run_takes_a_bundle(server: Played, thumbnet: Thumbnet, trained: RunFolder) -> None:
    said = thumbnet("submit", trained.path, "--challenge", server.url, "--token", TOKEN)
    assert said.status == 2
    assert "--data BUNDLE" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--challenge URL"),
        (["--check"], "--challenge URL"),
        (["--challenge", "http://example.org", "--token", TOKEN], "unencrypted"),
        (["--challenge", "https://127.0.0.1:9", "--token-file", "nowhere"], "cannot read"),
        (["--challenge", "http://127.0.0.1:9"], "token"),
        (["--challenge", "http://127.0.0.1:9", "--token", TOKEN], "cannot reach"),
        (["--check", "--data", "nowhere.zip"], "nowhere.zip"),
    ],
)
def test_bad_input(thumbnet: Thumbnet, file: Path, words: list[str], message: str) -> None:
    said = thumbnet("submit", file, *words)
    assert said.status == 2
    assert message in said.err


def test_a_file_is_submitted_without_torch(file: Path, server: Played) -> None:
    server.status, server.body = 201, receipt()
    words = ["thumbnet", "submit", str(file), "--challenge", server.url, "--token", TOKEN]
    code = (
        f"import sys; sys.argv = {words!r}\n"
        "from thumbnet.cli.main import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "entry 3 of blue" in done.stdout


def test_submissions(server: Played, thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"id": "x", "number": 1, "received": "2026-11-20T12:00:00Z", "sha256": "ab" * 32,
             "size_bytes": 20, "note": "first \u202etry", "hidden": False, "score": SCORE,
             "private": None}  # fmt: skip
    server.body = {"team": "blue", "rank": 2, "next_slot": None, "entries_left": 0,
                   "entries": [entry, {**entry, "number": 2, "hidden": True}]}  # fmt: skip
    monkeypatch.setenv("THUMBNET_CHALLENGE", server.url)
    monkeypatch.setenv("THUMBNET_TOKEN", TOKEN)
    said = thumbnet("submissions")
    assert said.status == 0, said.err
    assert "blue, rank 2" in said.out
    assert "61.3 ± 1.7 %" in said.out
    assert "first ?try" in said.out
    assert "(hidden)" in said.out
    assert "no entries left" in said.out
    assert server.last[2]["authorization"] == f"Bearer {TOKEN}"


def row(team: str, rank: int | None, band: int, **changes: object) -> dict[str, object]:
    return {"rank": rank, "band": band, "team": team, "slug": team, "is_baseline": rank is None,
            "score": SCORE, "private": None, "num_entries": 3, "last": "2026-11-20T12:00:00Z",
            "change": 0, "is_new": False, **changes}  # fmt: skip


def test_scoreboard(server: Played, thumbnet: Thumbnet) -> None:
    rows = [row("[red]one", 1, 1, change=2), row("two", 2, 1, is_new=True), row("base", None, 2),
            row("three", 3, 2, private={**SCORE, "value": 0.587})]  # fmt: skip
    server.body = {"version": 4, "at": "2026-11-20T12:00:00Z", "state": "open", "num_entries": 9,
                   "frozen_at": None, "rows": rows}  # fmt: skip
    said = thumbnet("scoreboard", "--challenge", server.url)
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert "open, 9 entries" in lines[0]
    where = {name: next(i for i, line in enumerate(lines) if name in line)
             for name in ("[red]one", "two", "base (baseline)", "three")}  # fmt: skip
    assert list(where.values()) == sorted(where.values())
    assert where["two"] == where["[red]one"] + 1
    assert where["base (baseline)"] == where["two"] + 2  # a line between the bands
    assert "+2" in lines[where["[red]one"]]
    assert "new" in lines[where["two"]]
    assert "58.7" in lines[where["three"]]
    assert "authorization" not in server.last[2]


def test_an_answer_of_another_kind(server: Played, thumbnet: Thumbnet) -> None:
    server.body = {"rows": [{"rank": 1}]}
    said = thumbnet("scoreboard", "--challenge", server.url)
    assert said.status == 2
    assert "is it the address of a challenge" in said.err


def test_where_a_token_is_found(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_token(None, None, environment) is None
    usual, named = default_file(environment), tmp_path / "named"
    assert usual == tmp_path / "thumbnet" / "token"
    usual.parent.mkdir()
    for path, token in ((usual, "usual"), (named, "named")):
        path.write_text(f"{token}\n")
        path.chmod(0o600)
    assert find_token(None, None, environment) == "usual"
    environment["THUMBNET_TOKEN"] = " variable "
    assert find_token(None, None, environment) == "variable"
    assert find_token(None, named, environment) == "named"
    assert find_token("given", named, environment) == "given"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_token_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(mode)
    with pytest.raises(SubmissionError, match="chmod 600") as caught:
        find_token(None, path, {})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"\0"])
def test_a_file_that_holds_no_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SubmissionError, match="holds no token"):
        find_token(None, path, {})
