"""The demo: what it plays, what it prints, and that a folder in use is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.driver import Thumbnet
from uvicorn.importer import import_from_string

from thumbnet.challenge.connection import Prompt
from thumbnet.challenge.demo import Demo, make_demo
from thumbnet.challenge.operate import open_store, status_of
from thumbnet.challenge.settings import load_settings
from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("demo") / "packed"
    return synthesize(folder, num_classes=6, train_per_class=60, val_per_class=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "challenge"


@pytest.fixture(scope="module")
def demo(folder: Path, dataset: PackedDataset) -> Demo:
    return make_demo(folder, dataset, lambda: NOON)


def test_three_teams_play_for_two_days(demo: Demo, folder: Path) -> None:
    _, store = open_store(folder, lambda: NOON)
    try:
        rows = {row.team.name: row for row in store.board().rows}
        assert set(demo.tokens) == {"Dice", "Color wheel", "Ridge runners"}
        assert set(rows) == {"Random guess", *demo.tokens}
        counts = {name: row.num_entries for name, row in rows.items()}
        assert counts == {"Random guess": 1, "Dice": 3, "Color wheel": 2, "Ridge runners": 6}
        assert rows["Ridge runners"].rank == 1
        for row in rows.values():
            assert NOON - timedelta(days=2) <= row.last < NOON
    finally:
        store.close()


def test_its_story_is_told_in_order(demo: Demo, folder: Path) -> None:
    _, store = open_store(folder, lambda: NOON)
    try:
        moments = [line.at for line in store.audit(None)]
        assert moments == sorted(moments, reverse=True)
        page = store.team_page(store.teams()[-1])
        assert page.next_slot is not None
        assert timedelta(0) < page.next_slot - NOON < timedelta(hours=2)
    finally:
        store.close()


def test_its_database_is_sound_and_open(demo: Demo, folder: Path) -> None:
    facts = status_of(folder, lambda: NOON)
    assert facts["state"] == "open"
    assert facts["problems"] == []
    assert facts["leader"] == "Ridge runners"


def test_command(
    thumbnet: Thumbnet, dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.data.synthetic.synthesize", lambda: dataset)
    said = thumbnet("challenge", "demo", "here", "--no-serve")
    assert said.status == 0, said.err
    assert "admin password: " in said.out
    assert said.out.count("token of ") == 3
    said = thumbnet("challenge", "demo", "here", "--no-serve")
    assert said.status == 2
    assert "here" in said.err


def test_command_serves_and_opens_the_board(
    thumbnet: Thumbnet, dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: dict[str, object] = {}
    monkeypatch.setattr("thumbnet.data.synthetic.synthesize", lambda: dataset)
    monkeypatch.setattr("uvicorn.run", lambda *_words, **options: served.update(options))
    said = thumbnet("challenge", "demo", "--port", "8123", "--no-open")
    assert said.status == 0, said.err
    assert "http://127.0.0.1:8123" in said.out
    assert load_settings(Path("challenge-demo")).public_url == "http://127.0.0.1:8123"
    assert (served["host"], served["port"]) == ("127.0.0.1", 8123)
    assert import_from_string(str(served["http"])) is Prompt
