"""What the gallery knows of runs, and the one file that it becomes."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import subprocess
from pathlib import Path
from shutil import which

import msgspec
import pytest

from foxbatch import api
from foxbatch.errors import RunDirError
from foxbatch.report import RunOf, gallery, write_page
from foxbatch.report.data import Album, Gallery, RunShown
from foxbatch.report.page import live_page, page_of, policy
from foxbatch.results import Record
from foxbatch.state import Phase
from tests.browser.galleries import TWELVE, make_run, some_fail


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report"), TWELVE, fate=some_fail)


@pytest.fixture(scope="module")
def records(run: Path) -> list[Record]:
    return api.results(run)


def shown(run: Path, records: list[Record]) -> Gallery:
    return gallery(
        "A title", [RunOf(path=run, label="one", records=records)], beside=run
    )


def unpacked(page: bytes, name: str) -> object:
    found = re.search(rf'id="{name}">([^<]*)<'.encode(), page)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


class TestData:
    def test_each_job_is_where_its_values_are(
        self, run: Path, records: list[Record]
    ) -> None:
        found = shown(run, records)

        axes = {axis.id: axis.values for axis in found.axes}
        assert axes["prompt"] == ["fox", "boat"]
        assert axes["cell.aspect_ratio"] == ["16:9", "9:16"]
        assert axes["cell.look"] == ["fog", "rain", "sun"]
        assert "run" not in axes
        for cell, record in zip(found.cells, records, strict=True):
            at = {axis.id: axis.values[i] for axis, i in zip(found.axes, cell.at)}  # noqa: B905  the same length
            assert at["cell.look"] == record.cell["look"]
            assert record.prompt is not None
            assert at["prompt"] == record.prompt.id
            assert cell.prompt is not None
            assert found.prompts[cell.prompt] == record.prompt.text

    def test_several_runs_are_an_axis(self, run: Path, records: list[Record]) -> None:
        runs = [RunOf(path=run, label=name, records=records) for name in ("a", "b")]

        found = gallery("x", runs, beside=run)

        assert found.axes[0].id == "run"
        assert found.axes[0].values == ["a", "b"]
        assert [cell.at[0] for cell in found.cells] == [0] * 12 + [1] * 12

    def test_values_are_equal_where_their_json_is(
        self, run: Path, records: list[Record]
    ) -> None:
        values: list[object] = [1, 1.0, "1", True, None, [1], {"a": 1}, {"a": 1.0}]
        many = [
            msgspec.structs.replace(records[0], job=f"j{number}", cell={"x": value})
            for number, value in enumerate(values)
        ]

        found = shown(run, many)

        (axis,) = (axis for axis in found.axes if axis.id == "cell.x")
        assert axis.values == [1, "1", True, None, [1], {"a": 1}]

    def test_an_axis_that_comes_later_has_no_place_for_those_before(
        self, run: Path, records: list[Record]
    ) -> None:
        later = msgspec.structs.replace(records[1], cell={"new": 1})

        found = shown(run, [records[0], later])

        assert found.axes[-1].id == "cell.new"
        assert [cell.at[-1] for cell in found.cells] == [-1, 0]

    def test_an_axis_that_only_repeats_the_model_is_left_out(
        self, run: Path, records: list[Record]
    ) -> None:
        one = msgspec.structs.replace(records[0], cell={"model": records[0].model})

        assert "cell.model" not in [axis.id for axis in shown(run, [one]).axes]

    def test_files_are_named_from_the_page(
        self, run: Path, records: list[Record]
    ) -> None:
        runs = [RunOf(path=run, label="one", records=records)]

        found = gallery("x", runs, beside=run.parent.parent / "pages")

        assert found.runs[0].base == "../runs/twelve%40sandbox"
        file = next(cell.files[0] for cell in found.cells if cell.files)
        assert file.path.startswith("artifacts/")


class TestAlbum:
    def test_what_changes_keeps_its_place(
        self, run: Path, records: list[Record]
    ) -> None:
        album = Album("x", [RunShown(label="one", base=".")])
        place = RunOf(path=run, label="one", records=())

        took = [album.take(0, place, record) for record in records[:3]]
        again = album.take(0, place, records[1])
        changed = msgspec.structs.replace(records[1], phase=Phase.OVERDUE)
        anew = album.take(0, place, changed)

        assert took == [0, 1, 2]
        assert again is None
        assert anew == 1
        assert [cell.job for cell in album.cells] == [r.job for r in records[:3]]
        assert album.cells[1].phase is Phase.OVERDUE

    def test_it_is_what_a_gallery_of_all_of_it_would_be(
        self, run: Path, records: list[Record]
    ) -> None:
        album = Album("A title", [RunShown(label="one", base=".")])
        place = RunOf(path=run, label="one", records=())
        for record in records:
            first = msgspec.structs.replace(record, phase=Phase.NEW, artifacts=())
            album.take(0, place, first)

        for record in reversed(records):
            album.take(0, place, record)

        assert album.gallery() == shown(run, records)


class TestPage:
    def test_it_holds_the_gallery_and_its_details(
        self, run: Path, records: list[Record]
    ) -> None:
        found = shown(run, records)

        page = page_of(found)

        kept = unpacked(page, "gallery")
        assert isinstance(kept, dict)
        assert kept["cells"] == json.loads(msgspec.json.encode(found.cells))
        details = json.loads(msgspec.json.encode(found.details))
        assert unpacked(page, "details") == details

    def test_equal_galleries_are_equal_files(
        self, run: Path, records: list[Record]
    ) -> None:
        assert page_of(shown(run, records)) == page_of(shown(run, records))

    def test_its_policy_lets_its_own_scripts_run_and_no_others(
        self, run: Path, records: list[Record]
    ) -> None:
        page = page_of(shown(run, records)).decode()

        assert html.escape(policy()) in page or policy() in page
        assert "unsafe" not in policy()
        assert policy().count("sha256-") == 3  # charts, script, style
        assert "http:" not in policy()
        assert "https:" not in policy()

    def test_text_of_strangers_is_no_markup(
        self, run: Path, records: list[Record]
    ) -> None:
        evil = "</script><script>alert(1)</script>{{script}}"
        one = msgspec.structs.replace(records[0], name=evil)

        page = page_of(shown(run, [one])).decode()

        assert evil not in page
        assert "alert(1)" not in page

    def test_a_live_page_holds_no_data_and_knows_its_server(self) -> None:
        page = live_page("to<ken", 'a"da').decode()

        assert 'content="to&lt;ken" data-who="a&quot;da">' in page
        assert 'id="gallery"></script>' in page

    def test_a_page_that_cannot_be_written_leaves_what_was_there(
        self, run: Path, records: list[Record], tmp_path: Path
    ) -> None:
        (tmp_path / "page.html").mkdir()

        with pytest.raises(RunDirError, match="cannot be written"):
            write_page(shown(run, records), tmp_path / "page.html")


class TestLinking:
    def script(self) -> str:
        found = re.search(
            r"<script>(\"use strict\".*?)</script>",
            live_page("t", "w").decode(),
            re.DOTALL,
        )
        assert found is not None
        return found[1]

    def test_no_import_or_export_is_left(self) -> None:
        script = self.script()

        assert not re.search(r"^(import|export) ", script, re.MULTILINE)
        assert "</script" not in script

    def test_each_module_stands_once_behind_what_it_needs(self) -> None:
        order = re.findall(r'^modules\["([^"]+)"\] = ', self.script(), re.MULTILINE)
        needs = re.findall(r'= modules\["([^"]+)"\];$', self.script(), re.MULTILINE)

        assert len(order) == len(set(order))
        assert set(needs) <= set(order)
        assert order[-1] == "main.js"
        assert order.index("gallery.js") < order.index("arrange.js")

    def test_a_browser_can_read_it(self, tmp_path: Path) -> None:
        node = which("node")
        if node is None:
            pytest.skip("there is no Node here: the tests in a browser say the same")
        path = tmp_path / "script.js"
        path.write_text(self.script())

        ended = subprocess.run(
            [node, "--check", str(path)], capture_output=True, text=True, check=False
        )

        assert ended.stderr == ""
