"""What a plan says about a job, for everything that a ledger may know of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from foxbatch.errors import Problem
from foxbatch.events import (
    AlsoWanted,
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ResultItem,
    ResultsSeen,
    RunId,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
    WatchEnded,
)
from foxbatch.matrix import expand
from foxbatch.planner import (
    Action,
    Choice,
    PlannedJob,
    as_planned,
    collection,
    is_news,
    local_files,
    plan,
)
from foxbatch.policy import RetryPolicy
from foxbatch.prices import Estimate, estimate, price_shape, prices
from foxbatch.provider import load_provider
from foxbatch.state import BatchState, Phase
from tests.matrices import read
from tests.runner_harness import RUN, many, state_of

FIRST, SECOND = AttemptId("run-1"), AttemptId("run-2")
JOB, *OTHERS = many(8)
ID = JOB.job

INTENDED = SubmitIntended(job=ID, attempt=FIRST)
ACCEPTED = SubmitAccepted(job=ID, attempt=FIRST, task=TaskId("task-1"), credits=28)
UNKNOWN = SubmitUnknown(job=ID, attempt=FIRST, why="status 502")
NOT_NOW = SubmitRefused(job=ID, attempt=FIRST, error_class="rate", retryable=True)
BAD_INPUT = SubmitRefused(job=ID, attempt=FIRST, error_class="input")
FAILED_INPUT = JobFailed(job=ID, attempt=FIRST, error_class="input", message="bad")
FAILED = JobFailed(job=ID, attempt=FIRST, error_class="service", code="service_error")
RESULTS = ResultsSeen(job=ID, attempt=FIRST, items=(ResultItem(url="http://x"),))
OVERDUE = WatchEnded(job=ID, attempt=FIRST, watched_s=60)
DONE = JobSucceeded(job=ID, attempt=FIRST)
OTHER_TASK = (
    SubmitIntended(job=ID, attempt=AttemptId("run-2")),
    SubmitAccepted(job=ID, attempt=AttemptId("run-2"), task=TaskId("task-2")),
)
BUY_AGAIN = SubmitSettled(job=ID, attempt=FIRST, decision="buy_again", who="me")
WRITE_OFF = SubmitSettled(
    job=ID, attempt=FIRST, decision="write_off", who="me", why="seen nowhere"
)


def plan_of(
    *facts: Event,
    retry: RetryPolicy | None = None,
    choice: Choice | None = None,
    live: tuple[RunId, ...] = (),
) -> PlannedJob:
    """Return what is planned for the one job that *facts* are about."""
    found = plan(
        [JOB],
        state_of(JOB, *facts),
        retry=retry or RetryPolicy(),
        choice=choice,
        live=live,
    )
    (job,) = found.jobs
    return job


@pytest.mark.parametrize(
    ("facts", "phase", "action"),
    [
        pytest.param([], "new", "submit", id="nothing is known: bought"),
        pytest.param([INTENDED], "held", "settle", id="an intent alone: a person"),
        pytest.param([INTENDED, UNKNOWN], "held", "settle", id="unknown: a person"),
        pytest.param([INTENDED, NOT_NOW], "new", "submit", id="not now: bought"),
        pytest.param(
            [INTENDED, BAD_INPUT, FAILED_INPUT], "failed", "keep", id="bad input: left"
        ),
        pytest.param([INTENDED, ACCEPTED], "running", "adopt", id="running: asked"),
        pytest.param(
            [INTENDED, ACCEPTED, OVERDUE], "overdue", "adopt", id="overdue: asked"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS],
            "downloading",
            "download",
            id="finished: fetched",
        ),
        pytest.param([INTENDED, ACCEPTED, RESULTS, DONE], "done", "keep", id="done"),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS, DONE, *OTHER_TASK],
            "done",
            "adopt",
            id="done, and bought once more: fetched too",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, FAILED], "failed", "keep", id="failed: left alone"
        ),
        pytest.param(
            [INTENDED, UNKNOWN, BUY_AGAIN], "new", "submit", id="settled: bought again"
        ),
        pytest.param(
            [INTENDED, UNKNOWN, WRITE_OFF], "failed", "keep", id="written off: left"
        ),
    ],
)
def test_what_is_done_about_a_job(facts: list[Event], phase: str, action: str) -> None:
    job = plan_of(*facts)

    assert (job.phase, job.action) == (phase, action)
    assert job.reason


def test_what_another_process_submits_just_now_is_left_to_it() -> None:
    job = plan_of(INTENDED, live=(RUN,))

    assert (job.phase, job.action) == (Phase.SUBMITTING, Action.KEEP)


class TestBuyingAgain:
    SERVICE = RetryPolicy(attempts=2, classes=frozenset({"service"}))

    def test_a_class_that_the_policy_names_is_retried_after_the_failed_attempt(
        self,
    ) -> None:
        job = plan_of(INTENDED, ACCEPTED, FAILED, retry=self.SERVICE)

        assert (job.action, job.after, job.why) == (Action.RETRY, FIRST, "retry")
        assert job.reason == "failed (service: service_error); attempt 2 of 2"

    def test_not_more_often_than_the_policy_says(self) -> None:
        once = RetryPolicy(attempts=1, classes=frozenset({"service"}))

        job = plan_of(INTENDED, ACCEPTED, FAILED, retry=once)

        assert (job.action, job.after) == (Action.KEEP, None)

    @pytest.mark.parametrize(
        ("classes", "action"),
        [
            pytest.param({"*"}, Action.RETRY, id="every class"),
            pytest.param({"service", "x"}, Action.RETRY, id="its class"),
            pytest.param({"content"}, Action.KEEP, id="another class"),
        ],
    )
    def test_a_person_may_ask_for_it(self, classes: set[str], action: Action) -> None:
        choice = Choice(retry_failed=frozenset(classes))

        job = plan_of(INTENDED, ACCEPTED, FAILED, choice=choice)

        assert job.action is action

    def test_what_was_written_off_is_not_bought_again_among_others(self) -> None:
        job = plan_of(
            INTENDED,
            UNKNOWN,
            WRITE_OFF,
            choice=Choice(retry_failed=frozenset({"*"})),
        )

        assert job.action is Action.KEEP

    def test_what_was_written_off_is_a_class_of_its_own(self) -> None:
        choice = Choice(retry_failed=frozenset({"written_off"}))

        job = plan_of(INTENDED, UNKNOWN, WRITE_OFF, choice=choice)

        assert (job.action, job.why) == (Action.RETRY, "retry_failed")
        assert job.reason.startswith("written off by a person")

    def test_what_was_settled_so_says_which_attempt_it_repeats(self) -> None:
        job = plan_of(INTENDED, UNKNOWN, BUY_AGAIN)

        assert (job.after, job.why) == (FIRST, "buy_again")

    def test_a_refused_repetition_does_not_hide_the_failure(self) -> None:
        again = SubmitIntended(job=JOB.job, attempt=SECOND, after=FIRST, why="retry")
        refused = SubmitRefused(job=JOB.job, attempt=SECOND, error_class="account")

        job = plan_of(INTENDED, ACCEPTED, FAILED, again, refused)

        assert (job.phase, job.action) == (Phase.FAILED, Action.KEEP)


class TestOnly:
    @pytest.mark.parametrize(
        "glob",
        [
            pytest.param("clip", id="the spec"),
            pytest.param(JOB.name, id="the name"),
            pytest.param("clip/*", id="both, with a star"),
            pytest.param(JOB.job, id="the id"),
            pytest.param(JOB.job[:4], id="the start of the id"),
            pytest.param(f"model={JOB.model}", id="the model"),
        ],
    )
    def test_selects_by(self, glob: str) -> None:
        assert plan_of(choice=Choice(only=(glob,))).action is Action.SUBMIT

    @pytest.mark.parametrize("glob", ["shore", "dog-r1", "shore/dog*"])
    def test_selects_a_job_by_what_was_merged_into_it(self, glob: str) -> None:
        also = (AlsoWanted(spec="shore", name="dog-r1", cell={}),)
        job = msgspec.structs.replace(JOB, also=also)

        assert Choice(only=(glob,)).selects(job)
        assert not Choice(only=(glob,)).selects(JOB)

    def test_what_is_not_selected_is_skipped(self) -> None:
        job = plan_of(choice=Choice(only=("nothing",)))

        assert (job.phase, job.action) == (Phase.SKIPPED, Action.KEEP)
        assert job.reason == "not selected by --only"

    def test_a_failure_that_is_not_selected_stays_failed(self) -> None:
        choice = Choice(only=("nothing",), retry_failed=frozenset({"*"}))

        job = plan_of(INTENDED, ACCEPTED, FAILED, choice=choice)

        assert (job.phase, job.action) == (Phase.FAILED, Action.KEEP)

    def test_what_was_bought_is_collected_all_the_same(self) -> None:
        job = plan_of(INTENDED, ACCEPTED, choice=Choice(only=("nothing",)))

        assert job.action is Action.ADOPT


class TestOrder:
    def test_declared_is_the_order_of_the_manifest(self) -> None:
        found = plan(OTHERS, BatchState(), retry=RetryPolicy(), order="declared")

        assert [job.id for job in found.jobs] == [job.job for job in OTHERS]

    def test_interleaved_is_the_same_however_the_jobs_were_declared(self) -> None:
        found = plan(OTHERS, BatchState(), retry=RetryPolicy())
        again = plan(OTHERS[::-1], BatchState(), retry=RetryPolicy())

        assert found.jobs == again.jobs
        assert [job.id for job in found.jobs] != [job.job for job in OTHERS]


class TestWhatNoManifestAsksFor:
    @pytest.mark.parametrize(
        ("facts", "action"),
        [
            pytest.param([], Action.ORPHAN, id="never bought"),
            pytest.param([INTENDED, ACCEPTED], Action.ADOPT, id="running: collected"),
            pytest.param(
                [INTENDED, ACCEPTED, RESULTS], Action.DOWNLOAD, id="finished: fetched"
            ),
            pytest.param([INTENDED, ACCEPTED, DONE], Action.ORPHAN, id="done"),
            pytest.param([INTENDED, UNKNOWN], Action.SETTLE, id="held"),
        ],
    )
    def test_is_never_bought_and_never_lost(
        self, facts: list[Event], action: Action
    ) -> None:
        found = plan([], state_of(JOB, *facts), retry=RetryPolicy())

        assert [job.action for job in found.jobs] == [action]

    def test_collecting_buys_nothing(self) -> None:
        facts: list[Event] = [JOB, INTENDED, ACCEPTED, *OTHERS]

        found = collection(state_of(*facts))

        assert found.counts == dict.fromkeys(Action, 0) | {"adopt": 1, "orphan": 7}
        assert found.estimate == Estimate()


class TestPlan:
    def test_counts_name_every_action(self) -> None:
        found = plan([JOB, *OTHERS], state_of(JOB, INTENDED), retry=RetryPolicy())

        assert found.counts == dict.fromkeys(Action, 0) | {"submit": 7, "settle": 1}

    def test_jobs_are_found_by_action(self) -> None:
        found = plan([JOB, *OTHERS], state_of(JOB, INTENDED), retry=RetryPolicy())

        assert [job.id for job in found.with_action(Action.SETTLE)] == [JOB.job]


class TestEstimate:
    def test_is_the_median_of_what_was_reserved_for_the_same_shape(self) -> None:
        reserved = (10.0, 20.0, 90.0)
        facts = [
            fact
            for number, (job, price) in enumerate(zip(OTHERS, reserved, strict=False))
            for fact in bought(job, number, price)
        ]

        found = estimate([JOB, JOB], prices(state_of(*facts)))

        assert (found.jobs, found.credits, found.unpriced) == (2, 40.0, 0)
        assert (found.most, found.measured) == (180.0, 3)

    def test_what_was_never_bought_has_no_price(self) -> None:
        found = estimate([JOB], prices(state_of(*OTHERS)))

        assert (found.jobs, found.credits, found.unpriced) == (1, 0.0, 1)

    def test_is_about_purchases_alone(self) -> None:
        found = plan(
            [JOB, OTHERS[0]], state_of(JOB, INTENDED, ACCEPTED), retry=RetryPolicy()
        )

        priced = found.estimate
        assert (priced.jobs, priced.credits, priced.unpriced) == (1, 28.0, 0)

    def test_the_prompt_makes_no_price_and_the_length_does(self) -> None:
        longer = msgspec.structs.replace(JOB, request={**JOB.request, "duration": 8})

        assert price_shape(JOB) == price_shape(OTHERS[0])
        assert price_shape(JOB) != price_shape(longer)


def bought(job: JobPlanned, number: int, price: float) -> Iterable[Event]:
    attempt = AttemptId(f"run-{number}")
    return (
        job,
        SubmitIntended(job=job.job, attempt=attempt),
        SubmitAccepted(
            job=job.job, attempt=attempt, task=TaskId(f"t-{number}"), credits=price
        ),
        StatusSeen(job=job.job, attempt=attempt, status="pending", state="running"),
    )


class TestNews:
    STAMPED = msgspec.structs.replace(JOB, v=1, seq=9, at="2026", run=RUN)

    def test_a_job_is_news_once(self) -> None:
        assert is_news(JOB, None)
        assert not is_news(JOB, self.STAMPED)

    def test_another_manifest_or_line_is_no_news(self) -> None:
        moved = msgspec.structs.replace(JOB, line=99, manifest="f" * 64)

        assert not is_news(moved, self.STAMPED)

    def test_another_name_is(self) -> None:
        assert is_news(msgspec.structs.replace(JOB, name="other"), self.STAMPED)

    def test_another_entry_that_wants_it_is(self) -> None:
        also = (AlsoWanted(spec="shore", name="dog-r1", cell={}),)

        assert is_news(msgspec.structs.replace(JOB, also=also), self.STAMPED)


class TestLocalFiles:
    NEEDY = msgspec.structs.replace(
        JOB,
        request={
            "prompt": "x",
            "image_urls": [
                "https://example.com/a.png",
                {"path": "refs/b.png", "sha256": "b"},
                {"path": "refs/c.png", "sha256": "c"},
            ],
            "cover_url": {"path": "refs/b.png", "sha256": "b"},
            "advanced": {"path": "no file"},
        },
    )

    def test_are_found_with_their_parameters(self) -> None:
        assert list(local_files(self.NEEDY)) == [
            ("image_urls", "refs/b.png"),
            ("image_urls", "refs/c.png"),
            ("cover_url", "refs/b.png"),
        ]
        assert list(local_files(JOB)) == []

    def test_are_told_of_what_would_be_submitted(self) -> None:
        (job,) = plan([self.NEEDY], BatchState(), retry=RetryPolicy()).jobs

        assert job.action is Action.SUBMIT
        assert job.reason == (
            "not bought yet; uploads are not built yet: refs/b.png, refs/c.png"
        )

    def test_are_no_matter_where_nothing_is_submitted(self) -> None:
        choice = Choice(only=("nothing",))
        found = plan([self.NEEDY], BatchState(), retry=RetryPolicy(), choice=choice)

        assert found.jobs[0].reason == "not selected by --only"


def test_the_fact_names_what_was_merged_into_a_job() -> None:
    manifest = read(
        """
        {foxbatch: 1, name: m, provider: sandbox, duplicates: merge,
         defaults: {model: veo-3.1},
         jobs: [{id: a, prompts: [A fox]}, {id: b, prompts: [{id: x, text: A fox}]}]}
        """
    )
    (job,) = expand(manifest, load_provider("sandbox", base=Path()), lambda _: None)

    fact = as_planned(job, manifest.sha256)

    assert fact.also == (AlsoWanted(spec="b", name="x-r1", cell={}),)


def test_the_fact_holds_everything_about_a_job() -> None:
    manifest = read(
        """
        {foxbatch: 1, name: m, provider: sandbox,
         defaults: {model: veo-3.1},
         jobs: [{id: a, prompts: [A fox], matrix: {axes: {duration: [4]}}}]}
        """
    )
    problems: list[Problem] = []
    (job,) = expand(manifest, load_provider("sandbox", base=Path()), problems.append)

    fact = as_planned(job, manifest.sha256)

    said = msgspec.to_builtins(fact)
    known = job.to_json()
    shared = {"job", "spec", "name", "cell", "repeat", "request", "output", "prompt"}
    assert {name: said[name] for name in shared} == {n: known[n] for n in shared}
    assert (fact.model, fact.kind, fact.line) == ("veo-3.1", "video", job.origin.line)
    assert (fact.digest, fact.manifest) == (job.digest, manifest.sha256)
