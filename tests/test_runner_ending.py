"""Every way in which a run can end early, and what the next one makes of it."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path

import anyio
import pytest
import trio.testing

from foxbatch.api import read_log
from foxbatch.errors import ExitCode, LedgerError, RunDirError
from foxbatch.events import Event, JobPlanned, SubmitAccepted, SubmitUnknown
from foxbatch.policy import Limits, RetryPolicy
from foxbatch.runner import Ending, StopButton
from foxbatch.state import Phase
from tests.runner_harness import (
    UNPACED,
    UNREACHABLE,
    Ran,
    Service,
    World,
    always,
    full_disk,
    jobs_of,
    many,
    meets,
)

SLOW = "[sandbox:slow 120]"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


async def run_and_press(
    world: World,
    jobs: int,
    *,
    after_s: float,
    story: str = SLOW,
    why: Ending = "interrupted",
) -> tuple[Ran, float]:
    """Press the button *after_s*; return what was left, and when the run ended."""
    stop = StopButton()
    found: list[Ran] = []

    async def run() -> None:
        found.append(await world.run(many(jobs, story), stop=stop))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.sleep(after_s)
        stop.press(why)
    return found[0], anyio.current_time()


@pytest.mark.anyio
class TestTheStopButton:
    async def test_gives_posts_under_way_four_seconds(self, world: World) -> None:
        world.service.door = meets(post=[None, 12.0, 100.0])

        ran, ended = await run_and_press(world, 3, after_s=10, why="interrupted")

        assert ended == 14
        assert ran.phases == {Phase.RUNNING: 2, Phase.HELD: 1}
        (unknown,) = ran.only("submit.unknown")
        assert isinstance(unknown, SubmitUnknown)
        assert unknown.why == "interrupted before an answer came"
        assert ran.outcome.exit_code is ExitCode.INTERRUPTED
        assert ran.outcome.reason == "interrupted"

    async def test_lets_no_post_begin(self, world: World) -> None:
        world.limits = Limits(in_flight=50, requests_per_second=1)

        ran, ended = await run_and_press(world, 20, after_s=3.5)

        assert world.service.times("post") == [0, 1.05, 2.1, 3.15]
        assert ran.phases == {Phase.RUNNING: 4, Phase.NEW: 16}
        assert ended == 3.5

    async def test_pressed_by_a_fact_lets_not_even_the_next_post_begin(
        self, world: World
    ) -> None:
        stop = StopButton()

        def observe(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                stop.press("interrupted")

        ran = await world.run(many(20, SLOW), stop=stop, observe=observe)

        assert ran.words == ["submit.intended", "submit.accepted"]

    async def test_pressed_before_the_run_sends_nothing(self, world: World) -> None:
        stop = StopButton()
        stop.press("interrupted")
        stop.press("stop_after")

        ran = await world.run(many(5), stop=stop)

        assert world.service.sent == []
        assert ran.outcome.reason == "interrupted"

    async def test_leaves_tasks_running_and_the_next_run_collects_them(
        self, world: World
    ) -> None:
        first, _ = await run_and_press(world, 5, after_s=60, why="stop_after")

        second = await world.run(many(5, SLOW))

        assert first.outcome.exit_code is ExitCode.REMOTE
        assert first.phases == {Phase.RUNNING: 5}
        assert second.phases == {Phase.DONE: 5}
        assert world.service.creations == [1] * 5

    async def test_leaves_no_whole_file_behind_that_is_not_recorded(
        self, world: World
    ) -> None:
        world.service.door = meets(file=always(100.0))

        first, _ = await run_and_press(world, 3, after_s=50, story="[sandbox:slow 4]")
        files = world.files
        world.service.door = meets()
        second = await world.run(many(3, "[sandbox:slow 4]"))

        assert (first.phases, files) == ({Phase.DOWNLOADING: 3}, [])
        assert second.phases == {Phase.DONE: 3}


@pytest.mark.anyio
class TestCancellationFromOutside:
    async def test_leaves_every_post_under_way_unknown(self, world: World) -> None:
        world.service.door = meets(post=[None, *[100.0] * 4])

        with anyio.move_on_after(10):
            await world.run(many(5, SLOW))

        state = world.reading().state
        phases = Counter(state.phase(job) for job in state.jobs)
        assert phases == {Phase.RUNNING: 1, Phase.HELD: 4}
        facts = [a.unknown for j in state.jobs.values() for a in j.attempts.values()]
        assert [f.why for f in facts if f] == ["interrupted before an answer came"] * 4

    async def test_the_next_run_goes_on(self, world: World) -> None:
        with anyio.move_on_after(10):
            await world.run(many(5, SLOW))

        ran = await world.run(many(5, SLOW))

        assert ran.phases == {Phase.DONE: 5}
        assert world.service.creations == [1] * 5


class FullAfter:
    """A disk that has room for so many durable writes to files."""

    def __init__(self, writes: int) -> None:
        self._left = writes

    def __call__(self, handle: int) -> None:
        self._left -= stat.S_ISREG(os.fstat(handle).st_mode)
        if self._left < 0:
            full_disk(handle)


@pytest.mark.anyio
class TestAFullDisk:
    @pytest.mark.parametrize("writes", range(1, 38, 4))
    async def test_comes_out_as_one_error_of_our_own(
        self, world: World, writes: int
    ) -> None:
        world.fsync = FullAfter(writes)
        world.service.reply_takes_s = 1

        with pytest.raises(LedgerError, match="No space left on device"):
            await world.run(many(12, "[sandbox:slow 4]"))

    async def test_is_asked_three_times_for_each_job(self, world: World) -> None:
        """For the intent, the acceptance, and the file with what it means."""
        asked: list[int] = []
        world.fsync = asked.append
        await world.run(many(1))
        first = len(asked)

        await world.run(many(5))

        # The second run has four jobs more than what the first has done, and syncs
        # the file of the first.
        assert len(asked) - first == 4 * 3 + (first - 3) + 1

    async def test_sends_nothing_whose_intent_could_not_be_written(
        self, world: World
    ) -> None:
        world.fsync = FullAfter(1)

        with pytest.raises(LedgerError):
            await world.run(many(3))

        assert world.service.sent == []

    async def test_an_acceptance_that_could_not_be_written_is_not_lost(
        self, world: World
    ) -> None:
        """The id is known to this process alone, so it has to be said."""
        world.fsync = FullAfter(2)  # the plan and the intent, not the acceptance

        with pytest.raises(LedgerError) as caught:
            await world.run(many(1))

        (task,) = world.service.sandbox.tasks
        assert f"task={task}" in caught.value.hint
        assert "foxbatch recover --from-log" in caught.value.hint
        (found,) = read_log([caught.value.hint])
        assert found.task == task

    async def test_of_a_file_gives_posts_under_way_their_four_seconds(
        self, world: World
    ) -> None:
        """The ledger has room: nothing has to be held."""
        world.fsync_files = full_disk
        world.limits = Limits(in_flight=9, requests_per_second=UNPACED)
        world.service.door = meets(post=[None, *[3.0] * 4])
        jobs = jobs_of("A fox [sandbox:slow 0]", *[f"Fox {n} {SLOW}" for n in range(4)])

        with pytest.raises(RunDirError, match="No space left on device"):
            await world.run(jobs)

        state = world.reading().state
        found = Counter(state.phase(job.job) for job in jobs)
        assert found == {Phase.DOWNLOADING: 1, Phase.RUNNING: 4}

    async def test_a_bug_beside_it_is_not_hidden(self, world: World) -> None:
        """An error that nobody foresaw is shown with everything that came with it."""

        def observe(fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                world.fsync = FullAfter(0)
                raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:
            await world.run(many(1), observe=observe)

        assert caught.group_contains(ZeroDivisionError)


DEAD = always(UNREACHABLE)


class PowerCutError(BaseException):
    """The process is gone."""


class PowerCut:
    """Ends the process as soon as a run has written *facts* facts."""

    def __init__(self, service: Service, facts: int) -> None:
        self._service = service
        self._left = facts

    def __call__(self, _fact: Event) -> None:
        self._left -= 1
        if self._left == 0:
            # Other tasks come to their next wait before they learn of it.
            self._service.door = meets(post=DEAD, poll=DEAD, file=DEAD)
            raise PowerCutError


async def crash_after(world: World, facts: int, jobs: list[JobPlanned]) -> bool:
    """Run, and be gone after so many facts; return whether it came to that."""
    try:
        await world.run(jobs, observe=PowerCut(world.service, facts))
    except* PowerCutError:
        world.service.door = meets()
    else:
        return False
    # What was written while the stack unwound is what a dead process did not write.
    (path,) = (world.folder / "ledger").glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:facts]))
    return True


JOBS = jobs_of(
    "A fox [sandbox:slow 4]",
    "A fox that fails once [sandbox:fail-once service_error] [sandbox:slow 4]",
    "A fox that is lost [sandbox:lost-reply]",
    "A hen that is empty once [sandbox:empty-once] [sandbox:slow 9]",
)


@pytest.mark.anyio
async def test_wherever_a_run_is_killed_nothing_is_bought_twice_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    """Cut off behind every single fact; the same command again ends all jobs."""
    for facts in range(1, 100):
        service = Service()
        service.reply_takes_s = 0.5
        world = World(
            folder=tmp_path / str(facts),
            service=service,
            retry=RetryPolicy(attempts=2, classes=frozenset({"service"})),
            limits=Limits(in_flight=3, requests_per_second=UNPACED),
        )
        crashed = await crash_after(world, facts, JOBS)

        ran = await world.run(JOBS)

        assert set(ran.phases) <= {Phase.DONE, Phase.HELD}, facts
        bought = {job: len(s.attempts) for job, s in ran.state.jobs.items()}
        assert sum(service.creations) <= sum(bought.values())
        assert max(service.creations) <= 2
        assert service.creations.count(2) <= 1, facts
        done = [j for j in JOBS if ran.phase_of(j) is Phase.DONE]
        assert len(world.files) == len(done)
        if not crashed:
            break
    else:
        pytest.fail("the story has more than 100 facts")
    assert facts > 25


@pytest.mark.anyio
async def test_an_intent_without_an_outcome_is_held_by_the_next_run(
    world: World,
) -> None:
    jobs = many(1)
    await crash_after(world, 3, jobs)  # run.started, job.planned, submit.intended

    ran = await world.run(jobs)

    assert ran.phases == {Phase.HELD: 1}
    assert ran.words == []
    assert world.service.sent == []
