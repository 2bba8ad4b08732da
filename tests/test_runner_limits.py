"""How much a run buys: budgets, `--max-new`, and leaving once all is submitted."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio.testing

from foxbatch.errors import ExitCode
from foxbatch.policy import Budget, Limits, RetryPolicy
from foxbatch.state import Phase
from tests.runner_harness import (
    LOST,
    UNPACED,
    UNREACHABLE,
    Reply,
    World,
    always,
    many,
    meets,
)

NO_KEY = Reply(401, {"error": {"message": "Invalid API key"}})
NO_CREDIT = Reply(402, {"error": {"message": "Insufficient balance"}})
BAD_INPUT = Reply(422, {"error": {"message": "duration must be one of 4, 6, 8"}})
SLOW = "[sandbox:slow 90]"


def busy(retry_after: str) -> Reply:
    return Reply(429, None, {"Retry-After": retry_after})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


@pytest.mark.anyio
class TestBudget:
    async def test_it_holds_and_what_was_bought_is_collected(
        self, world: World
    ) -> None:
        world.budget = Budget(jobs=5)

        ran = await world.run(many(12))

        assert ran.outcome.exit_code is ExitCode.BUDGET
        assert ran.outcome.why == "the budget of 5 jobs is used up"
        assert ran.phases == {Phase.DONE: 5, Phase.NEW: 7}

    async def test_it_is_about_the_directory_and_not_about_one_run(
        self, world: World
    ) -> None:
        world.budget = Budget(jobs=5)
        await world.run(many(3))

        ran = await world.run(many(12))

        assert ran.outcome.exit_code is ExitCode.BUDGET
        assert len(world.service.creations) == 5

    async def test_it_holds_for_repetitions_too(self, world: World) -> None:
        world.budget = Budget(jobs=4)
        world.retry = RetryPolicy(attempts=9, classes=frozenset({"service"}))

        ran = await world.run(many(3, "[sandbox:fail service_error]"))

        assert ran.outcome.exit_code is ExitCode.BUDGET
        assert sum(world.service.creations) == 4
        assert ran.phases == {Phase.FAILED: 3}

    async def test_held_jobs_use_it_up_and_refused_ones_do_not(
        self, world: World
    ) -> None:
        world.budget = Budget(jobs=3)
        steps = [None, LOST, BAD_INPUT, UNREACHABLE, busy("1")]
        world.service.door = meets(post=steps)

        ran = await world.run(many(6))

        assert ran.state.bought() == 3
        assert ran.phases == {
            Phase.DONE: 2,
            Phase.HELD: 1,
            Phase.FAILED: 1,
            Phase.NEW: 2,
        }

    async def test_an_exact_budget_is_not_used_up(self, world: World) -> None:
        world.budget = Budget(jobs=3)

        ran = await world.run(many(3))

        assert ran.outcome.exit_code is ExitCode.DONE

    async def test_a_refused_key_later_on_is_the_more_urgent_news(
        self, world: World
    ) -> None:
        world.budget = Budget(jobs=2)
        world.service.door = meets(poll=always(NO_KEY))

        ran = await world.run(many(3))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert "refuses to say how tasks are" in ran.outcome.why


@pytest.mark.anyio
class TestMaxNew:
    async def test_no_more_are_bought_in_one_run(self, world: World) -> None:
        world.most = 2

        first = await world.run(many(5))
        second = await world.run(many(5))

        assert first.outcome.exit_code is ExitCode.DONE
        assert first.phases == {Phase.DONE: 2, Phase.NEW: 3}
        assert second.phases == {Phase.DONE: 4, Phase.NEW: 1}

    async def test_a_refused_job_makes_room_for_another(self, world: World) -> None:
        world.most = 2
        world.service.door = meets(post=[2.0, BAD_INPUT])

        ran = await world.run(many(5))

        assert ran.phases == {Phase.DONE: 2, Phase.FAILED: 1, Phase.NEW: 2}

    async def test_a_repetition_counts(self, world: World) -> None:
        world.most = 1
        world.retry = RetryPolicy(attempts=2, classes=frozenset({"service"}))

        ran = await world.run(many(1, "[sandbox:fail-once service_error]"))

        assert ran.phases == {Phase.FAILED: 1}
        assert world.service.creations == [1]


@pytest.mark.anyio
class TestDetach:
    async def test_it_leaves_when_everything_is_submitted(self, world: World) -> None:
        world.detach = True

        ran = await world.run(many(6, SLOW))

        assert ran.outcome.reason == "detached"
        assert ran.outcome.exit_code is ExitCode.DONE
        assert ran.phases == {Phase.RUNNING: 6}
        assert world.service.times("poll") == []

    async def test_it_waits_for_slots_and_for_what_has_to_be_tried_again(
        self, world: World
    ) -> None:
        world.detach = True
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)
        world.service.door = meets(post=[None, busy("30")])

        ran = await world.run(many(3, SLOW))

        assert ran.outcome.reason == "detached"
        assert ran.phases == {Phase.RUNNING: 1, Phase.DONE: 2}

    async def test_it_leaves_when_nothing_more_can_be_submitted(
        self, world: World
    ) -> None:
        world.detach = True
        world.service.door = meets(post=[None, None, NO_CREDIT])

        ran = await world.run(many(6, SLOW))

        assert ran.outcome.reason == "detached"
        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.phases[Phase.RUNNING] >= 2
        assert world.service.times("poll") == []

    async def test_it_leaves_at_max_new(self, world: World) -> None:
        world.detach, world.most = True, 2

        ran = await world.run(many(6, SLOW))

        assert ran.outcome.reason == "detached"
        assert ran.phases == {Phase.RUNNING: 2, Phase.NEW: 4}
