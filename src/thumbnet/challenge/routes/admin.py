"""The pages of the organizers."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from thumbnet.challenge.context import Form, Visit, VisitDep, address_of, see_other
from thumbnet.challenge.entities import Team
from thumbnet.challenge.names import MAX_NAME_CHARS
from thumbnet.challenge.routes.upload import TooManyError
from thumbnet.challenge.settings import ChallengeError

router = APIRouter(prefix="/admin", include_in_schema=False)

AUDIT_LINES = 100


class PasswordForm(Form):
    """What the login page sends."""

    password: str


class TeamForm(Form):
    """What adds a team."""

    name: str
    is_baseline: bool = False


async def admin_of(visit: VisitDep) -> Visit:
    """Return the visit of an admin.

    Raises: HTTPException for anybody else
    """
    if not visit.viewer.is_admin:
        raise HTTPException(403, "Only the organizers may do this.")
    return visit


AdminDep = Annotated[Visit, Depends(admin_of)]


async def team_of(slug: str, visit: AdminDep) -> Team:
    """Return the team of an address.

    Raises: HTTPException where there is none
    """
    team = await run_in_threadpool(visit.server.store.team_by_slug, slug)
    if team is None:
        raise HTTPException(404, "There is no such team.")
    return team


TeamDep = Annotated[Team, Depends(team_of)]


@router.get("")
async def overview(visit: VisitDep, done: str = "") -> Response:
    """Show everything to the organizers, and to others the form for the password."""
    if not visit.viewer.is_admin:
        return await visit.with_form().page("admin_login.html", error="")
    return await _overview(visit, message=DONE.get(done, ""))


@router.post("/login")
async def login(visit: VisitDep) -> Response:
    """Log an organizer in."""
    form, server = await visit.fields(PasswordForm), visit.server
    try:
        seal = await server.passwords.run(_seal_for, visit, form.password)
    except TooManyError as error:
        message = f"Too many wrong passwords. Try again in {error.wait_s} s."
        answer = await visit.page("admin_login.html", 429, error=message)
        answer.headers["Retry-After"] = str(error.wait_s)
        return answer
    if seal is None:
        return await visit.page("admin_login.html", 401, error="This is not the password.")
    answer = see_other("/admin")
    server.sessions.write(answer, server.sessions.issue(admin=seal))
    server.sessions.remember_browser(answer, seal)
    return answer


def _seal_for(visit: Visit, password: str) -> str | None:
    """Return the seal for a session of the admin, None for a wrong password.

    Wrong ones are counted by address, but for a browser in which the admin has logged in before:
    that one counts for itself, so that nobody behind the same address can lock it out.

    Raises: TooManyError
    """
    server, address = visit.server, address_of(visit.request)
    browser = server.sessions.known_browser(visit.request, server.store.admin_seal())
    key = ("admin", browser or address)
    if wait_s := server.throttles.login.wait_s(*key):
        raise TooManyError(wait_s)
    seal = server.store.check_admin(password, address)
    if seal is None:
        server.throttles.login.hit(*key)
    return seal


@router.post("/teams")
async def add_team(visit: AdminDep) -> Response:
    """Add a team, and show its token this once."""
    form = await visit.fields(TeamForm)
    try:
        team, token = await visit.server.writers.run(
            visit.server.store.add_team, form.name, form.is_baseline
        )
    except ChallengeError as error:
        return await _overview(visit, 422, error=str(error))
    return await _overview(visit, token=token, token_team=team)


@router.get("/teams/{slug}")
async def team_entries(visit: AdminDep, team: TeamDep) -> Response:
    """Show the entries of a team, with both scores."""
    page = await run_in_threadpool(visit.server.store.team_page, team, True)
    return await visit.page("admin_team.html", page=page)


@router.post("/teams/{slug}/token")
async def rotate_token(visit: AdminDep, team: TeamDep) -> Response:
    """Make a new token for a team, and show it this once."""
    await visit.fields(Form)
    token = await visit.server.writers.run(visit.server.store.rotate_token, team)
    return await _overview(visit, token=token, token_team=team)


@router.post("/teams/{slug}/disable")
async def disable(visit: AdminDep, team: TeamDep) -> Response:
    """Take a team out."""
    await visit.fields(Form)
    await visit.server.writers.run(visit.server.store.disable_team, team)
    return await _done(visit, "disabled")


@router.post("/teams/{slug}/enable")
async def enable(visit: AdminDep, team: TeamDep) -> Response:
    """Take a team back."""
    await visit.fields(Form)
    await visit.server.writers.run(visit.server.store.disable_team, team, False)
    return await _done(visit, "enabled")


@router.post("/entries/{entry_id}/hide")
async def hide(visit: AdminDep, entry_id: str) -> Response:
    """Let an entry count no more."""
    return await _set_hidden(visit, entry_id, hidden=True)


@router.post("/entries/{entry_id}/show")
async def show(visit: AdminDep, entry_id: str) -> Response:
    """Let an entry count again."""
    return await _set_hidden(visit, entry_id, hidden=False)


@router.post("/freeze")
async def freeze(visit: AdminDep) -> Response:
    """Keep the board as it is, and take no entry."""
    return await _set_frozen(visit, visit.server.clock())


@router.post("/unfreeze")
async def unfreeze(visit: AdminDep) -> Response:
    """End a freeze, or cancel a planned one."""
    return await _set_frozen(visit, None)


@router.post("/reveal")
async def reveal(visit: AdminDep) -> Response:
    """Show the private scores to everybody."""
    await visit.fields(Form)
    await visit.server.writers.run(visit.server.store.reveal)
    return await _done(visit, "revealed")


@router.post("/rescore")
async def rescore(visit: AdminDep) -> Response:
    """Score all entries again."""
    await visit.fields(Form)
    await visit.server.writers.run(visit.server.store.rescore)
    return await _done(visit, "rescored")


DONE = {
    "disabled": "The team is disabled.",
    "enabled": "The team is enabled.",
    "frozen": "The challenge is frozen.",
    "unfrozen": "The challenge is not frozen any more.",
    "revealed": "The private scores are shown to everybody.",
    "rescored": "All entries are scored again.",
    "hidden": "The entry is hidden and does not count.",
    "shown": "The entry counts again.",
}


async def _set_frozen(visit: Visit, at: datetime | None) -> Response:
    await visit.fields(Form)
    try:
        await visit.server.writers.run(visit.server.store.freeze, at)
    except ChallengeError as error:  # revealed
        return await _overview(visit, 422, error=str(error))
    return await _done(visit, "frozen" if at else "unfrozen")


async def _set_hidden(visit: Visit, entry_id: str, hidden: bool) -> Response:
    await visit.fields(Form)
    try:
        await visit.server.writers.run(visit.server.store.hide, entry_id, hidden)
    except ChallengeError:
        raise HTTPException(404, "There is no such entry.") from None
    return await _done(visit, "hidden" if hidden else "shown")


async def _done(visit: Visit, word: str) -> Response:
    await visit.server.snapshots.changed()
    return see_other(f"/admin?done={word}")


async def _overview(visit: Visit, status: int = 200, **values: Any) -> Response:
    store = visit.server.store
    board = await run_in_threadpool(store.board, True)
    shown = {"token": "", "token_team": None, "message": "", "error": "", **values}
    return await visit.page(
        "admin.html",
        status,
        board=board,
        teams=await run_in_threadpool(store.teams),
        rows={row.team.id: row for row in board.rows},
        audit=await run_in_threadpool(store.audit, AUDIT_LINES),
        name_length=MAX_NAME_CHARS,
        **shown,
    )
