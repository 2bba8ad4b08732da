"""HTTP by hand on real sockets: what arrives, and how it ends."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Heard:
    """Everything that came over a connection, and what ended it."""

    head: str
    body: bytes
    ended: str  # "reset" or "closed"

    @property
    def length(self) -> int:
        """The Content-Length that was told."""
        lines = (line.partition(": ") for line in self.head.splitlines())
        return next(int(t) for name, _, t in lines if name.lower() == "content-length")


@contextlib.contextmanager
def connected(url: str, *, room_bytes: int | None = None) -> Iterator[socket.socket]:
    """Connect to *url*; every operation has patience, but no end of it.

    The kernel keeps about *room_bytes* of what is not read.
    """
    where = httpx.URL(url)
    assert where.port is not None
    with socket.socket() as connection:
        if room_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
        connection.settimeout(PATIENCE_S)
        connection.connect((where.host, where.port))
        yield connection


def listened(connection: socket.socket) -> Heard:
    """Read until the other side ends the connection, in whatever way."""
    arrived, ended = bytearray(), "closed"
    try:
        while piece := connection.recv(1 << 16):
            arrived += piece
    except ConnectionResetError:
        ended = "reset"
    head, _, body = arrived.partition(b"\r\n\r\n")
    return Heard(head.decode(), bytes(body), ended)


def asked(
    url: str, request: str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", *, then: str = ""
) -> Heard:
    """Send *request* to *url*, and *then* once something came; listen to the end."""
    with connected(url) as connection:
        connection.sendall(request.encode())
        if not then:
            return listened(connection)
        select.select([connection], [], [], 0.05)
        connection.sendall(then.encode())
        return listened(connection)


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
