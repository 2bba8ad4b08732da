"""Three hundred lives, none of which may cost anything twice or lose anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.life import live
from tests.simulation.scenario import draw

SEEDS, AT_ONCE = 300, 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_is_paid_for_twice_and_nothing_is_lost(first: int) -> None:
    failed = {
        seed: lived.violations[0]
        for seed in range(first, first + AT_ONCE)
        if (lived := live(seed)).violations
    }

    assert not failed, "replay it: python -m tests.simulation --seed N -v"


@pytest.mark.parametrize(
    "seed",
    [
        # A run that a failing disk ended left a provider file whose name was not on
        # the disk; the next run found it there, and a power cut took it away.
        307754,
    ],
)
def test_what_went_wrong_once_is_mended(seed: int) -> None:
    assert not live(seed).violations


def test_a_seed_replays_exactly() -> None:
    """Also in another process, where sets have another order."""
    seed = 19
    mine = live(seed).trace

    found = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert found == {f"seed {seed} is good (trace {mine})\n"}


def test_the_story_of_a_seed_tells_requests_facts_and_crashes() -> None:
    story = "\n".join(live(0, loud=True).story)

    for word in ("=== Day", "post /v1/videos", "arrives: ", "fact ", "the process is"):
        assert word in story


def test_lives_are_of_many_kinds() -> None:
    lives = [draw(seed) for seed in range(300)]
    days = [day for life in lives for day in life.days]

    ends = {type(day.end).__name__ for day in days}
    assert ends == {"Crash", "Stop", "DiskFault", "NoneType"}
    assert {day.command for day in days} == {"run", "collect"}
    assert any(day.naps for day in days)
    assert any(day.skew_s < -3_600 for day in days)
    assert max(_jobs(day.jobs) for day in days) > 30
    assert min(_jobs(day.jobs) for day in days) == 1


def _jobs(entries: object) -> int:
    assert isinstance(entries, tuple)
    return sum(len(entry["prompts"]) * entry["repeat"] for entry in entries)
