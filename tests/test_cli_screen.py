"""What is seen while a run goes on, and when it has ended."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TextIO, cast

import anyio
import anyio.lowlevel
import pytest
from rich.console import Console

from foxbatch.api import Beginning, RunSummary
from foxbatch.budget import Projection, Spending
from foxbatch.canonical import Digest, JobId
from foxbatch.cli import ending
from foxbatch.cli._terminal import Terminal
from foxbatch.cli.money import estimate_in_words, price_in_words
from foxbatch.cli.progress import Progress
from foxbatch.cli.screen import (
    Screen,
    accepted_line,
    opening,
    shares,
)
from foxbatch.errors import ExitCode
from foxbatch.events import (
    ArtifactStored,
    AttemptId,
    BatchHalted,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    MediaFacts,
    ResultsSeen,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
    TaskId,
    WatchEnded,
)
from foxbatch.planner import Action, Plan, PlannedJob
from foxbatch.policy import Budget, Limits
from foxbatch.prices import Estimate, Price, PriceLine
from foxbatch.state import Attempt, Phase


def planned(
    name: str,
    *,
    phase: Phase = Phase.NEW,
    action: Action = Action.SUBMIT,
    reason: str = "not bought yet",
    **request: object,
) -> PlannedJob:
    wanted = JobPlanned(
        job=JobId(f"job-{name}"),
        digest=Digest("0" * 64),
        spec="sea",
        name=name,
        cell={},
        repeat=1,
        provider="foxapi",
        endpoint="/v1",
        model="veo",
        kind="video",
        request=request,
        output="x",
    )
    return PlannedJob(wanted=wanted, phase=phase, action=action, reason=reason)


def line(
    jobs: int,
    each: float | None,
    *,
    high: float | None = None,
    job: PlannedJob | None = None,
) -> PriceLine:
    price = None if each is None else Price(each, each, high or each, measured=3)
    return PriceLine((job or planned("a")).wanted, jobs, price)


def beginning(
    *jobs: PlannedJob,
    estimate: Estimate | None = None,
    base_url: str = "https://api.example.com",
    torn: tuple[str, ...] = (),
    network: str = "",
) -> Beginning:
    return Beginning(
        run_dir=Path("runs/sea@foxapi"),
        name="sea",
        provider="foxapi",
        base_url=base_url,
        paid=True,
        plan=Plan(jobs, estimate or Estimate()),
        limits=Limits(in_flight=8),
        phases={job.id: job.phase for job in jobs},
        torn=torn,
        network=network,
    )


def life(
    name: str, *, price: float | None = 20.0
) -> tuple[SubmitIntended, SubmitAccepted, ResultsSeen, JobSucceeded]:
    """Return the facts of a job that goes well."""
    job, attempt = JobId(f"job-{name}"), AttemptId(f"run-{name}")
    return (
        SubmitIntended(job=job, attempt=attempt),
        SubmitAccepted(
            job=job, attempt=attempt, task=TaskId(f"t-{name}"), credits=price
        ),
        ResultsSeen(job=job, attempt=attempt, items=()),
        JobSucceeded(job=job, attempt=attempt, credits=price),
    )


def failed(name: str, *, code: str = "", message: str = "") -> JobFailed:
    return JobFailed(
        job=JobId(f"job-{name}"),
        attempt=AttemptId(f"run-{name}"),
        error_class="content",
        code=code,
        message=message,
    )


def unknown(name: str) -> SubmitUnknown:
    return SubmitUnknown(
        job=JobId(f"job-{name}"), attempt=AttemptId(f"run-{name}"), why="no answer"
    )


class TestProgress:
    def test_phases_follow_the_facts(self) -> None:
        progress = Progress(beginning(planned("a"), planned("b")), 0.0)
        seen = []

        for fact in life("a"):
            progress.take(fact, 1.0)
            seen.append(progress.phases[JobId("job-a")])

        assert seen == [Phase.SUBMITTING, Phase.RUNNING, Phase.DOWNLOADING, Phase.DONE]
        assert progress.counts == {Phase.DONE: 1, Phase.NEW: 1}
        assert (progress.total, progress.settled, progress.submitted) == (2, 1, 1)

    def test_refused_job_is_new_again(self) -> None:
        progress = Progress(beginning(planned("a")), 0.0)
        refused = SubmitRefused(
            job=JobId("job-a"), attempt=AttemptId("run-a"), error_class="busy"
        )

        progress.take(life("a")[0], 1.0)
        assert progress.in_flight == 1
        progress.take(refused, 1.0)

        assert progress.counts == {Phase.NEW: 1}
        assert progress.in_flight == 0

    def test_overdue_job_may_come_back(self) -> None:
        job, attempt = JobId("job-a"), AttemptId("old-a")
        adopted = planned("a", phase=Phase.RUNNING, action=Action.ADOPT)
        progress = Progress(beginning(adopted), 0.0)

        progress.take(WatchEnded(job=job, attempt=attempt, watched_s=9), 1.0)
        assert progress.counts == {Phase.OVERDUE: 1}
        seen = StatusSeen(job=job, attempt=attempt, status="x", state="running")
        progress.take(seen, 2.0)

        assert progress.counts == {Phase.RUNNING: 1}

    def test_what_becomes_of_a_second_task_changes_nothing_that_is_done(self) -> None:
        job, second = JobId("job-a"), AttemptId("old-b")
        progress = Progress(beginning(planned("a")), 0.0)
        progress.take(failed("a", message="the first one"), 1.0)
        progress.take(JobSucceeded(job=job, attempt=second), 2.0)

        progress.take(failed("a", message="another one"), 3.0)

        assert progress.counts == {Phase.DONE: 1}
        assert progress.failures == {}

    def test_download_that_waits_is_not_overdue(self) -> None:
        job, attempt = JobId("job-a"), AttemptId("old-a")
        waiting = planned("a", phase=Phase.DOWNLOADING, action=Action.DOWNLOAD)
        progress = Progress(beginning(waiting), 0.0)

        progress.take(WatchEnded(job=job, attempt=attempt, watched_s=9), 1.0)

        assert progress.counts == {Phase.DOWNLOADING: 1}

    def test_jobs_that_a_run_is_not_about_do_not_count(self) -> None:
        progress = Progress(
            beginning(
                planned("a"),
                planned("b", phase=Phase.SKIPPED, action=Action.KEEP),
                planned("c", phase=Phase.DONE, action=Action.ORPHAN),
            ),
            0.0,
        )

        assert progress.total == 1

    def test_earlier_troubles_are_known_from_the_start(self) -> None:
        progress = Progress(
            beginning(
                planned(
                    "a", phase=Phase.HELD, action=Action.SETTLE, reason="who knows"
                ),
                planned("b", phase=Phase.FAILED, action=Action.KEEP, reason="no"),
                planned("c", phase=Phase.FAILED, action=Action.RETRY),
            ),
            0.0,
        )

        assert [r.text for r in progress.held.values()] == ["who knows"]
        assert [r.text for r in progress.failures.values()] == ["no"]
        assert progress.counts[Phase.NEW] == 1

    def test_failure_is_forgotten_when_the_job_is_bought_again(self) -> None:
        progress = Progress(beginning(planned("a")), 0.0)

        progress.take(failed("a", message="refused"), 1.0)
        assert progress.failures[JobId("job-a")].text == "content: refused"
        progress.take(life("a")[0], 2.0)

        assert progress.failures == {}

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"code": "E1", "message": "refused"}, "content: refused"),
            ({"code": "E1"}, "content: E1"),
            ({}, "content: no reason was given"),
        ],
        ids=["the service's words", "else its code", "else nothing"],
    )
    def test_failure_has_a_reason(self, fields: dict[str, str], text: str) -> None:
        progress = Progress(beginning(planned("a")), 0.0)

        progress.take(failed("a", **fields), 1.0)

        assert progress.failures[JobId("job-a")].text == text

    def test_credits_are_the_last_known_of_what_this_run_bought(self) -> None:
        progress = Progress(beginning(planned("a"), planned("b"), planned("c")), 0.0)
        progress.take(life("a", price=20)[1], 1.0)
        progress.take(life("b", price=None)[1], 1.0)

        progress.take(life("a", price=25)[3], 2.0)
        progress.take(life("c", price=99)[3], 2.0)  # bought by an earlier run

        assert progress.credits == 25

    def test_rate_and_rest_are_of_late(self) -> None:
        """A slow start is forgotten: what counts is how it goes now."""
        jobs = [planned(str(number)) for number in range(100)]
        progress = Progress(beginning(*jobs), 0.0)
        assert progress.per_minute(10.0) is None
        assert progress.left_s(10.0) is None
        progress.take(life("0")[3], 60.0)
        assert progress.per_minute(60.0) == pytest.approx(1.0)

        for number in range(1, 50):
            progress.take(life(str(number))[3], 600.0 + number)

        assert progress.per_minute(649.0) == pytest.approx(60.0)
        assert progress.left_s(649.0) == pytest.approx(50.0)

    def test_nothing_is_left_when_all_is_settled(self) -> None:
        progress = Progress(beginning(planned("a")), 0.0)

        progress.take(life("a")[3], 6.0)

        assert progress.left_s(6.0) is None


class TestShares:
    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            pytest.param({"done": 1, "new": 1}, [5, 5], id="in proportion"),
            pytest.param({"done": 999, "failed": 1}, [9, 1], id="nothing is invisible"),
            pytest.param({"done": 1, "running": 1, "new": 1}, [4, 3, 3], id="no gap"),
            pytest.param({}, [], id="no jobs"),
        ],
    )
    def test_columns_are_shared_out(
        self, counts: dict[str, int], expected: list[int]
    ) -> None:
        found = shares(Counter({Phase(k): v for k, v in counts.items()}), 10)

        assert list(found.values()) == expected

    def test_more_phases_than_columns_all_stay(self) -> None:
        found = shares(Counter(dict.fromkeys(Phase, 1)), 3)

        assert set(found.values()) == {1}


class Shown:
    """A screen with a clock of its own, and what it wrote."""

    def __init__(self, *, moves: bool, width: int = 80) -> None:
        self.now = 0.0
        self.written = io.StringIO()
        self.terminal = Terminal({})
        console = Console(
            file=cast("TextIO", self.written),
            width=width,
            force_terminal=moves,
            color_system=None,
            highlight=False,
            legacy_windows=False,
        )
        self.terminal.__dict__ |= {"err": console, "stderr": self.written}
        self.screen = Screen(self.terminal, moves=moves, monotonic=lambda: self.now)

    def take(self, *facts: Event) -> None:
        for fact in facts:
            self.screen.happened(fact)

    @property
    def text(self) -> str:
        return self.written.getvalue()


class TestPlainLines:
    @pytest.fixture
    def shown(self) -> Shown:
        return Shown(moves=False)

    def test_every_accepted_submission_is_a_stable_line(self, shown: Shown) -> None:
        shown.screen.begins(beginning(planned("a")))

        shown.take(*life("a"))

        assert shown.text.splitlines()[1:] == ["accepted job=job-a task=t-a credits=20"]

    def test_price_that_is_not_known_is_said(self) -> None:
        _, accepted, *_ = life("a", price=None)

        assert accepted_line(accepted) == "accepted job=job-a task=t-a credits=unknown"

    @pytest.mark.parametrize(
        ("fact", "line"),
        [
            pytest.param(
                failed("a", message="refused\n\x1b[2J"),
                "failed sea/a: content: refused \\x1b[2J",
                id="a failure, on one line and harmless",
            ),
            pytest.param(unknown("a"), "held sea/a: no answer", id="a held job"),
            pytest.param(
                WatchEnded(
                    job=JobId("job-a"), attempt=AttemptId("run-a"), watched_s=1800
                ),
                "overdue sea/a: not finished yet after 30m 00s",
                id="patience that ended",
            ),
            pytest.param(
                WatchEnded(
                    job=JobId("job-a"),
                    attempt=AttemptId("run-a"),
                    watched_s=60,
                    why="not_found",
                ),
                "overdue sea/a: not found after 1m 00s",
                id="a task that cannot be found",
            ),
            pytest.param(
                WatchEnded(
                    job=JobId("job-a"),
                    attempt=AttemptId("run-a"),
                    watched_s=60,
                    why="download: status 404",
                ),
                "overdue sea/a: download: status 404 after 1m 00s",
                id="a file that cannot be fetched",
            ),
            pytest.param(
                StatusSeen(
                    job=JobId("job-a"),
                    attempt=AttemptId("run-a"),
                    status="dreaming",
                    state="running",
                    known=False,
                ),
                "unknown sea/a: the service says 'dreaming', which is taken for "
                "running",
                id="a status that nobody knows",
            ),
            pytest.param(
                ArtifactStored(
                    job=JobId("job-a"),
                    attempt=AttemptId("run-a"),
                    item=1,
                    path="a.mp4",
                    sha256=Digest("0"),
                    bytes=9,
                    media=MediaFacts(kind="video"),
                    mismatch=("4 s asked, 3 s found", "no sound"),
                ),
                "mismatch sea/a: 4 s asked, 3 s found; no sound",
                id="a file that is not what was asked for",
            ),
            pytest.param(
                BatchHalted(why="the key was refused", exit_code=6),
                "halted the key was refused",
                id="a halt",
            ),
        ],
    )
    def test_what_a_person_should_know_is_a_line(
        self, fact: Event, line: str, shown: Shown
    ) -> None:
        shown.screen.begins(beginning(planned("a")))

        shown.take(fact)

        assert shown.text.splitlines()[1:] == [line]

    def test_how_it_goes_is_said_every_ten_seconds(self, shown: Shown) -> None:
        shown.screen.begins(beginning(planned("a"), planned("b")))
        shown.take(*life("a"))

        for shown.now in range(25):
            shown.screen.tick()

        assert shown.text.splitlines()[2:] == [
            (
                "[10s] 1 done, 1 new; 6.0 jobs/min, about 10s left, 0 of 8 in flight,"
                " 20 credits"
            ),
            (
                "[20s] 1 done, 1 new; 3.0 jobs/min, about 20s left, 0 of 8 in flight,"
                " 20 credits"
            ),
        ]

    def test_nothing_is_said_before_it_begins(self, shown: Shown) -> None:
        shown.now = 99.0

        shown.screen.tick()
        shown.take(*life("a"))

        assert shown.text == ""


class TestLiveDisplay:
    @pytest.fixture
    def shown(self) -> Shown:
        return Shown(moves=True)

    def frame(self, shown: Shown) -> list[str]:
        console = Console(width=80, color_system=None, legacy_windows=False)
        with console.capture() as captured:
            console.print(shown.screen.frame(shown.now))
        return captured.get().splitlines()

    def test_frame_shows_how_it_goes_and_what_went_wrong(self, shown: Shown) -> None:
        shown.screen.begins(beginning(*(planned(name) for name in "abcdefg")))
        shown.now = 30.0
        shown.take(*life("a"), *life("b")[:2], unknown("c"))
        shown.take(*(failed(name, message="refused " * 20) for name in "defg"))

        blank, title, bar, legend, figures, *troubles, end = self.frame(shown)

        assert (blank, end) == ("", "")
        assert title == f"  sea{'6/7   30s':>74}"
        assert bar.strip() == "━" * 77
        assert legend == "  ● 1 done   ● 1 running   ● 1 held   ● 4 failed"
        assert figures == (
            "  10.0 jobs/min  ·  about 6s left  ·  1 of 8 in flight  ·  40 credits"
        )
        assert [trouble[:21] for trouble in troubles] == [
            f"  failed   sea/{name}  con" for name in "efg"
        ]
        assert all(len(trouble) == 79 and trouble[-1] == "…" for trouble in troubles)

    def test_accepted_lines_stay_above_it(self, shown: Shown) -> None:
        shown.screen.begins(beginning(planned("a")))
        shown.screen.tick()

        shown.take(*life("a"), failed("b", message="refused"))
        shown.screen.pause()

        assert "accepted job=job-a task=t-a credits=20\n" in shown.text
        assert "failed sea" not in shown.text  # the display has it, and the end

    def test_it_goes_away(self, shown: Shown) -> None:
        shown.screen.begins(beginning(planned("a")))
        shown.screen.tick()

        shown.screen.pause()
        shown.screen.pause()

        assert shown.text.endswith("\x1b[1A\x1b[2K")

    def test_note_is_seen(self, shown: Shown) -> None:
        shown.screen.note("interrupted")

        assert shown.text == "interrupted\n"


class TestOpening:
    def test_warns_of_a_network_file_system(self) -> None:
        lines = [line.plain for line in opening(beginning(network="nfs4"))]

        assert lines[-1] == (
            "warning: runs/sea@foxapi is on a network file system (nfs4): "
            "the lock may not keep other machines out"
        )

    def test_says_where_and_how_much(self) -> None:
        jobs = [
            planned("a"),
            planned("b", phase=Phase.RUNNING, action=Action.ADOPT),
            planned("c", phase=Phase.DONE, action=Action.KEEP),
        ]

        lines = [line.plain for line in opening(beginning(*jobs, torn=("x.jsonl",)))]

        assert lines == [
            (
                "sea: 3 jobs, 1 to submit, 1 to go on with, 1 done before"
                " · foxapi at https://api.example.com"
            ),
            "warning: ledger/x.jsonl ends in an unfinished line, which was ignored",
        ]


class TestQuestion:
    @pytest.fixture
    def shown(self) -> Shown:
        return Shown(moves=False)

    def answer(self, text: str, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> bool:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        jobs = [
            planned("a", resolution="720p", duration=4, generate_audio=False),
            planned("b", resolution="720p", duration=4, generate_audio=False),
            planned("c", action=Action.RETRY, duration=8, generate_audio=True),
            *(planned(f"d{n}", duration=n, action=Action.SUBMIT) for n in range(5)),
            planned("e", phase=Phase.DONE, action=Action.KEEP),
        ]
        kinds = [
            line(2, 20, job=jobs[0]),
            line(1, 20, job=jobs[2]),
            *(line(1, None, job=job) for job in jobs[3:8]),
        ]
        priced = Estimate(tuple(kinds))
        return shown.screen.ask(beginning(*jobs, estimate=priced))

    @pytest.mark.parametrize(
        ("typed", "agreed"),
        [("y\n", True), ("n\n", False), ("\n", False)],
        ids=["yes", "no", "only Return"],
    )
    def test_only_yes_agrees(
        self, typed: str, agreed: bool, shown: Shown, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.answer(typed, shown, monkeypatch) is agreed

    def test_says_what_is_bought_and_what_it_is_thought_to_cost(
        self,
        shown: Shown,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.answer("n\n", shown, monkeypatch)

        lines = shown.text.splitlines()
        assert lines[1] == (
            "8 new jobs on foxapi, which costs money"
            " (1 of them bought before, and failed)"
        )
        assert lines[2:4] == [
            "      2 × veo, 720p, 4 s, silent: 20 each, from 3 bought here",
            "      1 × veo, 8 s, with sound: 20 each, from 3 bought here",
        ]
        assert lines[7] == "        and 2 more kinds"
        assert lines[8].startswith(
            "  estimate: about 60 credits for 3, from 6 bought here; not known for 5"
        )
        assert "Submit them? [y/N]" in capsys.readouterr().err

    def test_ctrl_c_works_and_is_given_back(
        self, shown: Shown, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def taken(*_: object) -> None: ...

        before = signal.signal(signal.SIGINT, taken)
        try:
            self.answer("n\n", shown, monkeypatch)

            assert signal.getsignal(signal.SIGINT) is taken
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(), "nothing to buy"),
        (Estimate((line(2, 617.25),)), "about 1,234.5 credits, from 3 bought here"),
        (
            Estimate((line(2, 28, high=30),)),
            "about 56 credits, at most 60, from 3 bought here",
        ),
        (
            Estimate((line(2, None),)),
            "not known: nothing like it was bought here yet",
        ),
        (
            Estimate((line(2, 30), line(1, None))),
            (
                "about 60 credits for 2, from 3 bought here; not known for 1: nothing"
                " like it was bought here yet"
            ),
        ),
    ],
    ids=["nothing", "all known", "several prices", "nothing known", "some known"],
)
def test_price_that_is_not_known_is_not_zero(estimate: Estimate, words: str) -> None:
    assert estimate_in_words(estimate) == words


class TestEnding:
    def told(self, code: ExitCode, **fields: object) -> list[str]:
        shown = Shown(moves=False)
        summary = RunSummary(
            run_dir=Path("runs/sea@foxapi"),
            exit_code=code,
            reason=str(fields.pop("reason", "as it says")),
            counts=cast("dict[str, int]", fields.pop("counts", {"done": 2})),
            **fields,  # type: ignore[arg-type]  # each as the caller names it
        )
        progress = Progress(beginning(*(planned(str(n)) for n in range(12))), 0.0)
        for number in range(12):
            progress.take(failed(str(number), message="no"), 1.0)
        ending.show(shown.terminal, summary, progress)
        return shown.text.splitlines()

    @pytest.mark.parametrize(
        ("code", "counts", "headline"),
        [
            (ExitCode.DONE, {"done": 2}, "✓ All 2 jobs are done"),
            (ExitCode.DONE, {"done": 1}, "✓ The one job is done"),
            (ExitCode.DONE, {}, "✓ There are no jobs here"),
            (ExitCode.DONE, {"running": 2}, "✓ As it says"),
            (ExitCode.FAILED_JOBS, {"done": 8, "failed": 4}, "✗ 4 of 12 jobs failed"),
            (
                ExitCode.HELD,
                {"done": 8, "held": 2},
                "✗ 2 of 10 jobs may have been bought: a person must decide",
            ),
            (ExitCode.REMOTE, {"running": 2}, "… As it says"),
            (ExitCode.REFUSED, {"new": 2}, "✗ As it says"),
        ],
        ids=["done", "one", "none", "detached", "failed", "held", "remote", "refused"],
    )
    def test_headline_says_how_it_ended(
        self,
        code: ExitCode,
        counts: dict[str, int],
        headline: str,
    ) -> None:
        assert self.told(code, counts=counts, submitted=2)[1] == headline

    def test_only_ten_failures_are_listed(self) -> None:
        lines = self.told(ExitCode.FAILED_JOBS)

        assert sum(line.startswith("  failed ") for line in lines) == 10
        assert "           and 2 more: foxbatch status" in lines

    def test_loud_problems_and_next_commands_are_shown(self) -> None:
        lines = self.told(
            ExitCode.DONE,
            problems=("a was bought twice",),
            next=("foxbatch status x", "foxbatch results x"),
            reused=1,
            submitted=1,
            credits=28.5,
            duration_s=61.0,
        )

        assert lines[2] == (
            "  ● 2 done   1 submitted · 1 done before · 28.5 credits · in 1m 01s"
        )
        assert "  ! a was bought twice" in lines
        assert lines[-2:] == [
            "  next     foxbatch status x",
            "           foxbatch results x",
        ]


REST = Projection(
    Estimate((line(4, 28),)),
    (Spending(Budget(credits=500), jobs=1, credits=28, unpriced=1),),
)


class TestQuestionAfterCanaries:
    @pytest.fixture
    def shown(self) -> Shown:
        return Shown(moves=False, width=100)

    def ask(self, shown: Shown, rest: Projection, **how: bool) -> bool:
        async def asked() -> bool:
            return await shown.screen.asker(**how)(rest)

        return anyio.run(asked)

    def test_the_rest_is_told_with_its_price_and_the_budget(self, shown: Shown) -> None:
        assert self.ask(shown, REST, yes=True, asks=False)
        assert shown.text.splitlines() == [
            "",
            "the rest: 4 jobs, about 112 credits, from 3 bought here",
            "      4 × veo: 28 each, from 3 bought here",
            (
                "  budget: 500 credits: 28 spent or set aside, 472 left; 1 purchase of"
                " unknown price"
            ),
        ]

    def test_nobody_agrees_where_nobody_is_there(self, shown: Shown) -> None:
        assert not self.ask(shown, REST, yes=False, asks=False)

    @pytest.mark.parametrize(
        ("typed", "agreed"),
        [
            pytest.param("y\n", True, id="yes"),
            pytest.param("\n", False, id="only Return"),
            pytest.param("", False, id="the terminal is closed"),
        ],
    )
    def test_somebody_is_asked(
        self,
        typed: str,
        agreed: bool,
        shown: Shown,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = tmp_path / "keys"
        keys.write_text(typed)

        with keys.open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            assert self.ask(shown, REST, yes=False, asks=True) is agreed

    def test_an_answer_that_is_none_is_asked_for_again(
        self, shown: Shown, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each line is read for itself, as a terminal gives them."""
        ours, theirs = os.pipe()
        with open(ours) as file, open(theirs, "w", buffering=1) as keys:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdin", file)

            async def asked() -> bool:
                go_on = shown.screen.asker(yes=False, asks=True)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(answer)
                    agreed = await go_on(REST)
                return agreed  # noqa: RET504  a group might swallow a return

            async def answer() -> None:
                keys.write("perhaps\n")
                while "Type y or n." not in shown.text:
                    await anyio.lowlevel.checkpoint()
                shown.screen.note("meanwhile")
                keys.write("YES\n")

            assert anyio.run(asked)

        assert shown.text.endswith("meanwhile\n")

    def test_nobody_is_asked_about_what_does_not_fit(self, shown: Shown) -> None:
        spent = (Spending(Budget(credits=100), jobs=1, credits=28, unpriced=0),)
        rest = Projection(Estimate((line(4, 28),)), spent)

        assert not self.ask(shown, rest, yes=False, asks=True)


class TestBuyingAgain:
    def failed(self, name: str, failure: str, price: float | None) -> PlannedJob:
        attempt = Attempt(AttemptId(f"run-{name}"), JobId(f"job-{name}"))
        attempt.failed = JobFailed(
            job=attempt.job, attempt=attempt.id, error_class=failure, credits=price
        )
        job = planned(name, phase=Phase.FAILED, action=Action.RETRY)
        return dataclasses.replace(job, attempt=attempt, why="retry_failed")

    @pytest.mark.parametrize(
        ("prices", "cost"),
        [
            ((28, 28), "56 credits"),
            ((28, None), "28 credits for 1, not known for the others"),
            ((None, None), "not known"),
        ],
    )
    def test_says_how_many_and_what_they_cost(
        self, prices: tuple[float | None, float | None], cost: str
    ) -> None:
        jobs = (
            self.failed("a", "timeout", prices[0]),
            self.failed("b", "service", prices[1]),
        )

        lines = [one.plain for one in opening(beginning(*jobs))]

        assert lines[1] == (
            "  again    2 failed jobs (1 timeout, 1 service); they cost"
            f" {cost}, and again not known: nothing like it was bought here yet"
        )

    def test_counts_what_was_written_off(self) -> None:
        job = planned("a", phase=Phase.FAILED, action=Action.RETRY)

        (_, said) = opening(beginning(job))

        assert said.plain.startswith("  again    1 failed job (1 written_off)")


def test_the_question_tells_of_budgets_and_canaries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    shown = Shown(moves=False)
    spent = (Spending(Budget(jobs=9, per="day"), jobs=4, credits=0, unpriced=0),)
    before = beginning(planned("a"), estimate=Estimate((line(1, None),)))

    shown.screen.ask(dataclasses.replace(before, spending=spent, canaries=1))

    assert shown.text.splitlines()[-2:] == [
        "  budget: 9 jobs per day: 4 bought, 5 left",
        "  canary: 1 job first; the rest is asked for when their prices are known",
    ]


def test_a_price_that_varies_is_told_as_a_span() -> None:
    example = planned("a").wanted

    said = price_in_words(PriceLine(example, 3, Price(20, 28, 30, 7)))

    assert said == "20 to 30 each, usually 28, from 7 bought here"
    assert price_in_words(PriceLine(example, 3, None)) == (
        "not known: nothing like it was bought here yet"
    )


def test_a_slice_that_waits_is_no_halt() -> None:
    shown = Shown(moves=False)
    shown.screen.begins(beginning(planned("a")))

    shown.take(BatchHalted(why="5 jobs with a=1 failed", exit_code=10, slice="a=1"))

    assert shown.text.endswith("paused 5 jobs with a=1 failed\n")
