"""Every page at two widths, light and dark: nothing cut off, nothing blocked, readable for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize
from tests.browser.conftest import DESKTOP, PHONE, Visit, Visitor
from tests.challenge.serving import served
from tests.challenge.site import HOSTILE, RULES, Site, labels_file, open_site

from thumbnet.challenge.settings import ChallengeError

PAGES = {
    "visitor": ("/", "/rules", "/login", "/admin", "/teams/team-3", "/submissions/0"),
    "team": ("/", "/submit", "/teams/team-16", "receipt"),
    "admin": ("/", "/admin", "/admin/teams/team-16"),
}
SERIOUS = {"serious", "critical"}
FITS = "lists => lists.every(list => list.scrollWidth <= list.parentElement.clientWidth)"


def walk(full_site: Site, full_url: str, visit: Visit, **options: object) -> Iterator[Visitor]:
    """Visit every page as everybody who may."""
    team = full_site.store.team_by_slug("team-16")
    assert team is not None
    for role, paths in PAGES.items():
        visitor = visit(full_url, **options)
        if role == "team":
            visitor.log_in(full_site.tokens["Team 16"])
        elif role == "admin":
            visitor.log_in_as_admin()
        for path in paths:
            entry = full_site.store.team_page(team).entries[0]
            visitor.open(f"/submissions/{entry.id}?new=1" if path == "receipt" else path)
            yield visitor


@pytest.mark.parametrize(
    "viewport",
    [pytest.param(DESKTOP, id="desktop", marks=pytest.mark.soak), pytest.param(PHONE, id="phone")],
)
def test_no_page_is_wider_than_its_window_or_blocks_its_own_parts(
    full_site: Site, full_url: str, visit: Visit, viewport: ViewportSize
) -> None:
    for visitor in walk(full_site, full_url, visit, viewport=viewport):
        assert visitor.overflow() == 0, visitor.page.url
        assert visitor.page.locator(".flow").evaluate_all(FITS), visitor.page.url
        known = [text for text in visitor.complaints if "404" not in text]
        assert known == [], visitor.page.url


def serious(page: Page, axe: str) -> dict[str, list[str]]:
    """Return the grave findings of axe-core, each with where it is."""
    page.evaluate(axe)
    return {
        violation["id"]: [node["html"][:150] for node in violation["nodes"][:3]]
        for violation in page.evaluate("axe.run()")["violations"]
        if violation["impact"] in SERIOUS
    }


def test_axe_finds_nothing_serious_on_the_board(full_url: str, visit: Visit, axe: str) -> None:
    assert serious(visit(full_url, viewport=PHONE).open("/"), axe) == {}


@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    full_site: Site, full_url: str, visit: Visit, axe: str, scheme: str
) -> None:
    found = {}
    for visitor in walk(full_site, full_url, visit, color_scheme=scheme):
        if findings := serious(visitor.page, axe):
            found[visitor.page.url] = findings
    assert found == {}


@pytest.mark.soak
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_state_and_answer_fits(
    tmp_path: Path, visit: Visit, axe: str, viewport: ViewportSize
) -> None:
    def look(visitor: Visitor) -> None:
        assert visitor.overflow() == 0
        assert serious(visitor.page, axe) == {}

    bad = tmp_path / "bad.txt"
    bad.write_bytes(labels_file()[500:] + b"x" * 300 + b" n1\n")
    with open_site(tmp_path / "site") as site, served(site.app) as url:
        site.add_team("blue")
        visitor = visit(url, viewport=viewport).log_in(site.tokens["blue"])
        for button in ("check", "submit"):
            visitor.open("/submit")
            visitor.page.set_input_files("#file", bad)
            visitor.page.click(f"main button[value={button}]")
            visitor.page.wait_for_selector("#result .bad")
            look(visitor)
        site.enter("blue", 0.5)
        site.store.freeze(site.clock())
        visitor.open("/")
        look(visitor)
        site.store.freeze(None)
        site.clock.now = RULES.closes
        visitor.page.wait_for_selector("text=The challenge is closed.")
        look(visitor)
        site.store.reveal()
        visitor.page.wait_for_selector("text=Final result.")
        look(visitor)


def hostile_names(count: int) -> list[str]:
    """Return names and notes that try to be more than text."""
    kinds = (
        "<script>document.title='{}'</script>",
        "<img src=x onerror=\"document.title='{}'\">",
        "<svg/onload=alert({})>",
        "'-alert({})-'",
        '" autofocus onfocus="alert({})',
        "</title><h1>{}</h1>",
        "{{{{ {}*7 }}}} ${{{}}}",
        "=HYPERLINK({})",
        "%s%n{}%x",
        "abc שלום {} \u0301\u0301 e",
        "\uff37{}" + "\uff37" * 30,
        "a" * 30 + "{}",
        "`{}`;DROP TABLE team--",
    )
    return [kinds[number % len(kinds)].replace("{}", str(number)) for number in range(count)]


def show_hostile(
    tmp_path: Path, visit: Visit, names: list[str], viewports: Sequence[ViewportSize]
) -> None:
    """Enter with hostile names and notes, and look at the board, the histories and the admin's."""
    with open_site(tmp_path / "hostile") as site:
        taken = []
        for number, name in enumerate(names):
            try:
                site.add_team(name[:40])
            except ChallengeError:  # too like another, or not allowed: refused is fine
                continue
            taken.append(name[:40])
            site.enter(name[:40], 0.3 + 0.4 * number / len(names), number, note=name * 5)
        assert len(taken) > len(names) * 0.6
        with served(site.app) as url:
            dialogs: list[str] = []
            for viewport in viewports:
                visitor = visit(url, viewport=viewport).log_in_as_admin()
                visitor.page.on("dialog", lambda dialog: (dialogs.append("x"), dialog.dismiss()))
                for path in ("/", "/admin", f"/admin/teams/{site.store.teams()[0].slug}"):
                    page = visitor.open(path)
                    assert visitor.overflow() == 0, path
                    assert page.title().endswith(" · Small images 2026")
                    assert page.locator("main script, main img, h1 h1, h1 + h1").count() == 0
                shown = visitor.open("/").locator("tr[data-team]").count()
                assert shown == len(taken)
                assert visitor.complaints == []
            assert dialogs == []


def test_hostile_names_run_nothing_and_break_no_layout(tmp_path: Path, visit: Visit) -> None:
    show_hostile(tmp_path, visit, [*HOSTILE, *hostile_names(13)], [PHONE])


@pytest.mark.soak
def test_two_hundred_hostile_names(tmp_path: Path, visit: Visit) -> None:
    show_hostile(tmp_path, visit, [*HOSTILE, *hostile_names(200)], [DESKTOP, PHONE])
