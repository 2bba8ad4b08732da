from __future__ import annotations

import dataclasses
import io
import threading
import wave
import zipfile
from typing import Literal

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from foxbatch.sandbox.media import RecipeCache, render, stand_in
from foxbatch.sandbox.messages import Archive, Clip, Picture, Recipe, Sound

SMALL = Clip(
    width=320,
    height=180,
    duration_s=4,
    audio=True,
    title="veo-3.1",
    prompt="A fox in the snow",
    facts=("720p", "16:9", "4 s", "sound"),
    look="0f" * 32,
)


STILL = Picture(
    width=480,
    height=320,
    form="png",
    title="nano-banana-pro",
    prompt="A fox in the snow",
    facts=("1K", "3:2"),
    look="0f" * 32,
)
TUNE = Sound(duration_s=4, form="wav", title="lyria", prompt="A fox", look="0f" * 32)


def _sized(
    width: int, height: int, *, form: Literal["png", "jpeg", "webp"] = "png"
) -> Picture:
    return dataclasses.replace(STILL, width=width, height=height, form=form)


def _lasting(duration_s: int, form: Literal["mp3", "wav", "ogg_opus"]) -> Sound:
    return dataclasses.replace(TUNE, duration_s=duration_s, form=form)


def _first_frame(clip: Clip) -> Image.Image:
    with av.open(io.BytesIO(render(clip)), "r") as mp4:
        frame: Image.Image = next(mp4.decode(video=0)).to_image()  # type: ignore[no-untyped-call]
    return frame


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Return how far the pixels are apart on average, of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def _notes(content: bytes) -> list[bytes]:
    with av.open(io.BytesIO(content), "r") as file:
        return [bytes(frame.planes[0]) for frame in file.decode(audio=0)]


def _loudness(content: bytes) -> list[float]:
    """Return the loudest level, from 0 to 1, in each hundredth of a second."""
    resampler = av.AudioResampler("flt", "mono", 16_000, 160)
    with av.open(io.BytesIO(content), "r") as file:
        return [
            max(memoryview(part.planes[0]).cast("f")[:160])
            for frame in file.decode(audio=0)
            for part in resampler.resample(frame)
        ]


class TestRendering:
    @pytest.mark.parametrize(
        ("width", "height", "duration_s", "audio"),
        [
            pytest.param(1280, 720, 4, False, id="720p landscape, silent"),
            pytest.param(720, 1280, 6, True, id="720p portrait, sound"),
            pytest.param(1920, 1080, 8, True, id="1080p landscape, sound"),
            pytest.param(2160, 3840, 4, False, id="4k portrait, silent"),
            pytest.param(640, 360, 1, True, id="360p, one second"),
            pytest.param(854, 480, 5, True, id="480p, sound"),
            pytest.param(540, 960, 5, False, id="540p portrait, silent"),
            pytest.param(960, 960, 5, True, id="square, sound"),
            pytest.param(1680, 720, 30, True, id="21:9, half a minute"),
            pytest.param(64, 64, 2, True, id="tiny"),
            pytest.param(2, 2, 1, False, id="as small as can be"),
        ],
    )
    def test_the_file_is_what_was_asked_for(
        self, width: int, height: int, duration_s: int, audio: bool
    ) -> None:
        clip = dataclasses.replace(
            SMALL, width=width, height=height, duration_s=duration_s, audio=audio
        )

        content = render(clip)

        with av.open(io.BytesIO(content), "r") as mp4:
            assert mp4.duration == pytest.approx(duration_s * 1_000_000, abs=50_000)
            video = mp4.streams.video[0].codec_context
            assert (video.name, video.pix_fmt) == ("h264", "yuv420p")
            assert (video.width, video.height) == (width, height)
            sounds = [stream.codec_context.name for stream in mp4.streams.audio]
            assert sounds == (["aac"] if audio else [])
        assert len(content) < 400_000

    def test_one_recipe_makes_the_same_bytes(self) -> None:
        assert render(SMALL) == render(SMALL)

    def test_sound_can_be_heard(self) -> None:
        with av.open(io.BytesIO(render(SMALL)), "r") as mp4:
            frames = list(mp4.decode(audio=0))

        loudest = max(max(memoryview(f.planes[0]).cast("f")) for f in frames[5:])
        assert 0.05 < loudest < 0.5

    def test_the_picture_moves(self) -> None:
        with av.open(io.BytesIO(render(SMALL)), "r") as mp4:
            first, *_, last = (
                frame.to_image()  # type: ignore[no-untyped-call]
                for frame in mp4.decode(video=0)
            )

        changed = ImageChops.difference(first, last).point(lambda v: 255 * (v > 40))
        box = changed.getbbox()
        assert box is not None
        left, top, right, _ = box
        assert right - left > 0.7 * SMALL.width
        assert top > 0.6 * SMALL.height

    def test_another_look_is_seen_and_heard(self) -> None:
        other = dataclasses.replace(SMALL, look="1e" * 32)

        assert _difference(_first_frame(SMALL), _first_frame(other)) > 10
        assert _notes(render(SMALL)) != _notes(render(other))

    def test_a_long_clip_has_fewer_frames_a_second(self) -> None:
        clip = dataclasses.replace(SMALL, duration_s=120)

        with av.open(io.BytesIO(render(clip)), "r") as mp4:
            assert mp4.duration == pytest.approx(120_000_000, abs=50_000)
            assert mp4.streams.video[0].frames == 120
            sounds = mp4.decode(audio=0)
            heard_s = sum(frame.samples / frame.sample_rate for frame in sounds)
        assert heard_s == pytest.approx(120, abs=0.1)


class TestPictures:
    @pytest.mark.parametrize(
        ("form", "told"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")]
    )
    @pytest.mark.parametrize(
        "size",
        [(1024, 1024), (2048, 256), (256, 2048), (512, 64), (64, 512), (1, 1)],
        ids="{0[0]}x{0[1]}".format,
    )
    def test_the_file_is_what_was_asked_for(
        self, size: tuple[int, int], form: Literal["png", "jpeg", "webp"], told: str
    ) -> None:
        picture = _sized(*size, form=form)

        content = render(picture)

        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert (image.size, image.format, image.mode) == (size, told, "RGB")
        assert len(content) < 300_000

    @pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
    def test_one_recipe_makes_the_same_bytes(
        self, form: Literal["png", "jpeg", "webp"]
    ) -> None:
        picture = dataclasses.replace(STILL, form=form)

        assert render(picture) == render(picture)

    def test_even_the_largest_picture_is_a_small_file(self) -> None:
        assert len(render(_sized(3840, 2160))) < 1_500_000


class TestSounds:
    @pytest.mark.parametrize("duration_s", [1, 5, 12, 30, 600])
    def test_a_wav_is_exactly_as_long_as_asked(self, duration_s: int) -> None:
        content = render(_lasting(duration_s, "wav"))

        with wave.open(io.BytesIO(content)) as file:
            assert file.getframerate() == 16_000
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            assert file.getnframes() == duration_s * 16_000

    @pytest.mark.parametrize(
        ("form", "container", "codec", "kilobytes"),
        [("mp3", "mp3", "mp3", 3.1), ("ogg_opus", "ogg", "opus", 2.8)],
        ids=["MP3", "Ogg Opus"],
    )
    @pytest.mark.parametrize("duration_s", [1, 5, 12, 18, 30, 600])
    def test_encoded_sound_is_as_long_as_asked(
        self,
        form: Literal["mp3", "ogg_opus"],
        container: str,
        codec: str,
        kilobytes: float,
        duration_s: int,
    ) -> None:
        content = render(_lasting(duration_s, form))

        with av.open(io.BytesIO(content), "r") as file:
            stream = file.streams.audio[0]
            assert file.format.name == container
            assert stream.codec_context.name.startswith(codec)
            assert file.duration == pytest.approx(duration_s * 1_000_000, abs=20_000)
            heard = sum(f.samples / f.sample_rate for f in file.decode(audio=0))
        assert heard == pytest.approx(duration_s, abs=0.04)
        assert len(content) < 1_000 * kilobytes * duration_s + 1_000

    @pytest.mark.parametrize("form", ["wav", "mp3", "ogg_opus"])
    def test_one_recipe_makes_the_same_bytes(
        self, form: Literal["mp3", "wav", "ogg_opus"]
    ) -> None:
        assert render(_lasting(20, form)) == render(_lasting(20, form))

    def test_another_look_has_other_notes(self) -> None:
        one, other = (
            render(dataclasses.replace(_lasting(4, "wav"), look=look))
            for look in ("0f" * 32, "1e" * 32)
        )

        assert one != other

    @pytest.mark.parametrize("form", ["mp3", "ogg_opus"])
    def test_what_is_repeated_sounds_as_it_did_before(
        self, form: Literal["mp3", "ogg_opus"]
    ) -> None:
        """The phrase of 5.76 s, encoded once, is heard again a minute later."""
        loud = _loudness(render(_lasting(90, form)))

        assert loud[600:700] == pytest.approx(loud[6360:6460], abs=0.01)

    @pytest.mark.parametrize("form", ["mp3", "ogg_opus"])
    def test_its_tags_say_what_was_asked_for(
        self, form: Literal["mp3", "ogg_opus"]
    ) -> None:
        sound = dataclasses.replace(_lasting(1, form), prompt="狐\0 \ud800")

        with av.open(io.BytesIO(render(sound)), "r") as file:
            tags = {**file.metadata, **file.streams[0].metadata}
        assert (tags["title"], tags["comment"]) == ("lyria", "狐  ?")

    @pytest.mark.parametrize("form", ["wav", "mp3", "ogg_opus"])
    def test_it_is_quiet_but_can_be_heard(
        self, form: Literal["mp3", "wav", "ogg_opus"]
    ) -> None:
        assert 0.05 < max(_loudness(render(_lasting(20, form)))) < 0.3


class TestArchives:
    def test_it_holds_what_was_asked_for(self) -> None:
        archive = Archive(members=(("a.srt", "1\n"), ("ünder/b.json", '{"é": 1}')))

        with zipfile.ZipFile(io.BytesIO(render(archive))) as file:
            assert file.testzip() is None
            assert file.namelist() == ["a.srt", "ünder/b.json"]
            assert file.read("ünder/b.json").decode() == '{"é": 1}'
            assert {member.date_time[0] for member in file.infolist()} == {1980}

    def test_one_recipe_makes_the_same_bytes(self) -> None:
        archive = Archive(members=(("a.txt", "a" * 1000), ("b.txt", "lone \ud800")))

        assert render(archive) == render(archive)


class TestStandIns:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param(SMALL, dataclasses.replace(SMALL, prompt="Hare"), id="clips"),
            pytest.param(STILL, dataclasses.replace(STILL, look="7"), id="pictures"),
            pytest.param(TUNE, dataclasses.replace(TUNE, look="7"), id="sounds"),
        ],
    )
    def test_recipes_of_one_shape_share_a_file(
        self, one: Recipe, other: Recipe
    ) -> None:
        assert stand_in(one) is stand_in(other)

    def test_another_size_is_another_file(self) -> None:
        with Image.open(io.BytesIO(stand_in(_sized(320, 200)))) as image:
            assert image.size == (320, 200)

    def test_an_archive_is_the_one_that_was_asked_for(self) -> None:
        archive = Archive(members=(("a.txt", "a"),))

        assert stand_in(archive) == render(archive)


class TestCache:
    def test_a_file_is_rendered_once(self) -> None:
        rendered: list[Recipe] = []

        def remember(recipe: Recipe) -> bytes:
            rendered.append(recipe)
            return b"film"

        cache = RecipeCache(remember)

        assert [cache.get(SMALL), cache.get(SMALL)] == [b"film", b"film"]
        assert rendered == [SMALL]

    def test_the_least_recently_used_files_are_forgotten(self) -> None:
        rendered: list[int] = []

        def remember(recipe: Recipe) -> bytes:
            assert isinstance(recipe, Clip)
            rendered.append(recipe.duration_s)
            return bytes(40)

        cache = RecipeCache(remember, limit_bytes=100)
        for duration_s in (1, 2, 1, 3, 1, 2):
            cache.get(dataclasses.replace(SMALL, duration_s=duration_s))

        assert rendered == [1, 2, 3, 2]

    def test_a_file_larger_than_the_limit_is_not_kept(self) -> None:
        rendered: list[Recipe] = []

        def remember(recipe: Recipe) -> bytes:
            rendered.append(recipe)
            return bytes(101)

        cache = RecipeCache(remember, limit_bytes=100)

        assert [len(cache.get(SMALL)), len(cache.get(SMALL))] == [101, 101]
        assert len(rendered) == 2

    def test_a_file_that_is_being_rendered_is_not_forgotten(self) -> None:
        """One thread renders slowly, meanwhile another fills the cache."""
        begun, go_on = threading.Event(), threading.Event()

        def render_one(recipe: Recipe) -> bytes:
            if recipe == SMALL:
                begun.set()
                go_on.wait(10)
            return bytes(101)

        cache = RecipeCache(render_one, limit_bytes=100)
        got: list[bytes] = []
        thread = threading.Thread(target=lambda: got.append(cache.get(SMALL)))
        thread.start()
        begun.wait(10)

        other = cache.get(TUNE)
        go_on.set()
        thread.join(10)

        assert [len(other), *map(len, got)] == [101, 101]

    def test_a_failure_is_not_kept(self) -> None:
        outcomes: list[bytes | Exception] = [OSError("no memory"), b"film"]

        def fail_once(_recipe: Recipe) -> bytes:
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        cache = RecipeCache(fail_once)
        with pytest.raises(OSError, match="no memory"):
            cache.get(SMALL)

        assert cache.get(SMALL) == b"film"

    def test_threads_that_want_one_file_wait_for_one_rendering(self) -> None:
        begun, go_on = threading.Event(), threading.Event()
        rendered: list[Recipe] = []

        def slowly(recipe: Recipe) -> bytes:
            rendered.append(recipe)
            begun.set()
            go_on.wait(10)
            return b"film"

        cache = RecipeCache(slowly)
        got: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: got.append(cache.get(SMALL)))
            for _ in range(2)
        ]
        threads[0].start()
        begun.wait(10)
        threads[1].start()
        go_on.set()
        for thread in threads:
            thread.join(10)

        assert got == [b"film", b"film"]
        assert len(rendered) == 1
