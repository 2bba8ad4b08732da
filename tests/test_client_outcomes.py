"""What a service's answer means, as tables."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, strategies as st

import foxbatch.client
from foxbatch.canonical import Json
from foxbatch.client import (
    Accepted,
    PollDenied,
    PollOutcome,
    PollTrouble,
    Refused,
    SubmitOutcome,
    TaskError,
    TaskMissing,
    TaskSeen,
    Unknown,
)
from foxbatch.client.outcomes import (
    classify_poll,
    classify_submit,
    usable_task_id,
)
from foxbatch.events import ResultItem, TaskId
from foxbatch.provider import Provider, SubmitRule, load_provider

KEY = "sk-invented-for-this-test"
TASK = TaskId("task-unified-1785830400-k3v9qd2m")
JSON = {"Content-Type": "application/json"}
FOXAPI = load_provider("foxapi", base=Path())


def body(value: Json) -> bytes:
    return json.dumps(value).encode()


def error(code: str = "", kind: str = "invalid_request_error") -> bytes:
    said: dict[str, Json] = {"message": "Said by the service", "type": kind}
    if code:
        said["code"] = code
    return body({"error": said})


def submitted(status: int, content: bytes) -> SubmitOutcome:
    return classify_submit(FOXAPI, status, JSON, content, secrets=(KEY,))


def polled(status: int, content: bytes) -> PollOutcome:
    return classify_poll(FOXAPI, TASK, status, JSON, content, secrets=(KEY,))


CHANNEL = error("no_compatible_channel", "service_unavailable_error")
PAGE = b"<!doctype html><title>Portal</title>"


class TestSubmitTable:
    @pytest.mark.parametrize("status", [200, 201, 202, 299])
    def test_success_with_an_id_is_an_acceptance(self, status: int) -> None:
        outcome = submitted(status, body({"id": TASK, "status": "pending"}))

        assert isinstance(outcome, Accepted)
        assert outcome.task == outcome.view.task == TASK

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="an empty body"),
            pytest.param(PAGE, id="a page"),
            pytest.param(b'{"id": "task-1"', id="half a body"),
            pytest.param(b"\xff\xfe", id="no text at all"),
            pytest.param(b"[" * 100_000, id="nesting without end"),
            pytest.param(body([]), id="a list"),
            pytest.param(body({"status": "pending"}), id="no id"),
            pytest.param(body({"id": None}), id="an id that is null"),
            pytest.param(body({"id": ""}), id="an empty id"),
            pytest.param(body({"id": 17}), id="a number as id"),
            pytest.param(body({"id": "a/b"}), id="an id with a slash"),
            pytest.param(body({"id": ".."}), id="an id that climbs"),
            pytest.param(body({"id": "a" * 257}), id="an id that is too long"),
            pytest.param(body({"id": "a\n"}), id="an id with a newline"),
        ],
    )
    def test_success_without_a_usable_id_is_unknown(self, content: bytes) -> None:
        assert isinstance(submitted(200, content), Unknown)

    def test_task_id_is_read_where_id_cannot_be_used(self) -> None:
        outcome = submitted(200, body({"id": 17, "task_id": TASK}))

        assert isinstance(outcome, Accepted)
        assert outcome.task == TASK

    @pytest.mark.parametrize(
        ("status", "content", "scope", "error_class", "code"),
        [
            (400, error(), "job", "input", "400"),
            (413, b"<html>too large</html>", "job", "input", "413"),
            (422, error(), "job", "input", "422"),
            (422, error("model_not_found"), "job", "input", "model_not_found"),
            (422, CHANNEL, "later", "capacity", "no_compatible_channel"),
            (
                422,
                error("no_available_model"),
                "later",
                "capacity",
                "no_available_model",
            ),
            (422, error("model_unavailable"), "later", "capacity", "model_unavailable"),
            (422, error("", "service_unavailable_error"), "later", "capacity", "422"),
            (503, CHANNEL, "later", "capacity", "no_compatible_channel"),
            (429, body({"error": "rate limited"}), "later", "rate", "429"),
            (401, error("", "authentication_error"), "account", "account", "401"),
            (402, error("", "insufficient_quota"), "account", "credit", "402"),
            (403, b"error code: 1010", "account", "account", "403"),
            (301, b"", "address", "address", "301"),
            (307, b"", "address", "address", "307"),
            (404, PAGE, "address", "address", "404"),
            (405, b"", "address", "address", "405"),
            (407, b"", "address", "address", "407"),
            (410, b"", "address", "address", "410"),
            (415, b"", "address", "address", "415"),
            (421, b"", "address", "address", "421"),
            (426, b"", "address", "address", "426"),
            (501, b"", "address", "address", "501"),
        ],
    )
    def test_refusals(
        self, status: int, content: bytes, scope: str, error_class: str, code: str
    ) -> None:
        outcome = submitted(status, content)

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.error_class) == (scope, error_class)
        assert (outcome.status, outcome.code) == (status, code)

    @pytest.mark.parametrize(
        ("status", "content"),
        [
            (500, error("", "server_error")),
            (500, CHANNEL),
            (502, b"<html>502 Bad Gateway</html>"),
            (503, error("", "service_unavailable")),
            (503, error("", "service_unavailable_error")),
            (503, b""),
            (504, b""),
            (520, b""),
            (408, b""),
            (409, error()),
            (418, b""),
            (425, b""),
            (451, b""),
        ],
    )
    def test_anything_else_is_unknown(self, status: int, content: bytes) -> None:
        outcome = submitted(status, content)

        assert isinstance(outcome, Unknown)
        assert outcome.evidence.status == status

    @given(status=st.integers(100, 999), content=st.binary(max_size=200))
    def test_no_answer_is_beyond_the_table(self, status: int, content: bytes) -> None:
        assert isinstance(submitted(status, content), get_args(SubmitOutcome))

    def test_the_wait_the_service_asks_for_is_handed_on(self) -> None:
        outcome = classify_submit(FOXAPI, 429, {"retry-after": "3"}, b"")

        assert isinstance(outcome, Refused)
        assert outcome.retry_after == "3"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (error(), "Said by the service"),
            (body({"error": "a bare text"}), "a bare text"),
            (body({"message": "no wrapper"}), "no wrapper"),
            (body({"data": {"error": {"message": "wrapped"}}}), "wrapped"),
            (body("just text"), "just text"),
            (b"plain text\n", "plain text"),
            (body([1]), "[1]"),
        ],
    )
    def test_the_message_is_found_in_every_shape(
        self, content: bytes, message: str
    ) -> None:
        outcome = submitted(400, content)

        assert isinstance(outcome, Refused)
        assert outcome.message == message

    @pytest.mark.parametrize(
        ("status", "headers", "content", "message"),
        [
            pytest.param(
                302,
                {"Location": "https://login.test/"},
                b"<html>Found</html>",
                "it redirects to https://login.test/",
                id="a redirect says where to",
            ),
            pytest.param(
                302, {}, b"", "Found", id="a redirect that leads nowhere has its phrase"
            ),
            pytest.param(404, {}, b"", "Not Found", id="no words: the phrase"),
            pytest.param(404, {}, b" 404\n", "Not Found", id="the status once more"),
            pytest.param(
                404,
                {},
                body({"error": {"message": "404"}}),
                "Not Found",
                id="a message that is the status",
            ),
            pytest.param(403, {}, PAGE, "a page came: Portal", id="a page's title"),
            pytest.param(403, {}, b"<html>x", "a page came", id="a page without one"),
        ],
    )
    def test_the_message_is_never_just_the_status(
        self, status: int, headers: dict[str, str], content: bytes, message: str
    ) -> None:
        refused = classify_submit(FOXAPI, status, headers, content, secrets=(KEY,))

        assert isinstance(refused, Refused)
        assert refused.message == message

    def test_a_status_that_nobody_knows_has_no_phrase(self) -> None:
        rule = SubmitRule(
            statuses=((499, 499),),
            codes=frozenset(),
            types=frozenset(),
            means="input",
            error_class="input",
        )
        provider = replace(FOXAPI, submit_rules=(rule,))

        refused = classify_submit(provider, 499, {}, b"")

        assert isinstance(refused, Refused)
        assert refused.message == "it gives no reason"

    def test_a_code_may_be_a_number(self) -> None:
        outcome = submitted(400, body({"error": {"code": 1234, "message": "x"}}))

        assert isinstance(outcome, Refused)
        assert outcome.code == "1234"

    def test_what_was_said_is_kept_as_evidence(self) -> None:
        headers = {
            "Content-Type": "text/html",
            "X-Request-Id": "abc",
            "CF-Ray": "ray",
            "Set-Cookie": "session=1",
        }

        outcome = classify_submit(FOXAPI, 502, headers, b"<h1>Bad Gateway</h1>")

        assert isinstance(outcome, Unknown)
        assert outcome.evidence.reply == "<h1>Bad Gateway</h1>"
        assert outcome.evidence.headers == {
            "content-type": "text/html",
            "x-request-id": "abc",
            "cf-ray": "ray",
        }


class TestPollTable:
    @pytest.mark.parametrize(
        ("status", "content", "kind"),
        [
            (200, body({"id": TASK, "status": "processing"}), TaskSeen),
            (200, body({"status": "processing"}), TaskSeen),
            (200, body({"id": "another", "status": "processing"}), PollTrouble),
            (200, body({"id": TASK}), PollTrouble),
            (200, PAGE, PollTrouble),
            (404, error("", "not_found"), TaskMissing),
            (410, b"", TaskMissing),
            (401, error(), PollDenied),
            (402, error(), PollDenied),
            (403, b"error code: 1010", PollDenied),
            (302, b"", PollDenied),
            (405, b"", PollDenied),
            (400, error(), PollTrouble),
            (422, CHANNEL, PollTrouble),
            (429, b"", PollTrouble),
            (500, b"", PollTrouble),
            (502, PAGE, PollTrouble),
            (503, CHANNEL, PollTrouble),
        ],
    )
    def test_answers(self, status: int, content: bytes, kind: type) -> None:
        assert type(polled(status, content)) is kind

    def test_a_denial_says_why(self) -> None:
        outcome = polled(401, error("key_expired", "authentication_error"))

        assert outcome == PollDenied(401, "key_expired", "Said by the service")

    def test_trouble_hands_on_the_wait(self) -> None:
        outcome = classify_poll(FOXAPI, TASK, 429, {"Retry-After": "9"}, b"")

        assert outcome == PollTrouble("status 429", "9", 429, "rate")

    @given(status=st.integers(100, 999), content=st.binary(max_size=200))
    def test_no_answer_is_beyond_the_table(self, status: int, content: bytes) -> None:
        assert isinstance(polled(status, content), get_args(PollOutcome))


class TestView:
    def seen(self, **fields: Json) -> TaskSeen:
        answer: dict[str, Json] = {"id": TASK, "status": "processing"}
        outcome = polled(200, body(answer | fields))
        assert isinstance(outcome, TaskSeen)
        return outcome

    def test_everything_that_was_said(self) -> None:
        view = self.seen(
            status="completed",
            progress=100,
            model="veo-3.1-really",
            created=1785830400,
            results=[{"url": "https://cdn.example/a.mp4", "seed": 7, "width": 1280}],
            usage={"credits_reserved": 252, "user_group": "default"},
        ).view

        assert view.state == "completed"
        assert view.results == (
            ResultItem(
                url="https://cdn.example/a.mp4", extras={"seed": 7, "width": 1280}
            ),
        )
        assert (view.credits, view.progress, view.created) == (252, 100, 1785830400)
        assert view.reported_model == "veo-3.1-really"
        assert view.extras == {"seed": 7}
        assert '"credits_reserved": 252' in view.raw

    @pytest.mark.parametrize("credits_", [-1, 1e308, "1e400", "nan", True, [28]])
    def test_credits_that_are_no_amount_are_not_said(self, credits_: Json) -> None:
        assert self.seen(usage={"credits_reserved": credits_}).view.credits is None

    def test_almost_nothing_was_said(self) -> None:
        view = self.seen().view

        assert (view.word, view.state, view.known) == ("processing", "running", True)
        assert (view.progress, view.credits, view.created) == (None, None, None)
        assert (view.reported_model, view.extras, view.error) == (None, {}, None)

    @pytest.mark.parametrize(
        ("word", "state", "known"),
        [
            ("pending", "running", True),
            ("processing", "running", True),
            ("failed", "failed", True),
            ("cancelled", "failed", True),
            ("archived", "running", False),
            ("Completed", "running", False),
        ],
    )
    def test_an_unknown_word_ends_nothing(
        self, word: str, state: str, *, known: bool
    ) -> None:
        view = self.seen(status=word).view

        assert (view.word, view.state, view.known) == (word, state, known)

    @pytest.mark.parametrize("results", [None, [], "", [None], [{}], [""]], ids=repr)
    def test_completed_without_results_still_runs(self, results: Json) -> None:
        view = self.seen(status="completed", results=results, progress=50).view

        assert (view.state, view.empty, view.results) == ("running", True, ())

    @pytest.mark.parametrize(
        ("fields", "items"),
        [
            pytest.param(
                {"results": [{"url": "https://a", "content_type": "image/png"}]},
                (ResultItem(url="https://a", content_type="image/png"),),
                id="an object with an address",
            ),
            pytest.param(
                {"results": ["https://a", "https://b"]},
                (ResultItem(url="https://a"), ResultItem(url="https://b")),
                id="addresses alone",
            ),
            pytest.param(
                {"results": [{"voice_id": "vx_1"}]},
                (ResultItem(extras={"voice_id": "vx_1"}),),
                id="an object without an address",
            ),
            pytest.param(
                {"results": {"url": "https://a"}},
                (ResultItem(url="https://a"),),
                id="one object",
            ),
            pytest.param(
                {"results": None, "output": {"url": "https://a", "duration": 8}},
                (ResultItem(url="https://a"),),
                id="the old form with one address",
            ),
            pytest.param(
                {"output": {"url": "https://a", "urls": ["https://a", "https://b"]}},
                (ResultItem(url="https://a"), ResultItem(url="https://b")),
                id="the old form with several",
            ),
            pytest.param(
                {"results": [{"url": 5, "content_type": []}, 7]},
                (ResultItem(), ResultItem(extras={"value": 7})),
                id="nonsense",
            ),
        ],
    )
    def test_results_come_in_many_shapes(
        self, fields: dict[str, Json], items: tuple[ResultItem, ...]
    ) -> None:
        assert self.seen(status="completed", **fields).view.results == items

    def test_results_of_a_task_that_runs_are_not_looked_at(self) -> None:
        assert self.seen(results=["https://a"]).view.results == ()

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (
                {
                    "code": "content_policy_violation",
                    "message": "No",
                    "type": "task_error",
                },
                TaskError("content", "content_policy_violation", "No"),
            ),
            (
                {"message": "generation failed"},
                TaskError("unknown", "", "generation failed"),
            ),
            ("a bare text", TaskError("unknown", "", "a bare text")),
            (None, TaskError("unknown", "", "")),
            ([1], TaskError("unknown", "", "")),
        ],
        ids=repr,
    )
    def test_failures_come_in_many_shapes(
        self, said: Json, expected: TaskError
    ) -> None:
        assert self.seen(status="failed", error=said).view.error == expected

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (40, 40.0),
            ("40", 40.0),
            (-3, -3.0),
            ("soon", None),
            (True, None),
            ([], None),
        ],
        ids=repr,
    )
    def test_progress_is_a_number_or_nothing(
        self, said: Json, expected: float | None
    ) -> None:
        assert self.seen(progress=said).view.progress == expected

    @pytest.mark.parametrize("said", [b"NaN", b"1e999", b'"inf"', b'"nan"'])
    def test_numbers_that_are_none_end_nothing(self, said: bytes) -> None:
        content = b'{"status": "processing", "progress": ' + said + b"}"

        outcome = polled(200, content)

        assert isinstance(outcome, PollTrouble) or (
            isinstance(outcome, TaskSeen) and outcome.view.progress is None
        )


class TestSecrets:
    def test_no_part_of_an_outcome_holds_the_key(self) -> None:
        content = body({"error": {"code": KEY, "message": f"Bad key {KEY}"}})

        refused = classify_submit(
            FOXAPI, 400, {"location": f"/?key={KEY}"}, content, secrets=(KEY,)
        )
        denied = classify_poll(FOXAPI, TASK, 401, {}, content, secrets=(KEY,))
        failed = polled(
            200, body({"status": "failed", "error": {"code": KEY, "message": KEY}})
        )

        assert KEY not in f"{refused} {denied} {failed}"

    @pytest.mark.parametrize("status", ["completed", "failed", KEY])
    def test_a_key_that_comes_back_anywhere_is_kept_nowhere(self, status: str) -> None:
        said: Json = {
            "task_id": TASK,
            "status": status,
            "model": KEY,
            "seed": [{KEY: f"Bearer {KEY}"}],
            "error": {"code": KEY, "message": KEY},
            "results": [
                {
                    "url": f"https://cdn.test/{KEY}/a.mp4",
                    "content_type": KEY,
                    "debug": {KEY: [KEY]},
                },
                KEY,
                [KEY],
            ],
        }
        headers = {"retry-after": KEY, "location": KEY}

        accepted = classify_submit(FOXAPI, 200, headers, body(said), secrets=(KEY,))
        seen = classify_poll(FOXAPI, TASK, 200, headers, body(said), secrets=(KEY,))
        trouble = classify_poll(FOXAPI, TASK, 429, headers, b"", secrets=(KEY,))

        assert isinstance(accepted, Accepted)
        assert isinstance(seen, TaskSeen)
        assert KEY not in f"{accepted} {seen} {trouble}"
        assert "***" in f"{seen}"

    def test_a_task_id_with_the_key_in_it_cannot_be_used(self) -> None:
        assert isinstance(submitted(200, body({"id": KEY})), Unknown)
        assert isinstance(submitted(200, body({"id": f"task-{KEY}"})), Unknown)

    def test_a_signature_that_looks_like_a_key_stays_in_an_address(self) -> None:
        url = "https://cdn.test/a.mp4?authorization=Bearer+abcdefgh&sig=sk-abcdefghij"
        results: Json = [{"url": url, "note": "sk-abcdefghij"}, url, ["sk-abcdefghij"]]

        seen = polled(200, body({"status": "completed", "results": results}))

        assert isinstance(seen, TaskSeen)
        assert seen.view.results == (
            ResultItem(url=url, extras={"note": "sk-***"}),
            ResultItem(url=url),
            ResultItem(extras={"value": ["sk-***"]}),
        )

    def test_a_task_id_is_no_key_whatever_it_looks_like(self) -> None:
        outcome = submitted(200, body({"id": "sk-abcdefghij", "status": "pending"}))

        assert isinstance(outcome, Accepted)
        assert outcome.task == "sk-abcdefghij"

    def test_a_task_is_not_lost_to_an_answer_that_is_nested_deeply(self) -> None:
        nested = b'{"id": "task-1", "seed": ' + b"[" * 500 + b"]" * 500 + b"}"

        outcome = submitted(200, nested)

        assert isinstance(outcome, Accepted)
        assert outcome.task == "task-1"
        assert "(cut)" in str(outcome.view.extras)

    def test_a_task_id_fits_into_a_path(self) -> None:
        assert usable_task_id("a.b:c~d_e-f") == "a.b:c~d_e-f"
        assert usable_task_id(".") is None


class TestPackage:
    def test_every_public_name_can_be_had(self) -> None:
        for name in foxbatch.client.__all__:
            value = getattr(foxbatch.client, name)

            assert getattr(value, "__name__", name) == name

    def test_another_name_cannot(self) -> None:
        with pytest.raises(AttributeError, match="Nonsense"):
            _ = foxbatch.client.Nonsense

    def test_outcomes_are_had_without_loading_httpx(self) -> None:
        code = (
            "import sys; from foxbatch.client import Refused;"
            " print('httpx' in sys.modules, 'anyio' in sys.modules)"
        )

        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert shown.stdout == "False False\n"


def test_the_sandbox_reads_answers_as_foxapi_does() -> None:
    sandbox: Provider = load_provider("sandbox", base=Path())

    assert isinstance(classify_submit(sandbox, 429, {}, b""), Refused)
    assert isinstance(classify_submit(sandbox, 500, {}, b""), Unknown)
