"""How much a run may cost: budgets in credits, canaries, and restarts between them."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec
import pytest
import trio.testing

from foxbatch.budget import Projection, Purse
from foxbatch.errors import ExitCode
from foxbatch.events import JobPlanned, SubmitIntended
from foxbatch.policy import Budget, Limits, RetryPolicy
from foxbatch.runner import GoOn, StopButton
from foxbatch.sandbox import Sandbox, SandboxOptions, Switches
from foxbatch.state import Phase
from tests.runner_harness import (
    LOST,
    UNPACED,
    Late,
    Ran,
    Reply,
    Service,
    World,
    always,
    jobs_of,
    many,
    meets,
)

PRICE = 28
BAD_INPUT = Reply(422, {"error": {"message": "duration must be one of 4, 6, 8"}})
NO_PRICE = Reply(200, {"id": "task-1", "status": "pending"})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


def aside(ran: Ran) -> list[float | None]:
    """Return what was set aside for each intent."""
    return [f.credits for f in ran.facts if isinstance(f, SubmitIntended)]


def at_once(number: int) -> Limits:
    return Limits(in_flight=number, requests_per_second=UNPACED)


def longer(jobs: list[JobPlanned]) -> list[JobPlanned]:
    """Return *jobs* with twice the length, which is another price."""
    return [
        msgspec.structs.replace(
            job, job=job.job[::-1], request={**job.request, "duration": 8}
        )
        for job in jobs
    ]


@pytest.mark.anyio
class TestCredits:
    async def test_they_hold_and_what_was_bought_is_collected(
        self, world: World
    ) -> None:
        world.budget = Budget(credits=100)

        ran = await world.run(many(12))

        assert ran.outcome.exit_code is ExitCode.BUDGET
        assert ran.outcome.why == (
            "the next job does not fit into the budget of 100 credits: "
            "84 are spent or set aside, and it takes 28"
        )
        assert ran.phases == {Phase.DONE: 3, Phase.NEW: 9}

    async def test_they_hold_over_several_runs(self, world: World) -> None:
        world.budget = Budget(credits=100)
        await world.run(many(2))

        ran = await world.run(many(12))
        again = await world.run(many(12))

        assert ran.outcome.accepted == 1
        assert again.outcome.accepted == 0
        assert again.outcome.exit_code is ExitCode.BUDGET

    async def test_they_may_be_for_one_run(self, world: World) -> None:
        world.max_credits = 60

        first = await world.run(many(12))
        second = await world.run(many(12))

        assert [first.outcome.accepted, second.outcome.accepted] == [2, 2]
        assert "60 credits per run" in first.outcome.why

    async def test_the_first_of_a_kind_goes_alone_and_the_others_at_its_price(
        self, world: World
    ) -> None:
        world.budget = Budget(credits=1000)
        world.service.door = meets(post=[None, Late(1.0, LOST)])

        ran = await world.run(many(4))

        assert aside(ran) == [None, PRICE, PRICE, PRICE]

    async def test_failed_and_held_jobs_keep_what_they_took(self, world: World) -> None:
        world.budget = Budget(credits=4 * PRICE)
        world.service.door = meets(post=[None, LOST])

        ran = await world.run(many(9, "[sandbox:fail content_policy_violation]"))

        assert ran.phases == {Phase.FAILED: 3, Phase.HELD: 1, Phase.NEW: 5}

    async def test_a_refund_is_not_believed(self, world: World) -> None:
        options = SandboxOptions(switches=Switches(refunds="failed"))
        world.service = Service(Sandbox(options))
        world.budget = Budget(credits=2 * PRICE)
        world.retry = RetryPolicy(attempts=9, classes=frozenset({"service"}))

        ran = await world.run(many(1, "[sandbox:fail service_error]"))

        assert ran.outcome.accepted == 2
        assert ran.outcome.exit_code is ExitCode.BUDGET

    async def test_what_was_refused_or_never_sent_gives_its_money_back(
        self, world: World
    ) -> None:
        world.budget = Budget(credits=2 * PRICE)
        world.service.door = meets(post=[None, BAD_INPUT])

        ran = await world.run(many(4))

        assert ran.phases == {Phase.DONE: 2, Phase.FAILED: 1, Phase.NEW: 1}

    async def test_the_service_bills_no_more_than_the_budget(
        self, world: World
    ) -> None:
        world.budget = Budget(credits=150)

        ran = await world.run([*many(9), *longer(many(9))])

        billed = sum(task.credits for task in world.service.sandbox.tasks.values())
        assert billed <= 150
        (spent,) = Purse([world.budget], ran.state, ran.facts[0].run).spending("")
        assert spent.credits == billed

    async def test_what_the_service_never_prices_goes_one_by_one(
        self, world: World
    ) -> None:
        world.budget = Budget(credits=PRICE)
        replies = [
            Late(1.0, Reply(200, {"id": f"task-{n}", "status": "pending"}))
            for n in range(3)
        ]
        world.service.door = meets(post=replies)
        world.detach = True

        await world.run(many(3))

        assert world.service.times("post") == [0, 1, 2]


@pytest.mark.anyio
class TestCanary:
    @pytest.fixture
    def told(self) -> list[Projection]:
        return []

    async def test_what_was_bought_is_fetched_while_somebody_thinks(
        self, world: World
    ) -> None:
        async def ponder(_rest: Projection) -> bool:
            await anyio.sleep(600)
            return True

        world.go_on = ponder
        ran = await world.run(many(3))

        second = [n for n, word in enumerate(ran.words) if word == "submit.intended"][1]
        assert ran.words.index("job.succeeded") < second
        assert ran.phases == {Phase.DONE: 3}

    async def test_a_question_that_nobody_answers_ends_with_the_run(
        self, world: World
    ) -> None:
        stop = StopButton()

        async def never(_rest: Projection) -> bool:
            stop.press("interrupted")
            await anyio.sleep_forever()
            return True

        world.go_on = never
        ran = await world.run(many(3), stop=stop)

        assert ran.outcome.exit_code is ExitCode.INTERRUPTED
        assert len(ran.only("submit.intended")) == 1

    @pytest.fixture
    def agree(self, told: list[Projection]) -> GoOn:
        async def go_on(projection: Projection) -> bool:
            told.append(projection)
            return True

        return go_on

    async def test_one_of_each_price_goes_first_and_the_rest_at_once_when_agreed(
        self,
        world: World,
        told: list[Projection],
        agree: GoOn,
    ) -> None:
        world.go_on = agree

        ran = await world.run([*many(3), *longer(many(3))])

        (projection,) = told
        assert (projection.estimate.jobs, projection.estimate.credits) == (4, 168)
        assert aside(ran)[:2] == [None, None]
        assert set(aside(ran)[2:]) == {PRICE, 2 * PRICE}
        assert ran.phases == {Phase.DONE: 6}

    async def test_the_rest_stays_new_when_nobody_agrees(self, world: World) -> None:
        async def disagree(_rest: Projection) -> bool:
            return False

        world.go_on = disagree

        ran = await world.run(many(5))

        assert ran.outcome.exit_code is ExitCode.USAGE
        assert ran.outcome.why == (
            "nobody agreed to the rest (4 jobs, about 112 credits); --yes does"
        )
        assert ran.phases == {Phase.DONE: 1, Phase.NEW: 4}

    async def test_the_rest_stays_new_when_it_does_not_fit(
        self, world: World, agree: GoOn
    ) -> None:
        world.go_on, world.budget = agree, Budget(credits=100)

        ran = await world.run(many(5))

        assert ran.outcome.exit_code is ExitCode.BUDGET
        assert "the rest (4 jobs, up to 112 credits) does not fit" in ran.outcome.why
        assert ran.phases == {Phase.DONE: 1, Phase.NEW: 4}

    async def test_what_the_ledger_measured_needs_no_canary(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        await world.run(many(1))
        world.go_on = agree

        ran = await world.run(many(5))

        assert told[0].estimate.jobs == 4
        assert ran.phases == {Phase.DONE: 5}

    async def test_nothing_is_asked_where_canaries_are_all(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        world.go_on = agree

        ran = await world.run(many(1))

        assert told == []
        assert ran.phases == {Phase.DONE: 1}

    async def test_a_refused_canary_is_followed_by_another(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        world.go_on = agree
        world.service.door = meets(post=[BAD_INPUT])

        ran = await world.run(many(4))

        assert told[0].estimate.jobs == 2
        assert ran.phases == {Phase.DONE: 3, Phase.FAILED: 1}

    async def test_a_canary_in_doubt_tells_no_price_and_is_not_followed(
        self, world: World, agree: GoOn
    ) -> None:
        world.go_on = agree
        world.service.door = meets(post=[LOST])

        ran = await world.run(many(4))

        assert ran.outcome.exit_code is ExitCode.USAGE
        assert "--allow-unpriced" in ran.outcome.why
        assert ran.phases == {Phase.HELD: 1, Phase.NEW: 3}

    async def test_a_price_that_comes_with_a_later_answer_is_waited_for(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        """The reply to the submission has none; the sandbox's polls have."""
        world.go_on = agree
        world.service.door = meets(
            post=[NO_PRICE],
            poll=[
                Reply(200, {"id": "task-1", "status": "pending"}),
                Reply(
                    200,
                    {
                        "id": "task-1",
                        "status": "processing",
                        "usage": {"credits_reserved": 30},
                    },
                ),
                Reply(200, {"id": "task-1", "status": "failed", "error": None}),
            ],
        )

        await world.run(many(3))

        assert told[0].estimate.credits == 60

    async def test_unknown_prices_may_be_agreed_to(
        self, world: World, agree: GoOn
    ) -> None:
        world.go_on, world.allow_unpriced = agree, True
        world.service.door = meets(post=[LOST])

        ran = await world.run(many(4))

        assert ran.phases == {Phase.HELD: 1, Phase.DONE: 3}

    async def test_a_halt_ends_it(self, world: World, agree: GoOn) -> None:
        world.go_on = agree
        world.service.door = meets(post=always(Reply(401, {"error": {"message": "x"}})))

        ran = await world.run(many(4))

        assert ran.outcome.exit_code is ExitCode.REFUSED
        assert ran.phases == {Phase.NEW: 4}

    async def test_it_counts_towards_the_most_that_may_be_bought(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        world.go_on, world.most = agree, 3

        ran = await world.run(many(9))

        assert told[0].estimate.jobs == 2
        assert ran.phases == {Phase.DONE: 3, Phase.NEW: 6}

    async def test_it_may_be_all_that_may_be_bought(
        self, world: World, told: list[Projection], agree: GoOn
    ) -> None:
        world.go_on, world.most = agree, 1

        ran = await world.run(many(9))

        assert (told, ran.outcome.exit_code) == ([], ExitCode.DONE)
        assert ran.phases == {Phase.DONE: 1, Phase.NEW: 8}

    async def test_detached_it_leaves_when_the_rest_is_submitted(
        self, world: World, agree: GoOn
    ) -> None:
        world.go_on, world.detach = agree, True

        ran = await world.run(many(4, "[sandbox:slow 90]"))

        assert ran.outcome.reason == "detached"
        assert ran.phases == {Phase.RUNNING: 4}


@pytest.mark.anyio
class TestPause:
    async def test_a_slice_that_fails_as_a_whole_waits_and_the_others_go_on(
        self, world: World
    ) -> None:
        world.retry, world.limits = RetryPolicy(pause_after=3), at_once(1)
        calm, wild = many(3), many(6, "[sandbox:fail service_error]")
        jobs = [
            msgspec.structs.replace(job, cell={"mood": mood})
            for mood, some in (("calm", calm[:1]), ("wild", wild), ("calm", calm[1:]))
            for job in some
        ]

        ran = await world.run(jobs)

        assert ran.outcome.exit_code is ExitCode.FAILED_JOBS
        assert (
            ran.outcome.why
            == "3 jobs with mood=wild not submitted, as all before them failed"
        )
        assert ran.phases == {Phase.DONE: 3, Phase.FAILED: 3, Phase.NEW: 3}

    async def test_it_is_told_once_and_is_a_fact(self, world: World) -> None:
        world.retry = RetryPolicy(pause_after=2)
        world.limits = at_once(1)

        ran = await world.run(many(6, "[sandbox:fail service_error]"))

        (paused,) = ran.only("batch.halted")
        said = msgspec.to_builtins(paused)
        assert said["slice"] == "model=veo-3.1-fast"
        assert said["exit_code"] == 10
        assert said["why"] == (
            "2 jobs with model=veo-3.1-fast failed, and none gave a result"
        )
        assert ran.phases == {Phase.FAILED: 2, Phase.NEW: 4}
        assert ran.outcome.why == (
            "4 jobs with model=veo-3.1-fast not submitted, as all before them failed"
        )

    async def test_one_that_succeeds_lets_the_others_go_on(self, world: World) -> None:
        world.retry = RetryPolicy(pause_after=2)
        world.limits = at_once(3)
        jobs = [
            *jobs_of("A slow fox [sandbox:slow 90]"),
            *many(2, "[sandbox:fail service_error]"),
            *jobs_of("A fox", "An owl"),
        ]

        ran = await world.run(jobs)

        assert ran.phases == {Phase.DONE: 3, Phase.FAILED: 2}
        assert len(ran.only("batch.halted")) == 1
        assert ran.outcome.exit_code is ExitCode.DONE

    async def test_the_next_run_tries_again(self, world: World) -> None:
        world.retry = RetryPolicy(pause_after=2)
        world.limits = at_once(1)
        jobs = many(6, "[sandbox:fail service_error]")
        await world.run(jobs)

        ran = await world.run(jobs)

        assert ran.phases == {Phase.FAILED: 4, Phase.NEW: 2}

    async def test_failures_alone_are_no_reason_to_say_anything(
        self, world: World
    ) -> None:
        ran = await world.run(many(5, "[sandbox:fail service_error]"))

        assert ran.only("batch.halted") == []
        assert ran.outcome.why == ""

    async def test_retries_wait_too(self, world: World) -> None:
        world.retry = RetryPolicy(
            pause_after=2, attempts=9, classes=frozenset({"service"})
        )
        world.limits = at_once(1)

        ran = await world.run(many(3, "[sandbox:fail service_error]"))

        assert sum(world.service.creations) == 2
        assert ran.phases == {Phase.FAILED: 2, Phase.NEW: 1}


@pytest.mark.anyio
class TestFailFast:
    async def test_nothing_is_submitted_after_the_first_failed_job(
        self, world: World
    ) -> None:
        world.fail_fast, world.limits = True, at_once(1)
        jobs = [*many(1), *many(2, "[sandbox:fail service_error]"), *jobs_of("An owl")]

        ran = await world.run(jobs)

        assert ran.outcome.exit_code is ExitCode.FAILED_JOBS
        assert ran.outcome.why.endswith(
            " failed, and --fail-fast stops at the first that does"
        )
        assert ran.phases == {Phase.DONE: 1, Phase.FAILED: 1, Phase.NEW: 2}

    async def test_a_refused_job_is_one(self, world: World) -> None:
        world.fail_fast, world.limits = True, at_once(1)
        world.service.door = meets(post=[BAD_INPUT])

        ran = await world.run(many(3))

        assert ran.phases == {Phase.FAILED: 1, Phase.NEW: 2}

    async def test_a_job_that_is_tried_again_is_none_yet(self, world: World) -> None:
        world.fail_fast = True
        world.retry = RetryPolicy(attempts=2, classes=frozenset({"service"}))

        ran = await world.run(many(3, "[sandbox:fail-once service_error]"))

        assert ran.phases == {Phase.DONE: 3}

    async def test_what_runs_is_collected(self, world: World) -> None:
        world.fail_fast = True
        jobs = [*many(3, "[sandbox:slow 90]"), *many(1, "[sandbox:fail service_error]")]

        ran = await world.run(jobs)

        assert ran.phases == {Phase.DONE: 3, Phase.FAILED: 1}
