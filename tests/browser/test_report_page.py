"""The page of a report, opened from disk: no request, nothing cut off, readable for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_looks import serious
from tests.challenge.serving import served
from tests.cli.test_report_watch import end_epoch

from thumbnet.data.progress import Progress
from thumbnet.report.page import make_page, make_pages
from thumbnet.report.watch import Watched, create_app
from thumbnet.runs import RunFolder


@pytest.fixture(scope="module")
def address(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(make_page([str(trained.path)]), encoding="utf-8")
    return path.as_uri()


def test_it_asks_for_nothing_and_fits(address: str, visit: Visit) -> None:
    for viewport, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        visitor = visit(address, viewport=viewport, color_scheme=scheme)
        asked: list[str] = []
        visitor.page.on("request", lambda request, asked=asked: asked.append(request.url))
        page = visitor.open("")
        assert [url for url in asked if not url.startswith("data:")] == [address]
        assert visitor.complaints == []
        assert visitor.overflow() == 0
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        assert page.evaluate(loaded)


def test_axe_finds_nothing_serious_in_the_report(address: str, visit: Visit, axe: str) -> None:
    for scheme in ("light", "dark"):
        page = visit(address, viewport=PHONE, color_scheme=scheme).open("")
        assert serious(page, axe) == {}


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained.path, tmp_path / "quick")))


@pytest.fixture
def live_url(run: RunFolder) -> Iterator[str]:
    runs = [str(run.path)]

    def make(version: Callable[[], int], progress: Progress) -> Iterator[str]:
        return make_pages(runs, with_images=False, version=version, progress=progress)

    with served(create_app(Watched(runs, make))) as url:
        yield url


def test_a_live_page_follows_an_epoch_without_a_reload(
    live_url: str, run: RunFolder, visit: Visit
) -> None:
    visitor = visit(live_url)
    visitor.page.set_default_timeout(60_000)  # the page is made when it is asked for
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.open("/")
    facts = page.locator("#run-1 dl").first
    expect(page.locator("#news")).to_contain_text("follows", timeout=60_000)
    expect(facts).to_contain_text("4 epochs")
    page.click("summary")
    page.evaluate("window.mark = 1")
    end_epoch(run)
    expect(facts).to_contain_text("5 epochs", timeout=60_000)
    assert page.evaluate("window.mark") == 1
    assert page.evaluate("document.querySelector('details').open")
    assert [*page.locator("main > section").evaluate_all("all => all.map(one => one.id)")] == [
        "summary", "comparison", "run-1",
    ]  # fmt: skip
    assert all(url.startswith((live_url, "data:")) for url in asked)
    assert visitor.complaints == []


def test_without_scripts_a_live_page_is_the_plain_one(live_url: str, visit: Visit) -> None:
    visitor = visit(live_url, java_script_enabled=False)
    visitor.page.set_default_timeout(60_000)
    page = visitor.open("/")
    assert "4 epochs" in page.inner_text("#run-1 dl")
    assert page.inner_text("#news") == ""
