"""How large, long and many results are where nothing or too much is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from foxbatch.sandbox import Clip, Picture, Sound
from foxbatch.sandbox.service.catalogue import models
from foxbatch.sandbox.service.results import items
from foxbatch.sandbox.service.sizes import (
    duration_s,
    frame_size,
    item_count,
    picture_size,
)
from tests.smallest import BASE, GPT, LINK, accepted, first, made, smallest, veo


@pytest.mark.parametrize(
    ("wanted", "count"), [(1, 1), (7, 7), (100, 100), (101, 100), (10**30, 100)]
)
def test_no_more_than_a_hundred_results_are_made(wanted: int, count: int) -> None:
    model = models()["phota-image"]

    assert item_count(model, {"num_outputs": wanted}) == count


def test_a_hundred_maps_are_the_most() -> None:
    body = {"model": "patina-pbr-maps", "image_url": LINK, "maps": ["normal"] * 500}

    assert len(items(made(body), BASE)) == 100


@pytest.mark.parametrize(
    ("wanted", "side"), [(-5, 16), (0, 1024), (512, 512), (10**30, 4096)]
)
def test_a_picture_has_a_side_that_can_be_drawn(wanted: int, side: int) -> None:
    assert picture_size({"image_size": wanted}) == (side, side)


@pytest.mark.parametrize(
    ("wanted", "length_s"), [(-1, 5), (0, 5), (1, 1), (120, 120), (10**30, 120)]
)
def test_a_video_has_a_length_that_can_be_waited_for(
    wanted: int, length_s: int
) -> None:
    model = models()["wan2.5-t2v"]

    assert duration_s(model, {"prompt": "x", "duration": wanted}) == length_s


@pytest.mark.parametrize(
    ("name", "length_s"),
    [("veo-3.1-extend", 15), ("omnihuman-1.5", 10), ("wan-2.7-video-edit", 5)],
)
def test_where_no_length_is_asked_for_there_is_a_usual_one(
    name: str, length_s: int
) -> None:
    model = models()[name]

    assert duration_s(model, accepted(smallest(model))) == length_s


@pytest.mark.parametrize(
    ("name", "letters", "length_s"),
    [
        ("speech-2.8-hd", 1, 1),
        ("speech-2.8-hd", 150, 11),
        ("speech-2.8-hd", 10_000, 600),
        ("lyria-3", 10, 30),
        ("minimax-music-v2.5", 10, 60),
        ("suno-v4", 10, 120),
    ],
)
def test_speech_is_as_long_as_its_text_and_music_as_usual(
    name: str, letters: int, length_s: int
) -> None:
    sound = first({"model": name, "prompt": "x" * letters})

    assert isinstance(sound, Sound)
    assert sound.duration_s == length_s


def test_a_size_in_pixels_is_kept() -> None:
    picture = first({**GPT, "resolution": {"width": 1600, "height": 640}})

    assert isinstance(picture, Picture)
    assert (picture.width, picture.height) == (1600, 640)


def test_a_portrait_agent_stands_upright() -> None:
    assert frame_size({"orientation": "portrait"}) == (720, 1280)
    assert frame_size({"orientation": "landscape"}) == (1280, 720)


def test_what_says_no_number_of_results_has_one() -> None:
    model = models()["gpt-image-2"]

    assert item_count(model, {"num_outputs": "many"}) == 1


@pytest.mark.parametrize(
    ("body", "sound"),
    [
        (veo(generate_audio=True), True),
        (veo(generate_audio=False), False),
        ({"model": "sora-2", "prompt": "x"}, True),
        ({"model": "wan2.5-t2v", "prompt": "x"}, False),
        (smallest(models()["omnihuman-1.5"]), True),
        (smallest(models()["kling-v2-6-motion-control"]), True),
        (
            {
                **smallest(models()["kling-v2-6-motion-control"]),
                "keep_original_sound": "no",
            },
            False,
        ),
        (
            {**smallest(models()["kling-o3-video-to-video-edit"]), "keep_audio": False},
            False,
        ),
    ],
)
def test_sound_is_there_where_it_is_asked_for(
    body: dict[str, Any], sound: bool
) -> None:
    clip = first(body)

    assert isinstance(clip, Clip)
    assert clip.audio is sound
