"""Figures of this process for Prometheus: requests, their times, listeners."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ENDLESS = {"/api/v1/events"}
PAGE_BYTES = 4096


class Meter:
    """Counts what was answered, and how fast; each process counts for itself."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.uploads: Counter[str] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(EDGES_S))
        self._total_s: defaultdict[str, float] = defaultdict(float)
        self._count: Counter[str] = Counter()

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one request."""
        self.requests[method, route, status] += 1
        if route in ENDLESS:
            return
        for index, edge in enumerate(EDGES_S):
            self._buckets[route][index] += took_s <= edge
        self._total_s[route] += took_s
        self._count[route] += 1

    def text(self, gauges: Mapping[str, float]) -> str:
        """Write all figures in Prometheus' text format."""
        return "\n".join([*self._lines(gauges), ""])

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        yield "# TYPE thumbnet_requests_total counter"
        for (method, route, status), number in sorted(self.requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            yield f"thumbnet_requests_total{{{labels}}} {number}"
        yield "# TYPE thumbnet_request_seconds histogram"
        for route, buckets in sorted(self._buckets.items()):
            for edge, number in zip(EDGES_S, buckets, strict=True):
                yield f'thumbnet_request_seconds_bucket{{route="{route}",le="{edge}"}} {number}'
            count = self._count[route]
            yield f'thumbnet_request_seconds_bucket{{route="{route}",le="+Inf"}} {count}'
            yield f'thumbnet_request_seconds_sum{{route="{route}"}} {self._total_s[route]:.6f}'
            yield f'thumbnet_request_seconds_count{{route="{route}"}} {count}'
        yield "# TYPE thumbnet_uploads_total counter"
        for outcome, number in sorted(self.uploads.items()):
            yield f'thumbnet_uploads_total{{outcome="{outcome}"}} {number}'
        for name, value in gauges.items():
            yield f"# TYPE thumbnet_{name} gauge"
            yield f"thumbnet_{name} {value:g}"


class Measured:
    """Tell the meter of every request."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
            self._meter.note(method, _route(scope), status, perf_counter() - started)


KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _route(scope: Scope) -> str:
    """Return the pattern that a path fits, so that paths cannot make labels without end."""
    return str(getattr(scope.get("route"), "path", "other"))


def memory_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0
