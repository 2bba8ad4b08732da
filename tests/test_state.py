"""What is known about a job, from all facts of all files."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from foxbatch.errors import TransitionError
from foxbatch.events import (
    EXPIRED,
    AttemptFact,
    AttemptId,
    Event,
    JobFailed,
    RunId,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitSettled,
    TaskId,
)
from foxbatch.state import (
    Attempt,
    BatchState,
    JobState,
    Phase,
    Submission,
    fold,
    key_of,
)
from tests.facts import (
    ACCEPTED,
    ARTIFACT,
    BUY_AGAIN,
    ENDED,
    FAILED,
    FIRST,
    HALTED,
    JOB,
    LATER_RUN,
    PLANNED,
    REFUSED,
    RESULTS,
    RUN,
    SECOND,
    SETTLED,
    STARTED,
    STATUS,
    SUCCEEDED,
    TASK,
    UNKNOWN,
    WATCH_ENDED,
    WRITE_OFF,
    at,
    file_of,
    stamped,
)

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)
AGAIN = SubmitIntended(job=JOB, attempt=SECOND, after=FIRST, why="retry")
LATER_FIRST = AttemptId(f"{LATER_RUN}-1")
REMOTE_FAILED = StatusSeen(job=JOB, attempt=FIRST, status="failed", state="failed")


def second(fact: Event) -> Event:
    """Return *fact* as one about the second attempt."""
    assert isinstance(fact, AttemptFact)
    return msgspec.structs.replace(fact, attempt=SECOND)


def job_after(*events: Event) -> JobState:
    return fold(file_of(RUN, events)).jobs[JOB]


def attempt_after(*events: Event) -> Attempt:
    return job_after(*events).attempts[FIRST]


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        pytest.param([PLANNED], Phase.NEW, id="planned"),
        pytest.param([INTENDED], Phase.HELD, id="the process died with the POST"),
        pytest.param([INTENDED, REFUSED], Phase.NEW, id="refused: nothing was bought"),
        pytest.param([INTENDED, REFUSED, FAILED], Phase.FAILED, id="refused for good"),
        pytest.param([INTENDED, UNKNOWN], Phase.HELD, id="no answer"),
        pytest.param([INTENDED, UNKNOWN, SETTLED], Phase.RUNNING, id="task found"),
        pytest.param([INTENDED, UNKNOWN, BUY_AGAIN], Phase.NEW, id="buy again"),
        pytest.param([INTENDED, UNKNOWN, WRITE_OFF], Phase.FAILED, id="write off"),
        pytest.param([INTENDED, ACCEPTED], Phase.RUNNING, id="accepted"),
        pytest.param([INTENDED, ACCEPTED, STATUS], Phase.RUNNING, id="seen running"),
        pytest.param(
            [INTENDED, ACCEPTED, WATCH_ENDED], Phase.OVERDUE, id="patience ended"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, WATCH_ENDED, STATUS],
            Phase.RUNNING,
            id="heard of again after patience ended",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, REMOTE_FAILED],
            Phase.RUNNING,
            id="failed remotely, not yet decided what that means",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, REMOTE_FAILED, FAILED], Phase.FAILED, id="failed"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS], Phase.DOWNLOADING, id="results known"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS, WATCH_ENDED],
            Phase.DOWNLOADING,
            id="results stay known when patience ends",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS, ARTIFACT],
            Phase.DOWNLOADING,
            id="one file does not make it done",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS, ARTIFACT, SUCCEEDED], Phase.DONE, id="done"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, RESULTS, FAILED], Phase.FAILED, id="results are gone"
        ),
    ],
)
def test_where_a_job_stands_after(events: Sequence[Event], phase: Phase) -> None:
    assert job_after(*events).phase() is phase


@pytest.mark.parametrize("failed_first", [True, False])
def test_results_outweigh_what_another_run_was_told(
    failed_first: bool,
) -> None:
    """Bought again, they would be paid for twice; so they are asked for."""
    bought = file_of(RUN, [PLANNED, INTENDED, ACCEPTED])
    failed = file_of(LATER_RUN, [REMOTE_FAILED, FAILED])
    seen = file_of(RunId("cccccccccc"), [RESULTS])
    later = [failed, seen] if failed_first else [seen, failed]

    job = fold(fact for file in (bought, *later) for fact in file).jobs[JOB]

    assert job.phase() is Phase.DOWNLOADING


def test_results_that_are_gone_are_gone_in_every_file() -> None:
    expired = msgspec.structs.replace(FAILED, error_class=EXPIRED)
    bought = file_of(RUN, [PLANNED, INTENDED, ACCEPTED, RESULTS, expired])
    files: list[list[Event]] = [
        [RESULTS],
        [REMOTE_FAILED, FAILED],
        [RESULTS, WATCH_ENDED],
    ]
    for later in files:
        facts = [*bought, *file_of(LATER_RUN, later)]

        assert fold(facts).jobs[JOB].phase() is Phase.FAILED
        assert fold(facts[::-1]).jobs[JOB].phase() is Phase.FAILED


def test_an_intent_of_a_run_that_is_alive_is_being_submitted() -> None:
    assert job_after(INTENDED).phase(live={RUN}) is Phase.SUBMITTING
    assert job_after(INTENDED, UNKNOWN).phase(live={RUN}) is Phase.HELD
    assert job_after(INTENDED).phase(live={LATER_RUN}) is Phase.HELD


@pytest.mark.parametrize("heard", [STATUS, WATCH_ENDED, RESULTS])
def test_a_task_whose_submission_is_in_a_missing_file_is_held(heard: Event) -> None:
    """As a new job it would be bought a second time."""
    state = fold(file_of(LATER_RUN, [heard]))

    assert state.phase(JOB) is Phase.HELD
    assert state.bought() == 1


def test_the_decision_that_knows_more_wins_in_either_order() -> None:
    first = stamped(WRITE_OFF, run=RUN, at_s=1)
    later = stamped(BUY_AGAIN, run=LATER_RUN, at_s=2)
    latest = stamped(SETTLED, run=RunId("cccccccccc"), at_s=3)

    assert fold([first, later, latest]).jobs[JOB].attempts[FIRST].settled == latest
    assert fold([latest, later, first]).jobs[JOB].attempts[FIRST].settled == latest
    assert fold([later, first]).phase(JOB) is Phase.NEW


def test_of_two_equal_decisions_the_first_word_stands() -> None:
    first = stamped(SETTLED, run=LATER_RUN, at_s=1)
    later = stamped(
        msgspec.structs.replace(SETTLED, task=TaskId("task-2")), run=RUN, at_s=2
    )

    assert fold([first, later]).jobs[JOB].attempts[FIRST].task == TASK
    assert fold([later, first]).jobs[JOB].attempts[FIRST].task == TASK


def test_an_acceptance_is_stronger_than_any_decision() -> None:
    decided = stamped(WRITE_OFF, run=LATER_RUN, at_s=1)
    accepted = stamped(ACCEPTED, run=RUN, at_s=9)

    assert fold([accepted, decided]).phase(JOB) is Phase.RUNNING
    assert fold([decided, accepted]).phase(JOB) is Phase.RUNNING


def test_every_task_that_was_ever_named_keeps_its_owner() -> None:
    """Whatever comes first, nobody else may be given one of these tasks."""
    settled = stamped(
        msgspec.structs.replace(SETTLED, task=TaskId("task-2")), run=LATER_RUN
    )
    accepted = stamped(ACCEPTED, run=RUN)

    assert fold([accepted, settled]).tasks == {TASK: FIRST, "task-2": FIRST}
    assert fold([settled, accepted]).tasks == {TASK: FIRST, "task-2": FIRST}


def test_a_task_that_two_attempts_claim_belongs_to_the_same_one_in_any_order() -> None:
    mine = stamped(ACCEPTED, seq=1)
    other = stamped(second(ACCEPTED), seq=2)

    assert fold([mine, other]).tasks == fold([other, mine]).tasks == {TASK: FIRST}


def test_patience_that_ended_in_another_file_counts_by_time() -> None:
    accepted = stamped(ACCEPTED, run=RUN, at_s=1)
    ended = stamped(WATCH_ENDED, run=LATER_RUN, at_s=5)
    seen = stamped(STATUS, run=RUN, seq=2, at_s=6)

    assert fold([ended, accepted]).phase(JOB) is Phase.OVERDUE
    assert fold([ended, seen, accepted]).phase(JOB) is Phase.RUNNING


def test_a_remote_failure_never_hides_results() -> None:
    results = stamped(RESULTS, seq=2, at_s=1)
    failed = stamped(REMOTE_FAILED, seq=3, at_s=2)
    accepted = stamped(ACCEPTED)

    assert fold([accepted, results, failed]).phase(JOB) is Phase.DOWNLOADING
    assert fold([failed, accepted, results]).phase(JOB) is Phase.DOWNLOADING


@pytest.mark.parametrize(
    ("first", "then", "phase", "leader"),
    [
        pytest.param([FAILED], [], Phase.HELD, SECOND, id="held before failed"),
        pytest.param([FAILED], [REFUSED], Phase.FAILED, FIRST, id="refused is mute"),
        pytest.param([FAILED], [ACCEPTED], Phase.RUNNING, SECOND, id="retry runs"),
        pytest.param(
            [FAILED], [ACCEPTED, FAILED], Phase.FAILED, SECOND, id="the last failure"
        ),
        pytest.param([FAILED], [UNKNOWN, BUY_AGAIN], Phase.NEW, SECOND, id="buy again"),
        pytest.param(
            [UNKNOWN, BUY_AGAIN], [ACCEPTED, FAILED], Phase.FAILED, SECOND, id="bought"
        ),
        pytest.param(
            [UNKNOWN], [ACCEPTED, WATCH_ENDED], Phase.OVERDUE, SECOND, id="overdue"
        ),
        pytest.param(
            [ACCEPTED, WATCH_ENDED], [ACCEPTED], Phase.RUNNING, SECOND, id="running"
        ),
        pytest.param(
            [ACCEPTED, RESULTS], [ACCEPTED], Phase.DOWNLOADING, FIRST, id="downloading"
        ),
        pytest.param(
            [ACCEPTED, RESULTS, SUCCEEDED],
            [ACCEPTED, RESULTS],
            Phase.DONE,
            FIRST,
            id="done before all",
        ),
        pytest.param([ACCEPTED], [ACCEPTED], Phase.RUNNING, FIRST, id="older leads"),
    ],
)
def test_the_attempt_that_leads(
    first: list[Event], then: list[Event], phase: Phase, leader: AttemptId
) -> None:
    job = job_after(INTENDED, *first, AGAIN, *map(second, then))

    said, attempt = job.leading()

    assert attempt is not None
    assert (said, attempt.id) == (phase, leader)


def test_one_decision_buys_once_also_when_the_clock_was_set_back() -> None:
    """What was bought on that decision seems to be older than what it repeats."""
    again = SubmitIntended(job=JOB, attempt=LATER_FIRST, after=FIRST, why="buy_again")
    bought = [
        msgspec.structs.replace(fact, attempt=LATER_FIRST)
        for fact in (ACCEPTED, FAILED)
    ]
    before = file_of(RUN, [INTENDED, UNKNOWN, BUY_AGAIN])
    after = file_of(LATER_RUN, [again, *bought], start_s=-7_200)

    phase, attempt = fold([*before, *after]).jobs[JOB].leading()

    assert attempt is not None
    assert (phase, attempt.id) == (Phase.FAILED, LATER_FIRST)


def test_what_is_being_submitted_goes_before_what_runs() -> None:
    job = job_after(INTENDED, ACCEPTED, AGAIN)

    assert job.leading(live={RUN}) == (Phase.SUBMITTING, job.attempts[SECOND])


def test_refused_attempts_alone_leave_the_job_new_and_nobody_leads() -> None:
    assert job_after(INTENDED, REFUSED).leading() == (Phase.NEW, None)


def test_a_job_that_nothing_is_known_about_is_new() -> None:
    assert BatchState().phase(JOB) is Phase.NEW


def test_a_job_is_called_by_its_id_until_its_plan_is_known() -> None:
    assert job_after(INTENDED).name == JOB
    assert job_after(PLANNED).name == "a dune at night"


def test_two_runs_that_bought_the_same_are_found() -> None:
    theirs = AttemptId(f"{LATER_RUN}-1")
    bought_too: list[Event] = [
        SubmitIntended(job=JOB, attempt=theirs),
        SubmitAccepted(job=JOB, attempt=theirs, task=TaskId("task-2")),
    ]
    files = [
        *file_of(RUN, [INTENDED, ACCEPTED], start_s=10),
        *file_of(LATER_RUN, bought_too),
    ]

    job = fold(files).jobs[JOB]

    assert [found.id for found in job.unexplained_purchases()] == [theirs, FIRST]
    assert job.accepted == 2


THEIRS = AttemptId(f"{LATER_RUN}-1")
RECOVERED = SubmitSettled(job=JOB, attempt=THEIRS, decision="task", task=TASK)


def test_one_task_that_two_files_tell_of_is_one_purchase() -> None:
    """A log was read back, and then the lost file turned up after all."""
    files = [
        *file_of(LATER_RUN, [RECOVERED], start_s=10),
        *file_of(RUN, [INTENDED, ACCEPTED]),
    ]

    assert fold(files).jobs[JOB].unexplained_purchases() == []


def test_a_retry_that_is_told_twice_is_still_a_retry() -> None:
    again = msgspec.structs.replace(RECOVERED, task=TaskId("task-2"))
    bought = second(msgspec.structs.replace(ACCEPTED, task=TaskId("task-2")))
    files = [
        *file_of(LATER_RUN, [again]),
        *file_of(RUN, [INTENDED, ACCEPTED, FAILED, AGAIN, bought], start_s=10),
    ]

    assert fold(files).jobs[JOB].unexplained_purchases() == []


class TestBoughtElsewhere:
    """What another run directory paid for and this one took over."""

    TAKEN = SubmitSettled(
        job=JOB, attempt=FIRST, decision="task", task=TASK, bought_in="runs/sea@foxapi"
    )

    def test_it_is_not_counted_here(self) -> None:
        taken = attempt_after(self.TAKEN, STATUS)

        assert taken.bought_in == "runs/sea@foxapi"
        assert taken.phase(alive=False) is Phase.RUNNING
        assert (taken.counts_as_bought, taken.credits) == (False, None)

    @pytest.mark.parametrize(
        "known",
        [[INTENDED], [INTENDED, ACCEPTED], [INTENDED, UNKNOWN]],
        ids=["intended", "accepted", "unknown"],
    )
    def test_what_was_submitted_here_counts_whatever_a_decision_says(
        self, known: list[Event]
    ) -> None:
        settled = msgspec.structs.replace(self.TAKEN, attempt=FIRST)
        facts = [*file_of(RUN, known), *file_of(LATER_RUN, [settled], start_s=10)]

        assert fold(facts).bought() == 1

    def test_what_was_given_up_there_is_given_up_here(self) -> None:
        given_up = SubmitSettled(
            job=JOB, attempt=FIRST, decision="write_off", bought_in="runs/sea@foxapi"
        )
        job = job_after(given_up)

        phase, attempt = job.leading()

        assert (phase, attempt) == (Phase.FAILED, job.attempts[FIRST])
        assert fold(file_of(RUN, [given_up])).bought() == 0


def test_what_a_log_says_was_reserved_is_known() -> None:
    told = msgspec.structs.replace(RECOVERED, credits=28.0)

    assert fold(file_of(LATER_RUN, [told])).jobs[JOB].attempts[THEIRS].credits == 28


def test_an_attempt_began_when_it_was_found_out_about() -> None:
    found = attempt_after(SETTLED, STATUS)

    assert found.since == at(1)


def test_a_recorded_retry_is_no_unexplained_purchase() -> None:
    job = job_after(INTENDED, ACCEPTED, FAILED, AGAIN, second(ACCEPTED))

    assert job.unexplained_purchases() == []
    assert job.accepted == 2


@pytest.mark.parametrize(
    ("events", "bought"),
    [
        pytest.param([PLANNED], 0, id="planned"),
        pytest.param([INTENDED, REFUSED, FAILED], 0, id="refused"),
        pytest.param([INTENDED], 1, id="may have been bought"),
        pytest.param([INTENDED, UNKNOWN, WRITE_OFF], 1, id="written off"),
        pytest.param([INTENDED, ACCEPTED, FAILED, AGAIN], 2, id="a retry costs again"),
    ],
)
def test_what_was_or_may_have_been_bought(events: list[Event], bought: int) -> None:
    assert fold(file_of(RUN, events)).bought() == bought


@pytest.mark.parametrize(
    ("events", "reported"),
    [
        pytest.param([INTENDED], None, id="nothing known"),
        pytest.param([INTENDED, ACCEPTED], 2.5, id="reserved"),
        pytest.param(
            [INTENDED, ACCEPTED, msgspec.structs.replace(STATUS, credits=0.0)],
            0,
            id="reported: nothing is a price too",
        ),
        pytest.param(
            [INTENDED, ACCEPTED, STATUS, RESULTS, SUCCEEDED], 2.0, id="charged"
        ),
        pytest.param(
            [INTENDED, ACCEPTED, JobFailed(job=JOB, attempt=FIRST, error_class="x")],
            2.5,
            id="a failure that does not say keeps what was reserved",
        ),
    ],
)
def test_credits_as_last_reported(events: list[Event], reported: float | None) -> None:
    assert attempt_after(*events).credits == reported


def test_an_attempt_begins_when_it_is_first_heard_of() -> None:
    def since(event: Event) -> str:
        return fold([stamped(event, at_s=7)]).jobs[JOB].attempts[FIRST].since

    assert (
        since(INTENDED) == since(ACCEPTED) == since(STATUS) == since(SETTLED) == at(7)
    )
    assert since(FAILED) == ""


def test_an_attempt_knows_its_run_and_its_last_news() -> None:
    attempt = attempt_after(INTENDED, ACCEPTED, STATUS)

    assert attempt.run == RUN
    assert attempt.heard_at == at(3)
    assert attempt.submission is Submission.ACCEPTED
    assert attempt.task == TASK


def test_a_decision_that_names_no_task_gives_none() -> None:
    assert attempt_after(INTENDED, UNKNOWN, BUY_AGAIN).task is None
    assert attempt_after(INTENDED, UNKNOWN, SETTLED).task == TASK


def test_facts_about_runs_are_not_an_attempts_business() -> None:
    with pytest.raises(TransitionError, match=r"run\.ended is not about an attempt"):
        Attempt(FIRST, JOB).join(stamped(ENDED))


def test_runs_are_known_with_their_start_end_and_halt() -> None:
    facts = file_of(RUN, [STARTED, HALTED, ENDED])

    run = fold(facts).runs[RUN]

    assert (run.started, run.halted, run.ended) == facts


def test_the_newest_file_of_an_item_stands() -> None:
    fresh = msgspec.structs.replace(ARTIFACT, bytes=5)

    attempt = attempt_after(INTENDED, ACCEPTED, RESULTS, ARTIFACT, fresh)

    assert attempt.artifacts[1].bytes == 5


def test_the_raw_words_of_the_service_stay_in_the_file_unless_a_person_needs_them() -> (
    None
):
    bought = attempt_after(INTENDED, ACCEPTED, STATUS)
    refused = attempt_after(INTENDED, REFUSED).refused
    held = attempt_after(INTENDED, UNKNOWN).unknown

    assert ACCEPTED.reply
    assert REFUSED.reply
    assert STATUS.reply
    assert bought.accepted is not None
    assert bought.status is not None
    assert refused is not None
    assert held is not None
    assert [bought.accepted.reply, bought.status.reply, refused.reply] == ["", "", ""]
    assert bought.accepted.headers == ACCEPTED.headers
    assert held.reply == UNKNOWN.reply


def test_the_service_began_when_any_file_first_says_so() -> None:
    queued = msgspec.structs.replace(STATUS, status="pending", queued=True)
    first = stamped(STATUS, run=LATER_RUN, seq=1, at_s=2)
    facts = [
        stamped(queued, seq=1, at_s=1),
        first,
        stamped(STATUS, seq=2, at_s=3),
        stamped(REMOTE_FAILED, seq=3, at_s=4),
    ]

    for order in (facts, facts[::-1]):
        running = fold(order).jobs[JOB].attempts[FIRST].running
        assert running is not None
        assert key_of(running) == key_of(first)
    assert attempt_after(ACCEPTED, queued, REMOTE_FAILED).running is None


def test_facts_are_ordered_by_time_then_run_then_place() -> None:
    facts = [
        stamped(STATUS, run=RUN, seq=2, at_s=1),
        stamped(STATUS, run=RUN, seq=10, at_s=1),
        stamped(STATUS, run=LATER_RUN, seq=1, at_s=1),
        stamped(STATUS, run=RUN, seq=1, at_s=2),
    ]

    assert [key_of(fact) for fact in facts] == sorted(map(key_of, facts))
