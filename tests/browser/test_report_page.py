"""The page of a report, opened from disk: no request, nothing cut off, readable for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_looks import serious

from thumbnet.report.page import make_page
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
