"""What `verify` finds when a run directory is not what was written."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import msgspec
import pytest

from foxbatch import api
from foxbatch.api.changes import not_as_asked
from foxbatch.lock import DirLock
from foxbatch.results import Record
from tests.cli import MANIFEST, Type
from tests.test_results import JOB, record_of

OPTIONS = api.RunOptions(speed=500, environ={"PATH": ""})
FAILING = MANIFEST.replace("A stormy sea", '"A sea [sandbox:fail service_error]"')


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with a done and a failed job."""
    path = tmp_path_factory.mktemp("whole") / "sea.yaml"
    path.write_text(FAILING)
    summary = anyio.run(api.run, api.load_manifest(path), OPTIONS)
    assert summary.counts == {"done": 1, "failed": 1}
    return summary.run_dir


@dataclass(frozen=True)
class Place:
    """A copy of a run directory, to spoil."""

    path: Path

    @property
    def ledger(self) -> Path:
        (path,) = (self.path / "ledger").iterdir()
        return path

    @property
    def video(self) -> Path:
        (path,) = (self.path / "artifacts").rglob("*.mp4")
        return path

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def rewrite(self, lines: list[dict[str, object]]) -> None:
        numbered = [line | {"seq": seq} for seq, line in enumerate(lines, start=1)]
        self.ledger.write_text("".join(json.dumps(line) + "\n" for line in numbered))

    def change(self, event: str, **fields: object) -> None:
        lines = self.lines()
        place = next(n for n, line in enumerate(lines) if line["event"] == event)
        lines[place] |= fields
        self.rewrite(lines)

    def found(self, *, wrong: bool = True) -> list[tuple[str, str, str]]:
        verified = api.verify(self.path)
        assert verified.valid is not any(one.wrong for one in verified.findings)
        return [
            (one.kind, one.path, one.message)
            for one in verified.findings
            if one.wrong is wrong
        ]


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Place:
    shutil.copytree(whole, tmp_path / "runs" / whole.name)
    return Place(tmp_path / "runs" / whole.name)


def test_nothing_is_wrong_with_what_a_run_leaves(place: Place) -> None:
    verified = api.verify(place.path)

    assert verified.findings == ()
    assert verified.valid
    assert verified.ledger_files == 1
    assert verified.facts == len(place.lines())
    assert (verified.artifacts, verified.unchecked) == (1, 0)
    assert verified.bytes == place.video.stat().st_size


def missing(place: Place) -> None:
    place.video.unlink()


def cut(place: Place) -> None:
    place.video.write_bytes(place.video.read_bytes()[:-1])


def changed(place: Place) -> None:
    place.video.write_bytes(place.video.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing, "is missing (stored "),
        (cut, " bytes instead of "),
        (changed, "has other content than when it was stored (stored "),
    ],
)
def test_a_file_that_is_not_what_was_stored_is_told(
    place: Place, spoil: Callable[[Place], None], words: str
) -> None:
    path = place.video.relative_to(place.path).as_posix()
    spoil(place)

    ((kind, where, said),) = place.found()

    assert (kind, where) == ("artifact", path)
    assert words in said
    assert ("last changed" in said) is (spoil is not missing)


def restored(place: Place) -> None:
    changed(place)
    os.utime(place.video, (0, 0))


def renamed(place: Place) -> None:
    place.video.rename(place.video.with_name("the best one.mp4"))


def strange(place: Place) -> None:
    for name in ("mine.txt", "yours.txt"):
        (place.path / name).write_text("mine")


def all_at_once(place: Place) -> None:
    changed(place)
    strange(place)


@pytest.mark.parametrize(
    ("spoil", "changes", "words"),
    [
        (lambda _: None, {}, ""),
        (missing, {"missing": 1}, "1 file is missing"),
        (changed, {"edited": 1}, "1 file was edited after it was downloaded"),
        (restored, {"other": 1}, "1 file is not what was downloaded"),
        (renamed, {"moved": 1}, "1 file was moved"),
        (strange, {"strange": 2}, "2 files are not of this run"),
        (
            all_at_once,
            {"edited": 1, "strange": 2},
            "1 file was edited after it was downloaded, 2 are not of this run",
        ),
    ],
    ids=["nothing", "missing", "edited", "older", "moved", "strange", "several"],
)
def test_what_changed_since_the_run_is_told_in_a_sentence(
    place: Place, spoil: Callable[[Place], None], changes: dict[str, int], words: str
) -> None:
    spoil(place)

    verified = api.verify(place.path)

    assert verified.changes == changes
    assert verified.changed == words


def test_a_file_that_was_moved_is_known_by_its_content(place: Place) -> None:
    path = place.video.relative_to(place.path).as_posix()
    renamed(place)

    (gone, found) = place.found()

    assert (gone[1], found[0]) == (path, "unknown")
    assert found[2] == f"it is {path}, which was moved here"


def test_a_copy_of_a_file_that_is_there_is_strange(place: Place) -> None:
    shutil.copy(place.video, place.video.with_name("copy.mp4"))

    assert api.verify(place.path).changes == {"strange": 1}


class TestNotAsAsked:
    @staticmethod
    def rewrite(place: Place, **fields: object) -> None:
        place.change("results.seen", **fields)
        (place.path / "results.jsonl").unlink()

    def test_is_worth_knowing_and_not_wrong(self, place: Place) -> None:
        path = place.video.relative_to(place.path).as_posix()
        self.rewrite(place, reported_model="veo-9")

        ((kind, where, said),) = place.found(wrong=False)

        assert (kind, where) == ("asked", path)
        assert said.endswith(": asked for model veo-3.1-fast, got veo-9")

    def test_equal_differences_of_many_jobs_are_one_note(self) -> None:
        found = [
            flagged_record(number, "asked for 8 s, got 4 s") for number in range(3)
        ]

        assert not_as_asked(found) == [
            ("results.jsonl", "3 jobs, such as job 0: asked for 8 s, got 4 s")
        ]

    def test_very_many_kinds_are_not_all_told(self) -> None:
        found = [flagged_record(number, f"difference {number}") for number in range(25)]

        said = not_as_asked(found)

        assert len(said) == 21
        assert said[-1][1].startswith("5 more kinds of differences")

    def test_a_job_without_a_file_is_told_of_too(self) -> None:
        (told,) = not_as_asked([flagged_record(1, "less than what was asked for: x")])

        assert told == ("results.jsonl", "job 1: less than what was asked for: x")


def flagged_record(number: int, flag: str) -> Record:
    record = record_of(JOB)
    return msgspec.structs.replace(record, name=f"job {number}", flags=(flag,))


def test_media_facts_that_are_not_true_are_told(place: Place) -> None:
    lines = place.lines()
    (line,) = (line for line in lines if line["event"] == "artifact.stored")
    line["media"] = {"kind": "video", "duration_s": 8.0, "width": 640}
    place.rewrite(lines)

    kinds = [kind for kind, _, _ in place.found()]
    said = next(said for kind, _, said in place.found() if kind == "media")

    assert kinds == ["media", "results"]
    assert "duration_s 8.0" in said
    assert "duration_s 4.0" in said


def test_without_the_media_extra_the_contents_are_unchecked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    verified = api.verify(place.path)

    assert verified.valid
    assert verified.unchecked == 1


def test_what_was_stored_unchecked_may_be_anything(place: Place) -> None:
    lines = place.lines()
    (line,) = (line for line in lines if line["event"] == "artifact.stored")
    line["media"] = {"kind": "unchecked"}
    place.rewrite(lines)
    (place.path / "results.jsonl").unlink()

    assert [kind for kind, _, _ in place.found()] == ["results"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{}\n", ":3: unknown event"),
        (b"not json\n", ":3: not a JSON object"),
        (None, ":3: seq is 4 where 3 belongs"),
    ],
    ids=["no fact", "no JSON", "a line is lost"],
)
def test_damage_in_the_ledger_is_told_and_hides_nothing_else(
    place: Place, line: bytes | None, words: str
) -> None:
    lines = place.ledger.read_bytes().splitlines(keepends=True)
    lines[2:3] = [] if line is None else [line]
    place.ledger.write_bytes(b"".join(lines))

    ((kind, where, said),) = place.found()

    assert (kind, where) == ("ledger", f"ledger/{place.ledger.name}")
    assert words in said


def test_a_line_that_the_schema_refuses_is_told(place: Place) -> None:
    lines = place.lines()
    lines[-1]["at"] = 5
    text = "".join(json.dumps(line) + "\n" for line in lines)
    place.ledger.write_text(text)

    ((kind, _, _),) = place.found()

    assert kind == "ledger"


@pytest.mark.parametrize(
    ("key", "value"),
    [("at", "yesterday"), ("at", "2026-01-02T03:04:05+01:00")],
    ids=["no moment", "not UTC"],
)
def test_a_line_that_can_be_read_and_that_the_schema_refuses_is_told(
    place: Place, key: str, value: str
) -> None:
    lines = place.lines()
    lines[2][key] = value
    place.ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = [one for one in place.found() if one[0] == "ledger"]

    ((_, where, said),) = found
    assert where == f"ledger/{place.ledger.name}"
    assert said.startswith(f"line 3 is not as its schema says: {key}: ")
    assert value in said


def test_a_torn_end_is_no_fault(place: Place) -> None:
    place.ledger.write_bytes(place.ledger.read_bytes() + b'{"v":1,"seq":')

    assert place.found() == []
    ((_, _, said),) = place.found(wrong=False)
    assert "unfinished line" in said


def test_two_copies_that_contradict_each_other_are_told(place: Place) -> None:
    copy = place.path / "ledger" / "copy.jsonl"
    original = place.ledger
    text = original.read_text()
    copy.write_text(text.replace('"credits":28', '"credits":29', 1))

    found = api.verify(place.path).findings

    assert found[0].message.endswith("in different ways")
    copy.write_text("".join(text.splitlines(keepends=True)[:-3]))
    assert api.verify(place.path).valid


def test_a_request_that_was_changed_is_told(place: Place) -> None:
    planned = next(line for line in place.lines() if line["event"] == "job.planned")
    request = planned["request"]
    assert isinstance(request, dict)
    place.change("job.planned", request=request | {"seed": 7})
    (place.path / "results.jsonl").unlink()

    ledger, results = place.found()

    assert "is not the request that it was" in ledger[2]
    assert results[0] == "results"


def test_a_missing_ledger_file_is_told(place: Place) -> None:
    place.rewrite([line for line in place.lines() if line["event"] != "job.planned"])

    said = [said for kind, _, said in place.found() if kind == "ledger"]

    assert len(said) == 2
    assert all(one.endswith("a file is missing") for one in said)


def test_a_job_that_was_bought_twice_is_worth_knowing(place: Place) -> None:
    lines = place.lines()
    text = json.dumps(lines).replace(str(lines[0]["run"]), "z" * 10)
    twin = [
        line | ({"task": f"other-{line['task']}"} if "task" in line else {})
        for line in json.loads(text)
    ]
    other = place.path / "ledger" / "99991231T000000Z-zzzzzzzzzz.jsonl"
    mine = place.ledger.name
    other.write_text("".join(json.dumps(line) + "\n" for line in twin))

    said = " ".join(one for _, _, one in place.found(wrong=False))

    assert f"in ledger/{mine} and ledger/{other.name}" in said or (
        f"in ledger/{other.name} and ledger/{mine}" in said
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not here"),
        (b"foxbatch: 1\n", "is not what was kept there"),
    ],
    ids=["missing", "changed"],
)
def test_a_kept_manifest_that_is_gone_or_changed_is_told(
    place: Place, content: bytes | None, words: str
) -> None:
    path = min((place.path / "manifests").iterdir())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    ((kind, where, said),) = place.found()

    assert (kind, where) == ("manifest", f"manifests/{path.name}")
    assert words in said or "cannot be read" in said


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace('"done"', '"failed"'), "1 not what the ledger says"),
        (lambda text: text.splitlines(keepends=True)[0], "1 missing"),
        (lambda text: text.replace('"job":"', '"job":"x'), "2 about jobs that"),
        (lambda text: text + text, "tells of a job twice"),
        (lambda _: "{}\n", "no list of records"),
        (lambda _: "[", "no list of records"),
    ],
    ids=["changed", "missing", "strange", "doubled", "no record", "no JSON"],
)
def test_records_that_are_not_what_the_ledger_says_are_told(
    place: Place, spoil: Callable[[str], str], words: str
) -> None:
    path = place.path / "results.jsonl"
    path.write_text(spoil(path.read_text()))

    ((kind, where, said),) = place.found()

    assert (kind, where) == ("results", "results.jsonl")
    assert words in said
    assert "collect" in said


def test_records_that_cannot_be_read_are_told(place: Place) -> None:
    (place.path / "results.jsonl").unlink()
    (place.path / "results.jsonl").mkdir()

    assert any("cannot be read" in said for _, _, said in place.found())


def test_old_records_after_a_crash_are_no_fault(place: Place) -> None:
    place.rewrite(place.lines()[:-1])
    (place.path / "results.jsonl").unlink()

    assert place.found() == []
    ((_, _, said),) = place.found(wrong=False)
    assert "cut off" in said


def test_a_run_that_goes_on_has_written_no_records_yet(place: Place) -> None:
    place.rewrite(place.lines()[:-1])

    with DirLock(place.path):
        ((_, _, said),) = place.found(wrong=False)

    assert "a run goes on now" in said


def test_files_that_nobody_knows_are_told(place: Place) -> None:
    for name in (
        "artifacts/mine.mp4",
        "ledger/notes.txt",
        "manifests/x.yaml",
        "notes.txt",
    ):
        (place.path / name).write_text("mine")
    (place.path / "artifacts" / ".DS_Store").write_text("litter")
    (place.path / "artifacts" / "link").symlink_to(place.path)
    (place.path / "artifacts" / ".partial").mkdir(exist_ok=True)
    (place.path / "artifacts" / ".partial" / "abc-1").write_text("half")
    (place.path / ".results.jsonl.new").write_text("half")

    assert [(kind, path) for kind, path, _ in place.found()] == [
        ("unknown", "notes.txt"),
        ("unknown", "artifacts/link"),
        ("unknown", "artifacts/mine.mp4"),
        ("unknown", "ledger/notes.txt"),
        ("unknown", "manifests/x.yaml"),
    ]
    assert sorted(path for _, path, _ in place.found(wrong=False)) == [
        ".results.jsonl.new",
        "artifacts/.partial/abc-1",
    ]


def test_a_directory_stays_whole_through_all_that_can_be_done(
    tmp_path: Path,
) -> None:
    """Settled, collected, taken over: what each of them writes is whole."""
    lost = MANIFEST.replace("A stormy sea", '"A lost sea [sandbox:lost-reply]"')
    path = tmp_path / "sea.yaml"
    path.write_text(lost)
    first = anyio.run(api.run, api.load_manifest(path), OPTIONS).run_dir
    (held,) = api.held(first)

    anyio.run(api.settle, first, held.job, "write_off")
    settled = api.verify(first)
    path.write_text(lost.replace("name: sea", "name: ocean"))
    second = anyio.run(api.run, api.load_manifest(path), OPTIONS).run_dir
    anyio.run(api.collect, second, OPTIONS)

    assert settled.findings == ()
    assert api.verify(second).findings == ()


class TestTheCommand:
    def test_all_is_well(self, place: Place, type_: Type) -> None:
        ended = type_("verify", place.path)

        assert ended.code == 0
        assert ended.out.startswith("✓ as it was written: 1 ledger file, ")
        assert ended.err == ""

    def test_something_is_wrong(self, place: Place, type_: Type) -> None:
        path = place.video.relative_to(place.path).as_posix()
        place.video.unlink()
        (place.path / "artifacts" / ".partial").mkdir(exist_ok=True)
        (place.path / "artifacts" / ".partial" / "x").write_text("half")

        ended = type_("verify", place.path)

        assert ended.code == 5
        first, second, third, last = ended.out.splitlines()
        assert first.startswith(f"✗ {path}: ")
        assert second.startswith("· artifacts/.partial/x: ")
        assert third == "✗ since the run: 1 file is missing"
        assert last.startswith("✗ 1 thing wrong: ")

    def test_as_json(self, place: Place, type_: Type) -> None:
        place.video.unlink()

        ended = type_("verify", place.path, "--format", "json")

        assert ended.code == 5
        told = json.loads(ended.out)
        assert told["valid"] is False
        (finding,) = told["findings"]
        assert (finding["kind"], finding["wrong"]) == ("artifact", True)
        assert finding["change"] == "missing"
        assert told["changed"] == "1 file is missing"
        assert told["changes"] == {"missing": 1}

    def test_unchecked_contents_are_told(
        self, place: Place, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "av", None)

        ended = type_("verify", place.path)

        assert ended.code == 0
        assert "foxbatch[media]" in ended.err

    def test_a_ledger_that_cannot_be_listed_is_wrong(
        self, place: Place, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", refuse)

        ended = type_("verify", place.path)

        assert ended.code == 5
        assert "cannot be read: Permission denied" in ended.out
