"""A run whose service says "not now", and how seldom it asks how tasks are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio.testing

from foxbatch.errors import ExitCode
from foxbatch.pace import PaceChange
from foxbatch.policy import Limits
from foxbatch.provider import Polling, load_provider
from foxbatch.sandbox import Sandbox, SandboxOptions
from foxbatch.state import Phase
from tests.runner_harness import SERVICE, UNPACED, Reply, Service, World, many, meets

FULL = Reply(429, {"error": {"message": "Too many tasks at once"}})
TOO_FAST = Reply(429, {"error": {"message": "Too many requests"}}, {"Retry-After": "9"})
NO_QUOTA = Reply(429, {"error": {"code": "insufficient_quota", "message": "no credit"}})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


@pytest.mark.anyio
class TestNotNow:
    async def test_too_many_tasks_leave_as_many_as_were_running(
        self, world: World
    ) -> None:
        world.service = Service(Sandbox(SandboxOptions(in_flight=3)))
        world.limits = Limits(in_flight=8, requests_per_second=UNPACED)

        ran = await world.run(many(20, "[sandbox:slow 60]"))

        assert ran.phases == {Phase.DONE: 20}
        assert ran.governor.pace.tasks.value <= 4
        assert world.service.creations == [1] * 20
        # Without learning, five would knock at the door again and again.
        assert len(ran.only("submit.refused")) <= 15

    async def test_polls_go_on_while_there_are_too_many_tasks(
        self, world: World
    ) -> None:
        full = replace(FULL, headers={"Retry-After": "60"})
        world.service.door = meets(post=[None, full])

        ran = await world.run(many(2, "[sandbox:slow 4]"))

        assert ran.phases == {Phase.DONE: 2}
        assert world.service.times("poll")[0] == pytest.approx(5, abs=1)
        assert world.service.times("post")[-1] >= 60

    async def test_too_many_requests_let_all_rest_and_halve_the_rate(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=8, requests_per_second=4)
        world.service.door = meets(post=[None, TOO_FAST])

        ran = await world.run(many(8, "[sandbox:slow 4]"))

        first, second, *later = world.service.times("post", "poll")
        assert ran.phases == {Phase.DONE: 8}
        assert min(later) >= second + 8.99
        assert later[1] - later[0] > 0.5
        assert first == 0

    async def test_exhausted_credit_stops_submitting_also_as_a_429(
        self, world: World
    ) -> None:
        world.service.door = meets(post=[None, NO_QUOTA])

        ran = await world.run(many(5, "[sandbox:slow 4]"))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.phases[Phase.DONE] >= 1
        assert ran.phases[Phase.NEW] >= 1
        assert ran.governor.pace.rate.value == UNPACED

    async def test_no_minute_holds_more_submissions_than_allowed(
        self, world: World
    ) -> None:
        world.limits = Limits(
            in_flight=50, requests_per_second=UNPACED, submits_per_minute=5
        )

        ran = await world.run(many(17, "[sandbox:slow 30]"))

        times = world.service.times("post")
        assert ran.phases == {Phase.DONE: 17}
        assert all(b - a >= 60 for a, b in zip(times, times[5:], strict=False))
        assert times[-1] < 200


@pytest.mark.anyio
class TestAsking:
    async def test_a_run_learns_to_ask_three_times_for_each_task(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=20, requests_per_second=UNPACED)
        polling = Polling(first_s=5, interval_s=0.5)
        world.provider = replace(SERVICE, polling=polling)

        ran = await world.run(many(300))

        polls = len(world.service.times("poll"))
        assert ran.phases == {Phase.DONE: 300}
        assert polls < 3.8 * 300

    async def test_the_estimate_of_a_reply_moves_the_first_question(
        self, world: World
    ) -> None:
        sandbox = load_provider("sandbox", base=Path())
        polling = Polling(first_s=1, interval_s=1)
        world.provider = replace(sandbox, polling=polling)

        await world.run(many(1))

        assert world.service.times("poll")[0] > 8

    async def test_what_an_earlier_run_left_is_not_asked_about_each_interval(
        self, world: World
    ) -> None:
        world.detach = True
        world.limits = Limits(in_flight=20, requests_per_second=UNPACED)
        jobs = many(20, "[sandbox:slow 300]")
        await world.run(jobs)
        world.detach = False

        ran = await world.run(jobs)

        assert ran.phases == {Phase.DONE: 20}
        assert len(world.service.times("poll")) < 20 * 22  # instead of 60 each

    async def test_questions_that_pile_up_wait_their_turn(self, world: World) -> None:
        world.limits = Limits(in_flight=60, requests_per_second=UNPACED)
        slow = httpx.ReadTimeout("nothing came")
        world.service.door = meets(poll=[slow] * 30)

        ran = await world.run(many(60, "[sandbox:slow 4]"))

        assert ran.phases == {Phase.DONE: 60}


def test_a_change_says_what_was_and_what_is() -> None:
    change = PaceChange("in_flight", 8, 3, 8, "too many tasks at once")

    assert (change.was, change.value, change.ceiling) == (8, 3, 8)
