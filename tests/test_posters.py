"""What stands for a file, made from real files, whole and damaged."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import sys
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import av
import pytest
from PIL import Image

from foxbatch import api
from foxbatch.canonical import Digest, sha256
from foxbatch.errors import ExitCode, RunDirError
from foxbatch.events import ArtifactStored, MediaFacts
from foxbatch.report import posters, stills, workshop
from foxbatch.report.posters import posters_of
from foxbatch.report.proxies import encode
from foxbatch.report.workshop import Hand, Order, serve, work
from foxbatch.results import Media, Record, StoredFile
from tests.cli import MANIFEST
from tests.films import film, half, tone, turned
from tests.records import a_beginning, record


def stored(run_dir: Path, path: Path, kind: str) -> StoredFile:
    content = path.read_bytes()
    return StoredFile(
        path=path.relative_to(run_dir).as_posix(),
        sha256=sha256(content),
        bytes=len(content),
        media=Media(kind=kind),
    )


def records(run_dir: Path, *files: tuple[Path, str]) -> list[Record]:
    return [
        record(job=f"job{number}", kind=kind, artifacts=(stored(run_dir, path, kind),))
        for number, (path, kind) in enumerate(files)
    ]


def shown(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def colour(picture: Image.Image, x: float, y: float) -> str:
    """Return which of a few colours is at a place, given in shares of the size."""
    at = (int(x * picture.width), int(y * picture.height))
    red, green, blue = picture.getpixel(at)  # type: ignore[misc]  # RGB
    names = {(True, False): "red", (False, True): "blue", (True, True): "light"}
    del green
    return names.get((red > 128, blue > 128), "dark")


class TestPosterOfAFilm:
    def test_is_its_first_frame(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", size=(1280, 720), frames=3)

        picture = shown(stills.poster_of(path, "video"))

        assert picture.size == (480, 270)
        assert (colour(picture, 0.2, 0.5), colour(picture, 0.8, 0.5)) == ("red", "blue")

    def test_is_not_the_black_that_it_begins_with(self, tmp_path: Path) -> None:
        def draw(number: int) -> Image.Image:
            light = min(255, 8 * max(0, number - 10))  # a fade in
            return half((160, 90), "black", f"rgb({light},{light},{light})")

        path = film(tmp_path / "a.mp4", draw, frames=60)

        picture = shown(stills.poster_of(path, "video"))

        assert (colour(picture, 0.2, 0.5), colour(picture, 0.8, 0.5)) == (
            "dark",
            "light",
        )

    def test_of_one_colour_is_that_colour(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", lambda _: Image.new("RGB", (160, 90), "red"))

        assert colour(shown(stills.poster_of(path, "video")), 0.5, 0.5) == "red"

    def test_stands_upright(self, tmp_path: Path) -> None:
        """A phone writes a film that lies on its side, and says so in its head."""
        path = turned(film(tmp_path / "a.mp4"))

        picture = shown(stills.poster_of(path, "video"))

        assert picture.size == (90, 160)
        # A quarter clockwise: what was left is on top.
        assert (colour(picture, 0.5, 0.2), colour(picture, 0.5, 0.8)) == ("red", "blue")

    def test_that_is_tall_stays_so(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", size=(720, 1280), frames=2)

        assert shown(stills.poster_of(path, "video")).size == (304, 540)

    def test_ends_where_the_file_is_damaged(self, tmp_path: Path) -> None:
        def draw(number: int) -> Image.Image:
            rng = random.Random(number)
            return Image.frombytes("L", (160, 90), rng.randbytes(14_400)).convert("RGB")

        path = film(tmp_path / "a.mp4", draw, frames=30)
        content = bytearray(path.read_bytes())
        begin, end = content.index(b"mdat"), content.index(b"moov") - 4
        begin += 2 * (end - begin) // 3
        content[begin:end] = b"\xff" * (end - begin)
        path.write_bytes(content)

        assert shown(stills.poster_of(path, "video")).size == (160, 90)


class TestPosterOfAnImage:
    def test_is_the_image_made_smaller(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        half((1600, 400), "red", "blue").save(path)

        assert shown(stills.poster_of(path, "image")).size == (480, 120)

    def test_stands_upright(self, tmp_path: Path) -> None:
        path, exif = tmp_path / "a.jpg", Image.Exif()
        exif[0x0112] = 6  # to be turned a quarter clockwise
        half((160, 90), "red", "blue").save(path, exif=exif)

        picture = shown(stills.poster_of(path, "image"))

        assert picture.size == (90, 160)
        assert colour(picture, 0.5, 0.2) == "red"

    def test_lets_the_ground_through(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(path)

        picture = Image.open(io.BytesIO(stills.poster_of(path, "image")))

        assert picture.convert("RGBA").getpixel((20, 20))[3] == 0  # type: ignore[index]

    def test_that_claims_to_be_huge_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        head = b"IHDR" + struct.pack(">2I5B", 30_000, 30_000, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
        data = struct.pack(">I", 10) + b"IDAT" + bytes(14)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)

        with pytest.raises(ValueError, match="too large"):
            stills.poster_of(path, "image")


class TestPeaks:
    def test_are_as_loud_as_the_sound_is(self, tmp_path: Path) -> None:
        path = tone(tmp_path / "a.wav", [1.0, 0.5, 0.0, 0.5] * 8)  # 4 s

        peaks = stills.peaks_of(path)

        assert len(peaks) == 200
        quarters = [peaks[3], peaks[9], peaks[15], peaks[21]]
        assert quarters == [pytest.approx(p, abs=6) for p in (255, 128, 0, 128)]

    def test_of_silence_are_nothing(self, tmp_path: Path) -> None:
        assert set(stills.peaks_of(tone(tmp_path / "a.wav", [0.0] * 4))) == {0}

    def test_of_a_short_sound_are_few(self, tmp_path: Path) -> None:
        assert len(stills.peaks_of(tone(tmp_path / "a.wav", [1.0] * 2))) == 13  # 250 ms

    def test_of_what_has_no_sound_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no sound"):
            stills.peaks_of(film(tmp_path / "a.mp4", frames=2))


class TestPostersOfARun:
    def test_are_made_once(self, tmp_path: Path) -> None:
        path = film(tmp_path / "artifacts" / "a.mp4", frames=2)
        found = records(tmp_path, (path, "video"), (path, "video"))

        first, again = posters_of(tmp_path, found), posters_of(tmp_path, found)

        digest = found[0].artifacts[0].sha256
        kept = tmp_path / ".posters" / f"{digest}.webp"
        assert (first.made, again.made) == (1, 0)
        assert first.pictures == again.pictures == {digest: kept}
        assert kept.is_file()

    def test_are_peaks_where_there_is_nothing_to_see(self, tmp_path: Path) -> None:
        found = records(tmp_path, (tone(tmp_path / "a.wav", [1.0] * 8), "audio"))

        peaks = posters_of(tmp_path, found).peaks

        assert set(peaks[found[0].artifacts[0].sha256]) <= {254, 255}

    def test_a_damaged_file_has_none(self, tmp_path: Path) -> None:
        damaged = {
            "empty": b"",
            "text": b"no film",
            "playlist": b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n",
            "head alone": b"\x00\x00\x00\x18ftypisom" + bytes(400),
            "half a picture": b"\x89PNG\r\n\x1a\n" + bytes(40),
        }
        files = []
        for number, (name, content) in enumerate(damaged.items()):
            for kind in ("video", "image", "audio"):
                path = tmp_path / f"{name} {kind}"
                path.write_bytes(content + bytes(number) + kind.encode())
                files.append((path, kind))
        good = film(tmp_path / "good.mp4", frames=2)
        found = records(tmp_path, *files, (good, "video"))

        made = posters_of(tmp_path, found)

        assert set(made.pictures) == {found[-1].artifacts[0].sha256}
        assert (made.made, made.without) == (1, len(files))
        assert [path.suffix for path in (tmp_path / ".posters").iterdir()] == [".webp"]

    def test_nobody_looks_outside_the_run_directory(self, tmp_path: Path) -> None:
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        secret = film(tmp_path / "secret.mp4", frames=2)
        (run_dir / "link.mp4").symlink_to(secret)
        (linked,) = records(run_dir, (run_dir / "link.mp4", "video"))
        file = linked.artifacts[0]
        outside = [
            StoredFile(
                path=path, sha256=Digest(f"{n}"), bytes=file.bytes, media=file.media
            )
            for n, path in enumerate(("../secret.mp4", str(secret), "\0", "link.mp4"))
        ]

        made = posters_of(run_dir, [record(artifacts=tuple(outside))])

        assert made == posters.Posters()
        assert not (run_dir / ".posters").exists()

    def test_a_link_in_place_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (tmp_path / ".posters").symlink_to(elsewhere)
        found = records(tmp_path, (film(tmp_path / "a.mp4", frames=2), "video"))

        with pytest.raises(RunDirError, match="is a link"):
            posters_of(tmp_path, found)

        assert not list(elsewhere.iterdir())

    def test_a_link_in_place_of_a_poster_is_none(self, tmp_path: Path) -> None:
        found = records(tmp_path, (film(tmp_path / "a.mp4", frames=2), "video"))
        (kept,) = posters_of(tmp_path, found).pictures.values()
        secret = tmp_path / "secret"
        secret.write_text("mine")
        kept.unlink()
        kept.symlink_to(secret)

        assert posters_of(tmp_path, found, make=False).pictures == {}
        posters_of(tmp_path, found)

        assert secret.read_text() == "mine"
        assert not kept.is_symlink()

    @pytest.mark.parametrize("said", ["", "{}", "[]", "[256]", "[true]", "[1.5]"])
    def test_peaks_that_are_none_are_left_out(self, tmp_path: Path, said: str) -> None:
        found = records(tmp_path, (tone(tmp_path / "a.wav", [1.0]), "audio"))
        (tmp_path / ".posters").mkdir()
        digest = found[0].artifacts[0].sha256
        (tmp_path / ".posters" / f"{digest}.json").write_text(said)

        assert posters_of(tmp_path, found).peaks == {}

    def test_without_the_packages_say_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = records(tmp_path, (film(tmp_path / "a.mp4", frames=2), "video"))
        monkeypatch.setattr(posters, "find_spec", lambda _: None)

        made = posters_of(tmp_path, found)

        assert "pip install 'foxbatch[media]'" in made.unable
        assert (made.pictures, made.without) == ({}, 0)


class TestWorkshop:
    def test_goes_on_after_a_child_died(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(workshop._MOST_S, "audio", 0.0)  # noqa: SLF001  # at once
        source = film(tmp_path / "a.mp4", frames=2)
        orders = [
            Order(job="audio", source=str(source), target=str(tmp_path / "1")),
            Order(job="video", source=str(source), target=str(tmp_path / "2")),
        ]

        done = {order.job: done for order, done in work(orders, hands=1)}

        assert done == {"audio": False, "video": True}

    def test_leaves_nothing_behind_when_it_is_left(self, tmp_path: Path) -> None:
        source = film(tmp_path / "a.mp4", frames=2)
        before = threading.active_count()
        orders = (
            Order(job="video", source=str(source), target=str(tmp_path / str(n)))
            for n in range(10_000)
        )

        for _ in work(orders, hands=2):
            break

        assert threading.active_count() <= before
        assert not list(tmp_path.glob(".*.new"))

    @pytest.mark.skipif(os.name == "nt", reason="has no such programs")
    @pytest.mark.parametrize("program", ["/none", "/bin/false", "/bin/echo"])
    def test_what_a_process_does_not_do_is_not_done(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
    ) -> None:
        """It cannot be begun; it ends without a word; it talks nonsense."""
        monkeypatch.setattr(sys, "executable", program)
        hand, order = Hand(), Order(job="video", source="a", target=str(tmp_path / "b"))

        assert not hand.do(order)
        assert not hand.do(order)
        hand.close()

    def test_a_closed_hand_does_nothing(self, tmp_path: Path) -> None:
        hand = Hand()
        hand.close()

        assert not hand.do(Order(job="video", source="a", target=str(tmp_path / "b")))

    def test_says_of_each_order_how_it_went(self, tmp_path: Path) -> None:
        sound, none = tone(tmp_path / "a.wav", [1.0]), tmp_path / "none"
        lines = [
            {"job": "audio", "source": str(sound), "target": str(tmp_path / "peaks")},
            {"job": "video", "source": str(none), "target": str(tmp_path / "poster")},
            {"job": "proxy", "source": str(sound), "target": str(tmp_path / "proxy")},
        ]
        orders = io.BytesIO(b"".join(json.dumps(o).encode() + b"\n" for o in lines))
        answers = io.BytesIO()

        serve(orders, answers)

        assert answers.getvalue() == b"done\nnot\nnot\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "peaks"]


class TestProxy:
    def test_is_smaller_and_keeps_its_sound_and_length(self, tmp_path: Path) -> None:
        path = film(tmp_path / "a.mp4", size=(640, 360), frames=24, sound=True)

        encode(path, tmp_path / "b.mp4", lines=180)

        with av.open(str(tmp_path / "b.mp4")) as small:
            video, audio = small.streams.video[0], small.streams.audio[0]
            assert (video.width, video.height) == (320, 180)
            assert audio.codec_context.name == "aac"
            assert small.duration is not None
            assert small.duration / 1e6 == pytest.approx(2.0, abs=0.2)
            assert sum(1 for _ in small.decode(video)) == 24

    def test_stands_upright(self, tmp_path: Path) -> None:
        path = turned(film(tmp_path / "a.mp4"))

        encode(path, tmp_path / "b.mp4", lines=480)

        assert stills.frame_of(tmp_path / "b.mp4").size == (90, 160)


# ---- Behind a run


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[api.PosterAudience]:
    audience = api.PosterAudience(patience_s=0)
    audience.begins(a_beginning(tmp_path))
    yield audience
    audience.close()


def fact(run_dir: Path, path: Path, kind: str = "video") -> ArtifactStored:
    file = stored(run_dir, path, kind)
    return ArtifactStored(
        at="", run="", seq=1, job="", attempt="", item=1,  # type: ignore[arg-type]
        path=file.path, sha256=file.sha256, bytes=file.bytes,
        media=MediaFacts(kind=kind),
    )  # fmt: skip


class TestBehindARun:
    def test_posters_are_made_of_what_comes(
        self, tmp_path: Path, behind: api.PosterAudience
    ) -> None:
        one = fact(tmp_path, film(tmp_path / "a.mp4", frames=2))

        behind.happened(one)
        wait_for(tmp_path / ".posters" / f"{one.sha256}.webp")

    def test_damage_harms_nothing_that_comes_after(
        self, tmp_path: Path, behind: api.PosterAudience
    ) -> None:
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(400))
        good = fact(tmp_path, film(tmp_path / "a.mp4", frames=2))

        behind.happened(fact(tmp_path, bad))
        behind.happened(good)
        wait_for(tmp_path / ".posters" / f"{good.sha256}.webp")

    def test_a_folder_that_cannot_be_used_harms_nothing(
        self, tmp_path: Path, behind: api.PosterAudience
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (tmp_path / ".posters").symlink_to(elsewhere)

        behind.happened(fact(tmp_path, film(tmp_path / "a.mp4", frames=2)))
        behind.close()

        assert not list(elsewhere.iterdir())

    def test_nobody_waits_for_a_hand_that_hangs(self, tmp_path: Path) -> None:
        class Stuck(Hand):
            def __init__(self) -> None:
                super().__init__()
                self.begun, self.closed = threading.Event(), threading.Event()

            def do(self, order: Order) -> bool:
                del order
                self.begun.set()
                return not self.closed.wait(60)

            def close(self) -> None:
                self.closed.set()

        hand = Stuck()
        audience = api.PosterAudience(patience_s=0, hand=hand, most_waiting=2)
        audience.begins(a_beginning(tmp_path))
        one = fact(tmp_path, film(tmp_path / "a.mp4", frames=2))

        audience.happened(one)
        assert hand.begun.wait(60)
        for _ in range(100):  # far more than there is room for
            audience.happened(one)
        audience.close()

        assert hand.closed.is_set()

    def test_a_run_ends_as_ever_where_no_process_can_be_begun(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/none")
        path = tmp_path / "sea.yaml"
        path.write_text(MANIFEST)
        options = api.RunOptions(speed=1000, environ={"PATH": ""})
        behind = api.PosterAudience(patience_s=0)

        summary = anyio.run(
            partial(api.run, api.load_manifest(path), options, audience=[behind])
        )
        behind.close()

        assert summary.exit_code is ExitCode.DONE
        assert not list((summary.run_dir / ".posters").glob("*"))


def wait_for(path: Path) -> None:
    """Wait until a child process has made *path*; a minute is for slow machines."""
    ready = threading.Event()
    for _ in range(1200):
        if path.exists():
            return
        ready.wait(0.05)
    pytest.fail(f"{path.name} was not made")
