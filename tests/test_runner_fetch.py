"""Getting results onto the disk: the files of one task, however often it takes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
import trio.testing

from foxbatch.clock import from_text
from foxbatch.errors import ExitCode, RunDirError
from foxbatch.events import (
    ArtifactStored,
    JobFailed,
    ResultsSeen,
    StatusSeen,
    WatchEnded,
)
from foxbatch.policy import Limits, PollPolicy
from foxbatch.runner import StopButton
from foxbatch.state import Phase
from tests.runner_harness import (
    FILM,
    FILM_REPLY,
    UNPACED,
    UNREACHABLE,
    Late,
    Ran,
    Reply,
    Step,
    World,
    always,
    full_disk,
    jobs_of,
    kind_of,
    many,
    meets,
)

SOON = "[sandbox:slow 4]"
DENIED = Reply(403)
A_DAY_S = 86_400
PLACE = "http://127.0.0.1:8/files"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


def finished_with(*results: object) -> list[Step]:
    """Return a final answer to a poll with these *results*."""
    body = {"id": "task-1", "status": "completed", "results": list(results)}
    return [Reply(200, body)]


ACCEPTED: list[Step] = [Reply(200, {"id": "task-1", "status": "pending"})]


def stored(ran: Ran) -> list[ArtifactStored]:
    return [fact for fact in ran.facts if isinstance(fact, ArtifactStored)]


@pytest.mark.anyio
class TestFiles:
    async def test_the_file_is_what_the_service_offers(self, world: World) -> None:
        ran = await world.run(many(1))

        (fact,) = stored(ran)
        (path,) = world.files
        assert path.read_bytes() == FILM
        assert path == world.folder / fact.path
        assert (fact.item, fact.bytes) == (1, len(FILM))

    async def test_several_results_are_numbered(self, world: World) -> None:
        world.service.door = meets(
            post=ACCEPTED,
            poll=finished_with({"url": f"{PLACE}/a"}, {"url": f"{PLACE}/b"}),
            file=[FILM_REPLY, FILM_REPLY],
        )

        ran = await world.run(many(1))

        assert [fact.item for fact in stored(ran)] == [1, 2]
        assert [Path(fact.path).stem[-2:] for fact in stored(ran)] == ["-1", "-2"]
        assert ran.phases == {Phase.DONE: 1}

    async def test_a_result_without_an_address_is_kept_as_json(
        self, world: World
    ) -> None:
        voice = {"voice_id": "v-1"}
        world.service.door = meets(post=ACCEPTED, poll=finished_with(voice))

        ran = await world.run(many(1))

        (path,) = world.files
        assert path.suffix == ".json"
        assert json.loads(path.read_text()) == voice
        assert stored(ran)[0].media.kind == "json"

    async def test_what_differs_from_the_request_is_recorded_and_fails_nothing(
        self, world: World
    ) -> None:
        ran = await world.run(many(1))

        assert stored(ran)[0].mismatch == (
            "asked for video, got something that cannot be read",
        )
        assert ran.phases == {Phase.DONE: 1}


@pytest.mark.anyio
class TestFaults:
    async def test_a_download_that_fails_is_tried_again(self, world: World) -> None:
        page = Reply(200, "<html>", {"Content-Type": "text/html"})
        faults: list[Step] = [UNREACHABLE, Reply(500), page, httpx.ReadError("cut")]
        world.service.door = meets(file=faults)

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DONE: 1}
        assert [path.read_bytes() for path in world.files] == [FILM]

    async def test_a_download_that_is_cut_short_is_gone_on_with(
        self, world: World
    ) -> None:
        ranges: list[str | None] = []

        async def door(request: httpx.Request) -> httpx.Response | None:
            if kind_of(request) != "file":
                return None
            ranges.append(request.headers.get("range"))
            if len(ranges) > 1:
                return None
            return httpx.Response(
                200,
                headers={"Content-Type": "video/mp4", "ETag": await etag(world)},
                stream=Torn(FILM[:300]),
            )

        world.service.door = door

        ran = await world.run(many(1, SOON))

        assert ranges == [None, "bytes=300-"]
        assert [path.read_bytes() for path in world.files] == [FILM]
        assert ran.phases == {Phase.DONE: 1}

    async def test_a_file_that_cannot_be_had_now_keeps_no_other_waiting(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=9, requests_per_second=UNPACED, downloads=1)
        jobs = jobs_of("A bad fox [sandbox:slow 4]", "A good fox [sandbox:slow 5]")
        tasks: list[str] = []

        async def door(request: httpx.Request) -> httpx.Response | None:
            if kind_of(request) != "file":
                return None
            tasks.append(request.url.path)
            return httpx.Response(500) if request.url.path == tasks[0] else None

        world.service.door = door

        ran = await world.run(jobs)

        assert ran.phases == {Phase.DONE: 1, Phase.DOWNLOADING: 1}
        (succeeded,) = ran.only("job.succeeded")
        (ended,) = ran.only("watch.ended")
        assert succeeded.at < "2026-01-01T00:01"
        assert ended.at.startswith("2026-01-01T00:30:0")

    async def test_what_nobody_recognises_is_fetched_once_more_before_it_is_kept(
        self, world: World
    ) -> None:
        junk = Reply(200, b"\1\2" * 99, {"Content-Type": "video/mp4"})
        world.service.door = meets(file=[junk])
        first = await world.run(many(1, SOON))
        world.service.door = meets(file=[junk, junk])

        second = await world.run(jobs_of("Another fox"))

        assert [fact.bytes for fact in stored(first)] == [len(FILM)]
        assert [fact.bytes for fact in stored(second)] == [198]

    async def test_junk_after_a_failed_try_is_not_kept_for_the_film(
        self, world: World
    ) -> None:
        junk = Reply(200, b"\1\2" * 99, {"Content-Type": "video/mp4"})
        world.service.door = meets(file=[Reply(503), junk])

        ran = await world.run(many(1, SOON))

        assert [fact.bytes for fact in stored(ran)] == [len(FILM)]

    async def test_an_address_that_expired_is_asked_for_again(
        self, world: World
    ) -> None:
        world.service.door = meets(file=[DENIED])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DONE: 1}
        assert ran.words.count("results.seen") == 2

    async def test_asking_for_results_again_prolongs_nothing(
        self, world: World
    ) -> None:
        world.service.door = meets(file=[DENIED])

        ran = await world.run(many(1))

        first, second = (f for f in ran.facts if isinstance(f, ResultsSeen))
        assert first.valid_until == second.valid_until

    async def test_results_of_a_task_that_was_left_alone_are_taken_for_old(
        self, world: World
    ) -> None:
        world.poll = PollPolicy(wait_s=10)
        left = await world.run(many(1, "[sandbox:slow 60]"))
        (running,) = (fact for fact in left.facts if isinstance(fact, StatusSeen))
        await anyio.sleep(A_DAY_S / 2)

        ran = await world.run(many(1, "[sandbox:slow 60]"))

        (seen,) = (fact for fact in ran.facts if isinstance(fact, ResultsSeen))
        kept = from_text(seen.valid_until) - from_text(running.at)
        assert left.phases == {Phase.OVERDUE: 1}
        assert ran.phases == {Phase.DONE: 1}
        assert kept.total_seconds() == A_DAY_S

    async def test_a_file_that_is_denied_again_and_again_is_left_for_later(
        self, world: World
    ) -> None:
        world.service.door = meets(file=always(DENIED))

        first = await world.run(many(1))
        world.service.door = meets()
        second = await world.run(many(1))

        assert first.phases == {Phase.DOWNLOADING: 1}
        assert len(world.service.times("file")) == 4
        assert second.phases == {Phase.DONE: 1}
        assert world.service.creations == [1]

    async def test_only_after_their_day_are_results_gone_for_good(
        self, world: World
    ) -> None:
        world.service.door = meets(file=always(DENIED))

        early = await world.run(many(1, SOON))
        await anyio.sleep(A_DAY_S + 60)
        late = await world.run(many(1, SOON))

        assert early.phases == {Phase.DOWNLOADING: 1}
        assert late.phases == {Phase.FAILED: 1}
        (failed,) = late.only("job.failed")
        assert isinstance(failed, JobFailed)
        assert failed.error_class == "expired"
        assert "2026-01-02T00:00" in failed.message

    async def test_expired_results_are_not_bought_again_unasked(
        self, world: World
    ) -> None:
        world.service.door = meets(file=always(DENIED))
        await world.run(many(1, SOON))
        await anyio.sleep(A_DAY_S + 60)
        await world.run(many(1, SOON))

        await world.run(many(1, SOON))

        assert world.service.creations == [1]

    async def test_patience_for_a_download_ends_and_the_next_run_goes_on(
        self, world: World
    ) -> None:
        world.poll = PollPolicy(wait_s=120)
        world.service.door = meets(file=always(UNREACHABLE))

        first = await world.run(many(1, SOON))
        world.service.door = meets()
        second = await world.run(many(1, SOON))

        (ended,) = first.only("watch.ended")
        assert isinstance(ended, WatchEnded)
        assert (ended.why, ended.message) == (
            "download",
            "the connection could not be made: connection refused",
        )
        assert 120 <= ended.watched_s <= 190
        assert first.phases == {Phase.DOWNLOADING: 1}
        assert second.phases == {Phase.DONE: 1}

    async def test_the_next_run_has_patience_of_its_own(self, world: World) -> None:
        world.poll = PollPolicy(wait_s=60)
        world.service.door = meets(file=always(UNREACHABLE))
        await world.run(many(1, SOON))
        await anyio.sleep(3600)
        world.service.door = meets(file=[UNREACHABLE] * 3)

        ran = await world.run(many(1, SOON))

        assert ran.phases == {Phase.DONE: 1}

    async def test_an_address_that_can_never_be_asked_ends_no_run(
        self, world: World
    ) -> None:
        url = "ftp://files.test/0.mp4"
        answers = finished_with({"url": url}) * 3
        world.service.door = meets(post=ACCEPTED, poll=answers)

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DOWNLOADING: 1}
        assert ran.outcome.exit_code is ExitCode.DONE

    async def test_a_task_that_turns_out_failed_is_failed(self, world: World) -> None:
        """The status may go back; while addresses are asked for again, too."""
        failed = Reply(200, {"id": "task-1", "status": "failed"})
        answers = [*finished_with({"url": f"{PLACE}/a"}), failed]
        world.service.door = meets(post=ACCEPTED, poll=answers, file=[DENIED])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.FAILED: 1}

    async def test_a_task_that_is_gone_while_addresses_are_asked_for_stays_bought(
        self, world: World
    ) -> None:
        answers = [*finished_with({"url": f"{PLACE}/a"}), *[Reply(404)] * 20]
        world.service.door = meets(post=ACCEPTED, poll=answers, file=[DENIED])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DOWNLOADING: 1}

    async def test_a_full_disk_comes_out_as_itself(self, world: World) -> None:
        world.fsync_files = full_disk

        with pytest.raises(RunDirError, match="No space left on device"):
            await world.run(many(3, SOON))


class Torn(httpx.AsyncByteStream):
    """A body whose connection is lost behind its first part."""

    def __init__(self, part: bytes) -> None:
        self._part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        raise httpx.ReadError("the connection was lost")


async def etag(world: World) -> str:
    """Return what the sandbox calls the version of its film."""
    task = next(iter(world.service.sandbox.tasks))
    url = f"{PLACE}/{task}/0.mp4"
    reply = await world.service.inner.handle_async_request(httpx.Request("HEAD", url))
    return reply.headers["etag"]


@pytest.mark.anyio
class TestOrder:
    async def test_what_vanishes_first_is_fetched_first(self, world: World) -> None:
        world.limits = Limits(in_flight=3, requests_per_second=UNPACED, downloads=1)
        world.service.door = meets(file=[100.0])
        jobs = jobs_of(
            "A fox [sandbox:slow 4]",
            "A slow fox [sandbox:slow 60]",
            "A hen [sandbox:slow 30]",
        )

        ran = await world.run(jobs)

        assert [fact.job for fact in stored(ran)] == [
            jobs[0].job,
            jobs[2].job,
            jobs[1].job,
        ]

    async def test_the_next_run_asks_first_about_what_vanishes_first(
        self, world: World
    ) -> None:
        jobs = jobs_of(
            "A hare that never ends [sandbox:slow 90000]",
            "A slow fox [sandbox:slow 60]",
            "A fox [sandbox:slow 4]",
        )
        world.poll = PollPolicy(wait_s=120)
        world.service.door = meets(file=always(DENIED))
        first = await world.run(jobs)
        running, later, sooner = (
            next(iter(first.state.jobs[job.job].attempts.values())).task for job in jobs
        )
        before = len(world.service.sent)
        world.service.door = meets()

        await world.run(jobs)

        polls = [s.path for s in world.service.sent[before:] if s.kind == "poll"]
        asked = [path.rpartition("/")[2] for path in dict.fromkeys(polls)]
        assert asked == [sooner, later, running]

    async def test_what_is_stored_already_is_not_fetched_again(
        self, world: World
    ) -> None:
        answers = finished_with({"url": f"{PLACE}/a"}, {"url": f"{PLACE}/b"})
        stop = StopButton()
        files: list[Step] = [FILM_REPLY, Late(1000, UNREACHABLE)]
        world.service.door = meets(post=ACCEPTED, poll=answers * 2, file=files)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_press_later, stop)
            await world.run(many(1), stop=stop)
        world.service.door = meets(poll=answers, file=[FILM_REPLY])

        ran = await world.run(many(1))

        assert [fact.item for fact in stored(ran)] == [2]
        assert len(world.files) == 2
        assert ran.phases == {Phase.DONE: 1}

    async def test_a_stored_file_that_is_gone_is_fetched_again(
        self, world: World
    ) -> None:
        answers = finished_with({"url": f"{PLACE}/a"}, {"url": f"{PLACE}/b"})
        world.service.door = meets(
            post=ACCEPTED, poll=answers * 3, file=[FILM_REPLY, *[DENIED] * 9]
        )
        await world.run(many(1))
        world.files[0].unlink()
        world.service.door = meets(poll=answers, file=[FILM_REPLY] * 2)

        ran = await world.run(many(1))

        assert [fact.item for fact in stored(ran)] == [1, 2]


async def _press_later(stop: StopButton) -> None:
    await anyio.sleep(100)
    stop.press("interrupted")
