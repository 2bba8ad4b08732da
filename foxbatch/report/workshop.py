"""Work on media in processes of its own, which may hang or die without harm.

A decoder that meets a damaged file may loop, take all memory, or end its process. So
each hand is a child process that takes one order a line and answers it with a line; one
that dies or takes too long is replaced, and what it worked on counts as not done. A
child ends when nobody holds its input, also when its parent was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Literal, TypeAlias

Job: TypeAlias = Literal["video", "image", "audio", "proxy"]

_MOST_S = {"video": 30.0, "image": 30.0, "audio": 120.0, "proxy": 1800.0}
_NICENESS = 10
_DONE, _NOT, _LONGEST_ANSWER = b"done\n", b"not\n", 80
_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One file to be made from another.

    Attributes:
        job: A poster of a `video` or `image`, peaks of an `audio`, a `proxy`.
        source: What it is made from.
        target: Where it goes; whole or not at all.
        lines: Of a proxy: its shorter side, in pixels.
    """

    job: Job
    source: str
    target: str
    lines: int = 0


class Hand:
    """One child process, begun when there is something to do."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def do(self, order: Order) -> bool:
        """Return whether *order* was done. Waits until it is, or has taken too long."""
        child = self._ready()
        if child is None:
            return False
        hurry = threading.Timer(_MOST_S[order.job], child.kill)
        hurry.daemon = True
        hurry.start()
        try:
            answer = _asked(child, order)
        finally:
            hurry.cancel()
        if answer not in (_DONE, _NOT):
            self._let_go(child)
        return answer == _DONE

    def _ready(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._closed:
                return None
            if self._child is None:
                self._child = _begun()
            return self._child

    def _let_go(self, child: subprocess.Popen[bytes]) -> None:
        """End a child that died, or does not know what it says."""
        with self._lock:
            if self._child is child:
                self._child = None
        child.kill()
        _end(child)

    def close(self) -> None:
        """End the child at once; from any thread. What it was making is left out."""
        with self._lock:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()
            _end(child)


def _begun() -> subprocess.Popen[bytes] | None:
    # -P: nothing is imported from the working directory, which may be a stranger's.
    command = [sys.executable, "-P", "-m", "foxbatch.report.workshop"]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; the child ends with us
        )
    except OSError:
        return None


def _asked(child: subprocess.Popen[bytes], order: Order) -> bytes:
    if child.stdin is None or child.stdout is None:
        raise TypeError("a child is talked to through pipes")
    try:
        child.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        child.stdin.flush()
        return child.stdout.readline(_LONGEST_ANSWER)
    except (OSError, ValueError):  # it died, or was closed meanwhile
        return b""


def _end(child: subprocess.Popen[bytes]) -> None:
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def work(orders: Iterable[Order], *, hands: int = 0) -> Iterator[tuple[Order, bool]]:
    """Do *orders*, yielding each with whether it was done, as they are ready.

    Nothing is left behind when the caller stops early: children are ended, and a file
    that is not whole has no name that anybody looks for.

    Args:
        orders: Taken one by one.
        hands: How many at once; 0 for as many as there are cores.
    """
    waiting, lock = iter(orders), threading.Lock()
    done: SimpleQueue[tuple[Order, bool] | None] = SimpleQueue()
    crew = [Hand() for _ in range(hands or os.cpu_count() or 1)]

    def toil(hand: Hand) -> None:
        try:
            while True:
                with lock:
                    order = next(waiting, None)
                if order is None:
                    break
                done.put((order, hand.do(order)))
        finally:
            done.put(None)

    threads = [threading.Thread(target=toil, args=(h,), daemon=True) for h in crew]
    for thread in threads:
        thread.start()
    busy = len(threads)
    try:
        while busy:
            one = done.get()
            if one is None:
                busy -= 1
            else:
                yield one
    finally:
        with lock:
            waiting = iter(())
        for hand in crew:
            hand.close()
        for thread in threads:
            thread.join()


# ---- Inside the child


def serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Do each order of a line of *orders*, and say how it went."""
    for line in orders:
        answers.write(_DONE if _tried(Order(**json.loads(line))) else _NOT)
        answers.flush()


def _tried(order: Order) -> bool:
    import av

    # Anything else that may be wrong with a file ends the process, which is as good.
    try:
        _make(order)
    except (av.FFmpegError, OSError, ValueError, SyntaxError, EOFError, MemoryError):
        return False
    return True


def _make(order: Order) -> None:
    from foxbatch.report import proxies, stills

    source, target = Path(order.source), Path(order.target)
    # Several may make the same: each its own, and the last one stays.
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        match order.job:
            case "audio":
                new.write_text(json.dumps(stills.peaks_of(source)))
            case "proxy":
                proxies.encode(source, new, lines=order.lines)
            case "video" | "image":
                new.write_bytes(stills.poster_of(source, order.job))
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _behave() -> None:
    """Stand back behind whoever is in a hurry, and never take all the memory."""
    if sys.platform != "win32":
        import resource

        os.nice(_NICENESS)
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


if __name__ == "__main__":
    _behave()
    serve(sys.stdin.buffer, sys.stdout.buffer)
