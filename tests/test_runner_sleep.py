"""Machines that sleep and processes that are suspended: clocks jump by hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trio.testing

from foxbatch.errors import ExitCode
from foxbatch.events import Event, ResultsSeen, SubmitAccepted
from foxbatch.policy import Budget, PollPolicy
from foxbatch.state import Phase
from tests.conftest import LoopClock
from tests.runner_harness import Late, Reply, World, many, meets

NIGHT_S = 8 * 3_600.0


@pytest.fixture
def time() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.fixture
def anyio_backend(time: trio.testing.MockClock) -> tuple[str, dict[str, object]]:
    return "trio", {"clock": time}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path, poll=PollPolicy(wait_s=1_800))


class Sleeper(LoopClock):
    """The wall clock goes on where the other one stands still."""

    slept = timedelta()

    def now(self) -> datetime:
        return super().now() + self.slept


@pytest.mark.anyio
class TestSuspended:
    """Both clocks go on, and the process does not."""

    async def test_tasks_that_ended_meanwhile_are_done_and_not_overdue(
        self, world: World, time: trio.testing.MockClock
    ) -> None:
        def nap(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                time.jump(NIGHT_S)

        ran = await world.run(many(3, "[sandbox:slow 60]"), observe=nap)

        assert ran.phases == {Phase.DONE: 3}

    async def test_a_task_that_still_runs_is_overdue_after_one_more_look(
        self, world: World, time: trio.testing.MockClock
    ) -> None:
        def nap(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                time.jump(NIGHT_S)

        ran = await world.run(many(2, f"[sandbox:slow {NIGHT_S * 9}]"), observe=nap)

        asked = {one.path for one in world.service.sent if one.kind == "poll"}
        assert ran.phases == {Phase.OVERDUE: 2}
        assert len(asked) == 2

    async def test_a_submission_under_way_is_not_given_up(
        self, world: World, time: trio.testing.MockClock
    ) -> None:
        world.service.door = meets(post=[None, Late(1, Reply(500)), 20.0])

        def nap(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted) and time.current_time() < NIGHT_S:
                time.jump(NIGHT_S)

        ran = await world.run(many(3), observe=nap)

        assert ran.phases == {Phase.DONE: 2, Phase.HELD: 1}


@pytest.mark.anyio
class TestSlept:
    """The wall clock goes on, and the other one does not."""

    @pytest.fixture
    def clock(self, world: World) -> Sleeper:
        world.clock = Sleeper()
        return world.clock

    async def test_patience_and_submissions_take_no_notice(
        self, world: World, clock: Sleeper
    ) -> None:
        def nap(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                clock.slept += timedelta(seconds=NIGHT_S)

        ran = await world.run(many(3, "[sandbox:slow 60]"), observe=nap)

        assert ran.phases == {Phase.DONE: 3}

    async def test_results_are_kept_from_when_they_are_seen(
        self, world: World, clock: Sleeper
    ) -> None:
        clock.slept = timedelta(seconds=NIGHT_S)

        ran = await world.run(many(1))

        (seen,) = ran.only("results.seen")
        assert isinstance(seen, ResultsSeen)
        assert seen.valid_until[:10] == "2026-01-02"
        assert seen.valid_until[11:13] == "08"

    @pytest.mark.parametrize(
        ("hours", "code", "phases"),
        [
            pytest.param(
                30, ExitCode.DONE, {Phase.DONE: 2}, id="the next day has its own"
            ),
            pytest.param(
                -30,
                ExitCode.BUDGET,
                {Phase.DONE: 1, Phase.NEW: 1},
                id="a clock that is set back opens no day again",
            ),
        ],
    )
    async def test_a_budget_of_a_day(
        self,
        world: World,
        clock: Sleeper,
        hours: int,
        code: ExitCode,
        phases: dict[Phase, int],
    ) -> None:
        world.budget = Budget(jobs=1, per="day")

        def nap(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                clock.slept = timedelta(hours=hours)

        ran = await world.run(many(2), observe=nap)

        assert ran.outcome.exit_code is code
        assert ran.phases == phases
