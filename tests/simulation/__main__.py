"""Many seeds in a row: `python -m tests.simulation --seeds 1000`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from tests.simulation.life import Lived, live

_TOLD_EVERY = 250


def _arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run foxbatch through random days, and check that it keeps its "
        "promises.",
    )
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell the whole story of a seed"
    )
    return parser.parse_args(typed)


def _lives(seeds: Iterable[int], workers: int) -> Iterator[Lived]:
    if workers == 1:
        yield from map(live, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        # A function of this module would be one of another `__main__` there.
        yield from pool.imap(live, seeds, chunksize=8)


def main(typed: Sequence[str] | None = None) -> int:
    """Run the seeds that were asked for; return 1 if one of them failed."""
    wanted = _arguments(typed)
    if wanted.seed is not None:
        return _show(live(wanted.seed, loud=wanted.verbose))
    began = time.monotonic()
    totals = [0, 0, 0, 0]
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    for count, lived in enumerate(_lives(seeds, wanted.workers), start=1):
        sums = (lived.tasks, lived.facts, lived.crashes, lived.processes)
        totals = [a + b for a, b in zip(totals, sums, strict=True)]
        if lived.violations:
            return _show(lived)
        if count % _TOLD_EVERY == 0 or count == wanted.seeds:
            tasks, facts, crashes, processes = totals
            _say(
                f"{count} seeds: {processes} processes, {crashes} crashes, "
                f"{tasks} tasks, {facts} facts, {time.monotonic() - began:.0f} s"
            )
    return 0


def _show(lived: Lived) -> int:
    for line in lived.story:
        _say(line)
    if not lived.violations:
        _say(f"seed {lived.seed} is good (trace {lived.trace})")
        return 0
    _say(f"seed {lived.seed} failed (trace {lived.trace}):")
    for violation in lived.violations[:5]:
        _say(f"  {violation}")
    _say(f"replay it: python -m tests.simulation --seed {lived.seed} -v")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.pop("FOXAPI_API_KEY", None)
    sys.exit(main())
