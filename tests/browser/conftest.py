"""A real browser, the challenge's server on a port, and pages that note what goes wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.challenge.serving import served
from tests.challenge.site import PASSWORD, Site, open_site, seed_teams

CHROMIUM = os.environ.get("THUMBNET_CHROMIUM") or shutil.which("chromium") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(os.environ.get("THUMBNET_AXE") or Path(__file__).parent / "node_modules/axe-core")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Visitor:
    """A page of its own browser profile, and what its console said."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, token: str) -> Visitor:
        self.open("/login")
        self.page.fill("#token", token)
        self.page.click("main button")
        return self

    def log_in_as_admin(self) -> Visitor:
        self.open("/admin")
        self.page.fill("#password", PASSWORD)
        self.page.click("main button")
        return self

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width


Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")  # its event loop must not outlive these files
def browser() -> Iterator[Browser]:
    """Start Chromium, or skip the test where there is none."""
    if not CHROMIUM or not Path(CHROMIUM).exists():
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core, or skip the test where it is not installed."""
    path = AXE / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not installed: npm install --prefix tests/browser")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two teams without an entry."""
    with open_site(tmp_path) as made:
        made.add_team("blue")
        made.add_team("red")
        yield made


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    with served(site.app) as address:
        yield address


@pytest.fixture(scope="module")
def full_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Thirty teams, some with hostile names."""
    with open_site(tmp_path_factory.mktemp("full")) as made:
        seed_teams(made)
        yield made


@pytest.fixture(scope="module")
def full_url(full_site: Site) -> Iterator[str]:
    with served(full_site.app) as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open pages, each in a profile of its own."""
    contexts = []

    def open_page(url: str, **options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        visitor = Visitor(context.new_page(), url)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitor.page.on(
            "console",
            lambda message: (
                visitor.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )
        return visitor

    yield open_page
    for context in contexts:
        context.close()
