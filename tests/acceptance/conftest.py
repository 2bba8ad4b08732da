"""What the acceptance tests share: a real process, a real folder, a real video."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import av
import httpx
import pytest


@pytest.fixture(scope="session", autouse=True)
def _signals_mean_something() -> None:
    """Ignore no signal that whoever started these tests does, as `nohup` and `&` do.

    A process that is started here would, and rightly so: they are passed on.
    """
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True)
class Shell:
    """A folder to type commands in, as a user would.

    Attributes:
        folder: The working directory.
        environ: Variables beyond the bare minimum.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of a process: nothing of the developer's leaks in."""
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT")}
        return kept | {"HOME": str(self.folder), "NO_COLOR": "1", **self.environ}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start foxbatch and return the process."""
        return subprocess.Popen(
            [sys.executable, "-m", "foxbatch", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run foxbatch to its end."""
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(
            arguments, process.returncode, stdout, stderr
        )


@contextmanager
def served_sandbox(shell: Shell, *arguments: str) -> Iterator[str]:
    """Serve a sandbox of its own process; give its address."""
    with shell.start("sandbox", "--state", "state", *arguments) as process:
        try:
            assert process.stdout is not None
            url: str = json.loads(process.stdout.readline())["url"]
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=20)


def stats(url: str) -> dict[str, object]:
    reply = httpx.get(f"{url}/sandbox/stats")
    found: dict[str, object] = reply.raise_for_status().json()
    return found


MakeShell: TypeAlias = Callable[..., Shell]


@pytest.fixture
def shell(tmp_path: Path) -> MakeShell:
    """Return a maker of shells in a new, empty folder."""

    def make(**environ: str) -> Shell:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        return Shell(folder, environ)

    return make


@pytest.fixture(scope="session")
def tiny_video() -> bytes:
    """Return a real MP4 of 64 by 36 pixels and one second, silent."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("h264", rate=4)
        video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
        for _ in range(4):
            frame = av.VideoFrame(64, 36, "yuv420p")
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return stream.getvalue()
