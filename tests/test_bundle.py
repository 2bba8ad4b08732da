"""The bundle: what is in it, what is not, and that it opens where it is unpacked."""

from __future__ import annotations

import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from foxbatch import api
from foxbatch.canonical import sha256
from foxbatch.errors import ExitCode, MissingExtraError, RunDirError
from foxbatch.report import RunOf
from foxbatch.report.bundle import folder_names, write_bundle
from foxbatch.report.posters import posters_of
from foxbatch.results import Media, Record, StoredFile
from tests.cli import Type, type_
from tests.films import film
from tests.records import record
from tests.runs import made_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["type_"]

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with two films."""
    return made_run(tmp_path_factory.mktemp("done"))


@pytest.fixture
def run_dir(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(done, tmp_path / "sea@sandbox"))


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        return bundle.namelist()


def one_film(run_dir: Path, name: str = "a.mp4", **look: object) -> Record:
    path = film(run_dir / "artifacts" / name, **look)  # type: ignore[arg-type]
    content = path.read_bytes()
    file = StoredFile(
        f"artifacts/{name}", sha256(content), len(content), Media(kind="video")
    )
    return record(artifacts=(file,))


def noise(number: int) -> Image.Image:
    rng = random.Random(number)
    return Image.frombytes("RGB", (640, 360), rng.randbytes(640 * 360 * 3))


def run_of(run_dir: Path, *records: Record, label: str = "sea") -> RunOf:
    posters = posters_of(run_dir, records).pictures
    return RunOf(path=run_dir, label=label, records=records, posters=posters)


class TestBundle:
    def test_holds_the_page_the_files_and_their_posters(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_("report", run_dir, "--bundle", "-o", "b.zip")

        found = names(Path("b.zip"))
        assert (ended.code, ended.out) == (0, "b.zip\n")
        assert "✓ the bundle is written: 2 jobs, 2 files, " in ended.err
        assert found[0] == "report.html"
        stored = [f.path for r in api.results(run_dir) for f in r.artifacts]
        assert set(found[1:3]) == {f"sea@sandbox/{path}" for path in stored}
        assert all(n.startswith("sea@sandbox/posters/") for n in found[3:])
        assert len(found) == 5

    def test_is_in_the_run_where_no_place_is_named(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_("report", run_dir, "--bundle", "--no-posters")

        assert ended.out == f"{run_dir / 'report.zip'}\n"
        assert len(names(run_dir / "report.zip")) == 3
        assert api.verify(run_dir).valid

    def test_of_equal_runs_is_equal(self, run_dir: Path) -> None:
        api.bundle([run_dir], Path("1.zip"))
        for path in run_dir.rglob("*.mp4"):
            os.utime(path, (0, 0))
        api.bundle([run_dir], Path("2.zip"))

        assert Path("1.zip").read_bytes() == Path("2.zip").read_bytes()
        with zipfile.ZipFile("1.zip") as made:
            assert {one.date_time[0] for one in made.infolist()} == {1980}

    def test_holds_nothing_that_is_not_of_the_run(self, tmp_path: Path) -> None:
        run_dir = tmp_path / "run"
        good = one_film(run_dir)
        secret = tmp_path / "secret.mp4"
        secret.write_bytes(b"mine")
        (run_dir / "link.mp4").symlink_to(secret)
        outside = tuple(
            StoredFile(path, sha256(b"mine"), 4, Media(kind="video"))
            for path in ("../secret.mp4", str(secret), "link.mp4", "gone.mp4")
        )
        run = run_of(run_dir, good, record(job="other", artifacts=outside))
        poster = next(iter(run.posters.values()))
        poster.unlink()
        poster.symlink_to(secret)

        done = write_bundle("A title", [run], tmp_path / "b.zip")

        assert names(tmp_path / "b.zip") == ["report.html", "sea/artifacts/a.mp4"]
        assert done.files == 1
        assert done.notes[0].startswith("4 files are not in it: missing here")

    def test_tells_runs_apart(self, tmp_path: Path) -> None:
        runs = [
            RunOf(
                path=tmp_path / name, records=[one_film(tmp_path / name)], label=label
            )
            for name, label in (("1", "before/sea"), ("2", "before-sea"))
        ]

        write_bundle("Both", runs, tmp_path / "b.zip")

        folders = {name.split("/")[0] for name in names(tmp_path / "b.zip")[1:]}
        assert folders == {"before-sea", "before-sea-2"}

    def test_what_was_there_stays_where_it_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = run_of(tmp_path / "run", one_film(tmp_path / "run"))
        target = tmp_path / "b.zip"
        target.write_bytes(b"as it was")

        def full(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

        with pytest.raises(RunDirError, match="No space left"):
            write_bundle("A title", [run], target)

        assert target.read_bytes() == b"as it was"
        assert not list(tmp_path.glob(".*.new"))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("sea@sandbox", "sea@sandbox"),
        ("../../etc", "etc"),
        ("a b/ü\u202e", "a-b"),
        ("con", "run-con"),
        ("NUL.txt", "run-NUL.txt"),
        ("...", "run"),
        ("report.html", "report.html-2"),
        ("x" * 300, "x" * 80),
    ],
)
def test_the_name_of_a_folder_is_one_everywhere(label: str, name: str) -> None:
    assert folder_names([label]) == [name]


def test_names_of_folders_differ_also_without_case() -> None:
    assert folder_names(["Sea", "sea", "SEA"]) == ["Sea", "sea-2", "SEA-3"]


class TestProxies:
    def test_make_films_smaller_and_are_kept(self, tmp_path: Path) -> None:
        large = one_film(tmp_path / "run", draw=noise, size=(640, 360), sound=True)
        run = run_of(tmp_path / "run", large)
        made = []

        for name in ("1.zip", "2.zip"):
            write_bundle(
                "A title", [run], tmp_path / name, proxy_lines=180,
                watch=lambda done, of_all: made.append((done, of_all)),
            )  # fmt: skip

        with zipfile.ZipFile(tmp_path / "1.zip") as bundle:
            size = bundle.getinfo("sea/artifacts/a.mp4").file_size
        assert size < large.artifacts[0].bytes
        assert made == [(1, 1)]  # the second one found it
        assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()

    def test_a_film_that_is_small_stays_as_it_is(self, tmp_path: Path) -> None:
        small = one_film(tmp_path / "run", size=(32, 32), frames=1)

        write_bundle(
            "A title", [run_of(tmp_path / "run", small)], tmp_path / "b.zip",
            proxy_lines=480,
        )  # fmt: skip

        with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
            content = bundle.read("sea/artifacts/a.mp4")
        assert sha256(content) == small.artifacts[0].sha256

    def test_need_the_media_packages(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = run_of(tmp_path / "run", one_film(tmp_path / "run"))
        monkeypatch.setattr("foxbatch.report.bundle.find_spec", lambda _: None)

        with pytest.raises(MissingExtraError, match="making films smaller"):
            write_bundle("A title", [run], tmp_path / "b.zip", proxy_lines=480)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--proxy", "480p"], "--proxy belongs to --bundle"),
            (["--bundle", "--open"], "has to be unpacked before it is opened"),
        ],
    )
    def test_options_that_make_no_sense_are_refused(
        self, run_dir: Path, type_: Type, words: list[str], said: str
    ) -> None:
        ended = type_("report", run_dir, *words)

        assert ended.code == ExitCode.USAGE
        assert said in ended.err


class TestReport:
    def test_makes_posters_once_and_verify_knows_them(
        self, run_dir: Path, type_: Type
    ) -> None:
        first = type_("report", run_dir)
        made = {path: path.stat().st_mtime_ns for path in run_dir.glob(".posters/*")}
        again = type_("report", run_dir)

        assert (first.code, again.code, len(made)) == (0, 0, 2)
        assert {path: path.stat().st_mtime_ns for path in made} == made
        assert api.verify(run_dir).findings == ()

    def test_says_once_why_there_are_no_posters(
        self, run_dir: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("foxbatch.report.posters.find_spec", lambda _: None)

        ended = type_("report", run_dir)

        assert ended.code == 0
        assert ended.err.count("no new posters: they need packages") == 1
        assert "'foxbatch[media]'" in ended.err

    def test_says_how_many_files_cannot_be_read(
        self, run_dir: Path, type_: Type
    ) -> None:
        path = next(run_dir.rglob("*.mp4"))
        path.write_bytes(bytes(path.stat().st_size))

        ended = type_("report", run_dir)

        assert ended.code == 0
        assert "1 file has no poster: it cannot be read" in ended.err
        assert len(list(run_dir.glob(".posters/*"))) == 1

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_of_a_directory_that_is_only_read_is_written_elsewhere(
        self, run_dir: Path, type_: Type
    ) -> None:
        run_dir.chmod(0o500)

        ended = type_("report", run_dir, "-o", "r.html")
        run_dir.chmod(0o700)

        assert ended.code == 0
        assert "no new posters: " in ended.err


# ---- As it is opened


@pytest.fixture
def page() -> Iterator[Page]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="there is no Playwright here: make install"
    )
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser.new_page()
        browser.close()


def until(page: Page, true: str) -> None:
    """Wait until *true* is. The page's policy lets Playwright not do it in the page."""
    for _ in range(600):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it never was true that {true}")


def test_it_opens_and_plays_where_it_is_unpacked(
    page: Page, run_dir: Path, tmp_path: Path
) -> None:
    api.bundle([run_dir], tmp_path / "b.zip", proxy_lines=360)
    shutil.rmtree(run_dir)  # nothing in it comes from there
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        bundle.extractall(tmp_path / "a folder")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))

    page.goto((tmp_path / "a folder" / "report.html").as_uri())
    posters = page.locator(".cell canvas")
    posters.nth(1).wait_for()
    drawn = "[...document.querySelectorAll('.cell canvas')]"
    until(page, f"{drawn}.every((one) => one.width > 0)")
    page.locator(".cell .frame").first.hover()
    until(page, "document.querySelector('.cell video')?.duration > 3")

    assert posters.count() == 2
    assert wrong == []
