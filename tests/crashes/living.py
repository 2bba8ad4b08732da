"""Where histories are lived, also several at once."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.crashes.history import Death, History, Told
from tests.crashes.service import Service, serving


@dataclass(frozen=True)
class Plan:
    """One history to be lived.

    Attributes:
        name: Makes its requests unlike all others.
        flaky: Whether the service has a bad day.
    """

    name: str
    deaths: tuple[Death, ...]
    flaky: bool

    @property
    def replay(self) -> str:
        """What to type to live it again."""
        deaths = ",".join(map(str, self.deaths))
        return f'python -m tests.crashes --deaths "{deaths}"' + (
            " --flaky" if self.flaky else ""
        )


@dataclass(frozen=True)
class Place:
    """Where histories are lived: a folder, and two services.

    Attributes:
        mutant: What is broken in foxbatch on purpose.
    """

    folder: Path
    calm: Service
    flaky: Service
    mutant: str

    def live(self, plan: Plan) -> Told:
        """Live one history and leave nothing of it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            service = self.flaky if plan.flaky else self.calm
            folder = Path(name) / "work"
            history = History(folder, service, plan.name, plan.deaths, self.mutant)
            return history.live()

    def places(self) -> Counter[str]:
        """Return which places a run passes, and how often."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            return History(Path(name) / "work", self.calm, "measured", ()).trace()


@contextmanager
def prepared(mutant: str, *, flaky: bool) -> Iterator[Place]:
    """Give a place; the services end with the block. Without *flaky* there is one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        calm = stack.enter_context(serving(folder / "calm"))
        bad = calm
        if flaky:
            bad = stack.enter_context(serving(folder / "flaky", faults="flaky"))
        yield Place(folder, calm, bad, mutant)


def lived(place: Place, plans: Sequence[Plan], workers: int) -> Iterator[Told]:
    """Live all *plans* and yield what came of each, in their order."""
    if workers == 1:
        yield from map(place.live, plans)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(place.live, plans)
