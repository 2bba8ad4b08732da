"""Making tasks: every model on its route, bodies, digests, links, orders in prompts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from foxbatch.sandbox import Reply, Switches
from foxbatch.sandbox.messages import Record, Task, Twist
from foxbatch.sandbox.service.catalogue import Model, models, variants
from foxbatch.sandbox.service.state import Sandbox
from foxbatch.sandbox.service.submissions import submit
from tests.pretend import START, VEO, Service, said
from tests.smallest import ALL, LINK, smallest

ROUTE = "/v1/videos/generations"
ROUTES = ("videos", "images", "audios", "audio", "run", "llm")


def error(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = said(reply)["error"]
    return value


def sent(service: Service, body: bytes, **headers: str) -> Reply:
    named: Any = {"content_type": "application/json", **headers}
    return service.send("POST", ROUTE, body, **named)


# ---- Replies


def test_the_reply_has_the_documented_form() -> None:
    reply = Service().submit(model="veo-3.1", generate_audio=True)

    value = said(reply)
    task = str(value.pop("id"))
    assert value == {
        "created": int(START),
        "model": "veo-3.1",
        "object": "video.generation.task",
        "progress": 0,
        "status": "pending",
        "task_info": {"can_cancel": True, "estimated_time": 60},
        "type": "video",
        "usage": {"credits_reserved": 252, "user_group": "default"},
    }
    prefix, created, letters = task.rsplit("-", 2)
    assert (prefix, created) == ("task-unified", str(int(START)))
    assert len(letters) == 8
    assert letters.isalnum()
    assert letters == letters.lower()


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
class TestEveryModel:
    def test_its_smallest_request_becomes_a_task_that_completes(
        self, model: Model
    ) -> None:
        service = Service()

        created = said(service.post(model.route, smallest(model)))
        told = service.finish(created["id"])

        assert (created["type"], created["status"]) == (model.kind, "pending")
        assert created["object"] == told["object"] == f"{model.kind}.generation.task"
        assert (told["status"], told["progress"], told["error"]) == (
            "completed",
            100,
            None,
        )
        assert told["usage"] == created["usage"]
        assert told["results"]
        assert all(isinstance(item, dict) for item in told["results"])

    def test_no_other_route_knows_it(self, model: Model) -> None:
        service = Service()
        paths = [f"/v1/{path}/generations" for path in ROUTES if path != model.path]

        replies = [service.post(path, smallest(model)) for path in paths]

        assert {reply.status for reply in replies} == {422}
        codes = [error(reply)["code"] for reply in replies]
        assert set(codes) == {"model_not_found", "no_available_model"}
        assert not service.sandbox.tasks

    def test_a_wrong_request_makes_nothing(self, model: Model) -> None:
        service = Service()

        reply = service.post(model.route, {**smallest(model), "node_id": 1})

        assert reply.status == 422
        assert error(reply) == {
            "message": "Unknown field: node_id",
            "type": "invalid_request_error",
        }
        assert not service.sandbox.tasks
        assert not reply.records


@pytest.mark.parametrize(
    ("reply", "there", "missing"),
    [
        ("full", {"id", "created", "usage"}, set()),
        ("documented", {"id", "created", "task_info"}, {"usage"}),
        ("lean", {"id", "usage"}, {"created", "progress", "task_info"}),
        ("task-id", {"task_id", "created"}, {"id"}),
    ],
)
def test_replies_have_the_fields_that_the_story_says(
    reply: Any,  # noqa: ANN401
    there: set[str],
    missing: set[str],
) -> None:
    told = said(submitted(Twist(reply=reply)))

    assert told.keys() >= there
    assert not told.keys() & missing


def submitted(twist: Twist, **options: Any) -> Reply:  # noqa: ANN401
    """Submit a request whose story is *twist*, as a fault plan would."""
    from foxbatch.sandbox import Request

    request = Request(
        method="POST",
        path=ROUTE,
        headers={"content-type": "application/json"},
        body=json.dumps(VEO).encode(),
    )
    sandbox = Service(**options).sandbox
    return submit(sandbox, request, START, path="videos", twist=twist)


@pytest.mark.parametrize(
    ("twist", "speed", "estimated_s"),
    [
        (Twist(), 1, 30),
        (Twist(), 60, 1),
        (Twist(), 4, 8),
        (Twist(estimated_s=45), 1, 45),
        (Twist(estimated_s=45), 3, 15),
        (Twist(born="completed"), 1, 1),
    ],
)
def test_the_estimate_is_in_real_seconds(
    twist: Twist, speed: float, estimated_s: int
) -> None:
    info = said(submitted(twist, speed=speed))["task_info"]

    assert info["estimated_time"] == estimated_s


@pytest.mark.parametrize(
    ("born", "progress"),
    [("pending", 0), ("processing", 0), ("completed", 100), ("failed", 0)],
)
def test_a_task_may_be_born_in_any_state(born: Any, progress: int) -> None:  # noqa: ANN401
    told = said(submitted(Twist(born=born)))

    assert (told["status"], told["progress"]) == (born, progress)


def test_a_task_born_failed_says_why() -> None:
    (task,) = submitted(Twist(born="failed")).records

    assert isinstance(task, Task)
    assert (task.twist.fails, task.ends_at) == ("generation_failed", START)


def test_the_new_task_is_handed_to_whoever_stores_it() -> None:
    service = Service()

    reply = service.submit()

    (task,) = reply.records
    assert service.sandbox.tasks == {said(reply)["id"]: task}


# ---- Bodies


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"model":', 400, "Request body is not valid JSON"),
        (b"", 400, "Request body is not valid JSON"),
        (b'{"seed": NaN}', 400, "Request body is not valid JSON"),
        (b'{"seed": 1e999}', 400, "Request body is not valid JSON"),
        (b'{"prompt": "\xff"}', 400, "Request body is not valid JSON"),
        (b'{"prompt": "\\ud800"}', 400, "Request body is not valid JSON"),
        (b'{"a": 1} {"b": 2}', 400, "Request body is not valid JSON"),
        (b"[" * 200_000, 400, "Request body is not valid JSON"),
        (b"[1]", 422, "Request body must be a JSON object"),
        (b"null", 422, "Request body must be a JSON object"),
        (b"{}", 422, "Missing field: model"),
        (b'{"model": 5}', 422, "model must be a string"),
        (b'{"model": null}', 422, "model must be a string"),
        (b'{"model": "x"}', 422, "Model x does not exist or is not enabled"),
    ],
)
def test_broken_bodies_are_refused(body: bytes, status: int, message: str) -> None:
    service = Service()

    reply = sent(service, body)

    assert (reply.status, error(reply)["message"]) == (status, message)
    assert error(reply)["type"] == "invalid_request_error"
    assert not service.sandbox.tasks


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 400),
        ("", 400),
        ("application/json-seq", 400),
        ("multipart/form-data; boundary=x", 400),
    ],
)
def test_the_content_type_is_json(content_type: str, status: int) -> None:
    body = json.dumps(VEO).encode()

    assert sent(Service(), body, content_type=content_type).status == status


def test_the_last_of_two_equal_keys_counts() -> None:
    service = Service()

    reply = sent(service, b'{"model":"x","model":"veo-3.1","prompt":"a","prompt":"b"}')

    (task,) = service.sandbox.tasks.values()
    assert reply.status == 200
    assert json.loads(task.asked)["prompt"] == "b"


# ---- Channels and ids with brackets


class TestModels:
    @pytest.mark.parametrize(
        ("no_channel", "status", "kind"),
        [
            ("422", 422, "service_unavailable_error"),
            ("503", 503, "service_unavailable"),
        ],
    )
    def test_a_model_without_a_channel_is_refused(
        self,
        no_channel: Any,  # noqa: ANN401
        status: int,
        kind: str,
    ) -> None:
        closed = frozenset({"veo-3.1-fast", "kimi-k2.6"})
        service = Service(closed=closed, switches=Switches(no_channel=no_channel))

        replies = [
            service.submit(),
            service.post("/v1/llm/generations", {"model": "kimi-k2.6", "prompt": "x"}),
        ]

        assert {reply.status for reply in replies} == {status}
        for reply in replies:
            told = error(reply)
            assert (told["type"], told["code"]) == (kind, "no_compatible_channel")

    @pytest.mark.parametrize("name", variants())
    def test_ids_with_brackets_can_be_posted_if_a_switch_says_so(
        self, name: str
    ) -> None:
        strict, wide = Service(), Service(switches=Switches(variant_ids="accept"))
        bare = name.partition("[")[0].rpartition("/")[2]
        body = {**smallest(models()[bare]), "model": name}

        refused, accepted = strict.post(ROUTE, body), wide.post(ROUTE, body)

        assert (refused.status, error(refused)["code"]) == (422, "model_not_found")
        assert (accepted.status, said(accepted)["model"]) == (200, bare)

    @pytest.mark.parametrize(
        "name", ["veo-3.1[8k]", "x/veo-3.1[4k]", "[4k]", "a/veo-3.1"]
    )
    def test_no_other_brackets_are_known(self, name: str) -> None:
        service = Service(switches=Switches(variant_ids="accept"))

        assert service.submit(model=name).status == 422


# ---- Digests and takes


class TestDigests:
    def test_equal_requests_make_different_tasks_and_are_counted(self) -> None:
        service = Service()

        tasks = {service.task() for _ in range(50)}

        assert len(tasks) == 50
        assert list(service.sandbox.takes.values()) == [50]

    def test_neither_the_order_of_keys_nor_space_changes_the_digest(self) -> None:
        service = Service()

        sent(service, json.dumps(dict(VEO)).encode())
        sent(service, json.dumps(dict(reversed([*VEO.items()])), indent=4).encode())

        assert list(service.sandbox.takes.values()) == [2]

    @given(extra=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
    def test_any_difference_is_a_difference(self, extra: dict[str, Any]) -> None:
        service = Service()

        service.submit(model="veo-3.1", advanced=extra)
        service.submit(model="veo-3.1", advanced={**extra, "\0 other": 1})

        assert list(service.sandbox.takes.values()) == [1, 1]

    def test_a_default_that_is_sent_is_another_request(self) -> None:
        service = Service()

        service.submit()
        service.submit(duration=8)

        assert list(service.sandbox.takes.values()) == [1, 1]


# ---- Links to uploads


class TestOwnUploads:
    def upload(self, service: Service, name: str) -> str:
        content = base64.b64encode(b"content of " + name.encode()).decode()
        body = {"file_data": content, "file_name": name}
        return str(said(service.post("/v1/files/upload/base64", body))["url"])

    def submit(self, service: Service, url: str) -> Reply:
        return service.submit(generation_type="image-to-video", image_urls=[url])

    @pytest.mark.parametrize("name", ["a.png", "лиса + (1).png", "%41.png", "ä ö?.png"])
    def test_a_link_works_as_it_was_given(self, name: str) -> None:
        service = Service()
        url = self.upload(service, name)

        assert url.isascii()
        assert self.submit(service, url).status == 200

    def test_a_dead_link_is_refused_or_makes_a_task_that_fails(self) -> None:
        strict, late = Service(), Service(switches=Switches(dead_inputs="fail"))
        url = self.upload(strict, "a.png")
        strict.later(72 * 3600)

        refused, accepted = self.submit(strict, url), self.submit(late, url)

        assert (refused.status, error(refused)["code"]) == (422, "invalid_image_url")
        told = late.finish(said(accepted)["id"])
        assert told["error"]["code"] == "resource_not_found"

    @pytest.mark.parametrize(
        "url",
        [
            "http://sandbox.invalid/uploads/",
            "http://sandbox.invalid/uploads/20260101/1-abcdef012345/a.png",
            "http://sandbox.invalid/uploads/[/a.png",
            "http://sandbox.invalid/uploads/%ff%fe",
        ],
    )
    def test_a_link_to_nothing_is_refused(self, url: str) -> None:
        assert error(self.submit(Service(), url))["code"] == "invalid_image_url"

    def test_what_is_no_picture_is_refused_where_one_is_needed(self) -> None:
        service = Service()

        reply = self.submit(service, self.upload(service, "a.txt"))

        assert error(reply)["code"] == "invalid_file_type"
        assert error(reply)["message"] == "image_urls is text/plain, not an image"

    @pytest.mark.parametrize(
        ("model", "field", "name"),
        [
            ("phota-create-profile", "image_archive_url", "photos.zip"),
            ("scribe-v2", "audio_url", "a.mp3"),
            ("doc2x-v3", "pdf_url", "a.pdf"),
        ],
    )
    def test_other_files_are_welcome_where_they_belong(
        self, model: str, field: str, name: str
    ) -> None:
        service = Service()
        body = smallest(models()[model])
        body[field] = self.upload(service, name)

        assert service.post(models()[model].route, body).status == 200

    def test_links_to_others_are_never_looked_at(self) -> None:
        assert self.submit(Service(), LINK).status == 200


# ---- Orders in prompts


class TestOrders:
    @pytest.mark.parametrize(
        ("order", "status", "ends"),
        [("lost-reply", 200, "dropped"), ("5xx", 502, "whole")],
    )
    def test_a_reply_can_be_lost_while_the_task_exists(
        self, order: str, status: int, ends: str
    ) -> None:
        service = Service()

        reply = service.submit(prompt=f"A fox [sandbox:{order}]")

        assert (reply.status, reply.delivery.ends) == (status, ends)
        assert reply.records == tuple(service.sandbox.tasks.values())

    def test_the_reply_is_lost_before_anything_of_it_left(self) -> None:
        reply = Service().submit(prompt="[sandbox:lost-reply]")

        assert reply.delivery.sent is None


def test_a_restart_from_records_forgets_nothing() -> None:
    service = Service(workers=1, credits=10_000)
    for number in range(5):
        service.task(prompt=f"Fox {number % 2}")
        service.later(7)

    again = Sandbox(options=service.sandbox.options, started_at=START)
    for task in service.sandbox.tasks.values():
        again.remember(task)

    assert again.tasks == service.sandbox.tasks
    assert again.takes == service.sandbox.takes
    assert again.in_flight_peak == service.sandbox.in_flight_peak
    assert again.start_at(service.now) == service.sandbox.start_at(service.now)
    old, new = (box.accounts[task.owner] for box in (service.sandbox, again))
    for account in (old, new):
        account.settle(service.now)
    assert (new.tasks, new.reserved, new.used) == (old.tasks, old.reserved, old.used)


def test_a_restart_knows_uploads_and_what_faults_have_done() -> None:
    service = Service("failures", upload_files=2)
    records: list[Record] = []
    for number in range(40):
        body = {"file_data": base64.b64encode(str(number).encode()).decode()}
        records += service.post("/v1/files/upload/base64", body).records
        records += service.submit(prompt=f"Fox {number}").records

    again = Sandbox(options=service.sandbox.options, started_at=START)
    for record in records:
        again.remember(record)

    assert again.uploads == service.sandbox.uploads
    assert again.tasks == service.sandbox.tasks
    assert again.faults is not None
    assert service.sandbox.faults is not None
    counted = {key: n for key, n in again.faults.fired.items() if n}
    assert counted
    assert counted.items() <= service.sandbox.faults.fired.items()
    plain = Sandbox()
    for record in records:
        plain.remember(record)
    assert plain.tasks == again.tasks


def test_a_story_may_say_how_long_links_last() -> None:
    (task,) = submitted(Twist(links_last_s=60), speed=2).records

    assert isinstance(task, Task)
    assert task.keeps_s == 30


def test_an_id_that_is_taken_is_drawn_again() -> None:
    first, second = Service(), Service()
    task = first.task()
    second.sandbox.tasks[task] = first.sandbox.tasks[task]

    other = second.task()

    assert other != task
