"""A ledger that survives what computers do, and says so when it cannot."""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from foxbatch.errors import (
    LedgerError,
    TransitionError,
)
from foxbatch.events import BatchHalted, Event, RunId, SubmitIntended, encode
from foxbatch.ledger import (
    LedgerTail,
    LedgerWriter,
    new_run_id,
    read_facts,
    read_folder,
)
from foxbatch.processes import Process
from foxbatch.state import Phase, fold
from tests.facts import (
    ACCEPTED,
    ARTIFACT,
    ENDED,
    FIRST,
    JOB,
    LATER_RUN,
    PLANNED,
    REFUSED,
    RESULTS,
    RUN,
    STARTED,
    STATUS,
    UNKNOWN,
    SteppingClock,
    at,
    file_of,
    stamped,
)

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)
LIFE = file_of(RUN, [STARTED, PLANNED, INTENDED, ACCEPTED, STATUS, ENDED])
LINES = [encode(event) for event in LIFE]
HERE = Process(host="workstation")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ledger"


@contextmanager
def writer(
    folder: Path, run: RunId = RUN, *, fsync: Callable[[int], None] = os.fsync
) -> Iterator[LedgerWriter]:
    one = LedgerWriter(folder, run, SteppingClock(), fsync=fsync)
    try:
        yield one
    finally:
        one.close()


def kept(folder: Path, content: bytes, name: str = "20260102T030405Z-a.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def facts_of(path: Path) -> tuple[list[Event], list[str]]:
    torn: list[str] = []
    return list(read_facts(path, on_torn=torn.append)), torn


def test_run_ids_are_short_and_never_the_same() -> None:
    ids = {new_run_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(re.fullmatch("[a-z2-7]{10}", run) for run in ids)


class TestWriter:
    def test_facts_get_their_place_their_time_and_their_run(self, folder: Path) -> None:
        with writer(folder) as ledger:
            first = ledger.append(STARTED, PLANNED)
            second = ledger.append(INTENDED)

        assert [fact.seq for fact in (*first, *second)] == [1, 2, 3]
        assert {fact.run for fact in (*first, *second)} == {RUN}
        assert {fact.v for fact in (*first, *second)} == {1}
        # The clock was first asked for the name of the file.
        assert [fact.at for fact in (*first, *second)] == [at(1), at(1), at(2)]

    def test_what_was_written_is_read(self, folder: Path) -> None:
        with writer(folder) as ledger:
            written = [*ledger.append(STARTED, INTENDED), *ledger.append(ACCEPTED)]

            assert facts_of(ledger.path) == (written, [])

    def test_the_name_of_the_file_fits_every_file_system(self, folder: Path) -> None:
        with writer(folder) as ledger:
            assert ledger.path.name == f"20260102T030405Z-{RUN}.jsonl"

    def test_facts_of_one_moment_share_one_fsync(self, folder: Path) -> None:
        synced: list[int] = []

        def fsync(handle: int) -> None:
            synced.append(os.fstat(handle).st_size)

        with writer(folder, fsync=fsync) as ledger:
            synced.clear()  # of its folders
            ledger.append(STARTED)
            assert synced == []

            ledger.append(PLANNED, INTENDED, durable=True)
            assert synced == [ledger.path.stat().st_size]

            ledger.append(durable=True)
            ledger.append(ACCEPTED)

        assert synced == [synced[0], synced[0], ledger.path.stat().st_size]

    def test_new_names_are_durable_before_anything_is_written(
        self, tmp_path: Path
    ) -> None:
        synced: list[int] = []
        home = tmp_path / "runs" / "batch" / "ledger"

        with writer(home, fsync=lambda one: synced.append(os.fstat(one).st_ino)):
            before = set(synced)

        above = [tmp_path, *reversed(home.parents[:2]), home]
        assert {place.stat().st_ino for place in above} <= before

    def test_what_a_killed_run_left_in_memory_is_durable_before_anything_follows(
        self, folder: Path
    ) -> None:
        """A file was stored, its fact not synced; the next run called the job done."""
        synced: list[int] = []
        with writer(folder) as killed:
            killed.append(STARTED)

        with writer(
            folder, LATER_RUN, fsync=lambda one: synced.append(os.fstat(one).st_ino)
        ):
            before = set(synced)

        assert killed.path.stat().st_ino in before

    @pytest.mark.parametrize("there", [True, False])
    def test_a_folder_that_cannot_be_made_durable_is_said(
        self, folder: Path, there: bool
    ) -> None:
        if there:
            folder.mkdir(parents=True)

        def fsync(_: int) -> None:
            raise OSError(errno.EIO, "broken")

        with pytest.raises(LedgerError, match="cannot be written: broken"):
            LedgerWriter(folder, RUN, SteppingClock(), fsync=fsync)

    def test_no_fact_is_older_than_the_one_before_it(self, folder: Path) -> None:
        """The clock is set back two hours, and then jumps five hours on."""
        clock = SteppingClock()
        ledger = LedgerWriter(folder, RUN, clock)
        for hours in (0, -2, 5, -4):
            clock.jump(hours)
            ledger.append(BatchHalted(why=f"{hours}", exit_code=6))
        ledger.close()

        moments = [fact.at for fact in facts_of(ledger.path)[0]]
        assert moments == sorted(moments)
        assert moments[0] == moments[1] < moments[2] == moments[3]

    def test_what_is_known_does_not_depend_on_clocks_between_runs(
        self, folder: Path
    ) -> None:
        """The second run believes that it is a day earlier."""
        LedgerWriter(folder, RUN, SteppingClock()).close()
        clock = SteppingClock()
        clock.jump(-24)
        later = LedgerWriter(folder, LATER_RUN, clock)
        later.append(STATUS)
        later.close()
        (folder / f"20260102T030405Z-{RUN}.jsonl").write_bytes(b"".join(LINES[:4]))

        state = read_folder(folder).state

        assert state.phase(JOB) is Phase.RUNNING
        assert len(list(folder.iterdir())) == len({RUN, LATER_RUN})

    def test_an_earlier_file_that_cannot_be_made_durable_is_said(
        self, folder: Path
    ) -> None:
        LedgerWriter(folder, RUN, SteppingClock()).close()

        def fsync(handle: int) -> None:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EIO, "broken")

        with pytest.raises(LedgerError, match="cannot be written: broken"):
            LedgerWriter(folder, LATER_RUN, SteppingClock(), fsync=fsync)

    def test_an_impossible_fact_is_not_written(self, folder: Path) -> None:
        with writer(folder) as ledger:
            ledger.append(STARTED)

            with pytest.raises(TransitionError):
                ledger.append(INTENDED, REFUSED, ACCEPTED)

            assert [fact.seq for fact in ledger.append(INTENDED)] == [2]
            assert len(facts_of(ledger.path)[0]) == 2

    def test_an_impossible_fact_is_told_with_what_came_before(
        self, folder: Path
    ) -> None:
        with writer(folder) as ledger:
            ledger.append(STARTED, INTENDED, ACCEPTED)

            with pytest.raises(TransitionError) as caught:
                ledger.append(STATUS, RESULTS, ACCEPTED)

        assert str(caught.value) == (
            "submit.accepted cannot happen to an attempt that is downloading; last of"
            f" job {JOB}: 3 submit.accepted of {FIRST} at {at(1)},"
            f" 4 status.seen of {FIRST} at {at(2)},"
            f" 5 results.seen of {FIRST} at {at(2)}"
        )

    def test_a_fact_that_has_no_spelling_is_not_written(self, folder: Path) -> None:
        unspeakable = msgspec.structs.replace(ACCEPTED, reply="\ud83d")
        with writer(folder) as ledger:
            ledger.append(INTENDED)

            with pytest.raises(UnicodeEncodeError):
                ledger.append(unspeakable)

            assert [fact.seq for fact in ledger.append(ACCEPTED)] == [2]

    def test_a_file_of_an_earlier_run_is_never_touched(self, folder: Path) -> None:
        LedgerWriter(folder, RUN, SteppingClock()).close()

        with pytest.raises(LedgerError, match="cannot be written: File exists"):
            LedgerWriter(folder, RUN, SteppingClock())

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "run").write_text("a file")

        with pytest.raises(LedgerError, match="cannot be written") as caught:
            LedgerWriter(tmp_path / "run" / "ledger", RUN, SteppingClock())

        assert caught.value.hint.startswith("Mend that")

    @pytest.mark.parametrize(
        ("number", "hint"),
        [
            pytest.param(errno.ENOSPC, "Free some space", id="full disk"),
            pytest.param(errno.EDQUOT, "Free some space", id="full quota"),
            pytest.param(errno.EIO, "Mend that", id="broken disk"),
        ],
    )
    def test_after_a_failed_fsync_nothing_is_tried_again(
        self, folder: Path, number: int, hint: str
    ) -> None:
        calls: list[int] = []

        def fsync(handle: int) -> None:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                calls.append(handle)
                raise OSError(number, os.strerror(number))

        with writer(folder, fsync=fsync) as ledger:
            with pytest.raises(LedgerError, match=os.strerror(number)) as caught:
                ledger.append(STARTED, durable=True)
            size = ledger.path.stat().st_size
            with pytest.raises(LedgerError, match="could not be written before"):
                ledger.append(INTENDED, durable=True)

        assert caught.value.hint.startswith(hint)
        assert len(calls) == 1
        assert ledger.path.stat().st_size == size

    def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_a_torn_end(
        self, folder: Path
    ) -> None:
        resource = pytest.importorskip("resource", reason="POSIX only")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with writer(folder) as ledger:
            ledger.append(STARTED, INTENDED)
            size = ledger.path.stat().st_size

            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
            try:
                with pytest.raises(LedgerError, match="File too large"):
                    ledger.append(ACCEPTED, durable=True)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            with pytest.raises(LedgerError, match="could not be written before"):
                ledger.append(ACCEPTED)

        assert ledger.path.stat().st_size == size + 10
        reading = read_folder(folder)
        assert reading.torn == [ledger.path.name]
        assert reading.state.phase(JOB) is Phase.HELD

    def test_an_end_that_is_not_durable_is_said(self, folder: Path) -> None:
        def fsync(handle: int) -> None:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EIO, "broken")

        ledger = LedgerWriter(folder, RUN, SteppingClock(), fsync=fsync)

        with pytest.raises(LedgerError, match="cannot be written: broken"):
            ledger.close()


class TestReading:
    def test_nothing_is_known_where_there_is_no_folder(self, folder: Path) -> None:
        reading = read_folder(folder)

        assert (reading.state, reading.files, reading.torn) == (fold([]), {}, [])

    def test_files_are_read_together_whatever_else_lies_there(
        self, folder: Path
    ) -> None:
        kept(folder, b"".join(LINES[:3]), "1.jsonl")
        kept(folder, b"".join(map(encode, file_of(LATER_RUN, [STATUS]))), "2.jsonl")
        kept(folder, b"hello", "README.md")

        reading = read_folder(folder)

        assert reading.files == {"1.jsonl": 3, "2.jsonl": 1}
        assert reading.state == fold([*LIFE[:3], *file_of(LATER_RUN, [STATUS])])

    def test_a_copy_under_another_name_changes_nothing(self, folder: Path) -> None:
        kept(folder, b"".join(LINES), "1.jsonl")
        kept(folder, b"".join(LINES[:4]), "2.jsonl")

        assert read_folder(folder).state == fold(LIFE)

    @pytest.mark.parametrize(
        ("end", "facts", "torn"),
        [
            pytest.param(b"", 2, False, id="whole lines"),
            pytest.param(LINES[2][:-1], 3, False, id="all but the line feed"),
            pytest.param(LINES[2][:-2], 2, True, id="half a fact"),
            pytest.param(b"\0" * 512, 2, True, id="NULs"),
            pytest.param(LINES[2][:9] + b"\0" * 512, 2, True, id="half a fact, NULs"),
            pytest.param(LINES[2] + b"\0", 3, True, id="a fact, NULs"),
            pytest.param(LINES[2][:-1] + b"\0", 3, True, id="no line feed, NULs"),
            pytest.param('{"why": "é'.encode()[:-1], 2, True, id="half a letter"),
        ],
    )
    def test_an_unfinished_end_is_ignored_and_said(
        self, folder: Path, end: bytes, facts: int, torn: bool
    ) -> None:
        path = kept(folder, b"".join(LINES[:2]) + end)

        assert facts_of(path) == (list(LIFE[:facts]), [path.name] if torn else [])

    def test_a_real_file_cut_at_every_byte_gives_its_whole_facts(
        self, folder: Path
    ) -> None:
        """Also with NULs behind the cut, and with the line ends of Windows."""
        life = file_of(RUN, [INTENDED, ACCEPTED, ENDED])
        folder.mkdir(parents=True)
        path = folder / "1.jsonl"
        for line_end in (b"\n", b"\r\n"):
            lines = [encode(fact)[:-1] + line_end for fact in life]
            whole = b"".join(lines)
            ends = list(itertools.accumulate(map(len, lines)))
            for cut in range(len(whole) + 1):
                count = sum(end - len(line_end) <= cut for end in ends)
                clean = cut == 0 or any(0 <= end - cut <= len(line_end) for end in ends)
                for nuls in (b"", b"\0"):
                    path.write_bytes(whole[:cut] + nuls)

                    facts, torn = facts_of(path)

                    assert facts == list(life[:count]), cut
                    assert torn == ([] if clean and not nuls else [path.name]), cut

    @pytest.mark.parametrize("shift", [-1, 0, 1], ids=["before", "at", "after"])
    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
    def test_files_are_read_in_blocks_that_cut_no_line(
        self, folder: Path, line_end: bytes, shift: int
    ) -> None:
        """The first line ends where a block does, or a byte beside it."""
        facts = file_of(LATER_RUN, [STATUS, STATUS, STATUS])
        missing = (1 << 20) + shift - len(encode(facts[0])[:-1] + line_end)
        reply = STATUS.reply + "x" * missing
        facts = (msgspec.structs.replace(facts[0], reply=reply), *facts[1:])
        content = b"".join(encode(fact)[:-1] + line_end for fact in facts)

        path = kept(folder, content + b"\0" * (3 << 20))

        assert facts_of(path) == (list(facts), [path.name])

    @pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
    def test_line_ends_of_other_systems_are_read(
        self, folder: Path, line_end: bytes
    ) -> None:
        path = kept(folder, b"".join(LINES).replace(b"\n", line_end))

        assert facts_of(path) == (list(LIFE), [])

    def test_an_impossible_step_is_told_with_what_came_before(
        self, folder: Path
    ) -> None:
        """What follows it in the file has nothing to do with it."""
        told = file_of(RUN, [STARTED, INTENDED, UNKNOWN, ACCEPTED, UNKNOWN])
        path = kept(folder, b"".join(map(encode, told)))

        with pytest.raises(LedgerError) as caught:
            read_folder(folder)

        assert str(caught.value) == (
            f"{path}:4: submit.accepted cannot happen to an attempt that is held; last"
            f" of job {JOB}: 2 submit.intended of {FIRST} at {at(2)},"
            f" 3 submit.unknown of {FIRST} at {at(3)}"
        )

    @pytest.mark.parametrize(
        ("lines", "place", "why"),
        [
            pytest.param(
                [LINES[0], b"{\n", LINES[2]], 2, "not a JSON object", id="half"
            ),
            pytest.param(
                [LINES[0], b"{\n"], 2, "not a JSON object", id="half, finished"
            ),
            pytest.param([b"\n", LINES[0]], 1, "not a JSON object", id="an empty line"),
            pytest.param(
                [LINES[0], b"\0\0\n", LINES[1]],
                2,
                "not a JSON object",
                id="NULs inside",
            ),
            pytest.param(
                [LINES[0], b"<<<<<<< HEAD\n", LINES[1]],
                2,
                "not a JSON object",
                id="a merge conflict",
            ),
            pytest.param(
                [LINES[0], LINES[1].replace(b"A dune", b"A \xffune")],
                2,
                "not a JSON object ('utf-8' codec",
                id="not UTF-8",
            ),
            pytest.param(
                [LINES[0], LINES[2]], 2, "seq is 3 where 2 belongs", id="a gap"
            ),
            pytest.param(
                [LINES[0], LINES[0]], 2, "seq is 1 where 2 belongs", id="a line twice"
            ),
            pytest.param(
                [LINES[1]], 1, "seq is 2 where 1 belongs", id="a lost beginning"
            ),
            pytest.param(
                [LINES[0], LINES[1].replace(b"aaaaaaaaaa", b"bbbbbbbbbb")],
                2,
                f"it belongs to run {LATER_RUN}, not {RUN}",
                id="a line of another run",
            ),
            pytest.param(
                [LINES[0], LINES[3].replace(b'"seq":4', b'"seq":2')],
                2,
                "submit.accepted cannot happen to an attempt that is unborn",
                id="an impossible step",
            ),
            *(
                pytest.param(
                    [*LINES[:3], LINES[3].replace(b'"task-1"', f'"{task}"'.encode())],
                    4,
                    f"{task!r} is no task id",
                    id=f"a task called {task}",
                )
                for task in ("../../steal", "t?x=1", "..", "")
            ),
            *(
                pytest.param(
                    [encode(stamped(msgspec.structs.replace(ARTIFACT, path=path)))],
                    1,
                    f"{path!r} is outside the run directory",
                    id=f"a file at {path}",
                )
                for path in ("../../etc/passwd", "/etc/passwd", "a/../../b", "..\\b")
            ),
        ],
    )
    def test_damage_is_refused_with_its_place(
        self, folder: Path, lines: list[bytes], place: int, why: str
    ) -> None:
        path = kept(folder, b"".join(lines))

        with pytest.raises(LedgerError) as caught:
            read_folder(folder)

        assert str(caught.value).startswith(f"{path}:{place}: {why}")
        assert "Restore the file" in caught.value.hint

    @pytest.mark.parametrize(
        "end", [pytest.param(b"\n", id="whole"), pytest.param(b"", id="no line feed")]
    )
    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            pytest.param(
                b"submit.intended", b"job.sold", "unknown event 'job.sold'", id="event"
            ),
            pytest.param(
                b'"v":1',
                b'"v":2',
                "format 2, and this foxbatch reads formats up to 1",
                id="format",
            ),
        ],
    )
    def test_what_a_newer_foxbatch_wrote_is_refused_also_as_a_last_line(
        self, folder: Path, old: bytes, new: bytes, why: str, end: bytes
    ) -> None:
        """Taken for torn, a purchase would be forgotten."""
        last = LINES[2].replace(old, new).removesuffix(b"\n") + end
        path = kept(folder, LINES[0] + LINES[1] + last)

        with pytest.raises(LedgerError) as caught:
            read_folder(folder)

        assert str(caught.value) == f"{path}:3: {why}"
        assert caught.value.hint.startswith("Upgrade foxbatch")

    def test_a_file_that_cannot_be_read_is_not_passed_over(self, folder: Path) -> None:
        (folder / "1.jsonl").mkdir(parents=True)

        with pytest.raises(LedgerError, match=r"1\.jsonl cannot be read: Is a dir"):
            read_folder(folder)

    def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
        self, tmp_path: Path
    ) -> None:
        """An empty ledger would buy everything again."""
        (tmp_path / "ledger").write_text("../elsewhere")  # a link, on Windows

        with pytest.raises(LedgerError, match="ledger cannot be read: Not a directory"):
            read_folder(tmp_path / "ledger")

    def test_a_file_is_read_while_it_is_written(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        seen = [0]

        def write() -> None:
            with writer(folder, fsync=lambda _: None) as ledger:
                ledger.append(STARTED, INTENDED, ACCEPTED)
                for _ in range(300):
                    ledger.append(STATUS)

        author = threading.Thread(target=write)
        author.start()
        while author.is_alive():
            seen.append(sum(read_folder(folder).files.values()))
        author.join()

        assert seen == sorted(seen)
        assert read_folder(folder).files.popitem()[1] == 303


class TestTail:
    """Reads a file again and again, each time only what is new in it."""

    def test_only_what_is_new_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "tail.jsonl"
        path.write_bytes(LINES[0])
        tail = LedgerTail(path)

        first = list(tail.news())
        nothing = list(tail.news())
        with path.open("ab") as file:
            file.write(LINES[1] + LINES[2])
        rest = list(tail.news())

        assert [fact.seq for fact in first] == [1]
        assert nothing == []
        assert [fact.seq for fact in rest] == [2, 3]
        assert tail.read_bytes == path.stat().st_size

    def test_a_line_that_is_being_written_is_read_when_it_is_whole(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "tail.jsonl"
        path.write_bytes(LINES[0] + LINES[1][:20])
        tail = LedgerTail(path)

        first = list(tail.news())
        torn = tail.torn
        path.write_bytes(LINES[0] + LINES[1])
        rest = list(tail.news())

        assert [fact.seq for fact in first] == [1]
        assert torn
        assert [fact.seq for fact in rest] == [2]
        assert not tail.torn

    def test_a_line_counts_once_also_when_its_end_comes_later(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "tail.jsonl"
        path.write_bytes(LINES[0] + LINES[1].rstrip(b"\n"))
        tail = LedgerTail(path)

        first = list(tail.news())
        again = list(tail.news())
        path.write_bytes(LINES[0] + LINES[1] + LINES[2])
        rest = list(tail.news())

        assert [fact.seq for fact in first] == [1, 2]
        assert again == []
        assert [fact.seq for fact in rest] == [3]

    def test_damage_behind_what_was_read_is_told_with_its_line(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "tail.jsonl"
        path.write_bytes(LINES[0])
        tail = LedgerTail(path)
        list(tail.news())

        path.write_bytes(LINES[0] + LINES[2])

        with pytest.raises(LedgerError, match=r"tail.jsonl:2: seq is 3"):
            list(tail.news())
