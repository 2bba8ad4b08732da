"""Fault plans: how they are read, what is said of wrong ones, and what they do.

UPDATE_EXPECTED=1 writes anew what is said; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, strategies as st

from foxbatch.errors import ExitCode, InvalidError, UsageError
from foxbatch.sandbox import faults
from foxbatch.sandbox.faults import FaultState, Occasion, Plan, read_plan
from foxbatch.sandbox.faults.plan import (
    Answer,
    Break,
    Burst,
    Close,
    Form,
    Manner,
    Redirect,
    Refuse,
    Rule,
    Spoil,
    Spoilt,
    When,
)
from foxbatch.sandbox.messages import (
    Clip,
    Delivery,
    FaultFired,
    Reply,
    Request,
    Task,
    Twist,
    json_reply,
)
from foxbatch.schema import load_schema

NOW = 1_800_000_000.0
CLIP = Clip(
    width=16,
    height=16,
    duration_s=4,
    audio=False,
    title="veo-3.1",
    prompt="A fox",
    facts=(),
    look="00",
)
TASK = Task(
    id="task-1",
    model="veo-3.1",
    created_at=NOW,
    starts_at=NOW,
    ends_at=NOW,
    keeps_s=1.0,
    asked="{}",
    digest="d",
    take=1,
    credits=1,
    owner="",
)
HONEST = replace(
    json_reply(200, {"id": "task-1", "status": "pending"}), records=(TASK,)
)


# ---- Helpers


def plan_of(*rules: str) -> Plan:
    """Return the plan with *rules*, each in YAML without its name."""
    lines = [f"  - {{name: rule-{n}, {rule}}}" for n, rule in enumerate(rules, 1)]
    return read_plan("\n".join(["foxbatch: 1", "rules:", *lines]), shown_as="it.yaml")


def rule_of(text: str) -> Rule:
    (rule,) = plan_of(text).rules
    return rule


def a_request(**changes: object) -> Request:
    body = msgspec.json.encode({"model": "veo-3.1", "prompt": "A red fox"})
    request = Request(method="POST", path="/v1/videos/generations", body=body)
    return replace(request, **changes)  # type: ignore[arg-type]


def an_occasion(**changes: object) -> Occasion:
    occasion = Occasion(
        route="submit",
        request=a_request(),
        model="veo-3.1",
        scope="digest",
        now=NOW,
        since=0.0,
    )
    return replace(occasion, **changes)  # type: ignore[arg-type]


class Service:
    """Carries requests out, and remembers with which twists."""

    def __init__(self, reply: Reply = HONEST) -> None:
        self.reply, self.twists = reply, list[Twist]()

    def __call__(self, twist: Twist) -> Reply:
        self.twists.append(twist)
        return self.reply


def shaped(
    *rules: str, reply: Reply = HONEST, **changes: object
) -> tuple[Reply, list[Twist]]:
    """Return what becomes of one request under *rules*, and the twists it had."""
    service = Service(reply)
    occasion = an_occasion(**changes)
    return faults.through(
        plan_of(*rules), FaultState(), occasion, service
    ), service.twists


def strikes(plan: Plan, occasions: Iterable[Occasion]) -> list[int]:
    """Return the numbers, from 1, of the *occasions* at which *plan* did something."""
    state = FaultState()
    return [
        number
        for number, occasion in enumerate(occasions, 1)
        if faults.through(plan, state, occasion, Service()).fault
    ]


# ---- The language


def test_a_plan_is_read_with_all_it_says() -> None:
    text = """\
foxbatch: 1
title: Some replies are lost
behaviour: [7, 20]
rules:
  - name: lost
    on: [submit, query]
    model: veo-3.1*
    when:
      chance: 5%
      nth: [3, 7]
      every: 10
      from: 2
      first: 9
      times: 5
      after: 60s
      until: 10m
      burst: {every: 2m, lasts: 30}
      per: task
    do: {drop: true, delay: 1s, drip: 10, claims: -5, type: text/html}
"""

    plan = read_plan(text, shown_as="it.yaml")

    assert plan == Plan(
        name="it.yaml",
        title="Some replies are lost",
        behaviours=(7, 20),
        rules=(
            Rule(
                name="lost",
                on=frozenset({"submit", "query"}),
                models=("veo-3.1*",),
                when=When(
                    chance=0.05,
                    nth=frozenset({3, 7}),
                    every=10,
                    from_=2,
                    first=9,
                    times=5,
                    after_s=60.0,
                    until_s=600.0,
                    burst=Burst(120.0, 30.0),
                    per="task",
                ),
                breaks=Break(ends="dropped"),
                manner=Manner(
                    waits_s=(1.0, 1.0),
                    bytes_per_s=10.0,
                    claims_bytes=-5,
                    content_type="text/html",
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("do", "instead", "breaks"),
    [
        ("refuse: true", Refuse(), None),
        ("refuse: 10s", Refuse(10.0), None),
        ("refuse: 10", Refuse(10.0), None),
        ("close: true", Close(), None),
        ("drop: true", None, Break(ends="dropped")),
        ("cut: 25%", None, Break(ends="dropped", sent=0.25)),
        ("cut: 0.25", None, Break(ends="dropped", sent=0.25)),
        ("cut: 0", None, Break(ends="dropped", sent=0.0)),
        ("stall: 90s", None, Break(ends="stalled", stalls_s=90.0)),
        (
            "stall: {for: 5, at: 50%, done: false}",
            None,
            Break(ends="stalled", sent=0.5, stalls_s=5.0, done=False),
        ),
        ("stall: {for: 5s}", None, Break(ends="stalled", stalls_s=5.0)),
        (
            """answer: {
              status: 422, form: number-code, type: t, code: c, message: m, done: true,
              fields: {a: [1]}, retry_after: date, headers: {X-A: b} }""",
            Answer(
                status=422,
                form="number-code",
                kind="t",
                code="c",
                message="m",
                fields={"a": [1]},
                retry_after="date",
                headers={"X-A": "b"},
                done=True,
            ),
            None,
        ),
        ("redirect: {}", Redirect(), None),
        ("redirect: {status: 307, to: /b}", Redirect(status=307, to="/b"), None),
        ("body: no-id", Spoil("no-id"), None),
    ],
)
def test_each_action_is_read(do: str, instead: object, breaks: object) -> None:
    rule = rule_of(f"do: {{{do}}}")

    assert (rule.instead, rule.breaks) == (instead, breaks)


def test_any_means_all_but_the_pages_of_the_sandbox() -> None:
    usual = rule_of("do: {drop: true}")
    written = rule_of("on: any, do: {drop: true}")
    both = rule_of("on: [any, page], do: {drop: true}")

    assert usual.on == written.on == {"submit", "query", "upload", "read", "file"}
    assert both.on - usual.on == {"page"}


ALL_OF_A_TWIST = Twist(
    fails="service_error",
    error_form="null",
    word="archived",
    born="failed",
    reply="lean",
    usage="query",
    model="other",
    form="outputs",
    progress="back",
    empty_looks=2,
    empty_as="null",
    empty_when="synced",
    hidden_s=90.0,
    slower=2.5,
    takes_s=60.0,
    unending=True,
    estimated_s=45,
    links="looping",
    links_last_s=3600.0,
    file_type="text/plain",
    items=3,
    degraded="less",
    callbacks="twice",
)


def test_every_field_of_a_twist_can_be_written() -> None:
    text = (
        "on: submit, do: {task: {fails: service_error, error_form: none, "
        "word: archived, born: failed, reply: lean, usage: query, model: other, "
        "form: outputs, progress: back, empty_looks: 2, empty_as: none, "
        "empty_when: synced, hidden: 1m30s, slower: 2.5, takes: 60, unending: true, "
        "estimated: 45s, links: looping, links_last: 1h, file_type: text/plain, "
        "items: 3, degraded: less, callbacks: twice}}"
    )
    service = Service()

    faults.through(plan_of(text), FaultState(), an_occasion(), service)

    usual = Twist()
    assert service.twists == [ALL_OF_A_TWIST]
    for field in fields(Twist):
        assert getattr(ALL_OF_A_TWIST, field.name) != getattr(usual, field.name)


def test_words_of_the_schema_are_those_of_the_values() -> None:
    parts: Any = load_schema("faults")["$defs"]
    told = {name: one.get("enum") for name, one in parts["task"]["properties"].items()}
    real = {
        name: [word.replace("null", "none") for word in get_args(hint)]
        for name, hint in get_type_hints(Twist).items()
        if get_origin(hint) is Literal
    }

    assert {name: words for name, words in told.items() if words} == real
    assert parts["answer"]["properties"]["form"]["enum"] == list(get_args(Form))
    assert parts["do"]["properties"]["body"]["enum"] == list(get_args(Spoilt))


BAD = sorted((Path(__file__).parent / "examples" / "faults").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_wrong_plan_is_told_with_places_and_hints(path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        read_plan(path.read_bytes(), shown_as=path.name)

    told = "".join(lines_of(caught.value))
    if os.environ.get("UPDATE_EXPECTED"):  # pragma: no cover  a person asked for it
        path.with_suffix(".expected.txt").write_text(told, encoding="utf-8")
    assert caught.value.exit_code == ExitCode.INVALID
    assert told == path.with_suffix(".expected.txt").read_text(encoding="utf-8")


def lines_of(error: InvalidError) -> Iterator[str]:
    for problem in error.problems:
        yield f"{problem}\n"
        yield f"  = try: {problem.hint}\n" if problem.hint else ""
        for related in problem.related:
            yield f"  = {related.position}: {related.message}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "E-YAML-EMPTY"), ("foxbatch: 1\nrules: [\n", "E-YAML-SYNTAX")],
)
def test_a_file_that_cannot_be_read_as_yaml_is_told(text: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read_plan(text, shown_as="it.yaml")

    assert [each.code for each in caught.value.problems] == [code]


# ---- When


def test_conditions_count_the_requests_that_meet_the_rule() -> None:
    def struck(when: str) -> list[int]:
        plan = plan_of(f"on: submit, when: {{{when}}}, do: {{drop: true}}")
        return strikes(plan, [an_occasion()] * 10)

    assert struck("nth: [3, 7]") == [3, 7]
    assert struck("nth: 2") == [2]
    assert struck("every: 4") == [4, 8]
    assert struck("first: 2") == [1, 2]
    assert struck("from: 9") == [9, 10]
    assert struck("from: 3, first: 4") == [3, 4]
    assert struck("every: 2, times: 3") == [2, 4, 6]
    assert struck("chance: 0%") == []
    assert struck("chance: 1") == list(range(1, 11))


def test_what_does_not_fit_is_not_counted() -> None:
    plan = plan_of(
        "on: query, model: [veo-3.1*, sora*], when: {nth: 2}, do: {drop: true}"
    )
    models = ["veo-3.1", "gpt-image-2", "", "veo-3.1[4k]", "sora-2"]
    occasions = [an_occasion(route="query", model=model) for model in models]

    assert strikes(plan, [an_occasion(), *occasions]) == [5]


def test_brackets_of_a_model_are_no_wildcards() -> None:
    plan = plan_of('on: submit, model: "veo-3.1[4k]", do: {drop: true}')
    models = ["veo-3.14", "veo-3.1[4k]"]

    assert strikes(plan, [an_occasion(model=model) for model in models]) == [2]


def test_times_are_those_of_the_service_since_its_start() -> None:
    plan = plan_of(
        "on: any, when: {after: 60s, until: 4m, burst: {every: 1m, lasts: 10s}}, "
        "do: {drop: true}"
    )
    moments = [0, 59.9, 60, 69.9, 70, 119, 120, 129, 130, 180, 239, 240, 245]

    struck = strikes(plan, [an_occasion(since=moment) for moment in moments])

    assert [moments[number - 1] for number in struck] == [60, 69.9, 120, 129, 180]


@pytest.mark.parametrize(
    ("per", "second"),
    [
        ("rule", an_occasion(scope="b", owner="b", take=2)),
        ("key", an_occasion(scope="b", take=2)),
        ("request", an_occasion(owner="b", take=2)),
        ("task", an_occasion(owner="b")),
    ],
)
def test_counts_are_kept_for_each_scope(per: str, second: Occasion) -> None:
    plan = plan_of(f"on: any, when: {{first: 1, per: {per}}}, do: {{drop: true}}")
    other = an_occasion(scope="c", owner="c", take=3)

    struck = strikes(plan, [an_occasion(), second, other])

    assert struck == ([1] if per == "rule" else [1, 3])


def test_queries_are_counted_for_each_task() -> None:
    plan = plan_of("on: query, when: {first: 1, per: task}, do: {drop: true}")
    tasks = ["a", "a", "b", "b"]

    struck = strikes(
        plan, [an_occasion(route="query", task=task, scope=task) for task in tasks]
    )

    assert struck == [1, 3]


def test_chance_is_about_as_often_as_it_says() -> None:
    plan = plan_of("on: submit, when: {chance: 5%}, do: {drop: true}")
    occasions = [an_occasion(scope=f"{number}") for number in range(4000)]

    assert len(strikes(plan, occasions)) == pytest.approx(200, abs=50)


def test_chance_depends_on_seed_rule_and_take() -> None:
    plan = plan_of(
        "on: submit, when: {chance: 50%}, do: {task: {items: 2}}",
        "on: submit, when: {chance: 50%}, do: {task: {items: 3}}",
    )

    def drawn(**changes: object) -> list[int | None]:
        service = Service()
        state = FaultState()
        for number in range(40):
            occasion = an_occasion(scope=f"{number}", **changes)
            faults.through(plan, state, occasion, service)
        return [twist.items for twist in service.twists]

    assert drawn() == drawn()
    assert len({*map(tuple, [drawn(), drawn(seed=1), drawn(take=2)])}) == 3
    assert {None, 2, 3} == set(drawn())


INDEPENDENT = plan_of(
    "on: submit, when: {chance: 30%}, do: {task: {hidden: 5s}}",
    "on: submit, when: {chance: 30%}, do: {task: {slower: 2}, delay: [0s, 9s]}",
    "on: [submit, query], when: {chance: 30%}, do: {answer: {status: 502, form: echo}}",
    "on: query, when: {nth: [2, 3], per: task}, do: {drop: true}",
    "on: [query, file], when: {first: 1, chance: 60%, per: request}, do: {cut: 50%}",
    "on: file, when: {chance: 50%}, do: {body: garbage}",
)


@given(
    order=st.permutations([number for number in range(6) for _ in range(5)]),
    seed=st.integers(0, 3),
)
def test_the_fate_of_a_request_is_the_same_however_others_come_between(
    order: list[int], seed: int
) -> None:
    in_order = sorted(order)

    assert fates(order, seed) == fates(in_order, seed)


def fates(order: list[int], seed: int) -> dict[int, list[tuple[Reply, list[Twist]]]]:
    """Return what became of the requests of each number, in their order."""
    state = FaultState()
    found: dict[int, list[tuple[Reply, list[Twist]]]] = {}
    routes: list[Any] = ["submit", "query", "file"]
    for number in order:
        scope = f"scope-{number}"
        occasion = an_occasion(
            route=routes[number % 3], scope=scope, task=scope, seed=seed
        )
        service = Service()
        reply = faults.through(INDEPENDENT, state, occasion, service)
        found.setdefault(number, []).append((reply, service.twists))
    return found


# ---- What


def test_nothing_happens_without_a_rule() -> None:
    service = Service()

    reply = faults.through(
        Plan(name="", rules=()), FaultState(), an_occasion(), service
    )

    assert reply is HONEST
    assert service.twists == [Twist()]


def test_a_closed_connection_reads_nothing() -> None:
    reply, twists = shaped("do: {close: true}")

    assert reply.delivery == Delivery(ends="closed", sent=None)
    assert reply.fault == "rule-1"
    assert twists == []


def test_a_dropped_reply_was_made() -> None:
    reply, twists = shaped("do: {drop: true}")

    assert reply.delivery == Delivery(ends="dropped", sent=None)
    assert reply.records == (TASK,)
    assert twists == [Twist()]


def test_a_cut_reply_keeps_its_body() -> None:
    reply, _ = shaped("do: {cut: 50%}")

    assert reply == replace(
        HONEST, delivery=Delivery(ends="dropped", sent=0.5), fault="rule-1"
    )


def test_a_reply_stands_still_in_the_middle() -> None:
    reply, _ = shaped("do: {stall: {for: 90s, at: 30%}}")

    assert reply.delivery == Delivery(ends="stalled", sent=0.3, stalls_s=90.0)
    assert reply.body == HONEST.body


def test_a_request_may_stand_still_before_it_is_carried_out() -> None:
    reply, twists = shaped("do: {stall: {for: 5s, done: false}}")

    assert reply.delivery == Delivery(ends="stalled", sent=None, stalls_s=5.0)
    assert twists == []


def test_an_answer_keeps_the_request_from_the_service() -> None:
    reply, twists = shaped("do: {answer: {status: 429, retry_after: 2}}")

    assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
    assert json.loads(reply.body) == {
        "error": {"message": "Too many requests", "type": "rate_limit_error"}
    }
    assert twists == []


def test_a_request_may_be_carried_out_although_it_is_answered_with_an_error() -> None:
    honest = replace(HONEST, keeps=b"kept")

    reply, twists = shaped(
        "do: {answer: {status: 502, form: html, done: true}}", reply=honest
    )

    assert (reply.status, reply.headers) == (502, {"Content-Type": "text/html"})
    assert (reply.records, reply.keeps) == ((TASK,), b"kept")
    assert twists == [Twist()]


def test_an_answer_may_be_cut_too() -> None:
    reply, _ = shaped("do: {answer: {status: 500, done: true}, cut: 10%}")

    assert (reply.status, reply.delivery.sent) == (500, 0.1)


ERROR = {"message": "Internal error", "type": "server_error"}


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("documented", {"error": ERROR}),
        ("number-code", {"error": {**ERROR, "code": 500}}),
        ("text", {"error": "Internal error"}),
        ("message", {"message": "Internal error"}),
        ("wrapped", {"data": {"error": ERROR}}),
        ("success-false", {"success": False, "message": "Internal error"}),
    ],
)
def test_an_error_is_told_in_many_forms(form: str, body: object) -> None:
    reply, _ = shaped(f"do: {{answer: {{status: 500, form: {form}}}}}")

    assert json.loads(reply.body) == body
    assert reply.headers == {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ("status: 403, form: edge-text", b"error code: 1010"),
        ("status: 502, form: edge-text", b"error code: 502"),
        ("status: 404, form: edge-text, message: NoSuchKey", b"NoSuchKey"),
        ("status: 408, form: empty", b""),
    ],
)
def test_an_error_may_be_no_json(answer: str, body: bytes) -> None:
    reply, _ = shaped(f"do: {{answer: {{{answer}}}}}")

    assert reply.body == body


@pytest.mark.parametrize(
    ("status", "title"),
    [(504, b"504 Gateway Timeout"), (529, b"529 Unknown error")],
)
def test_the_edge_tells_errors_as_pages(status: int, title: bytes) -> None:
    reply, _ = shaped(f"do: {{answer: {{status: {status}, form: html}}}}")

    assert b"<h1>" + title in reply.body


@pytest.mark.parametrize(
    ("code", "number"), [("'402'", 402), ("no_balance", 0)], ids=["digits", "a word"]
)
def test_a_code_becomes_a_number(code: str, number: int) -> None:
    reply, _ = shaped(
        f"do: {{answer: {{status: 402, form: number-code, code: {code}}}}}"
    )

    assert json.loads(reply.body)["error"]["code"] == number


def test_an_error_has_what_the_plan_writes_into_it() -> None:
    reply, _ = shaped(
        "do: {answer: {status: 422, code: unsupported_advanced_options, type: t, "
        "message: m, fields: {unsupported_advanced_options: [seed]}, "
        "headers: {X-Request-Id: r}}}"
    )

    assert reply.headers["X-Request-Id"] == "r"
    assert json.loads(reply.body)["error"] == {
        "message": "m",
        "type": "t",
        "code": "unsupported_advanced_options",
        "unsupported_advanced_options": ["seed"],
    }


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        (b'{"prompt": "A red fox"}', "'A red fox'"),
        (b'["A red fox"]', "''"),
        (b"{", "''"),
        (b'{"prompt": "\xff"}', "''"),
    ],
    ids=["the prompt", "no mapping", "no JSON", "no UTF-8"],
)
def test_an_error_may_repeat_the_prompt_and_the_key(body: bytes, prompt: str) -> None:
    request = a_request(body=body, headers={"authorization": "Bearer sk-secret"})

    reply, _ = shaped("do: {answer: {status: 422, form: echo}}", request=request)

    message = json.loads(reply.body)["error"]["message"]
    assert message.startswith(
        f"A parameter is wrong: {prompt} of sk-secret (request_id"
    )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("0", "0"),
        ("1.5", "1.5"),
        ("1000000000", "1000000000"),
        ("past", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("huge", "99999999"),
        ("garbage", "soon"),
        ("nan", "nan"),
        ("negative", "-30"),
        ("empty", ""),
    ],
)
def test_a_wait_is_told_in_many_forms(word: str, told: str) -> None:
    reply, _ = shaped(f"do: {{answer: {{status: 429, retry_after: {word}}}}}")

    assert reply.headers["Retry-After"] == told


def test_a_wait_until_a_date_is_five_seconds() -> None:
    reply, _ = shaped("do: {answer: {status: 429, retry_after: date}}")

    date = parsedate_to_datetime(reply.headers["Retry-After"])
    assert date.timestamp() == NOW + 5


def test_a_redirect_leads_to_itself_or_elsewhere() -> None:
    itself, twists = shaped("do: {redirect: {}}")
    elsewhere, _ = shaped(
        "do: {redirect: {status: 307, to: 'https://b.example{path}'}}"
    )

    home = "http://sandbox.invalid/v1/videos/generations"
    assert (itself.status, itself.headers) == (302, {"Location": home})
    assert elsewhere.status == 307
    assert elsewhere.headers["Location"] == "https://b.example/v1/videos/generations"
    assert twists == []


@pytest.mark.parametrize(
    ("how", "body"),
    [
        ("empty", b""),
        ("half", HONEST.body[: len(HONEST.body) // 2]),
        ("no-id", b'{"status":"pending"}'),
        ("list", b'[{"id":"task-1","status":"pending"}]'),
    ],
)
def test_a_spoilt_body_keeps_status_and_records(how: str, body: bytes) -> None:
    reply, twists = shaped(f"do: {{body: {how}}}")

    assert reply == replace(HONEST, body=body, fault="rule-1")
    assert twists == [Twist()]


def test_a_reply_may_be_a_web_page_or_garbage() -> None:
    page, _ = shaped("do: {body: html}")
    garbage, _ = shaped("do: {body: garbage}")

    assert page.headers == {"Content-Type": "text/html"}
    assert page.body.startswith(b"<!DOCTYPE html>")
    with pytest.raises(UnicodeDecodeError):
        garbage.body.decode()


@pytest.mark.parametrize("how", ["html", "empty", "garbage"])
def test_a_file_may_be_replaced(how: str) -> None:
    file = Reply(status=200, headers={"content-length": "9"}, media=CLIP)

    reply, _ = shaped(f"do: {{body: {how}}}", reply=file)

    assert reply.media is None
    assert "content-length" not in reply.headers


@pytest.mark.parametrize("how", ["half", "no-id", "list"])
def test_what_only_json_can_suffer_leaves_a_file_as_it_is(how: str) -> None:
    file = Reply(status=200, headers={"Content-Type": "video/mp4"}, media=CLIP)

    reply, _ = shaped(f"do: {{body: {how}}}", reply=file)

    assert reply == replace(file, fault="rule-1")


def test_a_list_has_no_id_to_be_lost() -> None:
    reply, _ = shaped("do: {body: no-id}", reply=json_reply(200, [1]))

    assert reply.body == b"[1]"


def test_a_reply_travels_in_its_manner() -> None:
    reply, _ = shaped(
        "do: {delay: 2s, drip: 100, claims: -3, type: text/plain, "
        "headers: {x-a: b, STATUS: null}}",
        reply=replace(HONEST, headers={"content-type": "a", "Status": "s"}),
    )

    assert reply.delivery == Delivery(waits_s=2.0, bytes_per_s=100.0, claims_bytes=-3)
    assert reply.headers == {"x-a": "b", "Content-Type": "text/plain"}
    assert reply.body == HONEST.body


def test_a_reply_may_have_no_type() -> None:
    reply, _ = shaped('do: {type: ""}')

    assert reply.headers == {}


def test_a_delay_is_drawn_between_its_ends() -> None:
    delays = [
        shaped("do: {delay: [1s, 3s]}", scope=f"{number}")[0].delivery.waits_s
        for number in range(50)
    ]

    assert 1 <= min(delays) < 1.5
    assert 2.5 < max(delays) <= 3


def test_a_reply_to_head_has_no_body() -> None:
    reply, _ = shaped("do: {body: html}", request=a_request(method="HEAD"))

    assert reply.body == b""


# ---- Several rules


def test_the_first_rule_that_seals_a_fate_is_the_last_that_is_asked() -> None:
    plan = plan_of(
        "when: {nth: 2}, do: {close: true}",
        "when: {every: 2}, do: {drop: true}",
        "do: {delay: 1s}",
    )
    state = FaultState()

    replies = [faults.through(plan, state, an_occasion(), Service()) for _ in range(4)]

    assert [reply.fault for reply in replies] == [
        "rule-3",
        "rule-1",
        "rule-2",
        "rule-3",
    ]
    assert replies[1].delivery.waits_s == 0.0
    assert state.met["rule-3", ""] == 2


def test_the_first_word_counts_in_everything() -> None:
    reply, twists = shaped(
        "on: submit, do: {task: {items: 2, hidden: 5s}, delay: 1s}",
        "on: submit, do: {task: {items: 3, slower: 2}, delay: 2s, drip: 10}",
        "on: submit, do: {drop: true, headers: {A: last}, task: {word: archived}}",
        "on: submit, do: {task: {links: bare}}",
    )

    twist = Twist(items=2, hidden_s=5.0, slower=2.0, word="archived")
    assert twists == [twist]
    assert reply.delivery == Delivery(
        ends="dropped", sent=None, waits_s=1.0, bytes_per_s=10.0
    )
    assert reply.headers["A"] == "last"
    assert reply.fault == "rule-3"


def test_a_mild_rule_gives_its_name_where_nothing_worse_happens() -> None:
    reply, _ = shaped("do: {delay: 1s}", "do: {drip: 10}")

    assert reply.fault == "rule-1"


# ---- Memory


def test_rules_that_count_leave_records() -> None:
    reply, _ = shaped(
        "do: {delay: 1s}",
        "when: {chance: 1}, do: {delay: 1s}",
        "when: {from: 1, first: 1}, do: {delay: 1s}",
        "when: {nth: 1, per: request}, do: {answer: {status: 500, done: true}}",
    )

    assert reply.records == (
        TASK,
        FaultFired("rule-3", "", 1),
        FaultFired("rule-4", "digest", 1),
    )


def test_counts_are_restored_from_records() -> None:
    plan = plan_of("when: {every: 2, times: 3}, do: {close: true}")
    before, after = FaultState(), FaultState()
    replies = [faults.through(plan, before, an_occasion(), Service()) for _ in range(4)]

    for reply in replies:
        for record in reply.records:
            if isinstance(record, FaultFired):
                faults.remember(after, record)

    assert (after.met, after.fired) == (before.met, before.fired)
    more = [faults.through(plan, after, an_occasion(), Service()) for _ in range(4)]
    assert [bool(reply.fault) for reply in more] == [False, True, False, False]


# ---- Outages


def test_an_outage_by_the_clock_begins_and_ends() -> None:
    plan = plan_of(
        "when: {after: 30s, until: 5m, burst: {every: 2m, lasts: 30s}}, "
        "do: {refuse: true}"
    )
    state = FaultState()

    assert faults.outage(plan, state, 0.0) == (False, 30.0)
    assert faults.outage(plan, state, 30.0) == (True, 60.0)
    assert faults.outage(plan, state, 60.0) == (False, 150.0)
    assert faults.outage(plan, state, 285.0) == (True, 300.0)
    assert faults.outage(plan, state, 300.0) == (False, None)


def test_a_service_that_is_down_for_good_needs_no_more_questions() -> None:
    plan = plan_of("when: {after: 1m}, do: {refuse: true}")

    assert faults.outage(plan, FaultState(), 61.0) == (True, None)


def test_what_comes_over_an_older_connection_during_an_outage_is_not_read() -> None:
    plan = plan_of("do: {refuse: true}")
    service = Service()

    reply = faults.through(plan, FaultState(), an_occasion(), service)

    assert reply.delivery == Delivery(ends="closed", sent=None)
    assert service.twists == []


def test_a_request_can_begin_an_outage() -> None:
    plan = plan_of("on: submit, when: {nth: 2}, do: {refuse: 10s}")
    state, service = FaultState(), Service()

    replies = [
        faults.through(plan, state, an_occasion(since=since), service)
        for since in (1.0, 5.0, 14.9, 15.0)
    ]

    assert [reply.delivery.ends for reply in replies] == [
        "whole",
        "closed",
        "closed",
        "whole",
    ]
    assert faults.outage(plan, state, 14.0) == (True, 15.0)
    assert faults.outage(plan, state, 15.0) == (False, None)
    assert len(service.twists) == 2


@given(
    every=st.floats(0.1, 1e4),
    share=st.floats(0.01, 0.99),
    since=st.floats(0, 1e7),
)
def test_the_moment_to_ask_again_is_never_now(
    every: float, share: float, since: float
) -> None:
    burst = Burst(every, every * share)
    rule = Rule(name="a", on=frozenset(), when=When(burst=burst), instead=Refuse())

    found = faults.outage(Plan(name="", rules=(rule,)), FaultState(), since)

    assert found.asks_again_at is not None
    assert since < found.asks_again_at <= since + every * 1.01


# ---- Plans that come with foxbatch


def traffic() -> Iterator[Occasion]:
    """Yield a day of a busy service: submissions, and what follows from them."""
    models = ["veo-3.1", "veo-3.1-fast", "gpt-image-2"]
    rng = random.Random(0)
    for number in range(300):
        since = number * 6.0
        task, owner = f"task-{number}", f"key-{number % 2}"
        model = models[number % 3]
        usual = an_occasion(model=model, owner=owner, since=since, task=task)
        yield replace(usual, task="", scope=f"digest-{number}")
        for _ in range(9):
            yield replace(usual, route="query", scope=task)
        for _ in range(5):
            yield replace(usual, route="file", scope=f"/files/{task}/0.mp4")
        for route in ("upload", "read"):
            scope = f"/v1/{route}"
            yield replace(
                usual,
                route=route,
                task="",
                scope=f"{scope}/{rng.random()}",
            )


@pytest.mark.parametrize("name", faults.names())
def test_every_rule_of_a_named_plan_does_something(name: str) -> None:
    plan = faults.named(name)
    state, silent = FaultState(), {rule.name for rule in plan.rules}

    for occasion in traffic():
        if faults.outage(plan, state, occasion.since).is_down:
            silent -= {rule.name for rule in plan.rules if rule.is_window}
        faults.through(plan, state, occasion, Service())
        silent -= {rule for rule, _ in state.fired}
        if not silent:
            break

    assert silent == set()


def test_every_behaviour_has_a_plan_or_is_always_there() -> None:
    shown = {number for plan in faults.listing() for number in plan.behaviours}

    assert shown | faults.ALWAYS == set(range(1, 51))


def test_named_plans_are_listed_with_titles() -> None:
    listed = faults.listing()

    assert [plan.name for plan in listed] == faults.names()
    assert {"calm", "flaky", "storm", "lost-reply"} <= set(faults.names())
    assert all(plan.title for plan in listed)
    assert len({plan.title for plan in listed}) == len(listed)


def test_a_bad_day_is_about_as_bad_as_it_says() -> None:
    plan, state = faults.named("flaky"), FaultState()
    trouble = [
        faults.through(plan, state, occasion, Service()).fault for occasion in traffic()
    ]

    worse = [fault for fault in trouble if fault not in {"", "slight-delay"}]
    assert 0.02 < len(worse) / len(trouble) < 0.12


def test_another_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match='no fault plan "flakey"') as caught:
        faults.choose("flakey")

    assert caught.value.hint == (
        "Did you mean flaky? A file's name has a slash in it, or ends in .yaml."
    )


def test_a_plan_is_chosen_by_name_or_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("foxbatch: 1\nrules: [{name: a, do: {drop: true}}]\n")

    assert faults.choose("flaky") == faults.named("flaky")
    assert faults.choose(str(path)).name == str(path)
    assert faults.load(path).rules[0].name == "a"


@pytest.mark.parametrize(
    ("name", "why"),
    [("none.yaml", "no such file or directory"), (".", "is a directory")],
)
def test_a_file_that_cannot_be_read_is_told(
    name: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / name

    with pytest.raises(InvalidError) as caught:
        faults.load(path)

    (problem,) = caught.value.problems
    assert problem.code == "E-FILE-MISSING"
    assert problem.message == f"{path} cannot be read: {why}"
