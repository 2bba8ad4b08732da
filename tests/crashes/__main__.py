"""Many kills in a row: `python -m tests.crashes --points 200 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.crashes.history import Death, Told, chosen
from tests.crashes.living import Plan, lived, prepared

FLAKY_EACH = 8  # every eighth history meets a service that has a bad day
_TOLD_EVERY = 50


def _plans(wanted: argparse.Namespace, places: Counter[str]) -> list[Plan]:
    if wanted.deaths:
        return [
            Plan(
                f"again {number}.", tuple(map(Death.read, one.split(","))), wanted.flaky
            )
            for number, one in enumerate(wanted.deaths)
        ]
    plans: list[Plan] = []
    while sum(len(plan.deaths) for plan in plans) < wanted.points:
        number = len(plans)
        name = f"{wanted.seed} of {number:05}."
        flaky = number % FLAKY_EACH == FLAKY_EACH - 1
        plans.append(Plan(name, chosen(number, wanted.seed, places), flaky))
    return plans


def _arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crashes",
        description="Kill foxbatch at many points, and check that nothing is lost or "
        "bought twice.",
    )
    parser.add_argument("--points", type=int, default=200, help="how many kills")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of points")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument(
        "--deaths",
        action="append",
        help="live this history, as it was printed; may be given several times",
    )
    parser.add_argument("--flaky", action="store_true", help="on a bad day")
    parser.add_argument("--mutant", default="", help="break foxbatch in this way")
    parser.add_argument("--places", action="store_true", help="list the places")
    return parser.parse_args(typed)


def main(typed: Sequence[str] | None = None) -> int:
    """Live as many histories as it takes; return 1 if one of them went wrong."""
    wanted, began = _arguments(typed), time.monotonic()
    with prepared(wanted.mutant, flaky=wanted.flaky or not wanted.deaths) as place:
        places = Counter() if wanted.deaths else place.places()
        if wanted.places:
            for label, passed in sorted(places.items()):
                _say(f"{passed:4} {label}")
            return 0
        plans = _plans(wanted, places)
        told: list[Told] = []
        for plan, one in zip(plans, lived(place, plans, wanted.workers), strict=True):
            told.append(one)
            for problem in one.problems[:3]:
                _say(f"{plan.replay}\n  {problem}")
            if len(told) % _TOLD_EVERY == 0:
                _say(_sum(told, time.monotonic() - began))
    _say(_sum(told, time.monotonic() - began))
    if places:
        hit = {one.deaths[0].kill.place for one in told} & set(places)
        _say(f"{len(hit)} of {len(places)} places hit by a first kill")
    return 1 if any(one.problems for one in told) else 0


def _sum(told: Sequence[Told], took_s: float) -> str:
    points = sum(len(one.deaths) for one in told)
    killed = sum(one.killed for one in told)
    return (
        f"{len(told)} histories, {points} points, {killed} kills, "
        f"{sum(one.bought for one in told)} tasks, "
        f"{sum(one.settled for one in told)} settled, "
        f"{sum(bool(one.problems) for one in told)} wrong, {took_s:.0f} s"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
