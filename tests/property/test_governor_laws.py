"""Laws of pace: whatever comes when, no second is crowded and no one is overtaken."""

from __future__ import annotations

import math
from itertools import pairwise

import anyio
import trio.testing
from hypothesis import given, strategies as st

from foxbatch.governor import Governor
from foxbatch.pace import Pacer
from foxbatch.policy import Limits
from tests.conftest import LoopClock

rates = st.one_of(
    st.integers(1, 7).map(float),
    st.floats(0.1, 7.5),
)
gaps = st.lists(st.floats(0, 3), min_size=1, max_size=40)


def assert_no_second_is_crowded(starts: list[float], per_second: float) -> None:
    """The next start is at least a second after the N-th last; below one, 1/rate."""
    most = max(1, math.floor(per_second))
    apart_s = max(1.0, 1 / per_second)
    for first, later in zip(starts, starts[most:], strict=False):
        assert later >= first + apart_s


@given(per_second=rates, gaps=gaps)
def test_a_pacer_that_is_obeyed_crowds_no_second(
    per_second: float, gaps: list[float]
) -> None:
    pacer, now = Pacer(per_second), 0.0
    starts = []
    for gap in gaps:
        now = max(now + gap, pacer.opens_at)
        pacer.started(now)
        starts.append(now)

    assert_no_second_is_crowded(starts, per_second)


@given(
    per_second=rates,
    gaps=gaps,
    rests=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 10)), max_size=3),
)
def test_the_governor_crowds_no_second_and_keeps_the_order(
    per_second: float, gaps: list[float], rests: list[tuple[float, float]]
) -> None:
    order: list[int] = []
    starts: list[float] = []
    cooled: list[tuple[float, float]] = []

    async def ask(governor: Governor, number: int) -> None:
        async with governor.request() as begin:
            begin()
            order.append(number)
            starts.append(anyio.current_time())

    async def rest(governor: Governor, begins_s: float, lasts_s: float) -> None:
        await anyio.sleep(begins_s)
        governor.pace.rest(anyio.current_time(), lasts_s)
        cooled.append((anyio.current_time(), anyio.current_time() + lasts_s))

    async def story() -> None:
        limits = Limits(requests_per_second=per_second)
        governor = Governor(limits, clock=LoopClock())
        async with anyio.create_task_group() as tasks:
            for begins_s, lasts_s in rests:
                tasks.start_soon(rest, governor, begins_s, lasts_s)
            for number, gap in enumerate(gaps):
                tasks.start_soon(ask, governor, number)
                await trio.testing.wait_all_tasks_blocked()
                await anyio.sleep(gap)

    clock = trio.testing.MockClock(autojump_threshold=0)
    anyio.run(story, backend="trio", backend_options={"clock": clock})

    assert order == list(range(len(gaps)))
    assert all(a <= b for a, b in pairwise(starts))
    assert_no_second_is_crowded(starts, per_second)
    assert not [at for at in starts for begin, end in cooled if begin < at < end]
