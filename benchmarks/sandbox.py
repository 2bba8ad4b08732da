"""How much the pretend service serves; `benchmarks/README.md` says of what."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foxbatch.sandbox.messages import Task
from foxbatch.sandbox.web.store import RecordStore

ROUNDS = 3
ROUND_S = 2.0  # of every kind of request: the whole ends by itself
CONNECTIONS = 16
MANY = 100_000  # tasks

VIDEO = {
    "model": "veo-3.1-fast",
    "prompt": "A golden retriever on the beach at sunset, Kodak Portra",
    "duration": 4,
    "resolution": "720p",
    "aspect_ratio": "16:9",
    "generate_audio": False,
}

# A server in a process of its own; it says where it is, and what it used, when asked.
_SERVE = """
import os, pathlib, sys, time
from foxbatch.sandbox import SandboxOptions, run_sandbox

begun = time.perf_counter()
def ready(url):
    status = pathlib.Path("/proc/self/status").read_text()
    size = status.partition("VmRSS:")[2].split()[0]
    print(url, time.perf_counter() - begun, size, flush=True)
folder = pathlib.Path(sys.argv[1]) if sys.argv[1:] else None
run_sandbox(SandboxOptions(speed=1e3), on_ready=ready, state_dir=folder)
"""


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[int, int, float, float]]:
    """Give the port of a server, its process, how long it took and its size in MB."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, *arguments], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url, took, size = server.stdout.readline().split()
        try:
            port = int(url.rpartition(":")[2])
            yield port, server.pid, float(took), int(size) / 1024
        finally:
            server.terminate()


def message(method: str, path: str, body: bytes = b"") -> bytes:
    """Return one HTTP request."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Authorization: Bearer any-key\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def replied(connection: socket.socket) -> bytes:
    """Read one reply and return its body."""
    arrived = connection.recv(1 << 18)
    head, _, body = arrived.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), arrived
    lines = (line.partition(b": ") for line in head.splitlines())
    length = next(int(t) for name, _, t in lines if name.lower() == b"content-length")
    while len(body) < length:
        body += connection.recv(1 << 18)
    return body


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(port: int, pid: int, requests: Iterator[bytes]) -> tuple[float, float]:
    """Return requests per second, and per second of the server's processor."""
    connections = [
        socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)
    ]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    done, used_s, begun = 0, cpu_s(pid), time.perf_counter()
    while time.perf_counter() - begun < ROUND_S:
        for connection in connections:
            connection.sendall(next(requests))
        for connection in connections:
            replied(connection)
        done += CONNECTIONS
    took_s = time.perf_counter() - begun
    used_s = cpu_s(pid) - used_s
    for connection in connections:
        connection.close()
    return done / took_s, done / used_s


def submissions() -> Iterator[bytes]:
    """Yield requests for different videos, without end."""
    number = 0
    while True:
        number += 1
        body = json.dumps({**VIDEO, "seed": number}).encode()
        yield message("POST", "/v1/videos/generations", body)


def again(request: bytes) -> Iterator[bytes]:
    """Yield the same request, without end."""
    while True:
        yield request


def finished(port: int) -> str:
    """Order a video and return the id of its task when it is done."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(next(submissions()))
        task = json.loads(replied(connection))["id"]
        while True:
            connection.sendall(message("GET", f"/v1/tasks/{task}"))
            if json.loads(replied(connection))["status"] == "completed":
                return str(task)


def write_tasks(folder: Path, count: int) -> None:
    """Write the records of *count* tasks, as a sandbox would have."""
    asked = json.dumps(VIDEO, separators=(",", ":"))
    with RecordStore(folder) as store:
        store.add(
            [
                Task(
                    id=f"task-unified-1785830400-{number:08x}",
                    model="veo-3.1-fast",
                    created_at=1_785_830_400.0 + number / 1000,
                    starts_at=1_785_830_401.0 + number / 1000,
                    ends_at=1_785_830_460.0 + number / 1000,
                    keeps_s=86_400.0,
                    asked=asked,
                    digest=f"{number:064x}",
                    take=1,
                    credits=168,
                    owner="0123456789ab",
                )
                for number in range(count)
            ]
        )


def speeds() -> None:
    """Measure requests, one kind after the other, and print them."""
    with tempfile.TemporaryDirectory() as folder, serving(folder) as (port, pid, *_):
        task = finished(port)
        file = message("GET", f"/files/{task}/0.mp4").replace(
            b"Authorization: Bearer any-key\r\n", b""
        )
        kinds = {
            "submit": submissions(),
            "query": again(message("GET", f"/v1/tasks/{task}")),
            "file": again(file),
        }
        for kind, requests in kinds.items():
            found = [measured(port, pid, requests) for _ in range(ROUNDS)]
            wall, cpu = (
                statistics.median(column) for column in zip(*found, strict=True)
            )
            print(f"{kind:12}  {wall:8,.0f} requests/s; {cpu:,.0f} per CPU second")


def memory() -> None:
    """Measure what tasks of earlier processes cost at the start, and print it."""
    with tempfile.TemporaryDirectory() as folder:
        write_tasks(Path(folder), MANY)
        with serving() as (_, _, _, empty_mb):
            pass
        with serving(folder) as (_, _, took_s, full_mb):
            print(f"{'start':12}  {took_s:8.2f} s with {MANY:,} tasks")
            print(f"{'memory':12}  {full_mb - empty_mb:+8.1f} MB for {MANY:,} tasks")


def main() -> None:
    """Measure and print, a line for each kind of request."""
    speeds()
    memory()


if __name__ == "__main__":
    main()
