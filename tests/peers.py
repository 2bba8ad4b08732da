"""Servers and proxies of a few lines that misbehave on real sockets."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self, TypeAlias

import pytest

from tests.sockets import PATIENCE_S

Handler: TypeAlias = Callable[["Peer", socket.socket], None]
"""Does something with one connection, which is closed when it returns."""


class Peer:
    """Listens on a loopback port inside a `with` block and does what its handler says.

    Attributes:
        port: Where it listens.
        connections: How many were opened.
        requests: The heads that arrived whole, in order.
        arrived: Released with the first thing that comes over each connection.
        over: Set when the block ends: for handlers that wait.
    """

    def __init__(self, handler: Handler, *, room_bytes: int | None = None) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.arrived = threading.Semaphore(0)
        self.over = threading.Event()
        self._handler = handler
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        if room_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(200)
        self.port: int = self._listener.getsockname()[1]

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def posts(self) -> int:
        """How many POSTs arrived, by their first line."""
        return sum(request.startswith(b"POST ") for request in self.requests)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # which is how `accept` ends
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.settimeout(PATIENCE_S)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1, socket.MSG_PEEK)
            self.arrived.release()
            self._handler(self, connection)


def heard(peer: Peer, connection: socket.socket) -> bytes:
    """Read one request with its body; return its head, empty at the end."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        piece = connection.recv(1 << 16)
        if not piece:
            return b""
        data += piece
    head = bytes(data[: data.index(b"\r\n\r\n") + 4])
    peer.requests.append(head)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    missing = int(length[1]) + len(head) - len(data) if length else 0
    while missing > 0 and (piece := connection.recv(1 << 16)):
        missing -= len(piece)
    return head


def says(*answers: bytes) -> Handler:
    """Answer one request after the other on one connection, then close it."""

    def handle(peer: Peer, connection: socket.socket) -> None:
        for answer in answers:
            if heard(peer, connection):
                connection.sendall(answer)

    return handle


def always(answer: bytes) -> Handler:
    """Give every request the same answer; never close."""

    def handle(peer: Peer, connection: socket.socket) -> None:
        while heard(peer, connection):
            connection.sendall(answer)

    return handle


def resets(peer: Peer, connection: socket.socket) -> None:
    """Read a request, then break the connection off with a reset."""
    heard(peer, connection)
    reset(connection)


def reset(connection: socket.socket) -> None:
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def silent(peer: Peer, connection: socket.socket) -> None:
    """Read a submission and never answer. Whatever else is asked is not there."""
    while heard(peer, connection).startswith(b"GET /api/"):
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    peer.over.wait(PATIENCE_S)


def waits_for(count: int, answer: bytes) -> Handler:
    """Answer when *count* requests have arrived, and not before."""
    all_here = threading.Barrier(count)

    def handle(peer: Peer, connection: socket.socket) -> None:
        heard(peer, connection)
        all_here.wait(PATIENCE_S)
        connection.sendall(answer)

    return handle


def deaf(peer: Peer, _connection: socket.socket) -> None:
    """Read nothing at all."""
    peer.over.wait(PATIENCE_S)


def resets_in_the_middle(peer: Peer, connection: socket.socket) -> None:
    """Read the beginning of a request that is long, then reset."""
    peer.requests.append(connection.recv(1000))
    reset(connection)


def hangs_up(_peer: Peer, _connection: socket.socket) -> None:
    """Close at once."""


def cuts_hello(_peer: Peer, connection: socket.socket) -> None:
    """Close in the middle of a TLS handshake."""
    connection.recv(1 << 16)


def resets_hello(_peer: Peer, connection: socket.socket) -> None:
    """Reset in the middle of a TLS handshake."""
    connection.recv(1 << 16)
    reset(connection)


def plain_on_tls(_peer: Peer, connection: socket.socket) -> None:
    """Answer a TLS handshake as servers of plain HTTP do."""
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def over_tls(context: ssl.SSLContext, then: Handler) -> Handler:
    """Do *then* with what is said inside of TLS."""

    def handle(peer: Peer, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            then(peer, inside)

    return handle


def breaks_tls(context: ssl.SSLContext) -> Handler:
    """Read a request inside of TLS, then say what is no TLS."""

    def handle(peer: Peer, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            heard(peer, inside)
            with socket.socket(fileno=inside.detach()) as bare:
                bare.sendall(b"\x17\x03\x03\x00\x20" + b"\0" * 32)

    return handle


def tunnels(answer: bytes, then: Handler) -> Handler:
    """Answer a CONNECT, then do *then*: a proxy and all behind it in one."""

    def handle(peer: Peer, connection: socket.socket) -> None:
        heard(peer, connection)
        connection.sendall(answer)
        then(peer, connection)

    return handle


@contextmanager
def full_backlog() -> Iterator[int]:
    """Give a port that takes no connection: its queue is full, and nobody accepts."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


class Certificate:
    """A certificate that signed itself, for 127.0.0.1, api.test or another name."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.path = folder / "certificate.pem"
        key = folder / "key.pem"
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("openssl makes the certificates, and is not installed")
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=a test"),
                *("-addext", f"subjectAltName={','.join(names)}"),
                *("-keyout", str(key), "-out", str(self.path)),
            ],
            check=True,
            capture_output=True,
        )
        self.context = self._context(key)
        self.asks_for_one = self._context(key)
        self.asks_for_one.verify_mode = ssl.CERT_REQUIRED

    def _context(self, key: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, key)
        return context
