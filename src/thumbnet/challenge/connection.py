"""The connection to a client: an answer leaves at once, also its last small piece."""

import asyncio
import socket

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class Prompt(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Uvicorn's protocol on a socket that waits for nothing.

    asyncio sets TCP_NODELAY on sockets that name TCP as their protocol only. The one that server
    processes share does not: there the body of each answer would wait for the client to
    acknowledge the head, which it may put off for 40 ms.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        made: socket.socket | None = transport.get_extra_info("socket")
        if made is not None and made.family in {socket.AF_INET, socket.AF_INET6}:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
