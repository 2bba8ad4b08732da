"""Where jobs stand, in words: what no run on the sandbox brings about."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from foxbatch.api import JobStatus, Length, Spent, Status
from foxbatch.budget import Spending
from foxbatch.canonical import JobId
from foxbatch.cli import standing
from foxbatch.cli._terminal import Terminal
from foxbatch.policy import Budget
from foxbatch.results import Failure
from foxbatch.state import Phase
from tests.records import record


def job(phase: Phase, **fields: object) -> JobStatus:
    known: dict[str, object] = {
        "task": None,
        "attempt": None,
        "since": None,
        "error": None,
    }
    return JobStatus(job=JobId("abc"), name="sea", phase=phase, **(known | fields))  # type: ignore[arg-type]  # as the caller names them


def told(
    *jobs: JobStatus, pid: int | None = None, problems: tuple[str, ...] = ()
) -> str:
    status = Status(
        run_dir=Path("runs/sea@foxapi"),
        jobs=jobs,
        running_pid=pid,
        at_risk=tuple(one for one in jobs if one.valid_until),
        problems=problems,
    )
    return "\n".join(line.plain for line in standing.summary(status))


def test_process_that_works_on_it_is_named() -> None:
    assert told(pid=4711).endswith("process 4711 is working on it")


def test_results_that_vanish_soon_are_said() -> None:
    waiting = job(Phase.DOWNLOADING, valid_until="2026-01-02T03:04:05.678Z")

    assert told(waiting).endswith(
        "at risk: sea is kept by the service until 2026-01-02 03:04:05Z;"
        " type foxbatch collect"
    )


@pytest.mark.parametrize(
    ("alive", "words"),
    [
        (False, "may have been bought;"),
        (True, "(its run may still be alive elsewhere);"),
    ],
    ids=["its run is over", "its run may go on"],
)
def test_held_jobs_come_with_the_command(alive: bool, words: str) -> None:
    text = told(job(Phase.HELD, maybe_alive=alive))

    assert words in text
    assert text.endswith("type foxbatch settle runs/sea@foxapi abc")


def test_many_kinds_of_tasks_are_cut_short() -> None:
    status = Status(
        run_dir=Path("runs/sea@foxapi"),
        jobs=(),
        running_pid=None,
        at_risk=(),
        lengths=tuple(Length((f"model-{n}",), 3, 90.0) for n in range(7)),
    )

    lines = [line.plain for line in standing.summary(status)]

    assert lines[1] == "tasks take: model-0: about 1m 30s, from 3 seen to end"
    assert lines[-1] == "and 2 more kinds of tasks"


def test_credits_of_what_is_not_over_are_no_matter_of_a_budget_of_jobs() -> None:
    status = Status(
        run_dir=Path("runs/sea@foxapi"),
        jobs=(),
        running_pid=None,
        at_risk=(),
        spent=Spent(Spending(Budget(credits=math.inf), 3, 84.0, 1), 28.0),
        budgets=(Spent(Spending(Budget(jobs=5), 3, 84.0, 1), 28.0),),
    )

    assert [line.plain for line in standing.summary(status)][1:] == [
        (
            "spent: 3 purchases, 84 credits, 28 of them for what is not over yet,"
            " and 1 purchase of unknown price"
        ),
        "budget: 5 jobs: 3 bought, 2 left",
    ]


def test_what_no_phase_says_is_said() -> None:
    assert told(problems=("bought twice",)).endswith("! bought twice")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, ""),
        (Failure("overdue"), "overdue"),
        (Failure("content", "E1", "no\nway"), "content: E1 no way"),
    ],
    ids=["nothing wrong", "only a class", "code and message"],
)
def test_failure_is_one_line(error: Failure | None, words: str) -> None:
    assert standing.in_words(error) == words


class TestFlags:
    """What came that is not as asked, below the table of records."""

    def test_each_difference_is_told_with_a_job_that_has_it(self) -> None:
        model, less = "asked for model veo, got lite", "less than what was asked for: x"
        found = [
            record(name="a", flags=(model,)),
            record(name="b"),
            record(name="c", flags=(less, model)),
            record(name="d", flags=(less, less.upper(), model)),
        ]

        assert [line.plain for line in standing.flags_in_words(found)] == [
            "! 3 jobs are not as asked:",
            "  asked for model veo, got lite: sea/a and 2 more jobs",
            "  less than what was asked for: x: sea/c and 1 more job",
            "  LESS THAN WHAT WAS ASKED FOR: X: sea/d",
        ]

    def test_many_differences_are_cut_short(self) -> None:
        found = [record(flags=tuple(f"no {n}" for n in range(7)))]

        lines = [line.plain for line in standing.flags_in_words(found)]

        assert lines[0] == "! 1 job is not as asked:"
        assert lines[-2:] == ["  no 4: sea/calm", "  and 2 more differences"]

    def test_where_all_is_as_asked_nothing_is_told(self) -> None:
        assert list(standing.flags_in_words([record()])) == []

    def test_a_job_that_has_one_is_marked(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        odd = record(name="odd", flags=("asked for 8 s,\x1b[2J got 5 s",))

        standing.show_records(Terminal({}), [odd, record()])

        out, err = capsys.readouterr()
        rows = [line.split() for line in out.splitlines()]
        assert rows[1][2:4] == ["done", "!"]
        assert rows[2][2:4] == ["done", "-"]
        assert "\n  asked for 8 s,\\x1b[2J got 5 s: sea/odd\n" in err
