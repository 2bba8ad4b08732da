"""A sample of `python -m tests.crashes`, and a proof that it notices what is broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists() or not hasattr(os, "fork"),
    reason="the harness forks, and asks /proc which file a handle is",
)

# Around the moments at which money or work could be lost, and all that comes after.
HISTORIES = (
    "run@post:begins#3,run@post:sent:late#3,settle@fsync:run.ended:after#1",
    "run@write:submit.accepted:torn#3,run@partial:write:after#1,run@lines#9",
    "run@rename:artifact:after#3,run@rename:results:before#1",
    "run@fsync:submit.accepted:after#5,recover@write:run.ended:torn#1",
)


def crashes(*typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.crashes", *typed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_killed_at_exact_places_nothing_is_lost_and_nothing_bought_twice() -> None:
    typed = [word for one in HISTORIES for word in ("--deaths", one)]

    told = crashes(*typed)

    assert told.returncode == 0, told.stdout + told.stderr
    counted = re.match(r"(\d+) histories, (\d+) points, (\d+) kills", told.stdout)
    assert counted is not None, told.stdout
    assert int(counted[1]) == len(HISTORIES)
    assert int(counted[3]) >= int(counted[2]) - 2  # some are over before their kill


@pytest.mark.parametrize(
    ("mutant", "death", "noticed"),
    [
        pytest.param(
            "intent-after-post", "run@post:reply-whole#3", "lost", id="no-intent"
        ),
        pytest.param(
            "held-bought-again", "run@post:reply-whole#3", "bought 2 times", id="again"
        ),
    ],
)
def test_what_is_broken_on_purpose_is_noticed(
    mutant: str, death: str, noticed: str
) -> None:
    told = crashes("--mutant", mutant, "--deaths", death)

    assert told.returncode == 1, told.stdout
    assert noticed in told.stdout
    assert f'--deaths "{death}"' in told.stdout  # what to type to see it again
