from __future__ import annotations

import dataclasses

import pytest
from PIL import Image, ImageChops, ImageFont, ImageStat

from foxbatch.sandbox.media import lettering
from foxbatch.sandbox.media.card import draw, draw_still
from foxbatch.sandbox.media.scene import paint
from foxbatch.sandbox.messages import Clip, Picture

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
FERRY = "In the blue hour a small wooden ferry crosses a wide river in the mist. "


STILL = Picture(
    width=480,
    height=320,
    form="png",
    title="nano-banana-pro",
    prompt="A fox in the snow",
    facts=("1K", "3:2"),
    look="0f" * 32,
)


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Return how far the pixels are apart on average, of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def _glyph(name: str, letter: str) -> bytes:
    known = {"": "", "some": "狐", "all": "狐狸", "every": "狐狸"}[name]
    return letter.encode() if letter in known else b"box"


class TestScenes:
    @pytest.mark.parametrize("size", [(480, 270), (270, 480), (800, 100)])
    def test_white_text_can_be_read_on_it(self, size: tuple[int, int]) -> None:
        """Only a few stars are brighter than a middle grey."""
        for look in map(str, range(40)):  # nights and days, hills and peaks
            levels = paint(*size, look).picture.convert("L").histogram()

            assert sum(levels[140:]) < 0.01 * sum(levels)


class TestLettering:
    """How letters are replaced on a machine that has only the built-in font."""

    @pytest.fixture(autouse=True)
    def no_fonts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lettering, "_wide_fonts", tuple)

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            pytest.param("A fox", "A fox", id="ASCII"),
            pytest.param("\u0142 caf\u0113", "\ue001 cafe", id="Latin with marks"),
            pytest.param("狐。", "\ue000.", id="Chinese"),
            pytest.param("बि", "\ue001", id="signs that join a letter"),
            pytest.param("🦊", "\ue002", id="an emoji"),
            pytest.param(
                "👩🏽\u200d🚀 ✈️", "\ue002 \ue002", id="emoji of several parts"
            ),
            pytest.param("a\tb\0\u202e", "a b  ", id="what cannot be printed"),
        ],
    )
    def test_unknown_letters_become_tiles(self, text: str, written: str) -> None:
        assert lettering.lettering(text).text == written

    def test_tiles_are_drawn(self) -> None:
        bare, written = (
            draw_still(dataclasses.replace(STILL, prompt=prompt))
            for prompt in ("", "狐 🦊 привет")
        )

        assert ImageChops.difference(bare, written).getbbox() is not None

    def test_chinese_is_broken_between_any_two_letters(self) -> None:
        words = lettering.lettering("fox 狐狐狐狐狐狐")

        _, lines = lettering.fitted(words, [10], width=45, height=100)

        assert [len(line) for line in lines] == [6, 4]


def test_the_first_font_that_knows_most_of_a_text_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering, "_drawn", _glyph)
    monkeypatch.setattr(lettering, "_wide_fonts", lambda: ("some", "all", "every"))

    assert lettering.lettering("狐狸").font_name == "all"


def test_only_fonts_that_this_machine_has_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(name: str, _size: int) -> object:
        if name != "PingFang.ttc":
            raise OSError(name)
        return ImageFont.load_default(20)

    monkeypatch.setattr(lettering, "_loaded", load)

    assert lettering._wide_fonts.__wrapped__() == ("PingFang.ttc",)  # noqa: SLF001


class TestDrawing:
    @pytest.mark.parametrize(
        "prompt",
        [
            pytest.param("", id="nothing"),
            pytest.param("   ", id="blanks"),
            pytest.param(FERRY * 13, id="900 characters"),
            pytest.param(FERRY * 300, id="far too many"),
            pytest.param("x" * 900, id="one endless word"),
            pytest.param("一只狐狸在雪地里奔跑电影感镜头" * 20, id="Chinese"),
            pytest.param("fox 🦊 👩‍🚀 \u202e right to left عربى", id="emoji, Arabic"),
            pytest.param("tab\t line\n null\0 lone \ud800", id="what is no letter"),
        ],
    )
    @pytest.mark.parametrize("size", [(320, 180), (180, 320)], ids=["wide", "tall"])
    def test_any_text_can_be_drawn(self, prompt: str, size: tuple[int, int]) -> None:
        width, height = size
        clip = dataclasses.replace(SMALL, width=width, height=height, prompt=prompt)

        card = draw(clip)

        assert card.still.size == size

    def test_a_short_prompt_is_written_larger_than_a_long_one(self) -> None:
        heights = []
        for prompt in ("Fox", FERRY * 13):
            bare, written = (
                draw(dataclasses.replace(SMALL, prompt=text)).still
                for text in (" " * len(prompt), prompt)
            )
            box = ImageChops.difference(bare, written).getbbox()
            assert box is not None
            heights.append(box[3] - box[1])
        assert heights[0] < 0.15 * SMALL.height
        assert heights[1] > 0.25 * SMALL.height

    @pytest.mark.parametrize("times", [1, 4, 7, 10, 13])
    def test_text_stays_within_the_margins(self, times: int) -> None:
        clip = dataclasses.replace(SMALL, width=1280, height=720)
        prompt = FERRY * times
        bare = draw(dataclasses.replace(clip, prompt=" " * len(prompt))).still

        written = draw(dataclasses.replace(clip, prompt=prompt)).still

        box = ImageChops.difference(bare, written).getbbox()
        assert box is not None
        margin = 50  # 7 hundredths of the height, even
        assert margin <= box[0] < box[2] <= clip.width - margin

    def test_another_look_is_another_picture(self) -> None:
        one, other = (
            draw(dataclasses.replace(SMALL, look=look)).still.resize((1, 1))
            for look in ("0f" * 32, "1e" * 32)
        )

        assert one.getpixel((0, 0)) != other.getpixel((0, 0))

    def test_many_facts_take_several_rows(self) -> None:
        few = draw(SMALL).still
        many = draw(dataclasses.replace(SMALL, facts=SMALL.facts * 4)).still

        box = ImageChops.difference(few, many).getbbox()
        assert box is not None
        assert box[3] - box[1] > 0.15 * SMALL.height

    def test_silence_looks_flat(self) -> None:
        loud = draw(SMALL)
        silent = draw(dataclasses.replace(SMALL, audio=False))

        heights = []
        for card in (loud, silent):
            box = ImageChops.difference(card.played, card.playing).getbbox()
            assert box is not None
            heights.append(box[3] - box[1])
        assert heights[1] < heights[0] / 2


class TestStills:
    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param(dataclasses.replace(STILL, title="imagen-4"), id="model"),
            pytest.param(dataclasses.replace(STILL, prompt="A hare"), id="prompt"),
            pytest.param(dataclasses.replace(STILL, facts=("4K",)), id="parameters"),
        ],
    )
    def test_what_was_asked_for_is_written_on_it(self, changed: Picture) -> None:
        box = ImageChops.difference(draw_still(STILL), draw_still(changed)).getbbox()

        assert box is not None

    def test_another_look_is_another_picture(self) -> None:
        one, other = (
            draw_still(dataclasses.replace(STILL, look=look))
            for look in ("0f" * 32, "1e" * 32)
        )

        assert _difference(one, other) > 10

    def test_a_title_too_long_for_its_line_is_shortened(self) -> None:
        titles = ["m" * count for count in (200, 300)]

        one, other = (
            draw_still(dataclasses.replace(STILL, title=title)) for title in titles
        )

        assert one.tobytes() == other.tobytes()
