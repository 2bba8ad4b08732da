"""One process: the entry that the CLI uses, with other hands on disk, net and clock."""

from __future__ import annotations

import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import trio

from foxbatch.api import provenance, running, settling
from foxbatch.artifacts import Store
from foxbatch.canonical import JobId
from foxbatch.client import ServiceClient
from foxbatch.events import RunId
from foxbatch.ledger import LedgerWriter
from foxbatch.processes import Process as Identity
from foxbatch.runner import Book
from tests.simulation.disk import Act, CrashedError, Disk
from tests.simulation.scenario import Crash, DiskFault
from tests.simulation.service import Network

START = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_STEPS = 400_000
_LOOKED_EVERY = 50


ME = Identity(host=socket.gethostname(), pid=4711)
"""The same in every process that replays a seed."""


class WallClock:
    """Time as this machine sees it: wrong by `skew_s`, and hours later after a nap."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self.slept_s = 0.0

    def now(self) -> datetime:
        """Return what the wall clock shows."""
        return START + timedelta(seconds=self.true_s + self.skew_s)

    @property
    def true_s(self) -> float:
        """Seconds that have passed in the world since the start."""
        return trio.current_time() + self.slept_s

    def monotonic(self) -> float:
        """Return seconds that a sleeping machine does not count."""
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        """Wait in the machine's own time."""
        await trio.sleep(max(0.0, seconds))


class Steps(trio.abc.Instrument):
    """Counts the awaits of the process, and does what is planned for one of them."""

    def __init__(
        self, plans: dict[int, Callable[[], None]], often: Callable[[], None]
    ) -> None:
        self.count = 0
        self._plans, self._often = plans, often

    def after_task_step(self, _task: trio.lowlevel.Task) -> None:
        """Count one more stretch of code between two awaits."""
        self.count += 1
        if self.count % _LOOKED_EVERY == 0:
            self._often()
        plan = self._plans.get(self.count)
        if plan is not None:
            plan()


class Process:
    """One process, from its start to whatever ends it.

    Attributes:
        dead: Whether it crashed.
        disk_failed: Whether the disk refused something: then it may fail.
        book: What it believes, once it has begun.
    """

    def __init__(
        self,
        disk: Disk,
        network: Network,
        clock: WallClock,
        rng: random.Random,
        tell: Callable[[str], None],
        *,
        believes: Callable[[Book], None],
    ) -> None:
        self._believes = believes
        self._disk, self._network, self._clock = disk, network, clock
        self._rng, self._tell = rng, tell
        self._acts: dict[Act, int] = {"write": 0, "fsync": 0}
        self._scope = trio.CancelScope()
        self._end: Crash | DiskFault | None = None
        self.dead = False
        self.disk_failed = False
        self.stuck = ""
        self.book: Book | None = None

    async def live(
        self,
        work: Callable[[], Awaitable[Any]],
        *,
        end: Crash | DiskFault | None = None,
        at_steps: dict[int, Callable[[], None]] | None = None,
        most_s: float,
    ) -> Any:  # noqa: ANN401
        """Do *work* until it ends or the process does; what it raises comes through.

        Returns:
            What *work* returns; None where the process died first.
        """
        plans = dict(at_steps or {})
        if isinstance(end, Crash) and end.at == "await":
            plans[end.nth] = self.die
        plans[_MOST_STEPS] = partial(self._give_up, "it spins without end")
        self._end = end
        self._disk.before, self._disk.crash = self._before, self.die
        self._network.dead = False
        steps = Steps(plans, self._look)
        trio.lowlevel.add_instrument(steps)
        try:
            with self._disk.used(), self._hands(), self._scope:
                with trio.move_on_after(most_s) as patience:
                    return await work()
                if patience.cancelled_caught:
                    self.stuck = f"it still runs after {most_s:g} s"
        except BaseException as error:
            if not self.dead or not _is_death(error):
                raise
        finally:
            trio.lowlevel.remove_instrument(steps)
            self._disk.thaw()
        return None

    def _look(self) -> None:
        if self.book is not None and not self.dead and not self.disk_failed:
            self._believes(self.book)

    def _give_up(self, why: str) -> None:
        self.stuck = why
        self._scope.cancel()

    def die(self) -> None:
        """Be gone: nothing is written, sent or told from here on."""
        if self.dead:
            return
        self._tell("--- the process is dead")
        self.dead = True
        self._network.dead = True
        self._disk.freeze()
        self._scope.cancel()

    def _before(self, act: Act) -> tuple[float, BaseException | None]:
        """Decide what becomes of the next write or fsync."""
        self._acts[act] += 1
        end = self._end
        if end is None or end.at != act or self._acts[act] < end.nth:
            return 1.0, None
        if isinstance(end, DiskFault):
            self.disk_failed = True
            self._tell(f"--- the disk refuses a {act}")
            return end.part, OSError(end.errno, "the disk takes nothing more")
        return end.part, CrashedError()

    @contextmanager
    def _hands(self) -> Iterator[None]:
        """Give the program this disk, this network and these dice.

        The entry takes none of them on purpose: nobody but a simulation has others.
        """
        clients = partial(ServiceClient, transport=self._network)
        writers = partial(LedgerWriter, fsync=self._disk.fsync)
        dice = SimpleNamespace(Random=lambda: random.Random(self._rng.random()))
        swaps: list[tuple[object, str, object]] = [
            (running, "ServiceClient", clients),
            (running, "LedgerWriter", writers),
            (running, "Store", partial(Store, fsync=self._disk.fsync)),
            (running, "new_run_id", self._run_id),
            (running, "random", dice),
            (running, "Book", self._open_book),
            (settling, "ServiceClient", clients),
            (settling, "LedgerWriter", writers),
            (settling, "new_run_id", self._run_id),
            (provenance, "ask_git", lambda *_: None),
            (provenance, "this_process", lambda: ME),
        ]
        with ExitStack() as stack:
            for place, name, value in swaps:
                stack.enter_context(mock.patch.object(place, name, value))
            yield

    def _run_id(self) -> RunId:
        return RunId("".join(self._rng.choices("abcdefghijklmnop", k=10)))

    def _open_book(self, *args: Any, **named: Any) -> Book:  # noqa: ANN401
        self.book = _Book(*args, before_closing=self._look, **named)
        return self.book


class _Book(Book):
    """A book that is looked at before anything in it is forgotten."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        before_closing: Callable[[], None],
        **named: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **named)
        self._before_closing = before_closing

    def close(self, job: JobId) -> None:
        """Forget what happened to *job*, once somebody has looked."""
        self._before_closing()
        super().close(job)


def _is_death(error: BaseException) -> bool:
    """Return whether *error* is nothing but the end of a dead process."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_death, error.exceptions))
    # Whatever a dead process still stumbles over, nobody is there to see it.
    return isinstance(error, CrashedError | trio.Cancelled | Exception)
