"""A run from its first submission to its last file, and what polls may mean."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio.testing

from foxbatch.client import TaskError, TaskView
from foxbatch.errors import ExitCode
from foxbatch.events import (
    AttemptId,
    Event,
    JobFailed,
    RunEnded,
    StatusSeen,
    SubmitIntended,
    TaskId,
    WatchEnded,
)
from foxbatch.policy import Limits, PollPolicy, RetryPolicy
from foxbatch.provider import Polling
from foxbatch.runner import Observer, StopButton
from foxbatch.runner.watch import Watched, facts_of
from foxbatch.state import Phase
from tests.runner_harness import (
    FILM_REPLY,
    SERVICE,
    UNPACED,
    UNREACHABLE,
    Reply,
    Step,
    World,
    always,
    jobs_of,
    many,
    meets,
)

GATEWAY_DOWN = Reply(503, {"error": {"message": "down"}})
GONE = Reply(404, {"error": {"message": "Task not found"}})
FILE = "http://127.0.0.1:8/files/x/0.mp4"
AT_ONCE = "[sandbox:slow 0]"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


@pytest.mark.anyio
class TestAQuietDay:
    async def test_twelve_jobs_end_done_with_every_file_there(
        self, world: World
    ) -> None:
        ran = await world.run(many(12))

        assert ran.outcome.exit_code is ExitCode.DONE
        assert (ran.outcome.reason, ran.outcome.accepted) == ("done", 12)
        assert ran.phases == {Phase.DONE: 12}
        assert len(world.files) == 12
        assert world.service.creations == [1] * 12

    async def test_the_last_fact_counts_the_jobs(self, world: World) -> None:
        ran = await world.run(many(3))

        ended = ran.facts[-1]
        assert isinstance(ended, RunEnded)
        assert (ended.why, ended.counts) == ("done", {"done": 3})

    async def test_one_job_leaves_these_facts(self, world: World) -> None:
        ran = await world.run(many(1, "[sandbox:slow 4]"))

        assert ran.words == [
            "submit.intended",
            "submit.accepted",
            "status.seen",
            "results.seen",
            "artifact.stored",
            "job.succeeded",
        ]

    async def test_a_second_run_has_nothing_to_do(self, world: World) -> None:
        await world.run(many(3))
        before = len(world.service.sent)

        ran = await world.run(many(3))

        assert (ran.outcome.reason, ran.words) == ("done", [])
        assert len(world.service.sent) == before

    async def test_no_more_tasks_than_allowed_are_in_flight(self, world: World) -> None:
        world.limits = Limits(in_flight=3, requests_per_second=UNPACED)

        ran = await world.run(many(12))

        assert ran.phases == {Phase.DONE: 12}
        assert world.service.sandbox.in_flight_peak == 3

    async def test_no_second_holds_more_requests_than_allowed(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=50, requests_per_second=5)

        await world.run(many(40))

        times = world.service.times("post", "poll")
        assert len(times) > 100
        assert all(
            later - first >= 1 - 1e-9
            for first, later in zip(times, times[5:], strict=False)
        )

    async def test_no_more_files_than_allowed_are_fetched_at_once(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=6, requests_per_second=UNPACED, downloads=2)
        world.service.door = meets(file=always(100.0))

        ran = await world.run(many(6, "[sandbox:slow 4]"))

        times = world.service.times("file")
        assert ran.phases == {Phase.DONE: 6}
        assert times == pytest.approx([5, 5, 105, 105, 205, 205], abs=1)

    async def test_a_reply_to_a_submission_may_be_final(self, world: World) -> None:
        body = {"id": "task-1", "status": "completed", "results": [{"url": FILE}]}
        world.service.door = meets(post=[Reply(200, body)], file=[FILM_REPLY])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DONE: 1}
        assert world.service.times("poll") == []

    async def test_a_reply_to_a_submission_may_be_a_failure(self, world: World) -> None:
        error = {"code": "content_policy_violation", "message": "no"}
        body = {"id": "task-1", "status": "failed", "error": error}
        world.service.door = meets(post=[Reply(200, body)])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.FAILED: 1}
        assert world.service.times("poll") == []


@pytest.mark.anyio
class TestWatching:
    async def test_faults_of_polls_change_nothing_about_the_job(
        self, world: World
    ) -> None:
        busy = Reply(429, None, {"Retry-After": "7"})
        garbage = Reply(200, ["what?"])
        faults: list[Step] = [GATEWAY_DOWN, busy, UNREACHABLE, garbage, GATEWAY_DOWN]
        world.service.door = meets(poll=faults)

        ran = await world.run(many(1, "[sandbox:slow 4]"))

        assert ran.phases == {Phase.DONE: 1}
        assert ran.words.count("status.seen") == 1

    async def test_a_429_to_a_poll_slows_everything_down(self, world: World) -> None:
        world.service.door = meets(poll=[Reply(429, None, {"Retry-After": "60"})])

        await world.run(many(3, "[sandbox:slow 4]"))

        first, *others = world.service.times("poll")
        assert first == pytest.approx(5)
        assert min(others) >= 65

    async def test_a_refused_key_stops_all_and_leaves_tasks_running(
        self, world: World
    ) -> None:
        world.service.door = meets(poll=always(Reply(401, {"error": "no key"})))

        ran = await world.run(many(12))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.outcome.reason == "halted"
        assert "HTTP 401: no key" in ran.outcome.why
        assert ran.phases == {Phase.RUNNING: 8, Phase.NEW: 4}

    async def test_a_service_that_stays_silent_ends_the_run(self, world: World) -> None:
        world.service.door = meets(poll=always(UNREACHABLE))

        ran = await world.run(many(2))

        assert ran.outcome.exit_code is ExitCode.UNREACHABLE
        assert ran.phases == {Phase.RUNNING: 2}
        assert 300 <= world.service.times("poll")[-1] <= 370

    async def test_completed_without_results_is_asked_again_without_sync(
        self, world: World
    ) -> None:
        ran = await world.run(many(1, "[sandbox:slow 4] [sandbox:empty-once]"))

        polls = [sent.query for sent in world.service.sent if sent.kind == "poll"]
        assert polls == ["sync_upstream=true", ""]
        assert ran.phases == {Phase.DONE: 1}

    async def test_results_that_only_a_plain_question_shows_need_no_patience(
        self, world: World
    ) -> None:
        """Every run with little patience ended before it asked plainly."""
        world.poll = PollPolicy(wait_s=8)

        ran = await world.run(many(1, "[sandbox:slow 4] [sandbox:empty-once]"))

        assert ran.phases == {Phase.DONE: 1}

    async def test_a_task_may_be_unknown_just_after_it_was_made(
        self, world: World
    ) -> None:
        world.service.door = meets(poll=[GONE, GONE, GONE])

        ran = await world.run(many(1))

        assert ran.phases == {Phase.DONE: 1}

    async def test_three_misses_twenty_seconds_apart_make_a_job_overdue(
        self, world: World
    ) -> None:
        world.service.door = meets(poll=always(GONE))

        ran = await world.run(many(1))

        assert ran.phases == {Phase.OVERDUE: 1}
        (ended,) = ran.only("watch.ended")
        assert isinstance(ended, WatchEnded)
        assert (ended.why, ended.watched_s) == ("not_found", 45)

    async def test_a_task_that_comes_back_starts_the_count_anew(
        self, world: World
    ) -> None:
        lost_twice = [*[GONE] * 5, None]
        world.service.door = meets(poll=lost_twice * 2)

        ran = await world.run(many(1, "[sandbox:slow 59]"))

        assert ran.phases == {Phase.DONE: 1}

    async def test_when_patience_ends_the_next_run_asks_by_id_and_buys_nothing(
        self, world: World
    ) -> None:
        world.poll = PollPolicy(wait_s=60)
        jobs = many(3, "[sandbox:slow 600]")

        first = await world.run(jobs)
        world.poll = PollPolicy(wait_s=1800)
        second = await world.run(jobs)

        assert first.phases == {Phase.OVERDUE: 3}
        assert second.phases == {Phase.DONE: 3}
        assert second.words.count("submit.intended") == 0
        assert world.service.creations == [1, 1, 1]

    async def test_patience_ends_in_time_though_old_tasks_are_asked_rarely(
        self, world: World
    ) -> None:
        world.poll = PollPolicy(wait_s=600)

        ran = await world.run(many(3, "[sandbox:slow 100000]"))

        ends = [fact for fact in ran.facts if isinstance(fact, WatchEnded)]
        assert len(ends) == 3
        assert all(600 <= ended.watched_s < 601 for ended in ends)

    async def test_nothing_is_given_up_unasked(self, world: World) -> None:
        """Patience may be shorter than the first look is away."""
        world.poll = PollPolicy(wait_s=4)

        ran = await world.run(many(3, "[sandbox:slow 2]"))

        assert ran.phases == {Phase.DONE: 3}

    async def test_overdue_jobs_make_room_for_others(self, world: World) -> None:
        world.poll = PollPolicy(wait_s=60)
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)

        ran = await world.run(
            jobs_of("A slow fox [sandbox:slow 600]", "A fox [sandbox:slow 1]")
        )

        assert ran.phases == {Phase.OVERDUE: 1, Phase.DONE: 1}

    async def test_what_was_overdue_counts_again_when_it_turns_out_to_run(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=2, requests_per_second=UNPACED)
        slow = many(2, "[sandbox:slow 600]")
        world.poll = PollPolicy(wait_s=60)
        await world.run(slow)
        world.poll = PollPolicy(wait_s=1800)

        ran = await world.run([*slow, *jobs_of("A hen", "A hare", "A hen at sea")])

        # Two may slip in before anybody has asked about the others.
        assert ran.phases == {Phase.DONE: 5}
        assert world.service.sandbox.in_flight_peak <= 4
        assert world.service.times("post")[-1] >= 600

    async def test_what_runs_already_counts_as_in_flight(self, world: World) -> None:
        world.limits = Limits(in_flight=2, requests_per_second=UNPACED)
        jobs = many(4, "[sandbox:slow 100]")
        stop = StopButton()
        await world.run(jobs, stop=stop, observe=press_after(stop, 2))

        ran = await world.run(jobs)

        assert ran.phases == {Phase.DONE: 4}
        assert world.service.sandbox.in_flight_peak == 2

    async def test_a_status_is_recorded_when_it_changes(self, world: World) -> None:
        ran = await world.run(many(1, "[sandbox:slow 100]"))

        seen = [fact for fact in ran.facts if isinstance(fact, StatusSeen)]
        assert [fact.status for fact in seen] == ["processing", "completed"]
        assert [bool(fact.reply) for fact in seen] == [False, True]


def press_after(stop: StopButton, intents: int) -> Observer:
    """Return an observer that presses *stop* at so many intents."""
    count = itertools.count(1)

    def observe(fact: Event) -> None:
        if isinstance(fact, SubmitIntended) and next(count) == intents:
            stop.press("interrupted")

    return observe


@pytest.mark.anyio
class TestRemoteFailures:
    async def test_refused_content_is_not_bought_again(self, world: World) -> None:
        world.retry = RetryPolicy(attempts=3, classes=frozenset({"service"}))

        ran = await world.run(many(1, "[sandbox:fail content_policy_violation]"))

        assert ran.phases == {Phase.FAILED: 1}
        assert world.service.creations == [1]

    async def test_a_named_class_is_bought_again_as_a_new_attempt(
        self, world: World
    ) -> None:
        world.retry = RetryPolicy(attempts=2, classes=frozenset({"service"}))

        ran = await world.run(many(1, "[sandbox:fail-once service_error]"))

        first, second = ran.only("submit.intended")
        assert isinstance(first, SubmitIntended)
        assert isinstance(second, SubmitIntended)
        assert (second.after, second.why) == (first.attempt, "retry")
        assert ran.phases == {Phase.DONE: 1}
        assert world.service.creations == [2]

    async def test_no_job_is_bought_more_often_than_allowed(self, world: World) -> None:
        world.retry = RetryPolicy(attempts=3, classes=frozenset({"service"}))

        ran = await world.run(many(2, "[sandbox:fail service_error]"))

        assert ran.phases == {Phase.FAILED: 2}
        assert world.service.creations == [3, 3]

    async def test_a_failure_without_a_reason_is_of_class_unknown(
        self, world: World
    ) -> None:
        cancelled = {"id": "task-1", "status": "failed"}
        accepted = Reply(200, {"id": "task-1", "status": "pending"})
        world.service.door = meets(post=[accepted], poll=[Reply(200, cancelled)])

        ran = await world.run(many(1))

        (failed,) = ran.only("job.failed")
        assert isinstance(failed, JobFailed)
        assert failed.error_class == "unknown"


@pytest.mark.anyio
class TestOnAnyBackend:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return World(
            folder=tmp_path,
            provider=dataclasses.replace(
                SERVICE, polling=Polling(first_s=0, interval_s=0)
            ),
            limits=Limits(in_flight=4, requests_per_second=UNPACED),
        )

    async def test_twelve_jobs_end_done(self, world: World) -> None:
        ran = await world.run(many(12, AT_ONCE))

        assert ran.phases == {Phase.DONE: 12}
        assert world.service.creations == [1] * 12

    async def test_a_lost_reply_is_held_and_the_others_go_on(
        self, world: World
    ) -> None:
        lost = jobs_of("A fox [sandbox:lost-reply]")

        ran = await world.run([*many(3, AT_ONCE), *lost])

        assert ran.phases == {Phase.DONE: 3, Phase.HELD: 1}

    async def test_a_pressed_button_ends_the_run(self, world: World) -> None:
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)
        stop = StopButton()

        ran = await world.run(many(5, AT_ONCE), stop=stop, observe=press_after(stop, 2))

        assert ran.outcome.exit_code is ExitCode.INTERRUPTED
        assert ran.words.count("submit.intended") == 2


class TestFactsOfAnAnswer:
    watched = Watched(
        wanted=many(1)[0],
        attempt=AttemptId("run-1"),
        task=TaskId("t"),
        since=0,
        unfinished_at=datetime(2026, 1, 2, tzinfo=UTC),
    )

    def test_the_same_word_again_is_no_fact(self) -> None:
        view = TaskView(task=TaskId("t"), word="", known=False, state="running")

        assert facts_of(self.watched, view, valid_until="") == ()

    def test_a_failure_says_its_class_and_what_stays_reserved(self) -> None:
        view = TaskView(
            task=TaskId("t"),
            word="failed",
            known=True,
            state="failed",
            error=TaskError("content", "content_policy_violation", "no"),
            credits=28,
        )

        _, failed = facts_of(self.watched, view, valid_until="")

        assert isinstance(failed, JobFailed)
        assert (failed.error_class, failed.credits) == ("content", 28)
