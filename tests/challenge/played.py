"""A tiny server that answers as it is told, and remembers what it was asked."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FILE = b"a.png n01\nb.png n02\n"


@dataclass
class Played:
    """What the server answers next, and what it was asked."""

    url: str = ""
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    hang_up: bool = False

    @property
    def last(self) -> tuple[str, str, dict[str, str], bytes]:
        return self.asked[-1]


@contextmanager
def play() -> Iterator[Played]:
    """Serve on a free port of this computer."""
    played = Played()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            played.asked.append((self.command, self.path, headers, content))
            if played.hang_up:
                self.close_connection = True
                return
            body = played.body
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(played.status)
            for key, value in {"Content-Length": str(len(data)), **played.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return played.headers.get("X-Date") or super().date_time_string(timestamp)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        played.url = f"http://127.0.0.1:{http.server_port}"
        yield played
        http.shutdown()


def receipt(content: bytes = FILE, **changes: Any) -> dict[str, Any]:
    return {
        "id": "k3v9",
        "number": 3,
        "team": "blue",
        "received": "2026-11-20T12:00:00Z",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "score": {"value": 0.61, "half_width": 0.017, "num_images": 3000},
        "note": "",
        "next_slot": "2026-11-20T14:00:00+00:00",
        "entries_left": 4,
        **changes,
    }
