from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import jsonschema
import msgspec
import pytest

from foxbatch import api
from foxbatch.canonical import Digest, JobId
from foxbatch.errors import RunDirError
from foxbatch.events import (
    ArtifactStored,
    AttemptId,
    Event,
    JobPlanned,
    JobSucceeded,
    MediaFacts,
    ResultItem,
    ResultsSeen,
    SubmitAccepted,
    SubmitIntended,
    TaskId,
)
from foxbatch.report import ratings
from foxbatch.report.ratings import (
    Comparison,
    Opinion,
    Rating,
    RatingLine,
    RatingsTail,
    Vote,
    append,
    file_name,
    picked,
    ratings_schema,
    read_opinion,
    read_ratings,
    standing,
)
from foxbatch.results import records
from tests.browser.galleries import make_run
from tests.cli import MANIFEST, Type
from tests.conftest import LoopClock
from tests.runner_harness import jobs_of, state_of

JOB, OTHER = JobId("k7dvacuchdgrkvpsvric"), JobId("2dwmiaema7jb4mfowicf")
SHA, NEW_SHA = Digest("a" * 64), Digest("b" * 64)
HOSTILE = "<script>alert(1)</script> \"quotes\" 'more' \u202e \u2028 🦊 \\ =1+1"
SCHEMA = Path(__file__).parents[1] / "schemas" / "ratings.schema.json"
REGENERATE = (
    "python -c 'import json; from foxbatch.report.ratings import ratings_schema; "
    "print(json.dumps(ratings_schema(), indent=2, ensure_ascii=False))' "
    "> schemas/ratings.schema.json"
)


class Seconds(LoopClock):
    """A clock that goes on by a second each time it is asked."""

    asked = 0

    def now(self) -> datetime:
        self.asked += 1
        return self.start + timedelta(seconds=self.asked)


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def rating(**fields: object) -> Rating:
    return msgspec.convert({"job": JOB, "sha256": SHA, **fields}, Rating)


VOTE = Vote(
    vote=Comparison(
        axis="cell.look",
        a="fog",
        b=["rain", 2],
        jobs=(JOB, OTHER),
        sha256=(SHA, NEW_SHA),
        winner="tie",
    )
)


def path_of(run_dir: Path, who: str = "ann") -> Path:
    return run_dir / "ratings" / file_name(who)


class TestTail:
    def test_what_is_added_is_told_once(self, tmp_path: Path, clock: Seconds) -> None:
        append(tmp_path, "ann", rating(stars=1), clock)
        tail = RatingsTail(tmp_path)
        assert tail.news() == []

        added = append(tmp_path, "ann", rating(stars=2), clock)
        other = append(tmp_path, "zoe", VOTE, clock)

        assert tail.news() == [added, other]
        assert tail.news() == []

    def test_half_a_line_is_told_when_it_is_whole(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        tail = RatingsTail(tmp_path)
        line = append(tmp_path, "ann", rating(stars=1), clock)
        content = path_of(tmp_path).read_bytes()
        path_of(tmp_path).write_bytes(content + content[:40])
        assert tail.news() == [line]

        path_of(tmp_path).write_bytes(content + content)

        assert tail.news() == [line]

    def test_a_file_that_was_replaced_is_told_anew(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        append(tmp_path, "ann", rating(stars=1), clock)
        line = append(tmp_path, "ann", rating(stars=2), clock)
        tail = RatingsTail(tmp_path)
        last = path_of(tmp_path).read_bytes().splitlines(keepends=True)[-1]

        path_of(tmp_path).write_bytes(last)

        assert tail.news() == [line]

    def test_what_is_no_rating_is_left_out(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        tail = RatingsTail(tmp_path)
        append(tmp_path, "ann", rating(stars=1), clock)
        with path_of(tmp_path).open("ab") as file:
            file.write(b"no line\n\xff\n{}\n")
        (tmp_path / "ratings" / "folder.jsonl").mkdir()

        after = append(tmp_path, "ann", rating(stars=2), clock)

        assert tail.news()[-1] == after
        assert tail.news() == []


class TestAppending:
    def test_what_is_rated_can_be_read(self, tmp_path: Path, clock: Seconds) -> None:
        rated = rating(stars=4, mark="pick", tags=[HOSTILE[:70]], note=HOSTILE)

        lines = [
            append(tmp_path, "ann", rated, clock),
            append(tmp_path, "ann", VOTE, clock),
        ]

        assert read_ratings(tmp_path) == lines
        assert lines[0].at == "2026-01-01T00:00:01.000Z"
        assert path_of(tmp_path).read_bytes().count(b"\n") == 2

    def test_what_a_crash_cut_off_makes_room(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        first = append(tmp_path, "ann", rating(stars=1), clock)
        with path_of(tmp_path).open("ab") as file:
            file.write(b'{"v":1,"at":"2026-')

        second = append(tmp_path, "ann", rating(stars=2), clock)

        assert read_ratings(tmp_path) == [first, second]

    def test_a_full_disk_leaves_the_file_as_it_was(
        self, tmp_path: Path, clock: Seconds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = append(tmp_path, "ann", rating(stars=1), clock)

        def full(handle: int) -> None:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunDirError, match="No space left on device") as refused:
            append(tmp_path, "ann", rating(stars=2), clock)

        assert "what was rated before is kept" in refused.value.hint
        assert read_ratings(tmp_path) == [first]

    def test_a_file_has_an_end(
        self, tmp_path: Path, clock: Seconds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append(tmp_path, "ann", rating(stars=1), clock)
        monkeypatch.setattr(ratings, "MAX_FILE_BYTES", 300)

        with pytest.raises(RunDirError, match="more than 300 bytes of ratings"):
            append(tmp_path, "ann", rating(stars=2, note="x" * 200), clock)

    def test_what_is_no_list_of_ratings_is_left_alone(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        path_of(tmp_path).parent.mkdir()
        path_of(tmp_path).write_bytes(b"x" * 40_000)

        with pytest.raises(RunDirError, match="it is no list of ratings"):
            append(tmp_path, "ann", rating(), clock)

        assert path_of(tmp_path).stat().st_size == 40_000

    @pytest.mark.parametrize("name", ["ratings", "ratings/ann.jsonl"])
    def test_a_link_is_not_followed(
        self, tmp_path: Path, clock: Seconds, name: str
    ) -> None:
        run_dir, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
        (run_dir / name).parent.mkdir(parents=True)
        elsewhere.mkdir()
        (run_dir / name).symlink_to(elsewhere)

        with pytest.raises(RunDirError, match="is a link to"):
            append(run_dir, "ann", rating(), clock)

        assert list(elsewhere.iterdir()) == []

    def test_processes_at_once_write_whole_lines(self, tmp_path: Path) -> None:
        code = (
            "import sys, pathlib\n"
            "from foxbatch.clock import SystemClock\n"
            "from foxbatch.report.ratings import Rating, append\n"
            "for n in range(30):\n"
            f"    one = Rating(job='{JOB}', sha256='', note=sys.argv[2] * 900)\n"
            "    append(pathlib.Path(sys.argv[1]), 'ann', one, SystemClock())\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path)]

        both = [subprocess.Popen([*command, letter]) for letter in "xy"]

        assert [one.wait() for one in both] == [0, 0]
        notes = [line.note for line in read_ratings(tmp_path) if hasattr(line, "note")]
        assert sorted(notes) == ["x" * 900] * 30 + ["y" * 900] * 30

    @pytest.mark.parametrize("who", ["", "a\nb", "x" * 81])
    def test_who_has_a_name(self, tmp_path: Path, clock: Seconds, who: str) -> None:
        with pytest.raises(ValueError, match=r"\$\.who"):
            append(tmp_path, who, rating(), clock)

        assert not (tmp_path / "ratings").exists()


class TestFileNames:
    def test_a_plain_name_is_the_name_of_the_file(self) -> None:
        assert file_name("ann_b-2") == "ann_b-2.jsonl"

    @pytest.mark.parametrize(
        "who", ["../../etc/passwd", "Zoë", "🦊", "con", "lpt1", ".", "a/b", "\\", "A"]
    )
    def test_any_name_makes_a_file_in_the_folder(self, who: str) -> None:
        stem, _, suffix = file_name(who).partition(".")

        assert suffix == "jsonl"
        assert stem.isascii()
        assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert stem not in ("con", "lpt1")

    def test_people_do_not_share_a_file(self) -> None:
        names = ["ann", "Ann", "an n", "an/n", "a" * 50, "a" * 51, "🦊", "🐻"]

        assert len({file_name(name) for name in names}) == len(names)


class TestOpinions:
    def test_only_job_and_file_have_to_be_said(self) -> None:
        body = json.dumps({"job": JOB, "sha256": SHA}).encode()

        assert read_opinion(body) == Rating(job=JOB, sha256=SHA)

    def test_a_vote_says_so(self) -> None:
        assert read_opinion(msgspec.json.encode(VOTE)) == VOTE

    @pytest.mark.parametrize(
        "fields",
        [
            {"stars": 6},
            {"stars": -1},
            {"stars": 2.5},
            {"mark": "maybe"},
            {"job": "../x"},
            {"job": f"{JOB}\n"},
            {"sha256": "a"},
            {"tags": ["x"] * 51},
            {"tags": [""]},
            {"note": "x" * 4001},
            {"vote": {}},
        ],
        ids=str,
    )
    def test_anything_else_is_refused(self, fields: dict[str, object]) -> None:
        body = json.dumps({"job": JOB, "sha256": SHA, **fields}).encode()

        with pytest.raises(ValueError, match=r"."):
            read_opinion(body)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{" * 40_000])
    def test_what_is_no_object_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            read_opinion(body)


class TestReading:
    def test_files_of_several_people_are_one_list_by_time(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        for who in ("zoe", "ann", "zoe"):
            append(tmp_path, who, rating(), clock)

        assert [line.who for line in read_ratings(tmp_path)] == ["zoe", "ann", "zoe"]

    def test_nothing_was_rated(self, tmp_path: Path) -> None:
        assert read_ratings(tmp_path) == []

    def test_an_unfinished_last_line_is_left_out(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        append(tmp_path, "ann", rating(), clock)
        append(tmp_path, "ann", rating(), clock)
        path = path_of(tmp_path)
        path.write_bytes(path.read_bytes()[:-9])

        assert len(read_ratings(tmp_path)) == 1

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("nonsense", "ann.jsonl:2 is no rating: "),
            ('{"v":1}', "ann.jsonl:2 is no rating: "),
            ('{"v":2,"job":"x"}', "ann.jsonl:2 is format 2, and this foxbatch reads"),
        ],
    )
    def test_a_bad_line_is_told_with_its_place(
        self, tmp_path: Path, clock: Seconds, line: str, said: str
    ) -> None:
        append(tmp_path, "ann", rating(), clock)
        with path_of(tmp_path).open("a") as file:
            file.write(line + "\n")
        append(tmp_path, "ann", rating(), clock)

        with pytest.raises(RunDirError) as refused:
            read_ratings(tmp_path)

        assert said in str(refused.value)
        assert refused.value.hint

    def test_a_file_that_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        path_of(tmp_path).mkdir(parents=True)

        with pytest.raises(RunDirError, match="cannot be read: Is a directory"):
            read_ratings(tmp_path)


class TestStanding:
    def test_the_last_of_each_person_about_each_file_wins(
        self, tmp_path: Path, clock: Seconds
    ) -> None:
        said: list[tuple[str, Opinion]] = [
            ("ann", rating(stars=1)),
            ("bob", rating(stars=2)),
            ("ann", rating(stars=3, sha256=NEW_SHA)),
            ("ann", rating(stars=4)),
            ("ann", VOTE),
        ]
        lines = [append(tmp_path, who, what, clock) for who, what in said]

        now = standing(reversed(lines))

        assert sorted((one.who, one.sha256[0], one.stars) for one in now) == [
            ("ann", "a", 4),
            ("ann", "b", 3),
            ("bob", "a", 2),
        ]


def done(job: JobPlanned, sha: Digest) -> tuple[Event, ...]:
    name, attempt = job.job, AttemptId(f"run-{job.job}")
    stored = ArtifactStored(
        job=name,
        attempt=attempt,
        item=1,
        path=f"artifacts/{name}.mp4",
        sha256=sha,
        bytes=1,
        media=MediaFacts(kind="video"),
    )
    items = (ResultItem(url="http://x"),)
    return (
        job,
        SubmitIntended(job=name, attempt=attempt),
        SubmitAccepted(job=name, attempt=attempt, task=TaskId(f"task-{name}")),
        ResultsSeen(job=name, attempt=attempt, items=items),
        stored,
        JobSucceeded(job=name, attempt=attempt),
    )


class TestPicked:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ([("ann", {"mark": "pick"})], 1),
            ([("ann", {"mark": "pick"}), ("bob", {"mark": "reject"})], 1),
            ([("ann", {"mark": "pick"}), ("ann", {"mark": "reject"})], 0),
            ([("ann", {"mark": "pick", "sha256": NEW_SHA})], 0),
            ([("ann", {"stars": 5})], 0),
        ],
        ids=[
            "picked by somebody",
            "whatever another one says",
            "changed their mind",
            "another file of that job",
            "stars are no pick",
        ],
    )
    def test_what_is_picked(
        self,
        tmp_path: Path,
        clock: Seconds,
        said: list[tuple[str, dict[str, object]]],
        expected: int,
    ) -> None:
        one, two = jobs_of("A fox", "A hare")
        found = records(state_of(*done(one, SHA), *done(two, SHA)))
        lines = [
            append(tmp_path, who, rating(job=one.job, **what), clock)
            for who, what in said
        ]

        assert [record.job for record in picked(found, lines)] == [one.job] * expected


class TestSchema:
    def test_the_published_one_is_the_one_of_the_types(self) -> None:
        generated = json.dumps(ratings_schema(), indent=2, ensure_ascii=False) + "\n"

        assert SCHEMA.read_text(encoding="utf-8") == generated, f"type: {REGENERATE}"

    def test_what_is_written_fits_it(self, tmp_path: Path, clock: Seconds) -> None:
        validator = jsonschema.Draft202012Validator(ratings_schema())
        said: list[Opinion] = [rating(), rating(tags=["a"], note=HOSTILE), VOTE]
        lines = [append(tmp_path, "ann", one, clock) for one in said]

        for line in lines:
            validator.validate(json.loads(msgspec.json.encode(line)))
        assert not validator.is_valid(msgspec.to_builtins(rating()))


# ---- Through the commands


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run directory of two films."""
    folder = tmp_path_factory.mktemp("made")
    return make_run(folder, MANIFEST)


@pytest.fixture
def rate(made: Path) -> Callable[[str], RatingLine]:
    """Return a function that picks the film of a prompt."""

    def rate(prompt: str) -> RatingLine:
        record = next(r for r in api.results(made) if prompt in str(r.request))
        one = Rating(
            job=record.job, sha256=record.artifacts[0].sha256, mark="pick", stars=5
        )
        line = append(made, "ann", one, Seconds())
        assert isinstance(line, RatingLine)
        return line

    for path in (made / "ratings").glob("*"):
        path.unlink()
    return rate


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_results_of_what_was_picked(
    made: Path, rate: Callable[[str], RatingLine], type_: Type, form: str
) -> None:
    line = rate("stormy")

    ended = type_("results", made, "--picked", "--format", form)

    assert ended.code == 0
    everything = type_("results", made, "--format", form).out
    assert line.job in ended.out
    assert everything.count("artifacts/") == 2
    assert ended.out.count("artifacts/") == 1


def test_results_when_nothing_was_picked(made: Path, type_: Type) -> None:
    for path in (made / "ratings").glob("*"):
        path.unlink()

    ended = type_("results", made, "--picked", "--format", "jsonl")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("nothing is picked")


def test_verify_knows_ratings_and_finds_bad_ones(
    made: Path, rate: Callable[[str], RatingLine], type_: Type
) -> None:
    rate("calm")
    whole = type_("verify", made)

    path_of(made).write_text("nonsense\n")
    broken = type_("verify", made)
    path_of(made).unlink()

    assert whole.code == 0
    assert broken.code == 5
    assert "ratings/ann.jsonl:1 is no rating" in broken.out
