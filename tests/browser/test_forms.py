"""Uploading and organizing in a browser, with its script and without."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import PHONE, Visit
from tests.challenge.site import Site, labels_file

SUBMIT, CHECK = "main button[value=submit]", "main button[value=check]"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_bytes(labels_file(0.7))
    return path


@pytest.mark.parametrize("script", [True, False])
def test_check_submit_receipt_and_a_refusal_with_the_countdown(
    site: Site, url: str, visit: Visit, labels: Path, script: bool
) -> None:
    page = visit(url, java_script_enabled=script).log_in(site.tokens["blue"]).page
    page.set_input_files("#file", labels)
    page.click(CHECK)
    expect(page.locator("#result")).to_contain_text("The file is well formed")
    page.set_input_files("#file", labels)
    page.fill("#note", "wider <i>stem</i>")
    page.click(SUBMIT)
    expect(page.locator("main")).to_contain_text("Accepted and scored.")
    expect(page.locator(".receipt")).to_contain_text("wider <i>stem</i>")
    site.clock.advance(timedelta(minutes=20))
    page.click("text=Submit")
    page.set_input_files("#file", labels)
    page.click(SUBMIT)
    expect(page.locator("#result h2")).to_have_text("Too early")
    left = page.inner_text("#result .countdown")
    assert re.fullmatch(r"1:40:00|1:39:5\d", left)
    assert script or left == "1:40:00"
    site.clock.advance(timedelta(minutes=100))
    if script:  # the page kept the file
        assert page.evaluate("document.getElementById('file').files[0].name") == "labels.txt"
        assert page.inner_text(".facts .countdown >> nth=0") == left
    else:
        page.set_input_files("#file", labels)
    page.click(SUBMIT)
    expect(page.locator("main")).to_contain_text("Accepted and scored.")
    expect(page.locator("h1")).to_have_text("Entry 2")


@pytest.mark.parametrize("status", [429, 503])
def test_an_error_page_keeps_the_chosen_file(
    site: Site, url: str, visit: Visit, labels: Path, status: int
) -> None:
    page = visit(url).log_in(site.tokens["blue"]).page
    page.set_input_files("#file", labels)
    answer = "<main><h1>Busy</h1><p class='lead'><img src=x>Try again in 5 s.</p></main>"
    page.route("**/submit", lambda route: route.fulfill(status=status, body=answer))
    page.click(SUBMIT)
    expect(page.locator("#result")).to_contain_text("Busy. Try again in 5 s. Your file is still")
    page.unroute("**/submit")
    page.click(SUBMIT)
    expect(page.locator("main")).to_contain_text("Accepted and scored.")


@pytest.mark.parametrize("name", ["Team 1", "W" * 12, "W" * 40])
def test_log_out_stays_in_the_line_on_a_phone(
    site: Site, url: str, visit: Visit, name: str
) -> None:
    site.add_team(name)
    visitor = visit(url, viewport=PHONE).log_in(site.tokens[name])
    top, bottom = (
        visitor.page.locator(f"nav >> text={words}").bounding_box()
        for words in ("Scoreboard", "Log out")
    )
    assert top is not None
    assert bottom is not None
    assert bottom["y"] + bottom["height"] < top["y"] + 1.5 * top["height"]
    assert visitor.overflow() == 0


@pytest.mark.soak
def test_a_countdown_runs_by_the_servers_clock(
    site: Site, url: str, visit: Visit, labels: Path
) -> None:
    site.enter("blue", 0.5)
    site.clock.advance(timedelta(hours=1, minutes=59, seconds=58))
    visitor = visit(url)
    visitor.log_in(site.tokens["blue"])
    slot = visitor.page.locator(".facts .countdown").first
    expect(slot).to_have_text(re.compile("0:00:0[12]"))
    expect(slot).to_have_text("now", timeout=5_000)


def test_a_check_keeps_the_chosen_file_and_shows_all_errors(
    site: Site, url: str, visit: Visit, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.txt"
    lines = labels_file().splitlines()[:-1]
    bad.write_bytes(b"\n".join([*lines, b"image_00001.png n0", b"<img src=x> n1"]))
    visitor = visit(url).log_in(site.tokens["blue"])
    page = visitor.page
    page.set_input_files("#file", bad)
    page.click(CHECK)
    expect(page.locator("#result li")).to_have_count(4)
    expect(page.locator("#result li").last).to_contain_text("1 image is missing")
    assert page.evaluate("document.getElementById('file').files[0].name") == "bad.txt"
    assert page.locator("#result img").count() == 0
    assert page.evaluate("document.activeElement.id") == "result"  # it is read out


@pytest.mark.soak
def test_the_admin_adds_a_team_without_a_script(site: Site, url: str, visit: Visit) -> None:
    page = visit(url, java_script_enabled=False).log_in_as_admin().page
    page.fill("#name", "green")
    page.click("text=Add the team")
    token = page.inner_text(".token")
    assert site.store.team_of_token(token) is not None
    page.click("button:text('Freeze')")
    expect(page.locator("[role=status]")).to_have_text("The challenge is frozen.")


@pytest.mark.soak
def test_what_cannot_be_undone_is_asked_first(site: Site, url: str, visit: Visit) -> None:
    page = visit(url).log_in_as_admin().page
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.click("button:text('Reveal')")
    assert "ends the challenge" in asked[0]
    assert site.store.challenge().state == "open"
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("button:text('Reveal')")
    expect(page.locator("[role=status]")).to_contain_text("shown to everybody")


def test_times_are_local_with_a_script_and_utc_without(site: Site, url: str, visit: Visit) -> None:
    site.enter("blue", 0.5)
    local = visit(url, timezone_id="Asia/Kolkata").open("/").locator("td time")
    assert local.inner_text() == "20 Nov, 17:30"
    assert local.get_attribute("title") == "20 Nov, 12:00"
    plain = visit(url, timezone_id="Asia/Kolkata", java_script_enabled=False).open("/")
    assert plain.inner_text("td time") == "20 Nov, 12:00"


def test_the_keyboard_reaches_the_content_first(site: Site, url: str, visit: Visit) -> None:
    site.enter("blue", 0.5)
    page = visit(url).open("/")
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "Skip to the content"
    assert page.locator(":focus").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "blue"
