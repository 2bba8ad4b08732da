"""What the sandbox keeps on disk: records in one file, uploads beside it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from foxbatch.errors import RunDirError
from foxbatch.sandbox.messages import (
    Archive,
    FaultFired,
    Record,
    Task,
    Twist,
    Upload,
    UploadRemoved,
)
from foxbatch.sandbox.web.contents import Contents
from foxbatch.sandbox.web.hot import File, HotFiles
from foxbatch.sandbox.web.store import RecordStore


def task(name: str = "task-1", **changes: object) -> Task:
    fields = {
        "id": name,
        "model": "veo-3.1",
        "created_at": 1_785_830_400.25,
        "starts_at": 1_785_830_401.0,
        "ends_at": 1_785_830_460.5,
        "keeps_s": 86_400.0,
        "asked": '{"model":"veo-3.1","prompt":"a \\"fox\\" 🦊\\n"}',
        "digest": "d" * 64,
        "take": 1,
        "credits": 168,
        "owner": "",
        **changes,
    }
    return Task(**fields)  # type: ignore[arg-type]


def upload(name: str = "file-1", content: bytes = b"png") -> Upload:
    return Upload(
        id=name,
        token="t" * 12,
        name="a fox.png",
        content_type="image/png",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        created_at=1_785_830_400.0,
        lasts_s=259_200.0,
        owner="abc",
    )


def kept(folder: Path, *replies: Iterable[Record]) -> None:
    with RecordStore(folder) as store:
        for records in replies:
            store.add(tuple(records))


def loaded(folder: Path) -> list[Record]:
    with RecordStore(folder) as store:
        return list(store.load())


class TestRecords:
    @pytest.mark.parametrize(
        "record",
        [
            pytest.param(task(), id="a task"),
            pytest.param(
                task(twist=Twist(fails="service_error", takes_s=0.0, links_last_s=9.5)),
                id="a task with a twist",
            ),
            pytest.param(upload(), id="an upload"),
            pytest.param(UploadRemoved("file-1"), id="an upload that made room"),
            pytest.param(FaultFired("lost", "", 3), id="a rule that did something"),
        ],
    )
    def test_a_record_comes_back_as_it_was(
        self, tmp_path: Path, record: Record
    ) -> None:
        kept(tmp_path, [record])

        assert loaded(tmp_path) == [record]

    def test_records_come_back_in_order(self, tmp_path: Path) -> None:
        kept(tmp_path, [task("1"), FaultFired("lost", "x", 1)], [task("2")])
        kept(tmp_path, [UploadRemoved("u")])

        records = loaded(tmp_path)

        assert records == [
            task("1"),
            FaultFired("lost", "x", 1),
            task("2"),
            UploadRemoved("u"),
        ]

    def test_an_ordinary_task_is_a_short_line(self, tmp_path: Path) -> None:
        kept(tmp_path, [task()])

        line = (tmp_path / "tasks.jsonl").read_text(encoding="utf-8")

        assert "twist" not in line
        assert len(line) < 400

    def test_equal_parts_of_tasks_are_one_object(self, tmp_path: Path) -> None:
        twisted = Twist(fails="service_error")
        kept(tmp_path, [task("1", twist=twisted), task("2", twist=twisted)])

        one, other = loaded(tmp_path)

        assert isinstance(one, Task)
        assert isinstance(other, Task)
        assert one.twist is other.twist
        assert one.model is other.model

    def test_a_torn_last_line_is_cut_off(self, tmp_path: Path) -> None:
        kept(tmp_path, [task("1")])
        file = tmp_path / "tasks.jsonl"
        whole = file.read_bytes()
        file.write_bytes(whole + whole[: len(whole) // 2])

        assert loaded(tmp_path) == [task("1")]
        assert file.read_bytes() == whole

    def test_a_file_that_is_all_torn_is_empty(self, tmp_path: Path) -> None:
        (tmp_path / "tasks.jsonl").write_bytes(b'{"v":2,"task":{"id":"ta')

        assert loaded(tmp_path) == []

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("{}", id="no version"),
            pytest.param("[]", id="no object"),
            pytest.param("nonsense", id="no JSON"),
            pytest.param('{"v":2}', id="no record"),
            pytest.param('{"v":2,"task":{"id":1}}', id="another shape"),
            pytest.param('{"v":2,"removed":{"id":"a"},"more":1}', id="more keys"),
            pytest.param(
                '{"v":2,"removed":{"id":"a"},"fired":{"rule":"","scope":"","count":1}}',
                id="two records",
            ),
            pytest.param('{"v":3,"removed":{"id":"a"}}', id="a newer version"),
        ],
    )
    def test_a_damaged_line_is_refused_by_number(
        self, tmp_path: Path, line: str
    ) -> None:
        kept(tmp_path, [task()])
        file = tmp_path / "tasks.jsonl"
        before = file.read_bytes() + f"{line}\n".encode() + b"torn"
        file.write_bytes(before)

        with pytest.raises(RunDirError, match=r"tasks\.jsonl:2 is not a record"):
            loaded(tmp_path)
        assert file.read_bytes() == before

    def test_an_older_format_is_refused_with_a_hint(self, tmp_path: Path) -> None:
        (tmp_path / "tasks.jsonl").write_text('{"v":1,"task":{"id":"task-1"}}\n')

        with pytest.raises(RunDirError, match="older version") as caught:
            loaded(tmp_path)

        assert "Delete the folder" in caught.value.hint

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").touch()
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "tasks.jsonl").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(RunDirError, match="cannot keep its tasks"):
            loaded(tmp_path / "state")

    def test_what_a_full_disk_did_not_take_leaves_no_trace(
        self, tmp_path: Path
    ) -> None:
        """A size limit of the process fails in the way that a full disk does."""
        script = (
            "import pathlib, resource, signal, sys\n"
            "from foxbatch.sandbox.messages import FaultFired\n"
            "from foxbatch.sandbox.web.store import RecordStore\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))\n"
            "with RecordStore(pathlib.Path(sys.argv[1])) as store:\n"
            "    store.add([FaultFired('first', '', 1)])\n"
            "    for name in ('x' * 200, 'y'):\n"
            "        try: store.add([FaultFired(name, '', 1)])\n"
            "        except OSError as error: print(error.strerror)\n"
        )

        run = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )

        assert run.stdout.splitlines() == ["No space left on device"]
        assert loaded(tmp_path) == [FaultFired("first", "", 1), FaultFired("y", "", 1)]


class TestContents:
    @pytest.fixture(params=["disk", "memory"])
    def contents(self, request: pytest.FixtureRequest, tmp_path: Path) -> Contents:
        return Contents(tmp_path / "uploads" if request.param == "disk" else None)

    def test_what_was_kept_is_there(self, contents: Contents) -> None:
        contents.take(upload(), b"png")

        assert contents.get(upload()) == b"png"

    def test_what_was_not_kept_is_not(self, contents: Contents) -> None:
        contents.take(upload("file-1", b"one"), b"one")

        assert contents.get(upload("file-2", b"two")) is None

    def test_an_upload_that_made_room_is_gone(self, contents: Contents) -> None:
        contents.take(upload(), b"png")
        contents.take(UploadRemoved("file-1"))

        assert contents.get(upload()) is None

    def test_equal_content_stays_while_one_upload_has_it(
        self, contents: Contents
    ) -> None:
        contents.take(upload("file-1"), b"png")
        contents.take(upload("file-2"), b"png")

        contents.take(UploadRemoved("file-1"))
        there = contents.get(upload("file-2"))
        contents.take(UploadRemoved("file-2"))

        assert there == b"png"
        assert contents.get(upload("file-2")) is None

    def test_other_records_are_none_of_its_business(self, contents: Contents) -> None:
        contents.take(task())
        contents.take(UploadRemoved("unheard-of"))

        assert contents.get(upload()) is None

    def test_memory_is_bounded(self) -> None:
        contents = Contents(limit_bytes=250)
        uploads = [upload(str(n), bytes([n]) * 100) for n in range(3)]
        for one in uploads:
            contents.take(one, bytes([int(one.id)]) * 100)

        there = [contents.get(one) is not None for one in uploads]

        assert there == [False, True, True]

    def test_disk_outlasts_the_process(self, tmp_path: Path) -> None:
        Contents(tmp_path).take(upload(), b"png")
        again = Contents(tmp_path)
        again.take(upload())

        assert again.get(upload()) == b"png"
        assert [path.name for path in tmp_path.iterdir()] == [upload().sha256]
        again.take(UploadRemoved("file-1"))
        assert not list(tmp_path.iterdir())

    def test_a_digest_that_is_a_path_leads_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "uploads").mkdir()
        contents = Contents(tmp_path / "uploads")
        record = Upload(
            **{name: getattr(upload(), name) for name in Upload.__slots__}
            | {"sha256": "../secret"}
        )
        contents.take(record)

        assert contents.get(record) is None
        contents.take(UploadRemoved("file-1"))
        assert (tmp_path / "secret").exists()

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "uploads").mkdir()
        (tmp_path / "uploads" / upload().sha256).symlink_to(tmp_path / "secret")

        assert Contents(tmp_path / "uploads").get(upload()) is None


def test_files_at_hand_are_bounded() -> None:
    hot = HotFiles(limit_bytes=250)
    recipes = [Archive(members=((str(n), ""),)) for n in range(3)]
    for recipe in recipes:
        hot.keep(recipe, File(bytes(100), str(recipe)))
    hot.keep(recipes[2], File(bytes(50), "again"))

    found = [hot.get(recipe) for recipe in recipes]

    assert [file and len(file.content) for file in found] == [None, 100, 50]
