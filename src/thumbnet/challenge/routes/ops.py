"""For who operates the server: is it well, and what does it do."""

from shutil import disk_usage

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from thumbnet.challenge.context import ServerDep
from thumbnet.challenge.meter import memory_bytes

router = APIRouter()

MIN_FREE_BYTES = 16 * 2**20  # a few hundred entries


@router.get(
    "/healthz",
    responses={
        200: {"content": {"application/json": {"example": {"ok": True, "version": 41}}}},
        503: {"description": "the database does not answer, or the disk is full"},
    },
)
async def healthz(server: ServerDep) -> Response:
    """Say whether the server and its database are well."""
    try:
        version = await run_in_threadpool(server.store.version)
    except Exception:  # whatever it is, the answer is no, and what it is stays here
        return JSONResponse({"ok": False, "version": None}, 503)
    if disk_usage(server.settings.folder).free < MIN_FREE_BYTES:
        return JSONResponse({"ok": False, "version": version, "problem": "the disk is full"}, 503)
    return JSONResponse({"ok": True, "version": version})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(server: ServerDep) -> Response:
    """Return figures of this process in Prometheus' text format."""
    snapshot = await server.snapshots.latest()
    gauges = {
        "listeners": server.snapshots.live.num_clients,
        "board_version": snapshot.board.version,
        "entries": snapshot.board.num_entries,
        "teams_ranked": sum(row.rank is not None for row in snapshot.board.rows),
        "memory_bytes": memory_bytes(),
    }
    return PlainTextResponse(server.meter.text(gauges), media_type="text/plain; version=0.0.4")
