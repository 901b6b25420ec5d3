"""The whole way on the real images: train, predict hidden labels, submit, be seen, be refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.challenge.figures import figure
from tests.challenge.serving import served
from tests.challenge.site import NOON, RULES, Clock
from tests.cli.driver import Thumbnet

from thumbnet.challenge.app import create_app
from thumbnet.challenge.operate import create, hide_part, open_store
from thumbnet.challenge.store import Store
from thumbnet.data.packed import PackedDataset
from thumbnet.data.sources import load_dataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.training.session import train

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

WATCH = """name => new MutationObserver(() => {
    const rows = [...document.querySelectorAll("tr[data-team]")];
    if (!window.seenAt && rows.some((row) => row.textContent.includes(name)))
        requestAnimationFrame(() => { window.seenAt = Date.now(); });
}).observe(document.body, { childList: true, subtree: true })"""
QUOTA_MINUTES, EARLY_MINUTES = 120, 20


@pytest.fixture(scope="module")
def dataset(real_data: Path) -> PackedDataset:
    return load_dataset(real_data)


@pytest.fixture(scope="module")
def run(dataset: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train LeNet-5 for two epochs: far from good, and far from chance."""
    recipe, out = load_recipe("thumbnet/lenet5-tuned"), tmp_path_factory.mktemp("runs") / "lenet5"
    return train(recipe, dataset, out=out, epochs=2).run.path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(dataset: PackedDataset, tmp_path: Path, clock: Clock) -> Path:
    create(tmp_path / "course", dataset, hide_part(dataset, "val"), RULES, seed=3, clock=clock)
    return tmp_path / "course"


@pytest.fixture
def store(folder: Path, clock: Clock) -> Iterator[Store]:
    _, opened = open_store(folder, clock)
    with closing(opened):
        yield opened


def note_times(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Note when each upload came to be scored, and when it was kept; in seconds since 1970."""
    taken, submit = [], store.submit

    def timed(*arguments: Any) -> Any:
        came = time.time()
        outcome = submit(*arguments)
        taken.append((came, time.time()))
        return outcome

    monkeypatch.setattr(store, "submit", timed)
    return taken


def test_from_training_to_the_board_and_the_next_slot(
    run: Path,
    folder: Path,
    store: Store,
    clock: Clock,
    thumbnet: Thumbnet,
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings, probe = open_store(folder, clock)
    probe.close()
    app = create_app(settings, store, clock)
    _, token = store.add_team("Lenet")
    taken = note_times(store, monkeypatch)
    with served(app) as url:
        words = ["--challenge", url, "--token", token]
        board = visit(url)
        page = board.open("/")
        deadline = time.monotonic() + 20
        while app.state.server.snapshots.live.num_clients != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        page.evaluate("window.notReloaded = true")
        page.evaluate(WATCH, "Lenet")
        said = thumbnet("submit", run, *words, "--data", settings.bundle, "-o", "labels.txt")
        assert said.status == 0, said.err
        page.wait_for_selector("tr[data-team] >> text=Lenet")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
        (came, kept), seen = taken[0], page.evaluate("window.seenAt") / 1000
        with capsys.disabled():
            figure(
                "an entry of a trained network, until a browser shows it without reload",
                "sqlite",
                "at most 1 s from when it is kept",
                f"{seen - kept:.3f} s, {seen - came:.3f} s from its upload",
                seen - kept < 1.0,
                kept_s=seen - kept,
            )
            print(said.out)
        assert page.evaluate("window.notReloaded") is True
        assert board.complaints == []
        score = store.board().rows[0].best
        assert 0.02 < score.value < 0.3  # chance is 0.005
        assert f"{100 * score.value:.1f} %" in page.inner_text("tr[data-team]")

        clock.advance(timedelta(minutes=EARLY_MINUTES))
        said = thumbnet("submit", "labels.txt", *words)
        assert said.status == 1
        assert "in 1 h 40 min, at 2026-11-20 14:00:00 UTC" in said.err
        own = visit(url).log_in(token).page
        expect(own.locator(".facts .countdown").first).to_have_text(re.compile("1:40:00|1:39:5."))
        assert store.board().num_entries == 1

        clock.advance(timedelta(minutes=QUOTA_MINUTES - EARLY_MINUTES))
        said = thumbnet("submit", "labels.txt", *words)
        assert said.status == 0, said.err
        assert clock.now == NOON + timedelta(minutes=QUOTA_MINUTES)
        expect(page.locator("tr[data-team] .entries")).to_have_text("2")
        assert page.evaluate("window.notReloaded") is True
