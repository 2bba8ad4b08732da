"""What must hold between the fields of a request, and the switches that move it."""

from __future__ import annotations

from typing import Any

import pytest

from foxbatch.sandbox import SandboxOptions
from foxbatch.sandbox.service.catalogue import models
from foxbatch.sandbox.service.checks import Refusal, check
from tests.smallest import GPT, LINK, accepted, refusal, veo

# ---- Fields together


@pytest.mark.parametrize("model", ["veo-3.1", "veo-3.1-fast", "veo-3.1-lite"])
@pytest.mark.parametrize(
    ("kind", "fewest", "most", "needed"),
    [
        ("text-to-video", 0, 0, "no"),
        ("image-to-video", 1, 1, "exactly 1"),
        ("first-last-frame", 2, 2, "exactly 2"),
        ("reference-to-video", 1, 3, "1 to 3"),
    ],
)
def test_the_kind_of_generation_says_how_many_images(
    model: str, kind: str, fewest: int, most: int, needed: str
) -> None:
    if model == "veo-3.1-lite" and kind == "reference-to-video":
        assert (
            "generation_type must be one of"
            in refusal(veo(model, generation_type=kind)).message
        )
        return
    limit = 2 if model == "veo-3.1-lite" else 3
    for count in range(limit + 1):
        body = veo(model, generation_type=kind, image_urls=[LINK] * count)
        if fewest <= count <= most:
            accepted(body)
        else:
            message = f"{kind} needs {needed} image_urls, not {count}"
            assert refusal(body).message == message
    over = refusal(veo(model, generation_type=kind, image_urls=[LINK] * (limit + 1)))
    assert over.message == f"image_urls must have at most {limit} items"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (veo("veo-3.1-lite", resolution="4k"), "resolution must be one of 720p, 1080p"),
        (veo("veo-3.1-lite", duration=4), "resolution 1080p needs duration 8"),
        (
            veo("veo-3.1-lite-text-to-video", duration=6, resolution="1080p"),
            "resolution 1080p needs duration 8",
        ),
        (
            veo("veo-3.1-reference-to-video", reference_image_urls=[LINK], duration=6),
            "duration must be one of 8",
        ),
        (
            veo("veo-3.1-text-to-video", resolution="2160p"),
            "resolution must be one of 720p, 1080p, 4k",
        ),
        (
            veo("veo-3.1", reference_type="ASSET"),
            "reference_type is only for generation_type reference-to-video",
        ),
        (
            {"model": "kling-o3-text-to-video"},
            "Exactly one of prompt and multi_prompt is needed",
        ),
        (
            {"model": "kling-o3-text-to-video", "prompt": "x", "multi_prompt": [{}]},
            "Exactly one of prompt and multi_prompt is needed",
        ),
        (
            {
                "model": "seedance-2.0-reference-to-video",
                "prompt": "x",
                "audio_urls": [LINK],
                "image_urls": [],
            },
            "One of image_urls and video_urls is needed",
        ),
        (
            {
                "model": "wan-2.7-image-to-video",
                "image_urls": [LINK],
                "video_url": LINK,
            },
            "image_urls and video_url exclude each other",
        ),
        (
            {**GPT, "background": "opaque", "mask_url": LINK},
            "background and mask_url exclude each other",
        ),
        (veo(callback_url="https://a.b/"), "Unknown field: callback_url"),
        (veo("veo-3.1-lite", advanced={}), "Unknown field: advanced"),
    ],
)
def test_rules_between_fields(body: dict[str, Any], message: str) -> None:
    assert refusal(body).message == message


@pytest.mark.parametrize(
    "body",
    [
        veo("veo-3.1-lite", duration=4, resolution="720p"),
        veo("veo-3.1-lite"),
        veo(advanced={"anything": [1]}, aspect_ratio="9:16", negative_prompt="rain"),
        veo(auto_fix=None, seed=None, image_urls=None, reference_type=None),
        veo(
            generation_type="reference-to-video",
            image_urls=[LINK] * 3,
            reference_type="STYLE",
            duration=4,
        ),
        {"model": "kling-o3-text-to-video", "prompt": "", "multi_prompt": [{}]},
        {**GPT, "background": "opaque"},
        {**GPT, "mask_url": LINK},
    ],
)
def test_requests_that_keep_the_rules(body: dict[str, Any]) -> None:
    accepted(body)


def test_all_problems_are_told_at_once() -> None:
    body = {"model": "veo-3.1", "duration": 5, "hue": 1, "tint": 2}

    assert refusal(body).message == (
        "Unknown field: hue; Unknown field: tint; "
        "Missing field: prompt; duration must be one of 4, 6, 8"
    )


def test_2160p_is_another_name_for_4k() -> None:
    assert accepted(veo(resolution="2160p")) == accepted(veo(resolution="4k"))


# ---- Switches


class TestSwitches:
    def test_an_unknown_field_can_be_a_400(self) -> None:
        assert refusal(veo(hue=1), unknown_fields="400").status == 400
        assert refusal(veo(duration=5), unknown_fields="400").status == 422

    def test_short_references_can_be_refused(self) -> None:
        body = veo(generation_type="reference-to-video", image_urls=[LINK], duration=6)

        found = refusal(body, short_references="refuse")

        accepted(body)
        accepted({**body, "duration": 8}, short_references="refuse")
        assert found.message == "generation_type reference-to-video needs duration 8"

    def test_images_with_text_can_be_ignored(self) -> None:
        asked = accepted(veo(image_urls=[LINK]), images_with_text="ignore")

        assert "image_urls" not in asked

    @pytest.mark.parametrize(("switch", "sound"), [("on", True), ("off", False)])
    def test_sound_that_nobody_asked_for_depends_on_the_page(
        self, switch: str, sound: bool
    ) -> None:
        for model in ("veo-3.1", "veo-3.1-fast"):
            assert accepted(veo(model), audio_default=switch)["generate_audio"] is sound
        lite = accepted(veo("veo-3.1-lite"), audio_default=switch)
        assert lite["generate_audio"] is False

    def test_options_can_be_switched_off_for_every_model(self) -> None:
        options = SandboxOptions(unsupported=frozenset({"seed", "background"}))
        body = veo(seed=5)

        found = check(body, models()["veo-3.1"], options)

        assert isinstance(found, Refusal)
        assert found.unsupported == ("seed",)
