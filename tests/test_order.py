"""Whatever ends a sweep early, what was bought until then is a sample of all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from foxbatch.manifest import parse_manifest
from foxbatch.matrix import Job, expand
from foxbatch.planner import as_planned, plan
from foxbatch.policy import RetryPolicy
from foxbatch.state import BatchState
from tests.runner_harness import SERVICE

AXES: dict[str, Sequence[str | int]] = {
    "time": ["dawn", "noon", "dusk", "night"],
    "film": ["colour", "sepia", "grain"],
    "duration": [4, 6, 8],
    "aspect_ratio": ["16:9", "9:16"],
    "seed": [1, 2, 3, 4, 5],
}


@pytest.fixture(scope="module")
def in_order() -> list[Job]:
    """Return the jobs of a matrix of five axes, as a run would submit them."""
    text = {
        "foxbatch": 1,
        "name": "sweep",
        "provider": "sandbox",
        "defaults": {"model": "veo-3.1-fast", "params": {"generate_audio": False}},
        "jobs": [
            {
                "id": "fox",
                "prompts": ["A fox at ${{ matrix.time }}, ${{ matrix.film }}"],
                "matrix": {"axes": {name: [*values] for name, values in AXES.items()}},
            }
        ],
    }
    manifest = parse_manifest(json.dumps(text).encode(), path=None, shown_as="m.yaml")
    jobs = {job.id: job for job in expand(manifest, SERVICE, lambda _problem: None)}
    wanted = [as_planned(job, manifest.sha256) for job in jobs.values()]
    found = plan(wanted, BatchState(), retry=RetryPolicy())
    return [jobs[job.id] for job in found.jobs]


@pytest.mark.parametrize("axis", AXES)
def test_any_beginning_of_a_sweep_is_spread_over_each_axis(
    in_order: list[Job], axis: str
) -> None:
    """As evenly as a draw without repetition: within three and a half deviations."""
    seen: Counter[object] = Counter()
    share = 1 / len(AXES[axis])
    for number, job in enumerate(in_order, start=1):
        seen[job.cell[axis]] += 1
        left = 1 - (number - 1) / (len(in_order) - 1)
        deviation = (number * share * (1 - share) * left) ** 0.5
        for value in AXES[axis]:
            assert abs(seen[value] - number * share) <= 3.5 * deviation + 1

    assert len(in_order) == 360


def test_soon_every_value_of_every_axis_has_been_submitted(in_order: list[Job]) -> None:
    beginning = in_order[:30]

    for axis, values in AXES.items():
        assert {job.cell[axis] for job in beginning} == set(values)


def test_soon_every_pair_of_values_has_been_submitted(in_order: list[Job]) -> None:
    beginning = in_order[:120]

    pairs = {(job.cell["time"], job.cell["seed"]) for job in beginning}
    assert len(pairs) == 20
