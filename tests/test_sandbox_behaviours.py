"""The fifty behaviours of the service that a client must survive, each shown once.

The numbers are those of `foxbatch sandbox --list-faults`. What follows from the
service's strictness alone needs no fault plan.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest

from foxbatch.sandbox import Clip, Reply
from foxbatch.sandbox.options import Switches
from foxbatch.sandbox.service.core import callback_answered, due_callbacks
from tests.pretend import KEY, START, VEO, Service, said

LONG = "An old fisherman mends his nets on the quay at first light"


def kinds(replies: list[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


def hit(service: Service, name: str, tries: int = 200, **fields: Any) -> Reply:  # noqa: ANN401
    """Submit different requests until the rule *name* shaped a reply; return it."""
    for number in range(tries):
        reply = service.submit(prompt=f"{LONG}, take {number}", **fields)
        if reply.fault == name:
            return reply
    raise AssertionError(f"{name} did nothing in {tries} submissions")


def uploaded(service: Service, name: str = "a.png", **fields: Any) -> Reply:  # noqa: ANN401
    sent = base64.b64encode(b"\x89PNG" + name.encode()).decode()
    body = {"file_data": sent, "file_name": name, **fields}
    return service.post("/v1/files/upload/base64", body)


# ---- Creation


def test_01_media_arrive_only_by_asking_again() -> None:
    service = Service()

    created = said(service.submit())
    at_once = service.query(created["id"])

    assert created["status"] == "pending"
    assert "results" not in created
    assert at_once["results"] is None
    assert service.finish(created["id"])["results"]


def test_02_a_task_may_be_final_when_it_is_created() -> None:
    service = Service("born-final")
    created = [said(service.submit(prompt=f"{LONG}, take {n}")) for n in range(40)]

    statuses = Counter(reply["status"] for reply in created)
    by_status = {reply["status"]: service.query(reply["id"]) for reply in created}

    assert set(statuses) == {"processing", "completed", "failed"}
    assert by_status["completed"]["results"]
    assert by_status["failed"]["error"]["code"] == "service_error"


def test_03_a_lean_reply_has_only_what_one_client_saw() -> None:
    created = said(Service("lean-reply").submit())

    assert set(created) == {"id", "object", "type", "model", "status", "usage"}
    assert created["usage"]["credits_reserved"] > 0


def test_04_a_documented_reply_has_no_usage() -> None:
    created = said(Service("documented-reply").submit())

    expected = {"created", "id", "model", "object", "progress", "status", "type"}
    assert set(created) == expected | {"task_info"}
    assert created["task_info"]["can_cancel"] is True


def test_05_the_model_in_replies_may_be_another_one() -> None:
    service = Service("other-model")

    created = said(service.submit())

    assert created["model"] != "veo-3.1-fast"
    assert service.query(created["id"])["model"] == created["model"]


@pytest.mark.parametrize(
    "plan", ["empty-reply", "html-reply", "garbled-reply", "no-id-reply"]
)
def test_06_a_success_without_an_id_hides_a_task(plan: str) -> None:
    service = Service(plan)

    reply = hit(service, plan)

    assert reply.status in {200, 202, 204}
    assert not _has_id(reply.body)
    assert sum(service.sandbox.takes.values()) == len(service.sandbox.tasks)
    assert any(record in service.sandbox.tasks.values() for record in reply.records)


def _has_id(body: bytes) -> bool:
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return isinstance(value, dict) and bool(value.get("id") or value.get("task_id"))


def test_07_a_lost_reply_leaves_a_task_that_nobody_can_find() -> None:
    service = Service("lost-reply", credits=10_000)
    before = said(service.get("/v1/account/credits"))["credits_left"]

    reply = hit(service, "lost-reply")

    after = said(service.get("/v1/account/credits"))["credits_left"]
    assert reply.delivery.ends == "dropped"
    assert reply.delivery.sent is None
    assert after == before - sum(t.credits for t in service.sandbox.tasks.values())
    assert service.get("/v1/tasks").status == 404


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_08_an_error_may_come_although_a_task_was_made(status: int) -> None:
    service = Service("error-after-all")

    reply = hit(service, f"error-{status}")

    assert reply.status == status
    assert len(reply.records) >= 1
    assert reply.records[0] in service.sandbox.tasks.values()


@pytest.mark.parametrize(
    ("plan", "status"), [("no-channel-422", 422), ("no-channel-503", 503)]
)
def test_09_no_channel_and_nothing_made(plan: str, status: int) -> None:
    service = Service(plan)
    refused = hit(service, plan)
    made = len(service.sandbox.tasks)

    again = hit(service, plan)

    assert refused.status == again.status == status
    assert said(refused)["error"]["code"] == "no_compatible_channel"
    assert made == 2  # the rule refuses each third one
    assert len(service.sandbox.tasks) == 4


# ---- Strictness


@pytest.mark.parametrize("status", ["422", "400"])
def test_10_an_unknown_field_is_refused(status: Any) -> None:  # noqa: ANN401
    service = Service(switches=Switches(unknown_fields=status))

    reply = service.submit(node_id="n1")

    assert reply.status == int(status)
    assert said(reply)["error"] == {
        "message": "Unknown field: node_id",
        "type": "invalid_request_error",
    }


def test_11_a_documented_option_may_be_refused_by_name() -> None:
    service = Service(unsupported=frozenset({"background"}))
    body = {"model": "gpt-image-2", "prompt": "A cat", "background": "opaque"}

    reply = service.post("/v1/images/generations", body)
    by_plan = hit(Service("unsupported-option"), "unsupported-option")

    assert reply.status == by_plan.status == 422
    assert said(reply)["error"]["code"] == "unsupported_advanced_options"
    assert said(reply)["error"]["unsupported_advanced_options"] == ["background"]
    assert said(by_plan)["error"]["code"] == "unsupported_advanced_options"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text-to-video", (0,), (1, 2)),
        ("image-to-video", (1,), (0, 2)),
        ("first-last-frame", (2,), (0, 1, 3)),
        ("reference-to-video", (1, 2, 3), (0, 4)),
    ],
)
def test_12_the_number_of_images_follows_from_the_kind(
    kind: str, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    service = Service()

    def status(count: int) -> int:
        urls = [f"https://example.com/{n}.png" for n in range(count)]
        return service.submit(generation_type=kind, image_urls=urls).status

    assert [status(count) for count in good] == [200] * len(good)
    assert [status(count) for count in bad] == [422] * len(bad)


@pytest.mark.parametrize(
    "field",
    [
        {"duration": 5},
        {"duration": "8"},
        {"duration": 8.0},
        {"resolution": "1440p"},
        {"aspect_ratio": "1:1"},
    ],
    ids=str,
)
def test_13_a_wrong_value_is_refused(field: dict[str, Any]) -> None:
    reply = Service().submit(**field)

    assert reply.status == 422
    assert next(iter(field)) in said(reply)["error"]["message"]


def test_14_the_top_tier_has_two_names() -> None:
    service = Service()

    tasks = [service.task(resolution=name) for name in ("2160p", "4k")]

    clips = [service.file(service.finish(t)["results"][0]["url"]).media for t in tasks]
    assert all(isinstance(clip, Clip) and clip.height == 2160 for clip in clips)


@pytest.mark.parametrize(
    "field",
    [
        {"resolution": "4k"},
        {"resolution": "1080p", "duration": 4},
        {"resolution": "1080p", "duration": 6},
        {"generation_type": "reference-to-video", "image_urls": ["https://a.io/1"]},
    ],
    ids=str,
)
def test_15_the_lite_tier_can_do_less(field: dict[str, Any]) -> None:
    service = Service()

    refused = service.submit(model="veo-3.1-lite", **field)
    accepted = service.submit(model="veo-3.1-lite", resolution="720p", duration=4)

    assert refused.status == 422
    assert accepted.status == 200


@pytest.mark.parametrize(("switch", "status"), [("accept", 200), ("refuse", 422)])
def test_16_short_references_depend_on_the_page(
    switch: Any,  # noqa: ANN401
    status: int,
) -> None:
    service = Service(switches=Switches(short_references=switch))
    asked: dict[str, Any] = {
        "generation_type": "reference-to-video",
        "image_urls": ["https://a.io/1"],
    }

    assert service.submit(**asked, duration=4).status == status
    assert service.submit(**asked, duration=8).status == 200


@pytest.mark.parametrize(("switch", "sound"), [("on", True), ("off", False)])
def test_17_whether_there_is_sound_by_default_depends_on_the_page(
    switch: Any,  # noqa: ANN401
    sound: bool,
) -> None:
    service = Service(switches=Switches(audio_default=switch))
    task = said(service.post("/v1/videos/generations", dict(VEO)))["id"]

    clip = service.file(service.finish(task)["results"][0]["url"]).media

    assert isinstance(clip, Clip)
    assert clip.audio is sound


# ---- Keys, money, pace


def test_18_a_key_that_is_wrong_or_expires_is_refused_everywhere() -> None:
    service = Service("key-expires", keys={KEY: None})
    task = service.task()

    wrong = [service.submit(key="sk-other"), service.ask(task, key="sk-other")]
    missing = [service.submit(key=None), service.ask(task, key=None)]
    malformed = service.send("GET", "/v1/models", key=None, authorization=KEY)
    service.later(61)
    expired = [service.submit(), service.ask(task)]

    for reply in (*wrong, *missing, malformed, *expired):
        assert reply.status == 401
        assert said(reply)["error"]["type"] == "authentication_error"


def test_19_the_balance_may_end_while_tasks_run() -> None:
    service = Service(credits=200)
    replies = [service.submit(prompt=f"{LONG} {n}") for n in range(4)]

    running = said(replies[0])["id"]

    assert kinds(replies) == {200: 2, 402: 2}  # 80 each
    assert said(replies[-1])["error"]["type"] == "insufficient_quota"
    assert service.finish(running)["status"] == "completed"


def test_19_a_plan_can_end_it_too() -> None:
    service = Service("balance-ends")

    replies = [service.submit(prompt=f"{LONG} {n}") for n in range(6)]

    assert [reply.status for reply in replies] == [200] * 3 + [402] * 3


@pytest.mark.parametrize(
    ("form", "fits"),
    [
        ("seconds", str.isdecimal),
        ("huge", lambda text: int(text) >= 3600),
        ("date", lambda text: parsedate_to_datetime(text).timestamp() > START),
        ("past", lambda text: parsedate_to_datetime(text).timestamp() < START),
        ("negative", lambda text: int(text) < 0),
        ("nan", lambda text: text.lower() == "nan"),
        ("garbage", lambda text: not text.isdecimal()),
    ],
)
def test_20_retry_after_comes_in_many_forms(form: str, fits: Any) -> None:  # noqa: ANN401
    service = Service(f"busy-{form}")

    reply = hit(service, f"busy-{form}")

    assert reply.status == 429
    assert fits(reply.headers["Retry-After"])


def test_20_retry_after_may_be_missing() -> None:
    reply = hit(Service("busy-none"), "busy-none")

    assert reply.status == 429
    assert "Retry-After" not in reply.headers


def test_21_a_query_may_fail_while_its_task_goes_on() -> None:
    service = Service("query-errors")
    task = service.task()

    replies = [service.ask(task) for _ in range(30)]
    service.now = service.sandbox.tasks[task].ends_at

    assert set(kinds(replies)) == {200, 429, 500, 502, 503}
    assert service.query(task)["status"] == "completed"


def test_22_a_task_may_be_unknown_for_a_moment() -> None:
    service = Service("late-task")
    task = service.task()

    assert service.ask(task).status == 404
    service.later(16)
    assert service.ask(task).status == 200


def test_23_an_unknown_id_stays_unknown() -> None:
    service = Service()

    reply = service.ask("task-unified-1785830400-nosuchid")
    service.later(100_000)

    assert reply.status == 404
    assert said(reply)["error"] == {"message": "Task not found", "type": "not_found"}
    assert service.ask("task-unified-1785830400-nosuchid").status == 404


# ---- Results


def test_24_completed_may_come_before_the_results() -> None:
    service = Service("empty-results")
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(12)]

    stories = [[service.finish(task) for _ in range(6)] for task in tasks]

    firsts = [story[0] for story in stories]
    assert all(first["status"] == "completed" for first in firsts)
    assert {json.dumps(first["results"]) for first in firsts} == {"[]", "null"}
    assert any(first["progress"] == 50 for first in firsts)
    assert all(story[-1]["results"] for story in stories)


def test_25_only_a_plain_query_has_the_results() -> None:
    service = Service("empty-when-synced")
    task = service.task()

    plain = service.finish(task)

    assert plain["results"]
    for _ in range(3):
        assert not service.query(task, synced=True)["results"]


def test_26_progress_may_be_missing_stuck_going_back_or_low() -> None:
    service = Service("odd-progress")
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(40)]
    seen: dict[str, list[int | None]] = {task: [] for task in tasks}
    for _ in range(60):
        service.later(1)
        for task in tasks:
            seen[task].append(service.query(task).get("progress"))
    ends = [service.finish(task).get("progress") for task in tasks]

    stories = [[p for p in story if p is not None] for story in seen.values()]
    assert any(None in story for story in seen.values())
    assert any(s and max(s) == 40 and s.count(40) > 5 for s in stories)
    assert any(a > b for s in stories for a, b in pairwise(s))
    assert any(end is not None and end < 100 for end in ends)


@pytest.mark.parametrize(
    ("plan", "fits"),
    [
        ("failed-full", lambda error: {*error} == {"code", "message", "type"}),
        ("failed-no-code", lambda error: "code" not in error and error["message"]),
        ("failed-text", lambda error: isinstance(error, str)),
        ("failed-null", lambda error: error is None),
    ],
)
def test_27_a_failure_is_told_in_many_forms(plan: str, fits: Any) -> None:  # noqa: ANN401
    service = Service(plan)
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(6)]

    ends = [service.finish(task) for task in tasks]

    failed = [end for end in ends if end["status"] == "failed"]
    assert failed
    assert all(fits(end["error"]) and end["results"] is None for end in failed)


def test_28_a_status_may_be_a_word_that_nobody_knows() -> None:
    service = Service("unknown-status")
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(12)]

    words = {service.finish(task)["status"] for task in tasks}

    assert {"cancelled", "archived"} <= words


def test_29_results_may_have_the_forms_of_older_pages() -> None:
    service = Service("old-form")
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(12)]
    strings = Service("plain-links")

    outputs = [service.finish(task) for task in tasks]
    plain = strings.finish(strings.task())

    assert all("results" not in end for end in outputs)
    assert any("url" in end["output"] for end in outputs)
    assert any("urls" in end["output"] for end in outputs)
    assert all(isinstance(url, str) for url in plain["results"])


def test_30_there_may_be_several_results_and_results_without_a_link() -> None:
    service = Service()
    image = {"model": "gpt-image-2", "prompt": "A cat", "num_outputs": 3}
    voice = {"model": "kling-video-create-voice", "voice_url": "https://a.io/v.mp3"}

    several = said(service.post("/v1/images/generations", image))["id"]
    bare = said(service.post("/v1/videos/generations", voice))["id"]

    urls = [item["url"] for item in service.finish(several)["results"]]
    assert len(set(urls)) == 3
    assert [*service.finish(bare)["results"][0]] == ["voice_id"]


def test_31_a_link_may_have_no_extension_and_the_wrong_type() -> None:
    service = Service("bare-links")

    item = service.finish(service.task())["results"][0]
    reply = service.file(item["url"])

    assert "." not in item["url"].rpartition("/")[2]
    assert reply.status == 200
    assert reply.headers["Content-Type"] != "video/mp4"
    assert isinstance(reply.media, Clip)


def test_32_links_lead_elsewhere_and_dislike_the_key() -> None:
    elsewhere, hops = Service("links-elsewhere"), Service("links-redirected")

    away = elsewhere.finish(elsewhere.task())["results"][0]["url"]
    first = hops.finish(hops.task())["results"][0]["url"]
    second = hops.file(first)
    third = hops.file(second.headers["Location"])

    assert "//sandbox.invalid" not in away
    assert elsewhere.file(away).status == 200
    assert elsewhere.file(away, key=KEY).status == 400
    assert [second.status, third.status] == [302, 302]
    assert hops.file(third.headers["Location"]).status == 200


def test_32_redirects_may_have_no_end() -> None:
    service = Service("links-looping")
    looping = said(hit(service, "links-looping"))["id"]

    url = service.finish(looping)["results"][0]["url"]

    assert service.file(url).headers["Location"].endswith(url.partition("/files")[2])


def test_33_a_link_is_dead_after_a_day() -> None:
    service = Service()
    url = service.finish(service.task())["results"][0]["url"]

    service.later(86_399)
    alive = service.file(url)
    service.later(2)

    assert alive.status == 200
    assert service.file(url).status == 403
    assert service.file(url).status == 403


def test_33_a_download_may_fail_and_then_work() -> None:
    service = Service("file-errors")
    url = service.finish(service.task())["results"][0]["url"]

    statuses = [service.file(url).status for _ in range(5)]

    assert statuses[:-1] == [503, 429, 408, 500]
    assert statuses[-1] == 200


def test_34_a_download_may_be_cut_or_stand_still() -> None:
    cut, stalled = Service("cut-download"), Service("stalled-download")

    halves = cut.file(cut.finish(cut.task())["results"][0]["url"]).delivery
    still = stalled.file(stalled.finish(stalled.task())["results"][0]["url"]).delivery

    assert (halves.ends, 0 < (halves.sent or 0) < 1) == ("dropped", True)
    assert (still.ends, 0 < (still.sent or 0) < 1) == ("stalled", True)
    assert still.stalls_s >= 60


def test_34_its_length_may_be_a_lie() -> None:
    service = Service("wrong-length")
    url = service.finish(service.task())["results"][0]["url"]

    claims = [service.file(url).delivery.claims_bytes for _ in range(2)]

    assert min(claims) < 0 < max(claims)


# ---- Errors


def test_35_the_edge_refuses_the_default_agent_of_python() -> None:
    reply = Service().send("GET", "/v1/models", user_agent="Python-urllib/3.11")
    by_plan = hit(Service("edge-refusal"), "edge-refusal")

    for refused in (reply, by_plan):
        assert (refused.status, refused.body) == (403, b"error code: 1010")
        assert refused.headers["Content-Type"].startswith("text/plain")


def test_36_errors_may_be_pages_or_bare_texts() -> None:
    service = Service("edge-pages")
    task = service.task()

    replies = [service.ask(task) for _ in range(3)]
    large = [uploaded(service, f"{n}.png") for n in range(2)]

    assert [reply.status for reply in replies] == [502, 504, 500]
    assert b"<html" in replies[0].body.lower()
    assert isinstance(said(replies[2])["error"], str)
    assert (large[1].status, large[1].headers["Content-Type"]) == (413, "text/html")


def test_37_codes_may_be_numbers_and_types_have_three_vocabularies() -> None:
    service = Service("odd-errors")

    numbered = said(hit(service, "number-for-a-code"))["error"]
    ours = said(Service().submit(duration=5))["error"]

    assert isinstance(numbered["code"], int)
    assert numbered["type"] == "validation_error"
    assert ours["type"] == "invalid_request_error"
    assert "code" not in ours


# ---- Files


def test_38_a_full_store_refuses_or_forgets() -> None:
    service = Service(upload_files=2)
    first, _ = said(uploaded(service, "1.png")), uploaded(service, "2.png")

    refused = uploaded(service, "3.png", auto_cleanup=False)
    before = service.file(first["url"]).status
    accepted = uploaded(service, "4.png")

    assert refused.status == 403
    assert said(refused)["error"]["type"] == "permission_error"
    assert (before, accepted.status) == (200, 200)
    assert service.file(first["url"]).status == 404


@pytest.mark.parametrize("switch", ["refuse", "fail"])
def test_39_an_upload_is_dead_after_three_days(switch: Any) -> None:  # noqa: ANN401
    service = Service(switches=Switches(dead_inputs=switch))
    url = said(uploaded(service))["url"]
    asked: dict[str, Any] = {"generation_type": "image-to-video", "image_urls": [url]}
    alive = service.submit(**asked)

    service.later(72 * 3600)
    dead = service.submit(**asked)

    assert (alive.status, service.file(url).status) == (200, 404)
    if switch == "refuse":
        assert dead.status == 422
        assert said(dead)["error"]["code"] == "invalid_image_url"
    else:
        assert service.finish(said(dead)["id"])["status"] == "failed"


# ---- Time


def test_40_a_generation_may_take_very_long_and_still_end() -> None:
    service, ordinary = Service("slow"), Service()
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(3)]
    usual = ordinary.sandbox.tasks[ordinary.task()]

    slow = service.sandbox.tasks[tasks[0]]

    assert slow.ends_at - START > 3 * (usual.ends_at - START)
    assert service.finish(tasks[0])["status"] == "completed"


def test_41_the_estimate_is_only_a_hint() -> None:
    service = Service("wrong-estimate")

    created = said(service.submit())
    service.later(20 * 45)

    assert created["task_info"]["estimated_time"] == 45
    assert service.query(created["id"])["status"] == "processing"


@pytest.mark.parametrize(("switch", "left"), [("never", 920), ("failed", 1000)])
def test_42_a_failed_task_keeps_what_was_reserved(
    switch: Any,  # noqa: ANN401
    left: int,
) -> None:
    service = Service("failed-full", credits=1000, switches=Switches(refunds=switch))
    task = said(hit(service, "failed-full"))["id"]
    made = len(service.sandbox.tasks)

    ended = service.finish(task)

    assert ended["status"] == "failed"
    spent_before = (made - 1) * 80
    credits_left = said(service.get("/v1/account/credits"))["credits_left"]
    assert credits_left == left - spent_before


def test_43_failures_for_content_and_failures_of_the_service_differ() -> None:
    service = Service("failures")
    tasks = [service.task(prompt=f"{LONG} {n}") for n in range(12)]

    ends = [service.finish(task) for task in tasks]

    codes = {end["error"]["code"] for end in ends if end["status"] == "failed"}
    assert codes == {"content_policy_violation", "service_error"}


# ---- Models


def test_44_a_model_may_be_unknown_to_a_key_or_without_a_channel() -> None:
    closed = Service(closed=frozenset({"veo-3.1-fast"}))

    not_enabled = Service("model-not-enabled").submit()
    no_channel = closed.submit()

    assert said(not_enabled)["error"]["code"] == "model_not_found"
    assert said(no_channel)["error"]["code"] == "no_compatible_channel"
    assert [not_enabled.status, no_channel.status] == [422, 422]


def test_45_a_model_may_vanish() -> None:
    service = Service("model-vanishes")

    before = service.submit()
    service.later(61)

    assert before.status == 200
    assert said(service.submit())["error"]["code"] == "model_not_found"


# ---- Callbacks


def _template(service: Service, url: str = "http://127.0.0.1:9/done") -> Reply:
    body = {"model": "wan2.6-t2v", "prompt": LONG, "callback_url": url}
    return service.post("/v1/videos/generations", body)


@pytest.mark.parametrize(
    ("plan", "times"), [("", 1), ("callbacks-twice", 2), ("callbacks-never", 0)]
)
def test_46_a_report_comes_once_twice_or_never(plan: str, times: int) -> None:
    service = Service(plan, switches=Switches(callbacks="loopback"))
    task = said(_template(service))["id"]

    shown = service.finish(task)
    due, _ = due_callbacks(service.sandbox, service.now)

    assert len(due) == times
    assert all(json.loads(report.body)["id"] == shown["id"] for report in due)


def test_46_a_report_that_nobody_takes_comes_four_times() -> None:
    service = Service(switches=Switches(callbacks="loopback"))
    service.finish(said(_template(service))["id"])
    waits: list[float] = []
    next_at: float | None = service.now

    while next_at is not None:
        waits.append(next_at - service.now)
        service.now = next_at
        (report,), _ = due_callbacks(service.sandbox, service.now)
        callback_answered(service.sandbox, report.id, 500, service.now)
        _, next_at = due_callbacks(service.sandbox, service.now)

    assert waits == [0, 1, 2, 4]


def test_46_veo_has_no_callback_and_others_only_public_https() -> None:
    service = Service()
    url = "https://example.com/done"

    veo = service.submit(callback_url=url)

    assert said(veo)["error"]["message"] == "Unknown field: callback_url"
    assert _template(service, url).status == 200
    for wrong in ("http://example.com/", "https://10.1.2.3/", "https://localhost/"):
        assert _template(service, wrong).status == 422


# ---- And


def test_47_a_message_may_echo_the_prompt_and_the_key() -> None:
    service = Service("echo")

    message = said(hit(service, "echo"))["error"]["message"]

    assert "request_id: " in message
    assert LONG in message
    assert KEY in message


def test_48_usage_comes_and_goes() -> None:
    service = Service("usage-comes-and-goes")
    created = [said(service.submit(prompt=f"{LONG} {n}")) for n in range(12)]

    both = [("usage" in c, "usage" in service.query(c["id"])) for c in created]

    assert set(both) == {(True, False), (False, True)}


def test_49_account_routes_have_their_own_ways() -> None:
    service = Service(keys={KEY: 500, "sk-rich": None})
    service.submit()

    bad = service.get("/api/usage/token/", key="sk-bad")
    rich = said(service.get("/dashboard/billing/subscription", key="sk-rich"))
    usage = said(service.get("/dashboard/billing/usage"))
    token = said(service.get("/api/usage/token/"))["data"]

    assert bad.status == 200
    assert said(bad)["success"] is False
    assert rich["hard_limit_usd"] == 100_000_000
    assert usage["total_usage"] == 100 * token["total_used"] / 500_000
    assert token["total_available"] == token["total_granted"] - token["total_used"]


def test_50_a_task_belongs_to_the_key_that_made_it() -> None:
    service = Service()
    task = service.task()

    reply = service.ask(task, key="sk-other")

    assert reply.status == 404
    assert said(reply)["error"]["type"] == "not_found"
