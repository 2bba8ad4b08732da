"""Files put where other tools look for them: names, links, and what is left alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import anyio
import msgspec
import pytest

from foxbatch import api
from foxbatch.errors import RunDirError, UsageError
from foxbatch.events import MediaFacts, PromptText
from foxbatch.results import Record, Row, flatten
from foxbatch.results.export import ExportPlan, Layout, plan_export
from tests.cli import MANIFEST, Type
from tests.test_results import (
    ACCEPTED,
    DONE,
    INTENDED,
    JOB,
    RESULTS,
    record_of,
    stored,
)

OPTIONS = api.RunOptions(speed=500, environ={"PATH": ""})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with two done jobs."""
    path = tmp_path_factory.mktemp("exported") / "sea.yaml"
    path.write_text(MANIFEST)
    return anyio.run(api.run, api.load_manifest(path), OPTIONS).run_dir


@pytest.fixture
def run_dir(original: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to spoil."""
    path = tmp_path / "runs" / original.name
    shutil.copytree(original, path)
    return path


def files_in(folder: Path) -> list[str]:
    paths = (p for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def made(
    prompt: str = "A fox", *, kind: str = "video", files: int = 1, **cell: object
) -> Record:
    """Return the record of a job that made *files* of a *kind*."""
    job = msgspec.structs.replace(JOB, prompt=PromptText("fox", prompt), cell=cell)
    facts = [
        msgspec.structs.replace(stored(item), media=MediaFacts(kind=kind))
        for item in range(1, files + 1)
    ]
    return record_of(job, INTENDED, ACCEPTED, RESULTS, *facts, DONE)


def plan(
    found: Iterable[Record], layout: Layout = "plain", names: str = ""
) -> ExportPlan:
    rows: list[Row] = flatten([("sea", list(found))]).results.rows
    return plan_export([r for r in rows if r["artifact.path"]], layout, names)


def names(*found: Record, layout: Layout = "plain", template: str = "") -> list[str]:
    return [str(file.name) for file in plan(found, layout, template).files]


class TestNames:
    def test_vbench_has_the_prompt_and_an_index_from_zero(self) -> None:
        found = [made("A fox. 16:9?"), made("An owl"), made("A fox. 16:9?", files=2)]

        planned = plan(found, "vbench")

        assert [str(file.name) for file in planned.files] == [
            "A fox. 16_9_-0.mp4",
            "An owl-0.mp4",
            "A fox. 16_9_-1.mp4",
            "A fox. 16_9_-2.mp4",
        ]
        assert (planned.texts, planned.changed) == ({}, 1)

    def test_vbench_takes_videos_alone(self) -> None:
        planned = plan([made(kind="image"), made(), made(kind="json")], "vbench")

        assert (len(planned.files), planned.unfit) == (1, 2)

    def test_what_nobody_could_look_into_is_what_it_was_asked_to_be(self) -> None:
        assert names(made(kind="unchecked"), layout="vbench") == ["A fox-0.mp4"]

    @pytest.mark.parametrize(
        ("template", "name"),
        [
            ("{prompt_id}-{repeat}", "fox-1.mp4"),
            ("{sky}/{cell.size}", "fog/16x9.mp4"),
            ("{duration}-{param.generate_audio}", "4-false.mp4"),
            ("{media.duration_s}", "none.mp4"),
            ("{seed}-{credits}", "none-28.mp4"),
            ("../../{sky}", "_/_/fog.mp4"),
            ("/etc/{sky}", "_/etc/fog.mp4"),
            (".hidden/{sky}", "hidden/fog.mp4"),
            ("con", "_con.mp4"),
            ("{sky}/", "fog/_.mp4"),
            ("{path}", "A-..-B.mp4"),
            ("{up}", "vdfe.mp4"),  # dots alone are told by their digest
            ("{sky", "{sky.mp4"),
        ],
    )
    def test_a_template_makes_safe_names(self, template: str, name: str) -> None:
        record = made(sky="fog", size="16:9", path="A/../B", up="..")

        (found,) = names(record, template=template)

        assert found == name

    def test_equal_names_are_numbered_also_where_only_capitals_differ(self) -> None:
        found = names(
            made(sky="Fog"), made(sky="fog"), made(sky="FOG"), template="{sky}"
        )

        assert found == ["Fog.mp4", "fog-2.mp4", "FOG-3.mp4"]

    def test_an_index_counts_files_whose_names_are_else_the_same(self) -> None:
        found = names(
            made(sky="fog"),
            made(sky="sun"),
            made(sky="fog"),
            template="{index}/{sky}",
        )

        assert found == ["0/fog.mp4", "0/sun.mp4", "1/fog.mp4"]

    @pytest.mark.parametrize("letter", ["a", "é", "🦊"])
    def test_a_long_prompt_keeps_its_index_and_fits(self, letter: str) -> None:
        first, second = names(made(letter * 300), made(letter * 300), layout="vbench")

        assert first.endswith("-0.mp4")
        assert second.endswith("-1.mp4")
        assert max(len(first.encode()), len(second.encode())) <= 255

    def test_a_name_that_is_not_there_is_told(self) -> None:
        with pytest.raises(UsageError, match=r"knows no \{skj\}") as raised:
            names(made(sky="fog"), template="{skj}")
        with pytest.raises(UsageError) as other:
            names(made(sky="fog"), template="{repeet}")

        assert "columns of the records" in raised.value.hint
        assert other.value.hint == "Did you mean repeat?"

    def test_files_of_several_runs_have_folders(self) -> None:
        flat = flatten([("before", [made()]), ("after", [made()])]).results

        planned = plan_export(flat.rows, "plain")

        assert [file.name.parts[0] for file in planned.files] == ["before", "after"]

    def test_metadata_names_each_file_with_its_prompt_and_columns(self) -> None:
        planned = plan([made("A fox", sky="fog"), made("An owl", sky="sun")], "hf")

        ((where, text),) = planned.texts.items()
        first, second = map(json.loads, text.splitlines())
        assert where == "metadata.jsonl"
        assert [first["file_name"], second["file_name"]] == [
            str(file.name) for file in planned.files
        ]
        assert (first["text"], first["cell.sky"]) == ("A fox", "fog")
        assert list(first) == list(second)

    def test_kinds_that_no_loader_takes_together_have_folders(self) -> None:
        planned = plan([made(), made(kind="image"), made(kind="json")], "hf")

        assert [file.name.parts[0] for file in planned.files] == ["video", "image"]
        assert list(planned.texts) == ["video/metadata.jsonl", "image/metadata.jsonl"]
        assert planned.unfit == 1
        for file, text in zip(planned.files, planned.texts.values(), strict=True):
            assert json.loads(text)["file_name"] == "/".join(file.name.parts[1:])


class TestFiles:
    def test_are_links_to_those_of_the_run(self, run_dir: Path, tmp_path: Path) -> None:
        done = api.export([run_dir], tmp_path / "out", layout="hf")

        assert (done.linked, done.copied, done.wrong) == (2, 0, ())
        for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines():
            told = json.loads(line)
            file = tmp_path / "out" / told["file_name"]
            assert file.samefile(run_dir / told["artifact.path"])
        assert api.verify(run_dir).findings == ()

    def test_are_copied_where_there_are_no_links(
        self, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", refuse)

        done = api.export([run_dir], tmp_path / "out")

        assert (done.linked, done.copied) == (0, 2)
        assert len(files_in(tmp_path / "out")) == 2

    def test_are_copied_where_that_is_wanted(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        api.export([run_dir], tmp_path / "out", copies=True)

        for name in files_in(tmp_path / "out"):
            (tmp_path / "out" / name).write_bytes(b"edited")
        assert api.verify(run_dir).valid

    def test_the_same_again_does_nothing(self, run_dir: Path, tmp_path: Path) -> None:
        api.export([run_dir], tmp_path / "out", layout="hf")
        before = files_in(tmp_path / "out")

        done = api.export([run_dir], tmp_path / "out", layout="hf")

        assert (done.linked, done.copied, done.there) == (0, 0, 2)
        assert files_in(tmp_path / "out") == before

    @pytest.mark.parametrize("layout", ["plain", "hf"])
    def test_nothing_is_replaced_and_then_nothing_is_written(
        self, run_dir: Path, tmp_path: Path, layout: Layout
    ) -> None:
        folder = tmp_path / "out"
        api.export([run_dir], folder, layout=layout)
        last = files_in(folder)[-1] if layout == "plain" else "metadata.jsonl"
        for name in files_in(folder):
            (folder / name).unlink()
        (folder / last).write_text("mine")

        with pytest.raises(UsageError, match="would be replaced, and nothing"):
            api.export([run_dir], folder, layout=layout)
        assert files_in(folder) == [last]
        assert (folder / last).read_text() == "mine"

        api.export([run_dir], folder, layout=layout, replaces=True)
        assert (folder / last).read_bytes() != b"mine"
        assert api.verify(run_dir).valid

    def test_a_link_that_is_in_the_way_is_replaced_and_not_followed(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        folder, victim = tmp_path / "out", tmp_path / "victim"
        api.export([run_dir], folder)
        name = files_in(folder)[0]
        (folder / name).unlink()
        victim.write_text("theirs")
        (folder / name).symlink_to(victim)

        with pytest.raises(UsageError, match="would be replaced"):
            api.export([run_dir], folder)
        api.export([run_dir], folder, replaces=True)

        assert victim.read_text() == "theirs"
        assert not (folder / name).is_symlink()

    def test_a_folder_that_leads_out_is_refused(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "sea").symlink_to(outside)

        with pytest.raises(UsageError, match="leads out of"):
            api.export([run_dir], tmp_path / "out")

        assert files_in(outside) == []

    def test_a_file_that_is_a_link_out_of_the_run_is_left_out(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        path = run_dir / api.results(run_dir)[0].artifacts[0].path
        secret = path.rename(tmp_path / "secret.mp4")
        path.symlink_to(secret)

        done = api.export([run_dir], tmp_path / "out")

        assert len(done.wrong) == 1
        assert "leads out of the run directory" in done.wrong[0]
        assert len(files_in(tmp_path / "out")) == 1

    def test_a_job_without_a_file_is_none_of_them(
        self, tmp_path: Path, type_: Type
    ) -> None:
        manifest = tmp_path / "poor.yaml"
        manifest.write_text(
            MANIFEST.replace("A calm sea", '"A sea [sandbox:fail service_error]"')
        )
        anyio.run(api.run, api.load_manifest(manifest), OPTIONS)

        ended = type_("export", manifest, tmp_path / "out", "--layout", "hf")

        assert ended.err == "✓ 1 file: 1 linked\n"

    def test_the_run_directory_is_no_place_for_them(self, run_dir: Path) -> None:
        with pytest.raises(UsageError, match="is in the run directory"):
            api.export([run_dir], run_dir / "out")

    def test_a_disk_that_refuses_is_told(self, run_dir: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("a file")

        with pytest.raises(RunDirError, match="cannot be written"):
            api.export([run_dir], tmp_path / "out")


class TestPicked:
    @staticmethod
    def rate(run_dir: Path, who: str, *lines: str | dict[str, object]) -> None:
        (run_dir / "ratings").mkdir(exist_ok=True)
        text = "".join(
            line if isinstance(line, str) else json.dumps(line | {"who": who}) + "\n"
            for line in lines
        )
        (run_dir / "ratings" / f"{who}.jsonl").write_text(text)

    @staticmethod
    def words(run_dir: Path, number: int, mark: str) -> dict[str, object]:
        record = api.results(run_dir)[number]
        sha256 = record.artifacts[0].sha256
        about = {"job": record.job, "sha256": sha256, "mark": mark}
        return {"v": 1, "at": "2026-01-01T00:00:00.000Z", **about}

    def test_of_each_person_the_last_word_counts(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        first, second = (self.words(run_dir, n, "pick") for n in (0, 1))
        self.rate(run_dir, "ada", first, second, first | {"mark": ""})
        self.rate(run_dir, "ben", second | {"mark": "reject"}, '{"job":')

        done = api.export([run_dir], tmp_path / "out", picked=True)

        assert done.linked == 1
        assert api.verify(run_dir).valid

    def test_another_file_of_the_job_was_not_picked(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        self.rate(run_dir, "ada", self.words(run_dir, 0, "pick") | {"sha256": "b" * 64})

        assert api.export([run_dir], tmp_path / "out", picked=True).linked == 0

    def test_without_ratings_nothing_is(self, run_dir: Path, tmp_path: Path) -> None:
        assert api.export([run_dir], tmp_path / "out", picked=True).linked == 0


class TestTheCommand:
    def test_says_what_it_did(self, run_dir: Path, tmp_path: Path, type_: Type) -> None:
        folder = tmp_path / "out"

        ended = type_("export", run_dir, folder, "--layout", "vbench")

        assert (ended.code, ended.out) == (0, f"{folder}\n")
        assert ended.err == "✓ 2 files: 2 linked\n"
        assert files_in(folder) == ["A calm sea-0.mp4", "A stormy sea-0.mp4"]

    def test_leaves_out_what_was_changed_and_says_so(
        self, run_dir: Path, tmp_path: Path, type_: Type
    ) -> None:
        path = api.results(run_dir)[0].artifacts[0].path
        (run_dir / path).write_bytes(b"edited")

        ended = type_("export", run_dir, tmp_path / "out", "--copy")

        assert ended.code == 5
        assert "✓ 1 file: 1 copied" in ended.err
        assert f"✗ left out: {path} has 6 bytes" in ended.err

    def test_tells_of_names_and_files_that_do_not_fit(
        self, tmp_path: Path, type_: Type
    ) -> None:
        manifest = tmp_path / "odd.yaml"
        manifest.write_text(
            MANIFEST.replace("A calm sea, A stormy sea", '"To be / or not?"')
        )
        anyio.run(api.run, api.load_manifest(manifest), OPTIONS)

        ended = type_("export", manifest, tmp_path / "out", "--layout", "vbench")

        assert "1 prompt changed to be a file name" in ended.err
        assert files_in(tmp_path / "out") == ["To be _ or not_-0.mp4"]
