"""The JSON API: what `thumbnet submit` and anybody's own program talk to."""

from datetime import timedelta
from math import ceil
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from thumbnet.challenge.context import Server, ServerDep, address_of
from thumbnet.challenge.entities import Refusal, Team
from thumbnet.challenge.routes import upload
from thumbnet.challenge.routes.answers import (
    BoardAnswer,
    ChallengeAnswer,
    CheckAnswer,
    EntriesAnswer,
    EntryAnswer,
    ReceiptAnswer,
    RefusalAnswer,
)
from thumbnet.live import EventStream

router = APIRouter(prefix="/api/v1")
files = APIRouter()
bearer = HTTPBearer(auto_error=False, description="the token of a team")

TEXT_TYPES = {"text/plain", "text/csv", "application/octet-stream", ""}
EXAMPLE_FILE = "image_00001.png n01443537\nimage_00002.png n01629819\n"
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One line an image, its name and its class, or CSV; up to 1 MiB of UTF-8.",
        "content": {
            kind: {"schema": {"type": "string"}, "example": example}
            for kind, example in (
                ("text/plain", EXAMPLE_FILE),
                ("text/csv", "image,class\n" + EXAMPLE_FILE.replace(" ", ",")),
            )
        },
    },
}
NOTE: dict[str, Any] = {
    "parameters": [
        {
            "name": "X-Note",
            "in": "header",
            "required": False,
            "description": "What was different this time: UTF-8, percent-encoded.",
            "schema": {"type": "string", "pattern": "^[!-~]*$"},
            "example": "wider%20stem",
        }
    ]
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the statuses whose answer is a refusal."""
    words = {
        401: "no valid token",
        403: "the challenge takes no entry now, or none of this team",
        404: "no such entry of this team",
        408: "the body did not come in time",
        413: "the file is larger than 1 MiB",
        415: "the body is no text",
        422: "the file has errors, and here are all of them",
        429: "too early: `Retry-After` and `retry_at` say when",
        503: "the server is busy, or has too many listeners: `Retry-After` says when to try again",
    }
    made: dict[int | str, dict[str, Any]] = {
        status: {"model": RefusalAnswer, "description": words[status]} for status in statuses
    }
    if 429 in made:
        made[429]["headers"] = {
            "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}
        }
    return made


async def team_of_request(
    request: Request,
    server: ServerDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Team:
    """Return the team whose token was sent.

    Raises: HTTPException where there is none; only such requests are counted by address
    """
    team = None
    if credentials is not None:
        team = await run_in_threadpool(server.store.team_of_token, credentials.credentials)
    if team is None:
        if wait_s := server.throttles.address.hit("address", address_of(request)):
            message = f"too many requests without a valid token; try again in {wait_s} s"
            raise HTTPException(429, message, {"Retry-After": str(wait_s)})
        raise HTTPException(
            401,
            "send the team's token: Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )
    return team


TeamDep = Annotated[Team, Depends(team_of_request)]


@router.get("/challenge", response_model=ChallengeAnswer)
async def challenge(server: ServerDep) -> ChallengeAnswer:
    """Return the rules, the classes and the server's time."""
    snapshot = await server.snapshots.latest()
    return ChallengeAnswer.of(snapshot.challenge, server.clock(), server.settings.max_upload_bytes)


@router.get("/board", response_model=BoardAnswer, responses={304: {"description": "unchanged"}})
async def board(request: Request, server: ServerDep) -> Response:
    """Return the scoreboard as it is now, best team first."""
    snapshot = await server.snapshots.latest()
    headers = {"ETag": snapshot.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == snapshot.etag:
        return Response(status_code=304, headers=headers)
    return Response(snapshot.api, media_type="application/json", headers=headers)


@router.get(
    "/events",
    response_class=Response,
    responses={
        200: {
            "description": "server-sent events: `board`, with the version as data, at once and on "
            "each change; a comment every 15 s",
            "content": {"text/event-stream": {"example": "event: board\nid: 41.1\ndata: 41\n\n"}},
        },
        **refusals(503),
    },
)
async def events(server: ServerDep) -> Response:
    """Tell of each change of the board as it happens."""
    return EventStream(server.snapshots.live)


@router.post(
    "/submissions",
    status_code=201,
    response_model=ReceiptAnswer,
    responses=refusals(401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=BODY | NOTE,
)
async def submit(request: Request, server: ServerDep, team: TeamDep) -> Response:
    """Score a file at once and return the receipt; a refusal costs no slot."""
    refused, content, note = await _received(request, server, team)
    if refused is not None:
        return refused
    outcome = await upload.submit(server, team, content, note, address_of(request))
    if isinstance(outcome, Refusal):
        return _refusal(server, outcome)
    return JSONResponse(ReceiptAnswer.of(outcome).model_dump(mode="json"), 201)


@router.post(
    "/check",
    response_model=CheckAnswer,
    responses=refusals(401, 408, 413, 415, 422, 429),
    openapi_extra=BODY,
)
async def check(request: Request, server: ServerDep, team: TeamDep) -> Response:
    """Say whether a file is well formed; nothing is scored and no slot is used."""
    refused, content, _ = await _received(request, server, team)
    if refused is not None:
        return refused
    outcome = await upload.check(server, content)
    if isinstance(outcome, Refusal):
        return _refusal(server, outcome)
    return JSONResponse(outcome.model_dump(mode="json"))


@router.get("/submissions", response_model=EntriesAnswer, responses=refusals(401))
async def submissions(server: ServerDep, team: TeamDep) -> EntriesAnswer:
    """Return the team's own entries."""
    return EntriesAnswer.of(await run_in_threadpool(server.store.team_page, team))


@router.get("/submissions/{entry_id}", response_model=EntryAnswer, responses=refusals(401, 404))
async def submission(entry_id: str, server: ServerDep, team: TeamDep) -> EntryAnswer:
    """Return one of the team's own entries."""
    page = await run_in_threadpool(server.store.team_page, team)
    for entry in page.entries:
        if entry.id == entry_id:
            return EntryAnswer.of(entry)
    raise HTTPException(404, "your team has no such entry")


@files.get(
    "/bundle.zip",
    response_class=FileResponse,
    responses={
        200: {"content": {"application/zip": {}}},
        206: {"description": "the range that was asked for"},
        **refusals(403, 404),
    },
)
async def bundle(request: Request, server: ServerDep) -> Response:
    """Return the images to label, with the class list and the rules, from the opening on."""
    challenge = (await server.snapshots.latest()).challenge
    opens = challenge.rules.opens
    is_early = challenge.state == "planned" and server.clock() < opens
    if is_early and not (await server.visit(request)).viewer.is_admin:
        message = f"the images come when the challenge opens, at {opens:%Y-%m-%d %H:%M:%S} UTC"
        return _refusal(server, Refusal("planned", message, retry_at=opens))
    path = server.settings.bundle
    if not path.is_file():
        raise HTTPException(404, "this challenge has no bundle here; ask the organizers for it")
    headers = {"Cache-Control": "no-cache"}  # no proxy gives it out before the opening
    return FileResponse(path, media_type="application/zip", filename="bundle.zip", headers=headers)


async def _received(
    request: Request, server: Server, team: Team
) -> tuple[Response | None, bytes, str]:
    """Return a refusal, or else the body and the note."""
    headers = request.headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TEXT_TYPES:
        message = "send the bare text of the file as Content-Type: text/plain or text/csv"
        return _refused(415, "media_type", message), b"", ""
    try:
        upload.slow_down(server, team)
        note = unquote(headers.get("x-note", ""), errors="strict")
    except upload.TooManyError as error:
        retry_at = server.clock() + timedelta(seconds=error.wait_s)
        return _refusal(server, Refusal("quota", str(error), retry_at), upload.BUSY), b"", ""
    except UnicodeDecodeError:
        message = "X-Note must be UTF-8, percent-encoded"
        return _refused(422, "malformed", message, [message]), b"", ""
    content = b"".join([chunk async for chunk in request.stream()])
    return None, content, note


def _refusal(server: Server, refusal: Refusal, reason: str = "") -> Response:
    """Answer with a refusal, and when to come again where there is such a time."""
    answer = RefusalAnswer.of(refusal)
    if reason:
        answer = answer.model_copy(update={"reason": reason})
    headers = {}
    if refusal.retry_at is not None:
        wait_s = (refusal.retry_at - server.clock()).total_seconds()
        headers["Retry-After"] = str(max(1, ceil(wait_s)))
    return JSONResponse(answer.model_dump(mode="json"), upload.status_of(refusal), headers)


def _refused(status: int, reason: str, message: str, errors: list[str] | None = None) -> Response:
    answer = RefusalAnswer(reason=reason, message=message, errors=errors or [])
    return JSONResponse(answer.model_dump(mode="json"), status)
