"""The pages for everybody and for teams."""

import csv
import re
from datetime import timedelta
from io import StringIO

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from thumbnet.challenge import picture
from thumbnet.challenge.auth import hash_token
from thumbnet.challenge.context import (
    Form,
    Visit,
    VisitDep,
    address_of,
    checked,
    see_other,
    server_of,
)
from thumbnet.challenge.entities import BoardRow, Entry, Receipt, Refusal, Team, TeamPage
from thumbnet.challenge.rendering import METRIC_WORDS
from thumbnet.challenge.routes import upload

router = APIRouter(include_in_schema=False)

OWN_PATH = re.compile(r"/[A-Za-z0-9/_-]*", re.ASCII)
CHANGE_WORDS = {
    "opens": "opens",
    "closes": "closes",
    "name": "name",
    "description": "description",
    "quota": "time between two entries of a team",
    "max_entries": "entries of a team in all",
}
HEADINGS = {
    "quota": "Too early",
    "max_entries": "No entries left",
    "planned": "Not open yet",
    "frozen": "The challenge is frozen",
    "closed": "The challenge is closed",
    "disabled": "This team is disabled",
    "malformed": "The file has errors",
}


class LoginForm(Form):
    """What the login page sends."""

    token: str
    next: str = "/"


class UploadForm(Form):
    """What the upload page sends, but the file."""

    action: str
    note: str = ""


@router.api_route("/", methods=["GET", "HEAD"])
async def scoreboard(visit: VisitDep) -> Response:
    """Show the scoreboard."""
    snapshot = await visit.server.snapshots.latest()
    return await visit.page("board.html", fragment=snapshot.fragment)


async def fragment(request: Request) -> Response:
    """Send the part of the scoreboard that changes, for the page's script.

    After a change all who watch ask at once, so this is a plain route of the app.
    """
    snapshot = await server_of(request).snapshots.latest()
    headers = {"ETag": snapshot.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == snapshot.etag:
        return Response(status_code=304, headers=headers)
    kind = "text/html; charset=utf-8"
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(snapshot.fragment_gzip, media_type=kind, headers=headers)
    return Response(str(snapshot.fragment), media_type=kind, headers=headers)


@router.get("/rules")
async def rules(visit: VisitDep) -> Response:
    """Show the rules and the format."""
    snapshot = await visit.server.snapshots.latest()
    challenge = snapshot.challenge
    many = 5 if challenge.rules.metric == "top5" else 1
    shifted = [
        [challenge.wnids[(first + rank) % challenge.num_classes] for rank in range(many)]
        for first in range(3)
    ]
    images = [f"image_{number:05}.png" for number in (1, 2, 3)]
    lines = [[image, *wnids] for image, wnids in zip(images, shifted, strict=True)]
    names = dict(zip(challenge.wnids, challenge.class_names, strict=True))
    named = [[line[0], *(names[wnid] for wnid in line[1:])] for line in lines]
    changes = await run_in_threadpool(visit.server.store.rule_changes)
    columns = ["class"] if many == 1 else [f"class{rank}" for rank in range(1, 6)]
    return await visit.page(
        "rules.html",
        metric=METRIC_WORDS[challenge.rules.metric],
        example_text="\n".join(" ".join(line) for line in lines),
        example_csv=_csv([["image", *columns], *named]),
        changes=changes,
        change_words=CHANGE_WORDS,
        classes=list(zip(challenge.wnids, challenge.class_names, strict=True)),
        base_url=visit.server.settings.public_url,
        max_bytes=visit.server.settings.max_upload_bytes,
    )


@router.get("/teams/{slug}")
async def team_page(slug: str, visit: VisitDep) -> Response:
    """Show a team: to itself with its history, to others what the board tells."""
    server = visit.server
    team = await run_in_threadpool(server.store.team_by_slug, slug)
    if team is None:
        raise HTTPException(404, "There is no such team.")
    snapshot = await server.snapshots.latest()
    row = next((row for row in snapshot.board.rows if row.team.id == team.id), None)
    page, best = None, None
    if _is_own(visit, team):
        page = await run_in_threadpool(server.store.team_page, team)
        best = _best(page, row)
    return await visit.page(
        "team.html",
        team=team,
        row=row,
        page=page,
        best=best,
        history=picture.history(page.entries, best) if page else None,
        num_ranked=sum(row.rank is not None for row in snapshot.board.rows),
    )


@router.get("/login")
async def login_page(visit: VisitDep, next: str = "/submit") -> Response:
    """Show the form for a team's token."""
    return await visit.with_form().page("login.html", error="", next=_safe(next))


@router.post("/login")
async def login(visit: VisitDep) -> Response:
    """Log a team in."""
    form, server, address = await visit.fields(LoginForm), visit.server, address_of(visit.request)
    if wait_s := server.throttles.login.wait_s("team", address):
        error = f"Too many tries. Try again in {wait_s} s."
        answer = await visit.page("login.html", 429, error=error, next=_safe(form.next))
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    token = form.token.strip()
    team = await run_in_threadpool(server.store.team_of_token, token)
    if team is None:
        server.throttles.login.hit("team", address)  # only failures: a class shares one address
        error = "No team has this token."
        return await visit.page("login.html", 401, error=error, next=_safe(form.next))
    if wait_s := server.throttles.token.hit("login", str(team.id)):  # each may end in a log-out
        raise HTTPException(429, f"Too many log-ins. Try again in {wait_s} s.")
    answer = see_other(_safe(form.next))
    server.sessions.write(answer, server.sessions.issue(team=hash_token(token)))
    return answer


@router.post("/logout")
async def logout(visit: VisitDep) -> Response:
    """Log out, also wherever the cookie was copied to."""
    await visit.fields(Form)
    server, ticket = visit.server, visit.ticket
    if ticket is not None and ticket.is_login:
        ends = server.sessions.ends(ticket)
        await server.writers.run(server.store.end_session, ticket.nonce, ends)
    answer = see_other("/")
    server.sessions.forget(answer)
    return answer


@router.get("/submit")
async def submit_page(visit: VisitDep) -> Response:
    """Show the upload form."""
    if visit.viewer.team is None:
        return see_other("/login?next=/submit")
    return await _upload_page(visit, visit.viewer.team)


@router.post("/submit")
async def submit(visit: VisitDep) -> Response:
    """Check or submit a file."""
    team = visit.viewer.team
    if team is None:
        raise HTTPException(403, "Log in with your team's token first.")
    server, address = visit.server, address_of(visit.request)
    try:
        upload.slow_down(server, team)
    except upload.TooManyError as error:
        retry_at = server.clock() + timedelta(seconds=error.wait_s)
        busy = Refusal("quota", "Your team sent too many files in a short time.", retry_at)
        return await _upload_page(visit, team, refusal=busy, heading="Too many uploads")
    form = await visit.form()
    content = form.pop("file", None)
    fields = checked(UploadForm, form)
    if not isinstance(content, bytes):
        raise HTTPException(422, "The form holds no file. Choose one.")
    if len(content) > server.settings.max_upload_bytes:
        raise HTTPException(413, "The file is too large.")
    outcome: object
    if fields.action == "submit":
        outcome = await upload.submit(server, team, content, fields.note, address)
    else:
        outcome = await upload.check(server, content)
    if isinstance(outcome, Receipt):
        return see_other(f"/submissions/{outcome.entry.id}?new=1")
    if isinstance(outcome, Refusal):
        return await _upload_page(visit, team, fields.note, refusal=outcome)
    return await _upload_page(visit, team, fields.note, checked=outcome)


@router.get("/submissions/{entry_id}")
async def receipt(entry_id: str, visit: VisitDep, new: str = "") -> Response:
    """Show a team the receipt of one of its entries."""
    if visit.viewer.team is not None:
        page = await run_in_threadpool(visit.server.store.team_page, visit.viewer.team)
        for entry in page.entries:
            if entry.id == entry_id:
                return await visit.page("receipt.html", entry=entry, page=page, fresh=bool(new))
    raise HTTPException(404, "Your team has no such entry.")


async def _upload_page(
    visit: Visit,
    team: Team,
    note: str = "",
    refusal: Refusal | None = None,
    checked: object = None,
    heading: str = "",
) -> Response:
    server = visit.server
    page = await run_in_threadpool(server.store.team_page, team)
    answer = await visit.page(
        "submit.html",
        200 if refusal is None else upload.status_of(refusal),
        page=page,
        note=note,
        refusal=refusal,
        heading=heading or (HEADINGS[refusal.reason] if refusal else ""),
        checked=checked,
        max_bytes=server.settings.max_upload_bytes,
        note_length=server.settings.max_note_chars,
    )
    if refusal is not None and refusal.retry_at is not None:
        wait_s = (refusal.retry_at - server.clock()).total_seconds()
        answer.headers["Retry-After"] = str(max(1, round(wait_s)))
    return answer


def _csv(rows: list[list[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _is_own(visit: Visit, team: Team) -> bool:
    return visit.viewer.team is not None and visit.viewer.team.id == team.id


def _best(page: TeamPage, row: BoardRow | None) -> str | None:
    """Return the id of the entry that the board shows: the earliest of the best."""
    counted = [entry for entry in page.entries if not entry.hidden]
    if row is None or not counted:
        return None

    def order(entry: Entry) -> tuple[float, int]:
        return -entry.shown.value, entry.number

    return min(counted, key=order).id


def _safe(path: str) -> str:
    """Return a path of ours; whatever else somebody put into an address leads to the board."""
    return path if OWN_PATH.fullmatch(path) and not path.startswith("//") else "/"
