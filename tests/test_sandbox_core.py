from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import cast

import pytest

from foxbatch.sandbox import (
    Clip,
    Reply,
    Request,
    Sandbox,
    SandboxOptions,
    Switches,
    handle,
)
from foxbatch.sandbox.messages import Json

NOW = 1_785_830_400.5
PLAIN: Mapping[str, Json] = {"model": "veo-3.1", "prompt": "A fox in the snow"}
ONE_IMAGE: Json = ["https://example.com/a.png"]
TWO_IMAGES: Json = ["https://example.com/a.png", "http://example.com/b.png"]
FOUR_IMAGES: Json = [f"https://example.com/{n}.png" for n in range(4)]


def submission(body: Mapping[str, Json] | bytes = PLAIN, **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Request(
        method="POST",
        path="/v1/videos/generations",
        headers={"content-type": "application/json", **named},
        body=raw,
    )


def got(sandbox: Sandbox, path: str, now: float = NOW, /, **headers: str) -> Reply:
    request = Request(
        method="GET", path=path, base_url="http://127.0.0.1:9", headers=headers
    )
    return handle(sandbox, request, now)


def said(reply: Reply) -> dict[str, Json]:
    value: dict[str, Json] = json.loads(reply.body)
    return value


def error(reply: Reply) -> dict[str, Json]:
    return cast("dict[str, Json]", said(reply)["error"])


def bought(sandbox: Sandbox, now: float = NOW, /, **changes: Json) -> str:
    reply = handle(sandbox, submission({**PLAIN, **changes}), now)
    assert reply.status == 200, reply.body
    return str(said(reply)["id"])


def queried(sandbox: Sandbox, task: str, now: float) -> dict[str, Json]:
    return said(got(sandbox, f"/v1/tasks/{task}", now))


def with_credits(amount: int) -> Sandbox:
    return Sandbox(options=SandboxOptions(credits=amount))


class TestCreating:
    def test_the_reply_has_the_documented_form(self) -> None:
        reply = handle(Sandbox(), submission(), NOW)

        value = said(reply)
        task = str(value.pop("id"))
        assert value == {
            "created": 1_785_830_400,
            "model": "veo-3.1",
            "object": "video.generation.task",
            "progress": 0,
            "status": "pending",
            "task_info": {"can_cancel": True, "estimated_time": 60},
            "type": "video",
            "usage": {"credits_reserved": 252, "user_group": "default"},
        }
        prefix, created, letters = task.rsplit("-", 2)
        assert (prefix, created) == ("task-unified", "1785830400")
        assert len(letters) == 8
        assert letters.isalnum()
        assert letters == letters.lower()

    def test_equal_requests_make_different_tasks(self) -> None:
        sandbox = Sandbox()

        tasks = {bought(sandbox) for _ in range(50)}

        assert len(tasks) == 50

    def test_the_new_task_is_handed_to_whoever_stores_it(self) -> None:
        sandbox = Sandbox()

        reply = handle(sandbox, submission(), NOW)

        assert reply.created is not None
        assert sandbox.tasks == {said(reply)["id"]: reply.created}

    def test_the_story_depends_on_the_requests_and_not_on_their_order(self) -> None:
        bodies = [{**PLAIN, "prompt": f"Fox {number}"} for number in range(5)]

        forward, backward = Sandbox(), Sandbox()
        for there, back in zip(bodies, reversed(bodies), strict=True):
            handle(forward, submission(there), NOW)
            handle(backward, submission(back), NOW)

        assert forward.tasks == backward.tasks

    def test_another_seed_tells_another_story(self) -> None:
        first, second = (Sandbox(options=SandboxOptions(seed=n)) for n in (1, 2))

        bought(first)
        bought(second)

        assert first.tasks != second.tasks


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"model": "veo-3.1-fast"}, id="fast"),
        pytest.param({"duration": 4}, id="4 s"),
        pytest.param({"duration": 6}, id="6 s"),
        pytest.param({"resolution": "720p"}, id="720p"),
        pytest.param({"resolution": "2160p"}, id="2160p"),
        pytest.param({"resolution": "4k"}, id="4k"),
        pytest.param({"aspect_ratio": "9:16"}, id="portrait"),
        pytest.param({"generate_audio": False}, id="silent"),
        pytest.param({"advanced": {"anything": [1]}}, id="any advanced object"),
        pytest.param({"image_urls": None}, id="text without images"),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": ONE_IMAGE},
            id="image-to-video with 1",
        ),
        pytest.param(
            {"generation_type": "first-last-frame", "image_urls": TWO_IMAGES},
            id="first-last-frame with 2",
        ),
        pytest.param(
            {
                "generation_type": "reference-to-video",
                "image_urls": TWO_IMAGES,
                "reference_type": "STYLE",
                "duration": 4,
            },
            id="reference-to-video with 2 and 4 s",
        ),
        pytest.param(
            {
                "auto_fix": True,
                "enhance_prompt": False,
                "negative_prompt": "rain",
                "person_generation": "allow_adult",
                "safety_tolerance": 6,
                "seed": 7,
            },
            id="every later field",
        ),
        pytest.param({"seed": None, "auto_fix": None}, id="null for none"),
    ],
)
def test_documented_requests_are_accepted(changes: Mapping[str, Json]) -> None:
    reply = handle(Sandbox(), submission({**PLAIN, **changes}), NOW)

    assert reply.status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"node_id": 1}, "Unknown field: node_id", id="unknown field"),
        pytest.param({"callback_url": "https://a.b"}, "callback_url", id="callback"),
        pytest.param({"prompt": ""}, "prompt must not be empty", id="empty prompt"),
        pytest.param({"prompt": " \n"}, "prompt must not be empty", id="blank prompt"),
        pytest.param({"prompt": 5}, "prompt must be a string", id="prompt type"),
        pytest.param({"model": 5}, "model must be a string", id="model type"),
        pytest.param({"duration": 5}, "duration must be one of 4, 6, 8", id="duration"),
        pytest.param(
            {"duration": "8"}, "duration must be an integer", id="duration as text"
        ),
        pytest.param({"duration": 8.0}, "must be an integer", id="duration as float"),
        pytest.param({"duration": True}, "must be an integer", id="duration as bool"),
        pytest.param({"duration": None}, "must be an integer", id="duration as null"),
        pytest.param({"resolution": "1440p"}, "resolution must be", id="resolution"),
        pytest.param({"aspect_ratio": "1:1"}, "aspect_ratio must be", id="ratio"),
        pytest.param({"generate_audio": "yes"}, "must be a boolean", id="audio type"),
        pytest.param({"advanced": []}, "advanced must be an object", id="advanced"),
        pytest.param({"safety_tolerance": 7}, "safety_tolerance must", id="tolerance"),
        pytest.param({"generation_type": "TEXT"}, "generation_type must", id="kind"),
        pytest.param(
            {"image_urls": ONE_IMAGE}, "needs no image_urls, not 1", id="text with 1"
        ),
        pytest.param(
            {"generation_type": "image-to-video"}, "exactly 1", id="image with 0"
        ),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": TWO_IMAGES},
            "exactly 1",
            id="image with 2",
        ),
        pytest.param(
            {"generation_type": "first-last-frame", "image_urls": ONE_IMAGE},
            "first-last-frame needs exactly 2 image_urls, not 1",
            id="frames with 1",
        ),
        pytest.param(
            {"generation_type": "reference-to-video", "image_urls": FOUR_IMAGES},
            "1 to 3",
            id="references with 4",
        ),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": ["ftp://a/b"]},
            "http or https",
            id="image by ftp",
        ),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": ["https://"]},
            "http or https",
            id="image without host",
        ),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": ["https://a/b c"]},
            "http or https",
            id="image with a space",
        ),
        pytest.param(
            {"generation_type": "image-to-video", "image_urls": [5]},
            "http or https",
            id="image as number",
        ),
        pytest.param(
            {"reference_type": "ASSET"}, "only for reference-to-video", id="reference"
        ),
    ],
)
def test_wrong_requests_get_422_and_create_nothing(
    changes: Mapping[str, Json], message: str
) -> None:
    sandbox = Sandbox()

    reply = handle(sandbox, submission({**PLAIN, **changes}), NOW)

    assert reply.status == 422
    assert error(reply)["type"] == "invalid_request_error"
    assert message in str(error(reply)["message"])
    assert not sandbox.tasks


class TestRefusing:
    def test_all_problems_are_told_at_once(self) -> None:
        body: dict[str, Json] = {"model": "veo-3.1", "duration": 5, "hue": 1}

        reply = handle(Sandbox(), submission(body), NOW)

        assert error(reply)["message"] == (
            "duration must be one of 4, 6, 8; Unknown field: hue; Missing field: prompt"
        )

    def test_an_unknown_model_has_its_own_code(self) -> None:
        reply = handle(Sandbox(), submission({**PLAIN, "model": "veo-9.9"}), NOW)

        assert reply.status == 422
        assert error(reply)["code"] == "model_not_found"

    @pytest.mark.parametrize(
        "name", ["enhance_prompt", "person_generation", "reference_type"]
    )
    def test_the_fast_tier_names_what_it_cannot_honour(self, name: str) -> None:
        values: Mapping[str, Json] = {
            "enhance_prompt": True,
            "person_generation": "dont_allow",
            "reference_type": "ASSET",
        }
        body = {**PLAIN, "model": "veo-3.1-fast", name: values[name]}

        reply = handle(Sandbox(), submission(body), NOW)

        assert reply.status == 422
        assert error(reply)["code"] == "unsupported_advanced_options"
        assert error(reply)["unsupported_advanced_options"] == [name]

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            pytest.param(submission(b'{"model":'), 400, id="cut JSON"),
            pytest.param(submission(b'{"seed": NaN}'), 400, id="NaN"),
            pytest.param(submission(b'{"prompt": "\xff"}'), 400, id="not UTF-8"),
            pytest.param(submission(b"[" * 200_000), 400, id="too deep"),
            pytest.param(submission(content_type="text/plain"), 400, id="type"),
            pytest.param(submission(b"[1]"), 422, id="no object"),
        ],
    )
    def test_broken_bodies_are_refused(self, request_: Request, status: int) -> None:
        sandbox = Sandbox()

        reply = handle(sandbox, request_, NOW)

        assert reply.status == status
        assert error(reply)["type"] == "invalid_request_error"
        assert not sandbox.tasks

    def test_a_charset_in_the_content_type_is_no_fault(self) -> None:
        request = submission(content_type="Application/JSON; charset=utf-8")

        reply = handle(Sandbox(), request, NOW)

        assert reply.status == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/nothing"), ("GET", "/v1/videos/generations"), ("PUT", "/v1/models")],
    )
    def test_anything_else_is_404(self, method: str, path: str) -> None:
        reply = handle(Sandbox(), Request(method=method, path=path), NOW)

        assert reply.status == 404
        assert error(reply)["type"] == "not_found"


class TestSwitches:
    def test_short_references_can_be_refused(self) -> None:
        switches = Switches(short_references="refuse")
        sandbox = Sandbox(options=SandboxOptions(switches=switches))
        body: dict[str, Json] = {
            **PLAIN,
            "generation_type": "reference-to-video",
            "image_urls": ONE_IMAGE,
        }

        statuses = [
            handle(sandbox, submission({**body, "duration": s}), NOW).status
            for s in (6, 8)
        ]

        assert statuses == [422, 200]

    def test_images_with_text_can_be_ignored(self) -> None:
        switches = Switches(images_with_text="ignore")
        sandbox = Sandbox(options=SandboxOptions(switches=switches))

        task = bought(sandbox, image_urls=TWO_IMAGES)

        assert sandbox.tasks[task].asked["image_urls"] is None

    @pytest.mark.parametrize("default", [True, False])
    def test_sound_without_being_asked_for_depends_on_the_page(
        self, default: bool
    ) -> None:
        switches = Switches(audio_default=default)
        sandbox = Sandbox(options=SandboxOptions(switches=switches))

        task = bought(sandbox)

        assert sandbox.tasks[task].asked["generate_audio"] is default


class TestKeys:
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Sandbox(options=SandboxOptions(keys=frozenset({"sk-a", "sk-b"})))

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({}, id="no key"),
            pytest.param({"authorization": "Bearer sk-c"}, id="wrong key"),
            pytest.param({"authorization": "Basic sk-a"}, id="wrong scheme"),
        ],
    )
    def test_others_are_refused_on_every_route(
        self, sandbox: Sandbox, headers: dict[str, str]
    ) -> None:
        replies = [
            handle(sandbox, submission(PLAIN, **headers), NOW),
            got(sandbox, "/v1/tasks/x", **headers),
            got(sandbox, "/v1/models", **headers),
        ]

        assert [reply.status for reply in replies] == [401, 401, 401]
        assert error(replies[0]) == {
            "message": "Invalid API key",
            "type": "authentication_error",
        }

    def test_a_task_is_known_to_the_key_that_made_it_alone(
        self, sandbox: Sandbox
    ) -> None:
        made = handle(sandbox, submission(authorization="Bearer sk-a"), NOW)
        path = f"/v1/tasks/{said(made)['id']}"

        statuses = [
            got(sandbox, path, authorization=f"Bearer {key}").status
            for key in ("sk-a", "sk-b")
        ]

        assert statuses == [200, 404]

    def test_no_key_is_remembered(self, sandbox: Sandbox) -> None:
        handle(sandbox, submission(authorization="Bearer sk-a"), NOW)

        assert "sk-a" not in repr(sandbox.tasks)

    def test_statistics_need_none(self, sandbox: Sandbox) -> None:
        assert got(sandbox, "/sandbox/stats").status == 200
        assert got(sandbox, "/sandbox/tasks").status == 200

    def test_the_edge_refuses_the_default_agent_of_python(
        self, sandbox: Sandbox
    ) -> None:
        headers = {"user-agent": "Python-urllib/3.12", "authorization": "Bearer sk-a"}

        reply = handle(sandbox, submission(PLAIN, **headers), NOW)

        assert (reply.status, reply.body) == (403, b"error code: 1010")
        assert reply.headers["Content-Type"] == "text/plain"


class TestMoney:
    @pytest.mark.parametrize(
        ("changes", "price"),
        [
            pytest.param({}, 252, id="1080p, 8 s, sound"),
            pytest.param({"generate_audio": False}, 168, id="silence is cheaper"),
            pytest.param({"duration": 4}, 126, id="half the time, half the price"),
            pytest.param({"resolution": "4k"}, 504, id="4k"),
            pytest.param({"resolution": "2160p"}, 504, id="2160p is 4k"),
            pytest.param({"model": "veo-3.1-fast"}, 120, id="fast"),
        ],
    )
    def test_the_price_follows_the_table(
        self, changes: Mapping[str, Json], price: int
    ) -> None:
        sandbox = Sandbox()

        task = bought(sandbox, **changes)

        usage = queried(sandbox, task, NOW)["usage"]
        assert usage == {"credits_reserved": price, "user_group": "default"}

    def test_the_end_of_the_credits_is_402_and_creates_nothing(self) -> None:
        sandbox = with_credits(600)

        statuses = [handle(sandbox, submission(), NOW).status for _ in range(3)]

        assert statuses == [200, 200, 402]
        assert len(sandbox.tasks) == 2
        assert said(got(sandbox, "/v1/account/credits")) == {
            "credits_left": 96,
            "credits_reserved": 504,
        }

    def test_a_failed_task_keeps_its_reservation(self) -> None:
        sandbox = with_credits(252)
        bought(sandbox, prompt="[sandbox:fail service_error]")

        reply = handle(sandbox, submission(), NOW + 10_000)

        assert reply.status == 402
        assert error(reply)["type"] == "insufficient_quota"

    def test_without_a_limit_no_number_is_invented(self) -> None:
        assert said(got(Sandbox(), "/v1/account/credits"))["credits_left"] is None


class TestLimits:
    def test_too_many_tasks_at_once_is_429_until_one_ends(self) -> None:
        sandbox = Sandbox(options=SandboxOptions(in_flight=2))
        first = bought(sandbox, prompt="[sandbox:slow 10]")
        bought(sandbox, prompt="[sandbox:slow 20]")

        refused = handle(sandbox, submission(), NOW + 9.9)
        accepted = handle(sandbox, submission(), NOW + 10)

        assert (refused.status, accepted.status) == (429, 200)
        assert queried(sandbox, first, NOW + 10)["status"] == "completed"

    def test_too_many_requests_in_a_second_is_429_and_says_when_to_return(
        self,
    ) -> None:
        sandbox = Sandbox(options=SandboxOptions(requests_per_s=2))
        times = (NOW, NOW + 0.5, NOW + 0.9, NOW + 1)

        replies = [got(sandbox, "/v1/models", at) for at in times]

        assert [reply.status for reply in replies] == [200, 200, 429, 200]
        assert error(replies[2])["type"] == "rate_limit_error"
        assert replies[2].headers["Retry-After"] == "1"

    @pytest.mark.parametrize(
        "wrong", [{"speed": 0}, {"in_flight": 0}, {"requests_per_s": 0}]
    )
    def test_limits_that_make_no_sense_are_refused(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SandboxOptions(**wrong)  # type: ignore[arg-type]


class TestTime:
    def test_a_task_goes_from_pending_to_completed_and_never_back(self) -> None:
        sandbox = Sandbox()
        task = bought(sandbox, prompt="[sandbox:slow 100]")

        seen = [queried(sandbox, task, NOW + at) for at in (-5, 0, 20, 60, 99.9, 100)]

        assert [view["status"] for view in seen] == [
            "pending",
            "pending",
            "processing",
            "processing",
            "processing",
            "completed",
        ]
        assert [view["progress"] for view in seen] == [0, 0, 20, 60, 99, 100]
        assert [view["results"] for view in seen[:-1]] == [None] * 5
        assert seen[-1]["results"] == [
            {"url": f"http://127.0.0.1:9/files/{task}/0.mp4"}
        ]

    def test_typical_durations_are_those_of_the_models(self) -> None:
        sandbox = Sandbox()

        for number in range(200):
            bought(sandbox, prompt=f"Fox {number}")
            bought(sandbox, prompt=f"Fox {number}", model="veo-3.1-fast")

        for model, median_s in (("veo-3.1", 60), ("veo-3.1-fast", 30)):
            took = sorted(
                task.takes_s for task in sandbox.tasks.values() if task.model == model
            )
            assert took[100] == pytest.approx(median_s, rel=0.1)
            assert took[0] < 0.8 * median_s < 1.25 * median_s < took[-1]

    def test_4k_takes_longer(self) -> None:
        sandbox = Sandbox()

        tasks = [
            sandbox.tasks[bought(sandbox, prompt=f"Fox {n}", resolution=resolution)]
            for resolution in ("1080p", "4k")
            for n in range(50)
        ]

        usual, large = (
            sum(t.takes_s for t in half) for half in (tasks[:50], tasks[50:])
        )
        assert large > 1.3 * usual

    def test_speed_divides_every_duration_of_the_service(self) -> None:
        slow, fast = Sandbox(), Sandbox(options=SandboxOptions(speed=60))

        ordinary = slow.tasks[bought(slow)]
        hurried = fast.tasks[bought(fast)]

        assert hurried.takes_s == pytest.approx(ordinary.takes_s / 60)
        assert hurried.keeps_s == ordinary.keeps_s / 60 == 24 * 60

    @pytest.mark.parametrize("ordered", ["never", "nan", "inf", "-1"])
    def test_a_slowness_that_is_no_time_is_ignored(self, ordered: str) -> None:
        sandbox = Sandbox()

        task = bought(sandbox, prompt=f"[sandbox:slow {ordered}]")

        assert 5 < sandbox.tasks[task].takes_s < 500

    def test_no_time_at_all_is_possible(self) -> None:
        sandbox = Sandbox()

        task = bought(sandbox, prompt="[sandbox:slow 0]")

        assert queried(sandbox, task, NOW)["status"] == "completed"


class TestStories:
    def test_a_failure_has_the_code_that_was_ordered(self) -> None:
        sandbox = Sandbox()
        task = bought(sandbox, prompt="X [sandbox:fail content_policy_violation]")

        seen = queried(sandbox, task, NOW + 1000)

        assert (seen["status"], seen["results"]) == ("failed", None)
        assert seen["error"] == {
            "code": "content_policy_violation",
            "message": "The input was refused by the content filter.",
            "type": "task_error",
        }

    def test_a_failure_of_the_first_take_is_gone_with_the_second(self) -> None:
        sandbox = Sandbox()
        prompt = "[sandbox:fail-once]"

        tasks = [bought(sandbox, prompt=prompt) for _ in range(2)]

        seen = [queried(sandbox, task, NOW + 1000) for task in tasks]
        assert [view["status"] for view in seen] == ["failed", "completed"]

    def test_an_unheard_of_code_still_has_a_message(self) -> None:
        sandbox = Sandbox()
        task = bought(sandbox, prompt="[sandbox:fail moon.phase]")

        seen = cast("dict[str, Json]", queried(sandbox, task, NOW + 1000)["error"])

        assert (seen["code"], seen["message"]) == (
            "moon.phase",
            "The generation failed.",
        )

    def test_completed_is_empty_once(self) -> None:
        sandbox = Sandbox()
        task = bought(sandbox, prompt="[sandbox:empty-once]")

        seen = [queried(sandbox, task, NOW + at) for at in (0, 1000, 1001)]

        assert [view["status"] for view in seen] == ["pending", *["completed"] * 2]
        assert (seen[1]["results"], seen[1]["progress"]) == ([], 50)
        assert seen[2]["results"]

    def test_a_lost_reply_belongs_to_a_task_that_exists(self) -> None:
        sandbox = Sandbox()

        reply = handle(
            sandbox, submission({**PLAIN, "prompt": "[sandbox:lost-reply]"}), NOW
        )

        assert reply.delivery == "dropped"
        assert reply.created is not None
        assert len(sandbox.tasks) == 1

    def test_a_502_belongs_to_a_task_that_exists(self) -> None:
        sandbox = Sandbox()

        reply = handle(sandbox, submission({**PLAIN, "prompt": "[sandbox:5xx]"}), NOW)

        assert (reply.status, reply.delivery) == (502, "whole")
        assert reply.headers["Content-Type"] == "text/html"
        assert reply.created is not None
        assert len(sandbox.tasks) == 1


class TestFiles:
    def clip(self, **changes: Json) -> Clip:
        sandbox = Sandbox()
        task = bought(sandbox, **changes)
        clip = got(sandbox, f"/files/{task}/0.mp4", NOW + 1000).clip
        assert clip is not None
        return clip

    @pytest.mark.parametrize(
        ("resolution", "aspect_ratio", "size"),
        [
            ("720p", "16:9", (1280, 720)),
            ("1080p", "16:9", (1920, 1080)),
            ("4k", "16:9", (3840, 2160)),
            ("2160p", "9:16", (2160, 3840)),
            ("720p", "9:16", (720, 1280)),
        ],
    )
    def test_the_recipe_has_the_size_that_was_asked_for(
        self, resolution: str, aspect_ratio: str, size: tuple[int, int]
    ) -> None:
        clip = self.clip(resolution=resolution, aspect_ratio=aspect_ratio)

        assert (clip.width, clip.height) == size

    def test_the_recipe_tells_the_parameters(self) -> None:
        clip = self.clip(
            generation_type="first-last-frame",
            image_urls=TWO_IMAGES,
            duration=6,
            generate_audio=False,
            seed=7,
        )

        assert (clip.title, clip.duration_s, clip.audio) == ("veo-3.1", 6, False)
        assert clip.facts == (
            "1080p",
            "16:9",
            "6 s",
            "silent",
            "first-last-frame, 2 in",
            "seed 7",
        )

    @pytest.mark.parametrize(
        ("changes", "looks"),
        [
            pytest.param({}, 2, id="takes differ"),
            pytest.param({"seed": 7}, 1, id="unless the seed is fixed"),
        ],
    )
    def test_takes_look_different(self, changes: dict[str, Json], looks: int) -> None:
        sandbox = Sandbox()

        tasks = [bought(sandbox, **changes) for _ in range(2)]

        clips = [got(sandbox, f"/files/{t}/0.mp4", NOW + 1000).clip for t in tasks]
        assert len(set(clips)) == looks

    @pytest.mark.parametrize(
        ("after_s", "status"),
        [
            pytest.param(9, 404, id="not made yet"),
            pytest.param(10, 200, id="made"),
            pytest.param(10 + 24 * 3600 - 1, 200, id="a day later"),
            pytest.param(10 + 24 * 3600, 403, id="expired"),
        ],
    )
    def test_links_live_for_a_day(self, after_s: float, status: int) -> None:
        sandbox = Sandbox()
        task = bought(sandbox, prompt="[sandbox:slow 10]")

        reply = got(sandbox, f"/files/{task}/0.mp4", NOW + after_s)

        assert reply.status == status

    @pytest.mark.parametrize("path", ["/files/nothing/0.mp4", "/files/{task}/1.mp4"])
    def test_other_files_are_404(self, path: str) -> None:
        sandbox = Sandbox()
        task = bought(sandbox)

        reply = got(sandbox, path.format(task=task), NOW + 1000)

        assert reply.status == 404

    def test_a_key_at_the_file_host_is_noticed(self) -> None:
        sandbox = Sandbox()
        task = bought(sandbox)

        reply = got(
            sandbox, f"/files/{task}/0.mp4", NOW + 1000, authorization="Bearer sk-a"
        )

        assert reply.status == 400


class TestTelling:
    def test_statistics_count_everything(self) -> None:
        sandbox = Sandbox()
        bought(sandbox, prompt="[sandbox:slow 10]")
        bought(sandbox, prompt="[sandbox:slow 10]")
        task = bought(sandbox, NOW + 20)
        handle(sandbox, submission(b"{}"), NOW)
        handle(
            sandbox, submission({**PLAIN, "prompt": "[sandbox:lost-reply]"}), NOW + 2000
        )
        queried(sandbox, task, NOW + 20)
        got(sandbox, "/v1/tasks/none")
        got(sandbox, "/elsewhere")

        stats = said(got(sandbox, "/sandbox/stats"))

        digests = cast("dict[str, int]", stats.pop("by_request_digest"))
        assert sorted(digests.values()) == [1, 1, 2]
        assert stats == {
            "created": 4,
            "billed_credits": 4 * 252,
            "requests": {
                "POST /v1/videos/generations": {"200": 3, "422": 1, "dropped": 1},
                "GET /v1/tasks/{id}": {"200": 1, "404": 1},
                "other": {"404": 1},
            },
            "in_flight_peak": 2,
        }

    def test_the_order_of_keys_does_not_change_the_digest(self) -> None:
        sandbox = Sandbox()

        handle(sandbox, submission(dict(PLAIN)), NOW)
        handle(sandbox, submission(dict(reversed([*PLAIN.items()]))), NOW)

        assert list(sandbox.takes.values()) == [2]

    def test_tasks_are_listed_newest_first(self) -> None:
        sandbox = Sandbox()
        older, newer = bought(sandbox, prompt="A"), bought(sandbox, NOW + 9, prompt="B")

        listed = said(got(sandbox, "/sandbox/tasks", NOW + 9))

        tasks = cast("list[dict[str, Json]]", listed["tasks"])
        assert [task["id"] for task in tasks] == [newer, older]
        assert (listed["total"], tasks[0]["prompt"]) == (2, "B")
        assert tasks[0]["status"] == "pending"

    def test_models_are_listed(self) -> None:
        listed = cast(
            "list[dict[str, Json]]", said(got(Sandbox(), "/v1/models"))["data"]
        )

        assert [model["id"] for model in listed] == ["veo-3.1", "veo-3.1-fast"]

    def test_head_has_the_length_and_no_body(self) -> None:
        reply = handle(Sandbox(), Request(method="HEAD", path="/v1/models"), NOW)

        whole = got(Sandbox(), "/v1/models")
        assert reply.body == b""
        assert reply.headers["Content-Length"] == str(len(whole.body))


def test_importing_the_sandbox_loads_nothing_heavy() -> None:
    script = (
        "import sys, foxbatch.sandbox;"
        "heavy = {'aiohttp', 'asyncio', 'av', 'httpx', 'PIL'} & set(sys.modules);"
        "print(sorted(heavy))"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["aiohttp", "av", "PIL"])
def test_a_missing_package_is_an_error_that_names_the_extra(missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import foxbatch.sandbox as sandbox\n"
        "from foxbatch.errors import MissingExtraError\n"
        "try:\n    sandbox.EmbeddedSandbox\n"
        "except MissingExtraError as error:\n    print(error.hint)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "Type: pip install 'foxbatch[sandbox]'"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import foxbatch.sandbox

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = foxbatch.sandbox.Nothing
