"""The board in a browser: it follows uploads by itself, also where streams run out."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.browser.conftest import Visit
from tests.challenge.serving import served
from tests.challenge.site import Site, labels_file, open_site

COUNT_SLIDES = """window.slides = 0;
Element.prototype.animate = (path) => { window.slides += path !== null; }"""


def upload(url: str, site: Site, name: str, share: float) -> None:
    answer = httpx.post(
        f"{url}/api/v1/submissions", content=labels_file(share), headers=site.bearer(name)
    )
    assert answer.status_code == 201


def wait_for_listeners(site: Site, count: int) -> None:
    deadline = time.monotonic() + 10
    while site.app.state.server.snapshots.live.num_clients != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_upload_appears_without_reload(site: Site, url: str, visit: Visit) -> None:
    site.enter("red", 0.5)
    visitor = visit(url)
    page = visitor.open("/")
    wait_for_listeners(site, 1)
    page.evaluate("window.notReloaded = true")
    upload(url, site, "blue", 0.8)
    page.wait_for_selector("tr[data-team] >> text=blue", timeout=10_000)
    assert page.evaluate("window.notReloaded") is True
    names = page.locator("tr[data-team] th").all_inner_texts()
    assert [name.split()[0] for name in names] == ["blue", "red"]
    assert page.locator("tr.changed").count() == 1  # the new one; it marks none below it
    assert "blue: rank 1" in page.inner_text("#news")
    assert visitor.complaints == []


def test_a_change_by_another_process_appears_too(site: Site, url: str, visit: Visit) -> None:
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    site.enter("blue", 0.6)  # past the server
    page.wait_for_selector("tr[data-team] >> text=blue", timeout=10_000)


def test_a_notice_above_the_board_slides_no_row(site: Site, url: str, visit: Visit) -> None:
    for name in ("red", "blue"):
        site.enter(name, 0.5)
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    page.evaluate(COUNT_SLIDES)
    site.store.freeze(site.clock.now)
    page.wait_for_selector("text=The board is frozen")
    assert page.evaluate("window.slides") == 0


def test_a_row_that_rises_slides(site: Site, url: str, visit: Visit) -> None:
    for name, share in (("red", 0.5), ("blue", 0.4)):
        site.enter(name, share)
    site.clock.advance(timedelta(hours=2))
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    page.evaluate(COUNT_SLIDES)
    upload(url, site, "blue", 0.8)
    page.wait_for_selector("tr.changed >> text=blue")
    assert page.evaluate("window.slides") == 2


@pytest.mark.soak
def test_the_banner_follows_the_clock(site: Site, url: str, visit: Visit) -> None:
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    site.clock.now = site.store.challenge().rules.closes
    page.wait_for_selector("text=The challenge is closed.")


@pytest.mark.soak
def test_a_hidden_page_gives_its_stream_back(site: Site, url: str, visit: Visit) -> None:
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true" + tell)
    wait_for_listeners(site, 0)
    upload(url, site, "blue", 0.6)
    page.evaluate(hide % "false" + tell)
    page.wait_for_selector("tr[data-team] >> text=blue")


@pytest.mark.soak
def test_without_a_stream_the_page_asks(tmp_path: Path, visit: Visit) -> None:
    with open_site(tmp_path, max_listeners=1) as site, served(site.app) as url:
        site.add_team("blue")
        visit(url).open("/")
        wait_for_listeners(site, 1)
        second = visit(url)
        second.page.clock.install()
        with second.page.expect_response("**/api/v1/events") as refused:
            page = second.open("/")
        assert refused.value.status == 503
        upload(url, site, "blue", 0.6)
        page.clock.fast_forward(16_000)
        page.wait_for_selector("tr[data-team] >> text=blue")


@pytest.mark.soak
def test_rows_do_not_move_for_who_wants_no_motion(site: Site, url: str, visit: Visit) -> None:
    site.enter("red", 0.5)
    page = visit(url, reduced_motion="reduce").open("/")
    wait_for_listeners(site, 1)
    upload(url, site, "blue", 0.8)
    page.wait_for_selector("tr.changed")
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.soak
def test_focus_stays_where_it_was(site: Site, url: str, visit: Visit) -> None:
    team = site.store.team_by_slug("red")
    assert team is not None
    site.enter("red", 0.5)
    page = visit(url).open("/")
    wait_for_listeners(site, 1)
    page.focus(f"#team-{team.id}")
    upload(url, site, "blue", 0.8)
    page.wait_for_selector("tr[data-team] >> text=blue")
    assert page.evaluate("document.activeElement.id") == f"team-{team.id}"
