from __future__ import annotations

import anyio
import pytest
import trio.testing

from foxbatch.governor import REQUESTS_AT_ONCE, Governor, Slots
from foxbatch.pace import PaceChange
from foxbatch.policy import Limits
from tests.conftest import LoopClock


class SlowClock(LoopClock):
    """A machine so busy that the first wait ends much too late."""

    def __init__(self, late_s: float) -> None:
        self._late_s = late_s

    async def sleep(self, seconds: float) -> None:
        late_s, self._late_s = self._late_s, 0.0
        await anyio.sleep(seconds + late_s)


def governor_of(
    *, requests_per_second: float = 5, clock: LoopClock | None = None
) -> Governor:
    limits = Limits(requests_per_second=requests_per_second)
    return Governor(limits, clock=clock or LoopClock())


async def starts_of(
    governor: Governor, count: int, *, takes_s: float = 0.0
) -> list[float]:
    """Return when each of *count* requests that come together started, in order."""
    starts = [-1.0] * count

    async def ask(number: int) -> None:
        async with governor.request() as begin:
            begin()
            starts[number] = anyio.current_time()
            await anyio.sleep(takes_s)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(ask, number)
            await anyio.lowlevel.checkpoint()
    return starts


class TestUnderVirtualTime:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

    @pytest.mark.anyio
    async def test_hundred_requests_at_five_per_second_are_spread_evenly(self) -> None:
        starts = await starts_of(governor_of(), 100)

        assert starts == pytest.approx([number * 0.21 for number in range(100)])

    @pytest.mark.anyio
    async def test_a_start_that_comes_late_crowds_no_later_second(self) -> None:
        governor = governor_of(requests_per_second=1, clock=SlowClock(late_s=0.9))

        starts = await starts_of(governor, 4)

        assert starts == pytest.approx([0, 1.95, 3, 4.05])

    @pytest.mark.anyio
    async def test_a_turn_counts_from_when_its_request_really_starts(self) -> None:
        """What is written down before a POST leaves may take its time."""
        governor = governor_of(requests_per_second=1)

        async with governor.request() as begin:
            await anyio.sleep(10)
            begin()
        (start,) = await starts_of(governor, 1)

        assert start == pytest.approx(11.05)

    @pytest.mark.anyio
    async def test_a_turn_that_nobody_takes_is_none(self) -> None:
        governor = governor_of(requests_per_second=1)

        async with governor.request():
            pass
        (start,) = await starts_of(governor, 1)

        assert start == 0

    @pytest.mark.anyio
    async def test_nothing_starts_while_the_service_wants_a_rest(self) -> None:
        governor = governor_of(requests_per_second=1)
        governor.pace.rest(anyio.current_time(), 10)
        governor.pace.rest(anyio.current_time(), 1)  # shortens nothing

        starts = await starts_of(governor, 2)

        assert starts == pytest.approx([10, 11.05])

    @pytest.mark.anyio
    async def test_a_rest_that_begins_during_the_wait_holds_and_keeps_the_order(
        self,
    ) -> None:
        governor = governor_of(requests_per_second=1)
        starts: list[float] = []

        async def ask() -> None:
            starts.extend(await starts_of(governor, 3))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(0.5)
            governor.pace.rest(anyio.current_time(), 1)

        assert starts == pytest.approx([0, 1.5, 2.55])

    @pytest.mark.anyio
    async def test_no_more_requests_go_on_at_once_than_the_pool_can_bear(self) -> None:
        governor = governor_of(requests_per_second=1000)

        *first, last = await starts_of(governor, REQUESTS_AT_ONCE + 1, takes_s=30)

        assert max(first) < 0.1
        assert last == pytest.approx(30)

    @pytest.mark.anyio
    async def test_a_request_that_is_cancelled_takes_no_turn(self) -> None:
        governor = governor_of(requests_per_second=1)
        await starts_of(governor, 1)

        with anyio.move_on_after(0.5):
            await starts_of(governor, 1)
        starts = await starts_of(governor, 2)

        assert starts == pytest.approx([1.05, 2.1])

    @pytest.mark.anyio
    async def test_polls_pass_submissions_that_have_to_wait_for_a_minute(self) -> None:
        limits = Limits(requests_per_second=100, submits_per_minute=2)
        governor, clock = Governor(limits, clock=LoopClock()), LoopClock()
        submits: list[float] = []

        async def submit() -> None:
            async with governor.submission() as begin:
                begin()
                submits.append(clock.monotonic())

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(submit)
            await anyio.sleep(1)
            polls = await starts_of(governor, 10)

        assert max(polls) < 2
        assert submits == pytest.approx([0, 0, 60, 60], abs=1)
        assert submits[2] >= 60

    @pytest.mark.anyio
    async def test_a_submission_that_does_not_begin_lets_the_next_one_come(
        self,
    ) -> None:
        governor = governor_of(requests_per_second=1)

        async with governor.submission():
            pass
        async with governor.submission() as begin:
            begin()

        assert anyio.current_time() == 0

    @pytest.mark.anyio
    async def test_too_many_tasks_let_submissions_wait_and_polls_go_on(self) -> None:
        told: list[PaceChange] = []
        limits = Limits(in_flight=20, requests_per_second=100)
        governor = Governor(limits, clock=LoopClock(), on_change=told.append)

        governor.refused("tasks", began=-1, asked_s=30, running=7)
        (poll,) = await starts_of(governor, 1)
        async with governor.submission() as begin:
            begin()

        assert poll == 0
        assert anyio.current_time() == 30
        assert governor.in_flight.limit == 7
        assert [(change.limit, change.value) for change in told] == [("in_flight", 7)]

    @pytest.mark.anyio
    async def test_a_limit_that_grows_lets_those_in_who_wait(self) -> None:
        governor = Governor(Limits(in_flight=2), clock=LoopClock())
        governor.refused("tasks", began=-1, asked_s=0, running=1)
        await governor.in_flight.acquire()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(governor.in_flight.acquire)
            await anyio.sleep(20)
            assert governor.in_flight.taken == 1
            governor.answered(began=19)

        assert governor.in_flight.taken == 2


@pytest.mark.anyio
class TestSlots:
    async def test_at_the_limit_newcomers_wait_for_a_release(self) -> None:
        slots = Slots(2)
        order: list[str] = []

        async def come(name: str) -> None:
            await slots.acquire()
            order.append(name)

        async with anyio.create_task_group() as tasks:
            await slots.acquire()
            await slots.acquire()
            tasks.start_soon(come, "newcomer")
            await anyio.wait_all_tasks_blocked()
            order.append("release")
            slots.release()

        assert order == ["release", "newcomer"]
        assert slots.taken == 2

    async def test_what_is_adopted_counts_also_beyond_the_limit(self) -> None:
        slots = Slots(1)
        slots.adopt()
        slots.adopt()

        slots.release()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await slots.acquire()

        assert scope.cancelled_caught
        assert slots.taken == 1
