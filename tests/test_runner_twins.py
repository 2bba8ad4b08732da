"""Jobs that were bought twice: both tasks are followed, and neither is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio.testing

from foxbatch.errors import RunDirError
from foxbatch.events import JobPlanned, SubmitIntended
from foxbatch.runner import StopButton
from foxbatch.state import Phase
from tests.runner_harness import World, jobs_of, many


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path / "here")


async def bought_in_two_places(world: World, jobs: list[JobPlanned]) -> World:
    """Buy *jobs* here and in another folder, and put both ledgers in one."""
    there = World(folder=world.folder.with_name("there"), service=world.service)
    for place in (world, there):
        place.detach = True
        await place.run(jobs)
        place.detach = False
    for path in (there.folder / "ledger").iterdir():
        shutil.copy(path, world.folder / "ledger" / path.name)
    return world


@pytest.mark.anyio
@pytest.mark.parametrize("story", ["", "[sandbox:slow 900]"])
async def test_the_files_of_both_are_fetched(world: World, story: str) -> None:
    jobs = many(2, story)
    await bought_in_two_places(world, jobs)

    ran = await world.run(jobs)
    again = await world.run(jobs)

    assert world.service.creations == [2, 2]  # and no more
    assert ran.phases == {Phase.DONE: 2}
    assert len(ran.only("artifact.stored")) == 4
    assert len(ran.only("job.succeeded")) == 4
    assert not any(job.unfinished() for job in ran.state.jobs.values())
    assert again.words == []


@pytest.mark.anyio
async def test_where_one_has_failed_the_other_is_still_asked(world: World) -> None:
    jobs = jobs_of("a fox [sandbox:fail-once 503][sandbox:slow 300]")
    await bought_in_two_places(world, jobs)

    ran = await world.run(jobs)

    assert ran.phases == {Phase.DONE: 1}
    assert len(world.files) == 1
    assert world.service.creations == [2]


@pytest.mark.anyio
async def test_what_was_done_before_the_other_became_known_is_no_reason_to_lose_it(
    world: World,
) -> None:
    jobs = many(1)
    there = World(folder=world.folder.with_name("there"), service=world.service)
    there.detach = True
    await there.run(jobs)
    first = await world.run(jobs)
    for path in (there.folder / "ledger").iterdir():
        shutil.copy(path, world.folder / "ledger" / path.name)

    second = await world.run(jobs)

    assert (first.phases, second.phases) == ({Phase.DONE: 1}, {Phase.DONE: 1})
    assert second.words == [
        "status.seen",
        "results.seen",
        "artifact.stored",
        "job.succeeded",
    ]


@pytest.mark.anyio
async def test_a_task_that_two_attempts_name_is_fetched_once(world: World) -> None:
    """It was settled by hand in one copy, and accepted in the other."""
    jobs = many(1)
    world.detach = True
    await world.run(jobs)
    world.detach = False
    (ledger,) = (world.folder / "ledger").iterdir()
    text = ledger.read_text()
    run = ledger.stem.rpartition("-")[2]
    ledger.with_name("20200101T000000Z-zzzzzzzzzz.jsonl").write_text(
        text.replace(run, "z" * 10)
    )

    ran = await world.run(jobs)

    assert ran.phases == {Phase.DONE: 1}
    assert len(world.files) == 1
    assert world.service.creations == [1]


@pytest.mark.anyio
async def test_nothing_leaves_once_somebody_has_removed_the_lock(world: World) -> None:
    left = [True, True, False]  # the lock goes between two submissions
    world.holds_lock = lambda: left.pop(0) if left else False

    with pytest.raises(RunDirError, match="lock was removed or replaced"):
        await world.run(many(5), stop=StopButton())

    state = world.reading().state
    intents = [
        attempt.intended
        for job in state.jobs.values()
        for attempt in job.attempts.values()
    ]
    assert len(world.service.times("post")) == 2
    assert len([one for one in intents if isinstance(one, SubmitIntended)]) == 3
    assert {str(state.phase(job)) for job in state.jobs} == {"running", "new"}
