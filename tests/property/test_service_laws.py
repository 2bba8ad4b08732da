"""Whatever a service says, as long as it is JSON: a run ends, and tells it in JSON."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from random import Random

import httpx
import trio
import trio.testing
from hypothesis import given, settings, strategies as st

from foxbatch import api
from foxbatch.canonical import Json
from foxbatch.policy import PollPolicy, RetryPolicy
from foxbatch.provider import load_provider
from tests.runner_harness import Ran, World, jobs_of, kind_of

SERVICE = load_provider("sandbox", base=Path())
STRANGE: list[Json] = json.loads(
    r"""[
    null, true, false, 0, -1, 1e308, -1e308, 5e-324, 9007199254740993, 1000000000000000,
    18446744073709551616, 1000000000000000000000000000000, "", "nan", "inf", "1e999",
    "\u0000", "\ud83d\ude00", [], {}, [[]], "completed", "failed", "pending",
    "processing", {"a": null}, [null], [{}], [{"url": null}], [{"url": ""}],
    [{"url": 5}], [{"url": "http://"}], [{"url": "http://[::1"}], [{"url": "//x"}],
    [{"url": "http://127.0.0.1:99999/x"}], [{"url": "data:,a"}], [{"url": "ftp://x/y"}],
    1785830400000, -62135596801, 253402300801, "2026-01-01T00:00:00Z"
    ]"""
)
WAITS = ["", "5", "-1", "1e9", "nan", "9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT", "x"]
STATUSES = [200, 201, 202, 400, 404, 422, 429, 500, 503]
PLACES = ["error", "results", "status", "usage", "progress", "id", "estimated_time"]


def changed(rng: Random, value: Json) -> Json:
    """Return a reply in which some values are others, missing, or too many."""
    if rng.random() < 0.08:
        return rng.choice(STRANGE)
    match value:
        case dict():
            kept = {
                key: changed(rng, one)
                for key, one in value.items()
                if rng.random() > 0.03
            }
            if rng.random() < 0.1:
                kept[rng.choice(PLACES)] = rng.choice(STRANGE)
            return kept
        case list():
            return [changed(rng, one) for one in value] * (1 + (rng.random() < 0.05))
        case _:
            return value


async def lived(rng: Random, folder: Path) -> Ran:
    """Run some jobs against a service that talks like that for a while."""
    world = World(folder=folder, provider=SERVICE)
    world.poll = PollPolicy(wait_s=1800)
    world.retry = RetryPolicy(attempts=2, classes=frozenset({"capacity", "service"}))
    strange = rng.randint(3, 25)

    async def door(request: httpx.Request) -> httpx.Response | None:
        nonlocal strange
        if kind_of(request) == "file" or not strange:
            return None
        strange -= 1
        reply = await world.service.inner.handle_async_request(request)
        body = changed(rng, json.loads(await reply.aread()))
        status = reply.status_code if rng.random() > 0.1 else rng.choice(STATUSES)
        headers = {"Content-Type": "application/json"}
        if rng.random() < 0.5:
            headers["Retry-After"] = rng.choice(WAITS)
        return httpx.Response(status, content=json.dumps(body), headers=headers)

    world.service.door = door
    jobs = jobs_of("a", "b [sandbox:slow 90]", "c [sandbox:fail 503]", "d")
    await world.run(jobs)
    strange = 0
    return await world.run(jobs)


@settings(max_examples=30, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_a_run_ends_and_tells_what_it_came_to(rng: Random) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        clock = trio.testing.MockClock(autojump_threshold=0)
        ran = trio.run(partial(lived, rng, folder), clock=clock)
        json.dumps(api.status(folder).to_json(), allow_nan=False)
        records = api.results(folder)
    finally:
        shutil.rmtree(folder)

    assert {record.job for record in records} == ran.state.jobs.keys()
    assert not any(job.unexplained_purchases() for job in ran.state.jobs.values())
