"""What becomes of submissions: one story for each row of the outcome table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import trio.testing

from foxbatch.errors import ExitCode
from foxbatch.events import (
    BatchHalted,
    Event,
    JobFailed,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
    word,
)
from foxbatch.policy import Limits
from foxbatch.state import Phase
from tests.runner_harness import (
    LOST,
    UNPACED,
    UNREACHABLE,
    Late,
    Ran,
    Reply,
    Step,
    World,
    always,
    jobs_of,
    many,
    meets,
)

NO_KEY = Reply(401, {"error": {"message": "Invalid API key"}})
NO_CREDIT = Reply(402, {"error": {"message": "Insufficient balance"}})
BAD_INPUT = Reply(422, {"error": {"message": "duration must be one of 4, 6, 8"}})
BAD_GATEWAY = Reply(502)
NO_ID = Reply(200, {"status": "pending"})
SLOW = "[sandbox:slow 90]"


def busy(retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(429, {"error": {"message": "Too many requests"}}, headers)


def then(*steps: Step, after: int = 0) -> Iterable[Step]:
    """Return *steps* behind *after* requests to which nothing special happens."""
    return [*[None] * after, *steps]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


def posts(world: World) -> list[float]:
    return world.service.times("post")


@pytest.mark.anyio
class TestTheFirstSubmission:
    async def test_goes_alone_and_the_others_wait_for_its_answer(
        self, world: World
    ) -> None:
        world.service.door = meets(post=[30.0])

        ran = await world.run(many(5))

        assert posts(world) == [0, 30, 30, 30, 30]
        assert ran.phases == {Phase.DONE: 5}

    async def test_without_an_id_halts_the_batch(self, world: World) -> None:
        world.service.door = meets(post=always(NO_ID))

        ran = await world.run(many(5))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert "without a task id" in ran.outcome.why
        assert ran.phases == {Phase.HELD: 1, Phase.NEW: 4}
        assert len(posts(world)) == 1

    async def test_with_a_refused_key_halts_and_leaves_every_job_new(
        self, world: World
    ) -> None:
        world.service.door = meets(post=always(NO_KEY))

        ran = await world.run(many(5))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.outcome.why == (
            "the service refuses the key or account (HTTP 401: Invalid API key)"
        )
        assert ran.phases == {Phase.NEW: 5}
        assert len(world.service.sent) == 1

    async def test_at_a_wrong_address_halts_and_leaves_every_job_new(
        self, world: World
    ) -> None:
        world.service.door = meets(
            post=always(Reply(301, headers={"Location": "https://elsewhere.test"}))
        )

        ran = await world.run(many(5))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.outcome.why.startswith("the service refuses the address or request")
        assert ran.phases == {Phase.NEW: 5}
        assert len(world.service.sent) == 1

    async def test_refused_for_its_input_opens_the_gate(self, world: World) -> None:
        world.service.door = meets(post=[BAD_INPUT, 9.0, 9.0])

        await world.run(many(3))

        assert posts(world) == [0, 0, 0]


@pytest.mark.anyio
class TestRefusals:
    async def test_bad_input_fails_the_job_at_once(self, world: World) -> None:
        world.service.door = meets(post=then(BAD_INPUT, after=1))

        ran = await world.run(many(3))

        assert ran.phases == {Phase.DONE: 2, Phase.FAILED: 1}
        assert len(posts(world)) == 3
        (failed,) = ran.only("job.failed")
        assert isinstance(failed, JobFailed)
        assert failed.error_class == "input"

    async def test_no_credit_in_the_middle_stops_submitting_and_collects_the_rest(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=2, requests_per_second=UNPACED)
        world.service.door = meets(post=then(NO_CREDIT, after=3))

        ran = await world.run(many(9))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.outcome.reason == "halted"
        assert ran.phases == {Phase.DONE: 3, Phase.NEW: 6}
        assert len(posts(world)) == 4

    async def test_a_halt_is_a_fact(self, world: World) -> None:
        world.service.door = meets(post=[NO_CREDIT])

        ran = await world.run(many(1))

        (halted,) = ran.only("batch.halted")
        assert isinstance(halted, BatchHalted)
        assert halted.exit_code == ExitCode.REFUSED

    async def test_too_many_requests_waits_as_asked_and_goes_on(
        self, world: World
    ) -> None:
        world.service.door = meets(post=then(busy("90"), after=1))

        ran = await world.run(many(2))

        assert ran.phases == {Phase.DONE: 2}
        assert world.service.creations == [1, 1]
        assert posts(world) == [0, 0, 90]

    async def test_nothing_is_sent_while_the_service_wants_a_rest(
        self, world: World
    ) -> None:
        world.service.door = meets(post=then(busy("90"), after=1))

        await world.run(many(2))

        assert not [at for at in world.service.times("poll") if at < 90]

    async def test_a_service_that_stays_busy_halts_after_half_an_hour(
        self, world: World
    ) -> None:
        world.service.door = meets(post=always(busy()))

        ran = await world.run(many(3))

        assert ran.outcome.exit_code is ExitCode.UNREACHABLE
        assert ran.outcome.why == "the service stayed busy for 30m 00s"
        assert ran.phases == {Phase.NEW: 3}
        assert 1800 <= posts(world)[-1] <= 1870

    async def test_a_refusal_says_what_it_was(self, world: World) -> None:
        world.service.door = meets(post=[busy("1")])

        ran = await world.run(many(1))

        (refused,) = ran.only("submit.refused")
        assert isinstance(refused, SubmitRefused)
        assert (refused.error_class, refused.retryable) == ("rate", True)
        assert refused.headers["retry-after"] == "1"


@pytest.mark.anyio
class TestNotSent:
    async def test_is_tried_again_as_another_attempt(self, world: World) -> None:
        world.service.door = meets(post=[UNREACHABLE, UNREACHABLE])

        ran = await world.run(many(1))

        assert ran.words[:5] == [
            "submit.intended",
            "submit.refused",
            "submit.intended",
            "submit.refused",
            "submit.intended",
        ]
        assert ran.phases == {Phase.DONE: 1}
        assert world.service.creations == [1]

    async def test_halts_after_five_minutes_and_leaves_every_job_new(
        self, world: World
    ) -> None:
        world.service.door = meets(post=always(UNREACHABLE))

        ran = await world.run(many(2))

        assert ran.outcome.exit_code is ExitCode.UNREACHABLE
        assert ran.outcome.why == (
            "the service could not be reached for 5m 00s: "
            "the connection could not be made: connection refused"
        )
        assert ran.phases == {Phase.NEW: 2}
        assert 300 <= posts(world)[-1] <= 370

    async def test_an_outage_shorter_than_that_costs_nothing(
        self, world: World
    ) -> None:
        world.service.door = meets(post=then(*[UNREACHABLE] * 20, after=1))

        ran = await world.run(many(6))

        assert ran.phases == {Phase.DONE: 6}
        assert world.service.creations == [1] * 6


@pytest.mark.anyio
class TestUnknownOutcomes:
    async def test_a_lost_reply_is_held_and_never_sent_again(
        self, world: World
    ) -> None:
        jobs = [*jobs_of("A fox [sandbox:lost-reply]"), *many(2)]

        first = await world.run(jobs)
        second = await world.run(jobs)

        assert first.phases == second.phases == {Phase.HELD: 1, Phase.DONE: 2}
        assert second.words == []
        assert world.service.creations == [1] * 3

    async def test_what_came_instead_of_an_answer_is_kept(self, world: World) -> None:
        ran = await world.run(jobs_of("A fox [sandbox:5xx]"))

        (unknown,) = ran.only("submit.unknown")
        assert isinstance(unknown, SubmitUnknown)
        assert unknown.why == "status 502"
        assert "502 Bad Gateway" in unknown.reply

    async def test_a_task_of_another_job_is_no_answer(self, world: World) -> None:
        twice = Reply(200, {"id": "task-1", "status": "pending"})
        world.service.door = meets(post=[twice, twice], poll=always(5.0))

        ran = await world.run(many(2))

        (unknown,) = ran.only("submit.unknown")
        assert isinstance(unknown, SubmitUnknown)
        assert unknown.why.startswith("it was answered with task task-1 of attempt")
        assert ran.phases[Phase.HELD] == 1

    async def test_whatever_happens_every_slot_is_given_back_once(
        self, world: World
    ) -> None:
        steps: list[Step] = [
            busy("5"),
            UNREACHABLE,
            None,
            BAD_INPUT,
            LOST,
            NO_ID,
            None,
            NO_CREDIT,
        ]
        world.service.door = meets(post=steps)

        ran = await world.run(many(12))

        assert len(ran.phases) == 4
        assert ran.governor.in_flight.taken == 0
        assert ran.governor.downloads.taken == 0

    async def test_held_jobs_hold_no_slot(self, world: World) -> None:
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)
        world.service.door = meets(post=[LOST, LOST])

        ran = await world.run(many(4))

        assert ran.phases == {Phase.HELD: 2, Phase.DONE: 2}

    async def test_five_in_a_row_pause_and_an_accepted_probe_resumes(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)
        world.service.door = meets(post=then(*[LOST] * 6))

        ran = await world.run(many(9, "[sandbox:slow 0]"))

        assert posts(world)[:7] == [0, 0, 0, 0, 0, 60, 180]
        assert ran.phases == {Phase.HELD: 6, Phase.DONE: 3}
        assert ran.outcome.exit_code is ExitCode.DONE

    async def test_four_failed_probes_halt(self, world: World) -> None:
        world.service.door = meets(post=always(LOST))
        world.limits = Limits(in_flight=1, requests_per_second=UNPACED)

        ran = await world.run(many(20))

        assert posts(world) == [0, 0, 0, 0, 0, 60, 180, 420, 900]
        assert ran.outcome.exit_code is ExitCode.UNREACHABLE
        assert ran.phases == {Phase.HELD: 9, Phase.NEW: 11}

    async def test_submissions_that_were_under_way_are_no_probes(
        self, world: World
    ) -> None:
        """Sixteen at once meet one short outage: that is no reason to give up."""
        world.limits = Limits(in_flight=16, requests_per_second=UNPACED)
        outage = [Late(10, BAD_GATEWAY)] * 15
        world.service.door = meets(post=then(*outage, after=1))

        ran = await world.run(many(20, SLOW))

        assert ran.outcome.exit_code is ExitCode.DONE
        assert ran.phases == {Phase.HELD: 15, Phase.DONE: 5}

    async def test_late_answers_of_earlier_submissions_are_no_probes(
        self, world: World
    ) -> None:
        ends_s = (1, 1, 1, 1, 1, 40, 40, 50, 50, 58)
        world.service.door = meets(post=[None, *(Late(at, LOST) for at in ends_s)])
        world.limits = Limits(in_flight=11, requests_per_second=UNPACED)

        ran = await world.run(many(14, SLOW))

        assert ran.outcome.exit_code is ExitCode.DONE
        assert ran.phases == {Phase.HELD: 10, Phase.DONE: 4}
        assert posts(world)[11:] == [61, 61, 61]

    async def test_submissions_that_wait_for_their_turn_do_not_begin_in_a_pause(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=20, requests_per_second=1)
        world.service.door = meets(post=then(*[BAD_GATEWAY] * 19, after=1))

        ran = await world.run(many(20, SLOW))

        assert [at for at in posts(world) if at < 60] == [0, 1.05, 2.1, 3.15, 4.2, 5.25]
        assert ran.phases[Phase.HELD] == 9

    async def test_a_submission_that_waits_for_a_slot_does_not_begin_in_a_pause(
        self, world: World
    ) -> None:
        world.limits = Limits(in_flight=6, requests_per_second=UNPACED)
        world.service.door = meets(post=[None, *[Late(10, LOST)] * 5])

        await world.run(many(9, SLOW))

        assert posts(world)[:7] == [0, 0, 0, 0, 0, 0, 70]


@pytest.mark.anyio
class TestFacts:
    async def test_an_intent_comes_before_the_post_and_its_outcome_before_anything_else(
        self, world: World
    ) -> None:
        seen: list[tuple[str, int]] = []

        def observe(fact: Event) -> None:
            if isinstance(fact, SubmitIntended | SubmitAccepted):
                seen.append((word(fact), len(posts(world))))

        await world.run(many(1), observe=observe)

        assert seen == [("submit.intended", 0), ("submit.accepted", 1)]

    async def test_every_post_is_an_attempt_of_its_own(self, world: World) -> None:
        world.service.door = meets(post=[UNREACHABLE, busy(), None, LOST])

        ran = await world.run(many(3))

        attempts = [intent.attempt for intent in _intents(ran)]
        run = ran.facts[0].run
        assert attempts == [f"{run}-{n}" for n in range(1, len(posts(world)) + 1)]

    async def test_accepted_says_what_was_reserved(self, world: World) -> None:
        ran = await world.run(many(1))

        (accepted,) = ran.only("submit.accepted")
        assert isinstance(accepted, SubmitAccepted)
        assert accepted.credits == 28
        assert accepted.task in accepted.reply


def _intents(ran: Ran) -> list[SubmitIntended]:
    return [fact for fact in ran.facts if isinstance(fact, SubmitIntended)]
