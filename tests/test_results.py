from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import trio.testing

from foxbatch.canonical import Digest
from foxbatch.errors import RunDirError
from foxbatch.events import (
    AlsoWanted,
    ArtifactStored,
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    MediaFacts,
    ResultItem,
    ResultsSeen,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
    WatchEnded,
)
from foxbatch.results import (
    Failure,
    Record,
    Table,
    Times,
    flatten,
    records,
    tasks_in,
    write_csv,
    write_jsonl,
)
from foxbatch.results.record import flagged
from foxbatch.state import Phase
from tests.runner_harness import RUN, World, many, state_of

JOB, OTHER, THIRD = many(3)
ID = JOB.job
FIRST, SECOND = AttemptId("run-1"), AttemptId("run-2")
SHA = Digest("a" * 64)

INTENDED = SubmitIntended(job=ID, attempt=FIRST)
ACCEPTED = SubmitAccepted(
    job=ID,
    attempt=FIRST,
    task=TaskId("task-1"),
    credits=28,
    headers={"x-request-id": "req-1", "cf-ray": "ray-1"},
)
RESULTS = ResultsSeen(
    job=ID,
    attempt=FIRST,
    items=(ResultItem(url="http://x"),),
    reported_model="veo-3.1-fast-001",
)
UNKNOWN = SubmitUnknown(
    job=ID, attempt=FIRST, why="status 502", headers={"cf-ray": "ray-1"}
)
OVERDUE = WatchEnded(job=ID, attempt=FIRST, watched_s=60)
FAILED = JobFailed(
    job=ID, attempt=FIRST, error_class="content", code="policy", message="No."
)
DONE = JobSucceeded(job=ID, attempt=FIRST, credits=28)


def stored(item: int, mismatch: tuple[str, ...] = ()) -> ArtifactStored:
    return ArtifactStored(
        job=ID,
        attempt=FIRST,
        item=item,
        path=f"artifacts/clip-{item}.mp4",
        sha256=SHA,
        bytes=1000,
        media=MediaFacts(kind="video", duration_s=4.0, width=1280, height=720),
        mismatch=mismatch,
    )


STORY: tuple[Event, ...] = (JOB, INTENDED, ACCEPTED, RESULTS, stored(1), DONE)


def record_of(*facts: Event, live: bool = False) -> Record:
    (record,) = records(state_of(*facts), live=(RUN,) if live else ())
    return record


def table_of(*found: Record) -> Table:
    return flatten([("runs/sea", found)]).results


def rows_of(*found: Record) -> list[Mapping[str, str]]:
    stream = io.StringIO()
    write_csv(table_of(*found), stream)
    stream.seek(0)
    return list(csv.DictReader(stream))


class TestRecord:
    def test_of_a_finished_job(self) -> None:
        record = record_of(*STORY)

        assert (record.phase, record.task, record.attempts) == (Phase.DONE, "task-1", 1)
        assert (record.credits, record.latency_s) == (28, 1.0)
        assert record.reported_model == "veo-3.1-fast-001"
        assert record.request_id == "req-1"
        assert record.error is None
        assert [file.path for file in record.artifacts] == ["artifacts/clip-1.mp4"]

    def test_says_when_things_happened(self) -> None:
        times = record_of(*STORY).times

        planned, submitted, accepted, completed, downloaded = (
            f"2026-01-01T00:00:{second:02d}.000Z" for second in (1, 2, 3, 4, 6)
        )
        assert times == Times(
            planned=planned,
            submitted=submitted,
            accepted=accepted,
            running=None,
            completed=completed,
            downloaded=downloaded,
            ended=downloaded,
        )

    def test_says_when_the_service_was_first_seen_to_work_on_it(self) -> None:
        queued = StatusSeen(
            job=ID, attempt=FIRST, status="pending", state="running", queued=True
        )
        works = StatusSeen(job=ID, attempt=FIRST, status="working", state="running")

        record = record_of(JOB, INTENDED, ACCEPTED, queued, works, RESULTS)
        waits = record_of(JOB, INTENDED, ACCEPTED, queued)

        assert record.times.running == "2026-01-01T00:00:05.000Z"
        assert waits.times.running is None

    def test_of_a_job_that_nothing_happened_to(self) -> None:
        record = record_of(JOB)

        assert (record.phase, record.attempts) == (Phase.NEW, 0)
        assert record.times == Times(planned="2026-01-01T00:00:01.000Z")
        assert (record.task, record.credits, record.request_id) == (None, None, None)
        assert (record.latency_s, record.reported_model) == (None, None)
        assert record.artifacts == ()

    def test_names_what_was_merged_into_it(self) -> None:
        also = (AlsoWanted(spec="shore", name="dog-r1", cell={"seed": 1}),)
        merged = record_of(msgspec.structs.replace(JOB, also=also))

        assert merged.also == also
        assert json.loads(json.dumps(merged.to_json()))["also"] == [
            {"spec": "shore", "name": "dog-r1", "cell": {"seed": 1}}
        ]
        assert record_of(JOB).also == ()

    def test_artifacts_come_in_the_order_of_the_results(self) -> None:
        record = record_of(*STORY[:4], stored(10), stored(2), stored(1))

        numbers = [file.path.removesuffix(".mp4")[-2:] for file in record.artifacts]
        assert numbers == ["-1", "-2", "10"]

    def test_credits_are_those_of_all_attempts(self) -> None:
        again: list[Event] = [
            SubmitIntended(job=ID, attempt=SECOND, after=FIRST, why="retry"),
            SubmitAccepted(job=ID, attempt=SECOND, task=TaskId("task-2"), credits=28),
        ]

        record = record_of(JOB, INTENDED, ACCEPTED, FAILED, *again)

        assert (record.credits, record.attempts, record.task) == (56, 2, "task-2")

    def test_a_held_submission_has_a_request_id_too(self) -> None:
        assert record_of(JOB, INTENDED, UNKNOWN).request_id == "ray-1"


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        pytest.param((INTENDED, ACCEPTED), None, id="running"),
        pytest.param((INTENDED, ACCEPTED, RESULTS), None, id="downloading"),
        pytest.param(
            (INTENDED, ACCEPTED, FAILED),
            Failure("content", "policy", "No."),
            id="failed: in the service's words",
        ),
        pytest.param(
            (INTENDED, UNKNOWN), Failure("unknown", "", "status 502"), id="held"
        ),
        pytest.param(
            (INTENDED,),
            Failure("unknown", "", "the process ended before an answer came"),
            id="an intent without an outcome",
        ),
        pytest.param(
            (INTENDED, ACCEPTED, OVERDUE),
            Failure("overdue", "patience", ""),
            id="overdue",
        ),
        pytest.param(
            (
                INTENDED,
                UNKNOWN,
                SubmitSettled(
                    job=ID, attempt=FIRST, decision="write_off", why="seen nowhere"
                ),
            ),
            Failure("written_off", "", "seen nowhere"),
            id="written off: in the person's words",
        ),
    ],
)
def test_a_record_says_why_a_job_is_not_done(
    facts: tuple[Event, ...], failure: Failure | None
) -> None:
    assert record_of(JOB, *facts).error == failure


WRITTEN_OFF = SubmitSettled(job=ID, attempt=FIRST, decision="write_off", why="gone")
EXPIRED = msgspec.structs.replace(FAILED, error_class="expired")


@pytest.mark.parametrize(
    ("facts", "ended"),
    [
        pytest.param((INTENDED, ACCEPTED, FAILED), True, id="failed"),
        pytest.param((INTENDED, ACCEPTED, RESULTS, EXPIRED), True, id="expired"),
        pytest.param((INTENDED, UNKNOWN, WRITTEN_OFF), True, id="written off"),
        pytest.param((INTENDED, ACCEPTED, OVERDUE), True, id="overdue"),
        pytest.param((INTENDED, ACCEPTED, RESULTS, OVERDUE), False, id="downloading"),
        pytest.param((INTENDED, ACCEPTED), False, id="running"),
        pytest.param((INTENDED, UNKNOWN), False, id="held"),
    ],
)
def test_a_record_says_when_a_job_ended(
    facts: tuple[Event, ...], *, ended: bool
) -> None:
    times = record_of(JOB, *facts).times

    last = f"2026-01-01T00:00:{1 + len(facts):02d}.000Z"
    assert times.ended == (last if ended else None)
    assert times.downloaded is None


def test_what_is_being_submitted_now_has_no_error() -> None:
    record = record_of(JOB, INTENDED, live=True)

    assert (record.phase, record.error) == (Phase.SUBMITTING, None)


class TestWhatTheServiceDid:
    """What it says of itself, and where that is not what was asked for."""

    @staticmethod
    def with_results(
        job: JobPlanned = JOB, items: tuple[ResultItem, ...] = (), **fields: object
    ) -> Record:
        results = msgspec.structs.replace(
            RESULTS, items=items, reported_model=None, **fields
        )
        return record_of(job, INTENDED, ACCEPTED, results, stored(1), DONE)

    def test_what_it_reports_is_kept_as_it_was(self) -> None:
        said = {"seed": 7, "queue": {"place": 3}}

        record = self.with_results(extras=said)

        assert (record.seed, record.reported) == (7, said)

    @pytest.mark.parametrize("seed", [True, "7", None, 1.5], ids=repr)
    def test_a_seed_is_a_whole_number(self, seed: object) -> None:
        assert self.with_results(extras={"seed": seed}).seed is None

    def test_reasons_come_from_the_task_and_its_items_each_once(self) -> None:
        items = (
            ResultItem(url="http://x", extras={"degraded_reason": "busy"}),
            ResultItem(url="http://y", extras={"degraded_reason": "smaller"}),
            ResultItem(url="http://z"),
        )

        record = self.with_results(items=items, extras={"degraded": ["busy", ""]})

        assert record.degraded == ("busy", "smaller")
        assert record.flags == (
            "less than what was asked for: busy",
            "less than what was asked for: smaller",
        )

    def test_a_file_has_what_was_said_of_it(self) -> None:
        items = (ResultItem(url="http://x", extras={"map_type": "depth"}),)

        (file,) = self.with_results(items=items).artifacts
        (without,) = self.with_results().artifacts

        assert (file.reported, without.reported) == ({"map_type": "depth"}, {})

    @pytest.mark.parametrize(
        ("date", "moment"),
        [
            ("Thu, 26 Nov 2026 22:32:54 GMT", "2026-11-26T22:32:54.000Z"),
            ("Thu, 26 Nov 2026 22:32:54 +0200", "2026-11-26T20:32:54.000Z"),
            ("Thu, 26 Nov 2026 22:32:54", None),
            ("Thu, 26 Nov 99999 22:32:54 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 -2300", None),
            ("yesterday", None),
            ("", None),
        ],
    )
    def test_its_date_is_a_moment_or_nothing(
        self, date: str, moment: str | None
    ) -> None:
        accepted = msgspec.structs.replace(ACCEPTED, headers={"date": date})

        assert record_of(JOB, INTENDED, accepted).reported_at == moment

    @pytest.mark.parametrize(
        ("asked", "got", "flags"),
        [
            (7, 7, ()),
            (7, 9, ("asked for seed 7, got 9",)),
            (0, 9, ("asked for seed 0, got 9",)),
            (-1, 9, ()),
            (None, 9, ()),
            (7, None, ()),
        ],
    )
    def test_another_seed_is_flagged(
        self, asked: int | None, got: int | None, flags: tuple[str, ...]
    ) -> None:
        job = msgspec.structs.replace(JOB, request={**JOB.request, "seed": asked})

        assert self.with_results(job, extras={"seed": got}).flags == flags

    def test_what_a_file_is_not_is_flagged_once(self) -> None:
        said = ("asked for 8 s, got 4 s",)

        record = record_of(*STORY[:3], stored(1, said), stored(2, said), DONE)

        assert record.flags == said


class TestModels:
    @staticmethod
    def flags_of(*models: str | None) -> list[tuple[str, ...]]:
        """Return the flags of like jobs, each made with one of *models*."""
        facts: list[Event] = []
        for number, (job, model) in enumerate(
            zip(many(len(models)), models, strict=True)
        ):
            attempt = AttemptId(f"run-{number}")
            results = msgspec.structs.replace(
                RESULTS, job=job.job, attempt=attempt, reported_model=model
            )
            facts += [job, results]
        return [record.flags for record in records(state_of(*facts))]

    def test_the_model_that_was_asked_for_is_no_news(self) -> None:
        assert self.flags_of(JOB.model, JOB.model, None) == [(), (), ()]

    def test_another_model_is_flagged(self) -> None:
        assert (
            self.flags_of("veo-9", "veo-9")
            == [(f"asked for model {JOB.model}, got veo-9",)] * 2
        )

    def test_a_change_among_like_jobs_is_flagged_where_it_is_rarer(self) -> None:
        usual, rare = (
            (f"asked for model {JOB.model}, got veo-9",),
            (
                f"asked for model {JOB.model}, got veo-8",
                "made with veo-8, other jobs with veo-9",
            ),
        )

        assert self.flags_of("veo-9", "veo-8", "veo-9") == [usual, rare, usual]

    def test_of_equally_many_the_order_of_jobs_decides_nothing(self) -> None:
        first = self.flags_of("veo-8", "veo-9")
        other = self.flags_of("veo-9", "veo-8")

        assert first == other[::-1]


class TestOrder:
    def test_wanted_jobs_come_first_as_declared_and_others_as_written_down(
        self,
    ) -> None:
        state = state_of(OTHER, THIRD)

        found = records(state, wanted=[JOB, THIRD])

        assert [record.job for record in found] == [JOB.job, THIRD.job, OTHER.job]

    def test_a_job_that_no_file_describes_has_no_record(self) -> None:
        assert records(state_of(INTENDED, OTHER)) == records(state_of(INTENDED, OTHER))
        assert [r.job for r in records(state_of(INTENDED, OTHER))] == [OTHER.job]


class TestJsonLines:
    def test_each_line_is_a_record_with_the_promised_fields(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "results.jsonl"

        write_jsonl([record_of(*STORY), record_of(OTHER)], path)

        first, second = map(json.loads, path.read_text().splitlines())
        assert list(first) == [
            "job", "spec", "name", "phase", "model", "kind", "cell", "prompt", "repeat",
            "endpoint", "request", "task", "attempts", "times", "latency_s", "credits",
            "reported_model", "seed", "degraded", "request_id", "reported_at",
            "reported", "flags", "also", "artifacts", "error", "manifest",
        ]  # fmt: skip
        assert first == json.loads(json.dumps(record_of(*STORY).to_json()))
        assert second["phase"] == "new"

    def test_what_a_file_does_not_have_is_null(self) -> None:
        (file,) = record_of(*STORY).artifacts

        assert msgspec.to_builtins(file.media) == {
            "kind": "video",
            "duration_s": 4.0,
            "width": 1280,
            "height": 720,
            "video_codec": None,
            "audio_codec": None,
        }

    def test_an_error_is_spelled_class_code_message(self) -> None:
        built = record_of(JOB, INTENDED, ACCEPTED, FAILED).to_json()

        assert built["error"] == {
            "class": "content",
            "code": "policy",
            "message": "No.",
        }

    def test_a_file_is_replaced_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        path.write_text("old\n" * 100)

        write_jsonl([record_of(JOB)], path)

        assert len(path.read_text().splitlines()) == 1
        assert list(tmp_path.iterdir()) == [path]

    def test_the_lines_are_flagged_however_many_there_are(self, tmp_path: Path) -> None:
        models = ("veo-9", "veo-8", "veo-9", None)
        stories = [
            [*STORY[:3], msgspec.structs.replace(RESULTS, reported_model=model), DONE]
            for model in models
        ]
        some = [record_of(*story) for story in stories] * 400
        path = tmp_path / "results.jsonl"

        write_jsonl((record for record in some), path)

        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        expected = [json.dumps(record.to_json()) for record in flagged(some)]
        assert lines == list(map(json.loads, expected))
        assert path.stat().st_size > 1 << 20
        assert list(tmp_path.iterdir()) == [path]

    def test_the_tasks_are_read_again_and_what_is_damaged_is_left_out(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "results.jsonl"
        write_jsonl([record_of(*STORY), record_of(OTHER)], path)
        path.write_bytes(b"nonsense\n[]\n" + path.read_bytes() + b'{"job":')

        assert list(tasks_in(path)) == [(ID, "task-1")]
        assert list(tasks_in(tmp_path / "none")) == []

    def test_a_disk_that_refuses_is_an_error_of_our_own(self, tmp_path: Path) -> None:
        with pytest.raises(RunDirError, match="cannot be written: No such file"):
            write_jsonl([], tmp_path / "missing" / "results.jsonl")


class TestCsv:
    def test_a_row_names_what_a_table_needs(self) -> None:
        (row,) = rows_of(record_of(*STORY))

        assert (row["run"], row["job"], row["phase"]) == ("runs/sea", ID, "done")
        assert row["credits"] == "28.0"
        assert (row["prompt.text"], row["param.duration"]) == ("Fox number 0", "4")
        assert row["param.generate_audio"] == "false"
        assert row["artifact.path"] == "artifacts/clip-1.mp4"
        assert (row["media.width"], row["media.video_codec"]) == ("1280", "")
        assert row["time.accepted"] == "2026-01-01T00:00:03.000Z"
        assert "param.prompt" not in row
        assert "param.model" not in row

    def test_each_artifact_has_a_row(self) -> None:
        mismatch = ("asked for 8 s, got 4 s",)

        rows = rows_of(record_of(*STORY[:4], stored(1), stored(2, mismatch)))

        assert [row["artifact.mismatch"] for row in rows] == [
            "[]",
            '["asked for 8 s, got 4 s"]',
        ]

    def test_columns_that_a_job_does_not_have_are_empty(self) -> None:
        failed, new = rows_of(
            record_of(JOB, INTENDED, ACCEPTED, FAILED), record_of(OTHER)
        )

        assert (failed["error.class"], new["error.class"]) == ("content", "")
        assert (failed["task"], new["task"]) == ("task-1", "")

    def test_what_was_merged_into_a_job_is_one_cell(self) -> None:
        also = (AlsoWanted(spec="shore", name="dog-r1", cell={}),)
        merged = msgspec.structs.replace(JOB, also=also)

        first, second = rows_of(record_of(merged), record_of(OTHER))

        assert json.loads(first["also"])[0]["spec"] == "shore"
        assert second["also"] == "[]"

    def test_a_job_without_a_prompt_is_a_row_too(self) -> None:
        bare = msgspec.structs.replace(JOB, prompt=None, cell={"take": 2})

        (row,) = rows_of(record_of(bare))

        assert row["prompt.text"] == ""
        assert row["cell.take"] == "2"


class TestAfterARun:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

    @pytest.mark.anyio
    async def test_a_record_tells_the_same_as_the_run(self, tmp_path: Path) -> None:
        world = World(folder=tmp_path)
        ran = await world.run(many(2, "[sandbox:slow 9]"))

        found = records(ran.state)

        assert [record.latency_s for record in found] == [10, 10]
        assert [record.credits for record in found] == [28, 28]
        assert [tmp_path / r.artifacts[0].path for r in found] == world.files
