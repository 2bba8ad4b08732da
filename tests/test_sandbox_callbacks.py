"""Reports of the end of a task, to whoever asked for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxbatch.sandbox import Request, Switches, handle
from foxbatch.sandbox.service.core import callback_answered, due_callbacks
from tests.pretend import START, Service, said


def callback_to(url: str) -> dict[str, Any]:
    return {"model": "wan2.5-t2v", "prompt": "[sandbox:slow 10]", "callback_url": url}


class TestCallbacks:
    @pytest.fixture
    def service(self) -> Service:
        return Service(switches=Switches(callbacks="loopback"))

    def post(self, service: Service, body: dict[str, Any]) -> str:
        reply = service.post("/v1/videos/generations", body)
        assert reply.status == 200, reply.body
        return str(said(reply)["id"])

    def test_a_report_holds_what_a_query_says(self, service: Service) -> None:
        task = self.post(service, callback_to("http://127.0.0.1:9/x"))

        early, next_at = due_callbacks(service.sandbox, START + 9)
        elsewhere = Request(method="GET", path="/v1/models", base_url="http://[::1]:1")
        handle(service.sandbox, elsewhere, START + 9)
        (due,), none = due_callbacks(service.sandbox, START + 10)

        assert (early, next_at, none) == ([], START + 10, None)
        assert due.url == "http://127.0.0.1:9/x"
        told = json.loads(due.body)
        assert told["results"] == [{"url": f"http://[::1]:1/files/{task}/0.mp4"}]
        service.now = START + 10
        assert told.keys() == service.query(task).keys()

    def test_nobody_else_is_called(self, service: Service) -> None:
        self.post(service, callback_to("https://example.com/x"))

        due, _ = due_callbacks(service.sandbox, START + 10)

        assert due == []
        assert service.sandbox.reported == {"not sent": 1}

    def test_it_is_tried_three_times_more(self, service: Service) -> None:
        self.post(service, callback_to("http://localhost:9/x"))
        now, waits = START + 10, []
        (due,), _ = due_callbacks(service.sandbox, now)
        for _ in range(3):
            callback_answered(service.sandbox, due.id, 500, now)
            (due,), _ = due_callbacks(service.sandbox, now + 100)
            waits.append(due.id.due_at - now)
        callback_answered(service.sandbox, due.id, None, now)

        assert waits == [1, 2, 4]
        assert due_callbacks(service.sandbox, now + 100) == ([], None)
        assert service.sandbox.reported == {"failed": 4}

    @pytest.mark.parametrize("status", [200, 204, 299])
    def test_any_2xx_is_enough(self, service: Service, status: int) -> None:
        self.post(service, callback_to("http://[::1]:9/x"))
        (due,), _ = due_callbacks(service.sandbox, START + 10)

        callback_answered(service.sandbox, due.id, status, START + 10)

        assert due_callbacks(service.sandbox, START + 100) == ([], None)

    @pytest.mark.parametrize(
        "body",
        [
            {
                "model": "wan2.5-t2v",
                "prompt": 'say "callback_url"',
                "model_params": {"callback_url": "http://127.0.0.1:9/"},
            },
            {"model": "veo-3.1", "prompt": "x", "advanced": {"callback_url": "y"}},
        ],
        ids=["within model_params", "within advanced"],
    )
    def test_the_word_alone_is_no_wish(
        self, service: Service, body: dict[str, Any]
    ) -> None:
        self.post(service, body)

        assert due_callbacks(service.sandbox, START + 1e6) == ([], None)

    def test_a_language_model_reports_to_nobody(self, service: Service) -> None:
        body = {"model": "kimi-k2.6", "prompt": "x", "callback_url": "http://[::1]/"}
        service.post("/v1/llm/generations", body)

        assert due_callbacks(service.sandbox, START + 1e6) == ([], None)
