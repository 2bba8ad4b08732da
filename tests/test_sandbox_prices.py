"""What the sandbox charges: every model, and dearer where it must be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from foxbatch.sandbox.service.catalogue import Model, models, variants
from foxbatch.sandbox.service.llm import MODELS
from foxbatch.sandbox.service.prices import PriceRow, credits_for, price_list
from tests.smallest import ALL, GPT, LINK, accepted, smallest, veo


def price(body: dict[str, Any]) -> int:
    return credits_for(models()[body["model"]], accepted(body))


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
class TestEveryModel:
    def test_it_costs_something(self, model: Model) -> None:
        assert 1 <= price(smallest(model)) < 1000

    def test_more_of_anything_never_costs_less(self, model: Model) -> None:
        body = smallest(model)
        for name in ("resolution", "duration", "num_outputs", "quality"):
            field = model.fields.get(name)
            if field is None or "auto" in field.enum:
                continue
            values: list[Any] = list(field.enum)
            if field.type == "integer" and not values and field.min is not None:
                # No length at all stands for that of the input.
                values = [max(1, int(field.min)), int(field.max or 100)]
            if name == "resolution" and model.name == "gpt-image-2":
                continue
            costs = [price({**body, **with_needs(model, name, v)}) for v in values]
            assert costs == sorted(costs), name
            if name != "resolution" and len(set(values)) > 1:
                assert costs[0] < costs[-1], name


def with_needs(model: Model, name: str, value: object) -> dict[str, Any]:
    """Return *value* for *name*, and what else the tier then needs."""
    short = name == "duration" and value != 8 and "lite" in model.name
    return {name: value} | ({"resolution": "720p"} if short and model.kind else {})


@pytest.mark.parametrize(
    ("body", "credits_"),
    [
        (veo("veo-3.1-fast", resolution="720p", generate_audio=False), 56),
        (veo("veo-3.1", resolution="1080p", generate_audio=True), 252),
        (veo("veo-3.1", generate_audio=False), 168),
        (veo("veo-3.1", duration=4), 126),
        (veo("veo-3.1", resolution="4k"), 504),
        (veo("veo-3.1", resolution="2160p"), 504),
        (veo("veo-3.1-fast"), 120),
        (veo("veo-3.1-text-to-video", generate_audio=True), 252),
        (veo("veo-3.1-lite", resolution="720p"), 32),
        (veo("veo-3.1-lite"), 48),
    ],
)
def test_the_veo_tiers_follow_their_table(body: dict[str, Any], credits_: int) -> None:
    assert price(body) == credits_


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param(
            [{**GPT, "quality": q} for q in ("low", "medium", "high")], id="quality"
        ),
        pytest.param(
            [
                {**GPT, "resolution": size}
                for size in ("1024x1024", "1920x1080", "3840x2160")
            ],
            id="pixels",
        ),
        pytest.param([{**GPT, "num_outputs": n} for n in (1, 2, 10)], id="outputs"),
        pytest.param(
            [
                {"model": "topaz-upscale-video", "video_url": LINK, **more}
                for more in (
                    {"upscale_factor": 1},
                    {},
                    {"target_fps": 60},
                    {"target_fps": 60, "upscale_factor": 4},
                )
            ],
            id="upscaling and frames",
        ),
        pytest.param(
            [
                {
                    "model": "kling-v3-motion-control",
                    "image_url": LINK,
                    "video_url": LINK,
                    "mode": mode,
                }
                for mode in ("std", "pro")
            ],
            id="mode",
        ),
        pytest.param(
            [
                {"model": "doc2x-v3", "pdf_url": LINK, "page_count": n}
                for n in (1, 2, 50)
            ],
            id="pages",
        ),
        pytest.param(
            [
                {"model": f"speech-2.8-{tier}", "prompt": "x" * n}
                for tier, n in (("turbo", 500), ("hd", 500), ("hd", 5000))
            ],
            id="letters and tier",
        ),
        pytest.param(
            [
                {
                    "model": "patina-pbr-maps",
                    "image_url": LINK,
                    "maps": ["normal", "height"][:n],
                }
                for n in (1, 2)
            ],
            id="maps",
        ),
    ],
)
def test_more_is_dearer(bodies: list[dict[str, Any]]) -> None:
    costs = [price(body) for body in bodies]

    assert all(less < more for less, more in pairwise(costs)), costs


@pytest.mark.parametrize("pages", [-5, 0, 2**53 - 1])
def test_a_number_of_pages_that_is_none_still_has_a_price(pages: int) -> None:
    body = {"model": "doc2x-v3", "pdf_url": LINK, "page_count": pages}

    assert 1 <= price(body) <= 200_000


class TestPriceList:
    def rows(self) -> dict[str, PriceRow]:
        return {row.name: row for row in price_list()}

    def test_it_has_every_model_and_every_id_with_brackets_once(self) -> None:
        names = [row.name for row in price_list()]

        assert names == [*models(), *variants(), *MODELS]
        assert len(set(names)) == len(names)
        assert all(row.usd > 0 for row in price_list())

    def test_only_language_models_are_priced_by_tokens(self) -> None:
        assert {name for name, row in self.rows().items() if row.by_tokens} == {*MODELS}

    @pytest.mark.parametrize(
        ("cheap", "dear"),
        [
            ("veo-3.1", "veo-3.1[audio]"),
            ("veo-3.1[audio]", "veo-3.1[4k]"),
            ("veo-3.1[4k]", "veo-3.1[4k|audio]"),
            ("google/veo-3.1[fast]", "google/veo-3.1"),
            ("fabric-1.0[480p]", "fabric-1.0[720p]"),
            ("kling-v3-motion-control", "kling-v3-motion-control[pro]"),
            ("openai/sora-2", "openai/sora-2-pro"),
        ],
    )
    def test_marks_change_the_price(self, cheap: str, dear: str) -> None:
        rows = self.rows()

        assert rows[cheap].usd < rows[dear].usd
