"""Contact sheets: what goes where, and what can be seen on them."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import av
import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from foxbatch import api
from foxbatch.canonical import JobId, sha256
from foxbatch.errors import ExitCode, MissingExtraError, UsageError
from foxbatch.events import PromptText
from foxbatch.report import RunOf, gallery, sheet_film
from foxbatch.report.arranging import View, first_view
from foxbatch.report.data import Gallery
from foxbatch.report.posters import posters_of
from foxbatch.report.sheet import LONGEST_PX, Sheet, Tile, Wish, plan_sheet
from foxbatch.report.sheet_drawing import PALETTES, Found, Scheme, draw_sheet
from foxbatch.report.sheet_film import write_film
from foxbatch.results import Failure, Media, Record, StoredFile
from foxbatch.state import Phase
from tests.cli import Type, type_
from tests.films import film, half, tone
from tests.records import record
from tests.runs import made_run

__all__ = ["type_"]

PAGE = Path(__file__).parents[1] / "foxbatch" / "report" / "page"


def matrix(repeats: int = 1, prompts: int = 3, **axes: list[object]) -> list[Record]:
    """Return a record for each combination of prompts, *axes* and repeats."""
    found: list[Record] = []
    for values in itertools.product(range(prompts), *axes.values(), range(repeats)):
        prompt, *cell, repeat = values
        found.append(
            record(
                job=f"job{len(found)}",
                prompt=PromptText(id=f"p{prompt}", text=f"Text of {prompt}"),
                cell=dict(zip(axes, cell, strict=True)),
                repeat=int(str(repeat)) + 1,
                phase=Phase.NEW,
            )
        )
    return found


def of_model(model: str, records: list[Record]) -> list[Record]:
    return [
        msgspec.structs.replace(one, model=model, job=JobId(f"{model}-{one.job}"))
        for one in records
    ]


def shown(*runs: list[Record]) -> Gallery:
    each = [
        RunOf(path=Path(f"run{n}"), label=f"run{n}", records=records, base="-")
        for n, records in enumerate(runs)
    ]
    return gallery("A title", each, beside=Path())


def with_file(
    run_dir: Path, path: Path, kind: str, size: tuple[int, int] | None = None
) -> dict[str, object]:
    """Return what a record says of a job that made the file at *path*."""
    content, (width, height) = path.read_bytes(), size or (None, None)
    media = Media(kind=kind, width=width, height=height, duration_s=1.0)
    file = StoredFile(
        path.relative_to(run_dir).as_posix(), sha256(content), len(content), media
    )
    return {"phase": Phase.DONE, "artifacts": (file,)}


def drawn(run_dir: Path, records: list[Record], wish: Wish | None = None) -> Drawn:
    posters = posters_of(run_dir, records)
    files = {f.sha256: run_dir / f.path for r in records for f in r.artifacts}
    run = RunOf(
        path=run_dir,
        label="run",
        records=records,
        base="-",
        posters=posters.pictures,
        peaks=posters.peaks,
    )
    planned = plan_sheet(gallery("A title", [run], beside=run_dir), wish or Wish())
    return Drawn(planned, [Found(files=files, posters=posters.pictures)])


class Drawn:
    """A planned sheet, and where its files are."""

    def __init__(self, sheet: Sheet, found: list[Found]) -> None:
        self.sheet, self.found = sheet, found

    def picture(self, scheme: Scheme = "light") -> Image.Image:
        return draw_sheet(self.sheet, self.found, scheme)


def middle(picture: Image.Image, tile: Tile, x: float = 0.5) -> tuple[int, int, int]:
    at = (tile.left + int(x * tile.width), tile.top + tile.height // 2)
    return picture.convert("RGB").getpixel(at)  # type: ignore[return-value]


GALLERIES = {
    "one job": shown(matrix(prompts=1)),
    "prompts alone": shown(matrix()),
    "two axes": shown(matrix(shape=["16:9", "9:16"], length=[4, 6, 8])),
    "four axes": shown(matrix(a=[1, 2], b=[1, 2, 3], c=[1, 2, 3, 4], d=[1, 2])),
    "repeats": shown(matrix(repeats=5, length=[4, 6])),
    "no prompts that differ": shown(matrix(prompts=1, a=[1, 2], b=[1, 2, 3])),
    "two runs": shown(matrix(length=[4, 6]), matrix(length=[4, 6])),
    "models that are swept": shown(
        [*matrix(length=[4, 6]), *of_model("fast", matrix(length=[4, 6]))]
    ),
    "a job of another model": shown(
        [*matrix(length=[4, 6])[1:], *of_model("fast", matrix(length=[4, 6])[:1])]
    ),
    "two runs of one job": shown(matrix(prompts=1), matrix(prompts=1)),
}


class TestWhatGoesWhere:
    def test_prompts_go_down_and_the_longest_axis_across(self) -> None:
        found = shown(matrix(shape=["16:9", "9:16"], length=[4, 6, 8]))

        assert first_view(found) == View(
            rows="prompt", cols="cell.length", outer_cols="cell.shape"
        )

    def test_models_are_an_axis_where_they_alone_tell_jobs_apart(self) -> None:
        swept = GALLERIES["models that are swept"]
        another = GALLERIES["a job of another model"]

        assert "model" in {first_view(swept).cols, first_view(swept).outer_cols}
        assert first_view(another) == View(rows="prompt", cols="cell.length")

    @pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
    def test_the_page_shows_the_same_first(self, tmp_path: Path) -> None:
        shutil.copytree(PAGE, tmp_path / "page")
        (tmp_path / "package.json").write_text('{"type": "module"}')
        (tmp_path / "ask.js").write_text(
            'import { firstView } from "./page/view.js";\n'
            'import { readFileSync } from "node:fs";\n'
            'const all = JSON.parse(readFileSync("galleries.json"));\n'
            "console.log(JSON.stringify(all.map((one) => firstView(one))));\n"
        )
        everything = msgspec.json.encode(list(GALLERIES.values()))
        (tmp_path / "galleries.json").write_bytes(everything)

        answer = subprocess.check_output(["node", "ask.js"], cwd=tmp_path)

        told = [
            View(
                rows=one["rows"],
                cols=one["cols"],
                outer_rows=one["orows"],
                outer_cols=one["ocols"],
            )
            for one in json.loads(answer)
        ]
        assert told == [first_view(found) for found in GALLERIES.values()]

    @pytest.mark.parametrize("name", GALLERIES)
    def test_each_place_has_its_own_room(self, name: str) -> None:
        planned = plan_sheet(GALLERIES[name], Wish())

        boxes = [
            (t.left, t.top, t.left + t.width, t.top + t.height) for t in planned.tiles
        ]
        boxes += [
            (h.left, h.top, h.left + h.width, h.top + h.height)
            for h in (*planned.columns, *planned.rows)
        ]
        for one, other in itertools.combinations(boxes, 2):
            assert (
                one[2] <= other[0]
                or other[2] <= one[0]
                or one[3] <= other[1]
                or other[3] <= one[1]
            )
        assert all(x >= 0 and right <= planned.width for x, _, right, _ in boxes)
        assert all(y >= 0 and low <= planned.height for _, y, _, low in boxes)
        jobs = sum(1 + tile.more for tile in planned.tiles if tile.cell)
        assert jobs == len(GALLERIES[name].cells)

    def test_axes_can_be_chosen(self) -> None:
        found = GALLERIES["two axes"]

        planned = plan_sheet(found, Wish(rows="shape", cols="prompt"))

        assert [h.label.value for h in planned.rows] == ["16:9", "9:16"]
        inner = [h.label for h in planned.columns if not h.outer]
        assert [label.value for label in inner] == ["p0", "p1", "p2"] * 3
        assert inner[0].text == "Text of 0"

    def test_values_can_be_chosen(self) -> None:
        wish = Wish(where=[("length", "4"), ("length", "8"), ("shape", "9:16")])

        planned = plan_sheet(GALLERIES["two axes"], wish)

        assert len(planned.tiles) == 6
        assert planned.subtitle.startswith("6 jobs")

    @pytest.mark.parametrize(
        ("wish", "said"),
        [
            (Wish(rows="size"), "--rows: there is no axis 'size'"),
            (Wish(cols="size"), "--cols: there is no axis 'size'"),
            (Wish(where=[("length", "5")]), "--where: length is never '5'"),
            (Wish(where=[("size", "5")]), "--where: there is no axis 'size'"),
            (
                Wish(where=[("prompt", "p0"), ("prompt", "p1"), ("model", "veo")]),
                "",
            ),
        ],
    )
    def test_what_there_is_not_is_told(self, wish: Wish, said: str) -> None:
        if not said:
            assert plan_sheet(GALLERIES["two axes"], wish).tiles
            return
        with pytest.raises(UsageError) as caught:
            plan_sheet(GALLERIES["two axes"], wish)

        assert str(caught.value) == said
        assert caught.value.hint

    def test_columns_are_as_wide_as_their_pictures(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.touch()
        wide = with_file(tmp_path, path, "image", (1600, 900))
        tall = with_file(tmp_path, path, "image", (900, 1600))
        records = [
            record(job=f"job{n}", cell={"shape": name}, repeat=repeat, **files)
            for n, (repeat, (name, files)) in enumerate(
                itertools.product((1, 2), {"wide": wide, "tall": tall}.items())
            )
        ]

        planned = plan_sheet(shown(records), Wish(rows="repeat", cols="shape"))

        for tile in planned.tiles:
            file = tile.cell.files[0] if tile.cell else None
            assert file is not None
            assert file.width is not None
            assert file.height is not None
            expected = file.width / file.height
            assert tile.width / tile.height == pytest.approx(expected, rel=0.02)

    @pytest.mark.parametrize(
        ("records", "said"),
        [
            (matrix(prompts=2000, a=[1, 2]), "more rows"),
            (matrix(prompts=2, a=list(range(900))), "more columns"),
            (matrix(prompts=20_000), "more places"),
            (matrix(repeats=3, a=[1, 2]), "12 jobs behind others"),
        ],
    )
    def test_a_sheet_is_bounded_and_tells_what_it_lacks(
        self, records: list[Record], said: str
    ) -> None:
        planned = plan_sheet(shown(records), Wish())

        assert max(planned.width, planned.height) <= LONGEST_PX
        assert planned.width * planned.height <= 80_000_000
        assert said in planned.left_out
        if "behind" not in said:
            hidden = int(planned.left_out.split()[2].replace(",", ""))
            across = len({tile.left for tile in planned.tiles})
            down = len({tile.top for tile in planned.tiles})
            whole = {"rows": down, "columns": across, "places": down * across}
            total = {"rows": 2000, "columns": 900, "places": 20_000}
            assert hidden == total[said[5:]] - whole[said[5:]]

    @settings(max_examples=30, deadline=None)
    @given(
        prompts=st.integers(1, 12),
        first=st.integers(1, 12),
        second=st.integers(1, 4),
        width=st.integers(300, 5000),
    )
    def test_a_width_is_kept_where_that_is_possible(
        self, prompts: int, first: int, second: int, width: int
    ) -> None:
        records = matrix(prompts=prompts, a=list(range(first)), b=list(range(second)))

        planned = plan_sheet(shown(records), Wish(width=width))

        tiles = {tile.height for tile in planned.tiles}
        if min(tiles) > 56 and max(tiles) < 540:
            assert planned.width <= width * 1.12 + 40


class TestWhatCanBeSeen:
    def test_a_picture_is_at_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        half((320, 180), "red", "blue").save(path)
        records = [record(**with_file(tmp_path, path, "image", (320, 180)))]

        sheet = drawn(tmp_path, records)
        picture, (tile,) = sheet.picture(), sheet.sheet.tiles

        assert picture.size == (sheet.sheet.width, sheet.sheet.height)
        left, right = middle(picture, tile, 0.2), middle(picture, tile, 0.8)
        assert (left[0] - left[2] > 150, right[2] - right[0] > 150) == (True, True)

    @pytest.mark.parametrize(
        ("phase", "ground"),
        [(Phase.FAILED, "bad_on"), (Phase.HELD, "odd_on"), (Phase.NEW, "calm_on")],
    )
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_what_is_not_there_has_the_colour_of_its_trouble(
        self, tmp_path: Path, phase: Phase, ground: str, scheme: Scheme
    ) -> None:
        error = Failure("content", "E1", "The service found it unfit")
        sheet = drawn(tmp_path, [record(phase=phase, error=error)])

        picture, (tile,) = sheet.picture(scheme), sheet.sheet.tiles

        assert middle(picture, tile) == getattr(PALETTES[scheme], ground)
        assert picture.getpixel((1, 1)) == PALETTES[scheme].ground

    def test_the_reason_is_written(self, tmp_path: Path) -> None:
        def reason(message: str) -> bytes:
            error = Failure("content", "E1", message)
            sheet = drawn(tmp_path, [record(phase=Phase.FAILED, error=error)])
            return sheet.picture().tobytes()

        assert reason("The service found it unfit") != reason("The service was busy")

    def test_a_sound_is_drawn_and_a_text_is_read(self, tmp_path: Path) -> None:
        sound = tone(tmp_path / "a.wav", [1.0] * 8)
        text = tmp_path / "b.json"
        text.write_text('{"caption": "A fox"}')
        records = [
            record(job="a", cell={"x": 1}, **with_file(tmp_path, sound, "audio")),
            record(job="b", cell={"x": 2}, **with_file(tmp_path, text, "json")),
        ]

        sheet = drawn(tmp_path, records)
        picture = sheet.picture()

        fox, sunk = PALETTES["light"].fox, PALETTES["light"].sunk
        for tile in sheet.sheet.tiles:
            box = (tile.left, tile.top, tile.left + tile.width, tile.top + tile.height)
            colours = {c for _, c in picture.crop(box).getcolors(100_000) or []}
            assert {fox, sunk} <= colours

    def test_words_of_strangers_are_only_words(self, tmp_path: Path) -> None:
        hostile = "<script>\u202eevil\u202c \x1b[31m 🦊👩‍🚀 狐 \0 " + "long" * 500
        records = [
            record(
                job=str(n),
                prompt=PromptText(id=f"{n}{hostile}", text=hostile),
                cell={hostile: hostile * n},
                phase=Phase.FAILED,
                error=Failure("x", "", hostile),
            )
            for n in range(3)
        ]

        assert drawn(tmp_path, records).picture().size[0] <= LONGEST_PX

    def test_a_poster_that_is_none_leaves_the_name_of_the_file(
        self, tmp_path: Path
    ) -> None:
        path = film(tmp_path / "a.mp4", frames=2)
        records = [record(**with_file(tmp_path, path, "video", (160, 90)))]
        posters_of(tmp_path, records)
        for poster in (tmp_path / ".posters").iterdir():
            poster.write_bytes(b"none")

        sheet = drawn(tmp_path, records)

        assert middle(sheet.picture(), sheet.sheet.tiles[0], 0.9)[0] > 200  # no film


class TestSheetsThatPlay:
    def test_films_play_in_step_and_wait_at_their_end(self, tmp_path: Path) -> None:
        """Both become blue with the last frame of the first, which ends there."""

        def draw(number: int) -> Image.Image:
            return Image.new("RGB", (160, 90), "red" if number < 11 else "blue")

        short = film(tmp_path / "short.mp4", draw, frames=12)
        long = film(tmp_path / "long.mp4", draw, frames=24)
        records = [
            record(job=p.stem, cell={"x": p.stem}, **with_file(tmp_path, p, "video"))
            for p in (short, long)
        ]
        sheet = drawn(tmp_path, records)

        write_film(
            sheet.sheet, sheet.found, "dark", tmp_path / "s.mp4", form="mp4", watch=None
        )

        with av.open(str(tmp_path / "s.mp4")) as container:
            frames = [
                frame.to_image()  # type: ignore[no-untyped-call]
                for frame in container.decode(video=0)
            ]
        seen = [
            [middle(frame, tile) for tile in sheet.sheet.tiles]
            for frame in (frames[6], frames[18])
        ]
        reds = [[red > blue for red, _, blue in moment] for moment in seen]
        assert (len(frames), reds) == (24, [[True, True], [False, False]])

    def test_a_webp_plays_too(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", frames=6)
        records = [record(**with_file(tmp_path, path, "video"))]
        sheet = drawn(tmp_path, records)

        write_film(
            sheet.sheet, sheet.found, "light", tmp_path / "s.webp", form="webp",
            watch=None,
        )  # fmt: skip

        with Image.open(tmp_path / "s.webp") as picture:
            assert (picture.format, picture.is_animated) == ("WEBP", True)  # type: ignore[attr-defined]

    def test_it_ends_though_a_film_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sheet_film, "LONGEST_S", 0.5)
        path = film(tmp_path / "a.mp4", frames=4, rate=2)
        records = [record(**with_file(tmp_path, path, "video"))]
        sheet = drawn(tmp_path, records)

        write_film(
            sheet.sheet, sheet.found, "light", tmp_path / "s.mp4", form="mp4",
            watch=None,
        )  # fmt: skip

        with av.open(str(tmp_path / "s.mp4")) as container:
            assert container.streams.video[0].frames == 6

    def test_a_film_that_cannot_be_read_keeps_its_poster(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", frames=6)
        records = [record(**with_file(tmp_path, path, "video"))]
        sheet = drawn(tmp_path, records)
        path.write_bytes(b"gone")

        write_film(
            sheet.sheet, sheet.found, "light", tmp_path / "s.mp4", form="mp4",
            watch=None,
        )  # fmt: skip

        with av.open(str(tmp_path / "s.mp4")) as container:
            (frame,) = container.decode(video=0)
        picture = frame.to_image()  # type: ignore[no-untyped-call]
        assert middle(picture, sheet.sheet.tiles[0], 0.2)[0] > 200


# ---- As it is typed


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with two jobs that are bought and not fetched."""
    return made_run(tmp_path_factory.mktemp("bought"), detach=True)


@pytest.fixture
def run_dir(bought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(bought, tmp_path / "run"))


class TestCommand:
    def test_writes_a_picture_and_says_what_it_is(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_("sheet", run_dir, "-o", "s.png", "--scheme", "dark")

        assert (ended.code, ended.out) == (0, "s.png\n")
        with Image.open("s.png") as picture:
            size = f"{picture.width}×{picture.height}"
        assert f"✓ the sheet is written: 2 jobs, {size}, " in ended.err

    def test_is_in_the_run_where_no_place_is_named(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_("sheet", run_dir)

        assert ended.out == f"{run_dir / 'sheet.png'}\n"
        assert api.verify(run_dir).valid

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-o", "s.txt"], "s.txt does not end like a picture"),
            (["-o", "s.mp4"], "there is no film to play"),
            (["--where", "duration"], "--where: 'duration' is no AXIS=VALUE"),
            (["--where", "duration=5"], "--where: there is no axis 'duration'"),
            (["--width", "20"], "20 is too small; the least is 300"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, run_dir: Path, type_: Type, words: list[str], said: str
    ) -> None:
        ended = type_("sheet", run_dir, *words)

        assert ended.code == ExitCode.USAGE
        assert said in ended.err

    def test_needs_the_media_packages(
        self, run_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("foxbatch.api.sheeting.find_spec", lambda _: None)

        with pytest.raises(MissingExtraError, match="the contact sheet"):
            api.sheet([run_dir])

    def test_what_was_there_stays_where_it_cannot_be_written(
        self, run_dir: Path, type_: Type
    ) -> None:
        Path("s.png").mkdir()
        Path("s.png/inside").touch()

        ended = type_("sheet", run_dir, "-o", "s.png")

        assert ended.code != 0
        assert [path.name for path in Path().glob(".*.new")] == []
