"""Answers leave at once, on every kind of socket."""

from __future__ import annotations

import asyncio
import socket

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from thumbnet.challenge.connection import Prompt


class Transport(asyncio.Transport):
    """The server's end of a connection, or none."""

    def __init__(self, end: socket.socket | None) -> None:
        super().__init__({"socket": end})

    def close(self) -> None: ...


async def take(end: socket.socket | None) -> None:
    Prompt(Config(lambda: None), ServerState(), {}).connection_made(Transport(end))


@pytest.mark.parametrize("protocol", [0, socket.IPPROTO_TCP])
def test_the_last_small_piece_of_an_answer_does_not_wait(protocol: int) -> None:
    """Protocol 0 is how the socket that several server processes share is made."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as listener,
        socket.socket() as client,
    ):
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        with listener.accept()[0] as end:
            asyncio.run(take(end))
            assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_socket_of_another_kind_is_taken_as_well() -> None:
    one, other = socket.socketpair()
    with one, other:
        asyncio.run(take(one))
    asyncio.run(take(None))
