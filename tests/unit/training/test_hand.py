"""Commands as written, and the acts that made a run what it is, as read from its events."""

import json
from pathlib import Path

import pytest

from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipe import ModelSpec, PhaseSpec, RecipeSpec
from thumbnet.training.hand import Hand, Intervention, Replay, parse_command, read_acts
from thumbnet.training.phases import Plan


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lr=0.0003"], ("lr", 0.0003)),
        (["lr=3e-4"], ("lr", 0.0003)),
        (["lr=auto"], ("lr", None)),
        (["epochs=90"], ("epochs", 90.0)),
        (["stop"], ("stop", None)),
        (["pause"], ("pause", None)),
        (["continue"], ("continue", None)),
        (["note", "looks", "noisy"], ("note", "looks noisy")),
    ],
)
def test_commands_are_read(words: list[str], meant: tuple[str, object]) -> None:
    assert parse_command(words) == meant


@pytest.mark.parametrize(
    "words",
    [["lr"], ["lr=0"], ["lr=-1"], ["lr=101"], ["lr=nan"], ["lr=inf"], ["lr=fast"], ["epochs=0"],
     ["epochs=auto"], ["note"], ["stop", "now"], ["lr=0.1", "stop"], ["halt"], ["=3"], [""]],
)  # fmt: skip
def test_other_words_are_refused(words: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"allowed: lr=NUMBER|give a number above 0"):
        parse_command(words)


def hand(
    step: int, kind: str, value: object = None, refused: str | None = None
) -> dict[str, object]:
    return {"event": "hand", "step": step, "kind": kind, "value": value, "refused": refused}


def events(folder: Path, *lines: dict[str, object]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_acts_come_back_in_order_but_those_refused_or_undone_by_a_crash(tmp_path: Path) -> None:
    path = events(
        tmp_path,
        {"event": "started", "step": 0},
        hand(3, "lr", 0.1),
        hand(4, "epochs", 1, refused="over already"),
        hand(5, "skip", 8),
        {"event": "saved", "step": 6},
        hand(9, "lr", 0.2),  # lost: the run was killed, and went on from step 6
        {"event": "resumed", "step": 6},
        hand(7, "lr"),
        hand(7, "note", "again"),
    )
    kept = [Intervention(3, "lr", 0.1), Intervention(7, "lr"), Intervention(7, "note", "again")]
    assert read_acts(path) == tuple(kept)
    assert read_acts(path, step=6) == (kept[0],)


def test_a_skip_counts_where_the_run_went_on_behind_it(tmp_path: Path) -> None:
    skip = hand(5, "skip", 8)
    resumed = {"event": "resumed", "step": 8}
    assert read_acts(events(tmp_path, skip, resumed)) == (Intervention(5, "skip", 8),)
    assert read_acts(events(tmp_path, skip, {"event": "resumed", "step": 5})) == ()


def test_half_a_line_is_left_out_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    path = events(tmp_path, hand(3, "lr", 0.1))
    with path.open("a") as file:
        file.write('{"event": "ha')
    assert read_acts(path) == (Intervention(3, "lr", 0.1),)
    with path.open("a") as file:
        file.write("\n")
    with pytest.raises(CheckpointError, match="damaged in line 2"):
        read_acts(path)
    assert read_acts(tmp_path / "none") == ()


def test_a_replay_survives_its_file() -> None:
    replay = Replay((Intervention(3, "lr", 0.1), Intervention(4, "stop")), 9, "stopped")
    assert Replay.from_dict(json.loads(json.dumps(replay.to_dict()))) == replay


def test_the_last_word_counts() -> None:
    recipe = RecipeSpec(name="t", model=ModelSpec(name="lenet5"), phases=(PhaseSpec(epochs=4),))
    plan = Plan(recipe, 1280)  # ten steps an epoch
    acts = [Intervention(1, "lr", 0.5), Intervention(2, "epochs", 6.0), Intervention(3, "lr", 0.2)]
    changed = Hand(recipe, plan, acts)
    assert (changed.lr, changed.plan.num_steps) == (0.2, 60)
    changed.apply(Intervention(4, "lr"))
    assert changed.lr is None
    with pytest.raises(RecipeError, match="is too few"):
        changed.apply(Intervention(35, "epochs", 3.0))
    assert changed.plan.num_steps == 60
