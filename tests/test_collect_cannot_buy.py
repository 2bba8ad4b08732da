"""`collect` has no way to send a POST: not in its code, its plan, or its client."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import anyio
import httpx
import msgspec
import pytest
from hypothesis import given

import foxbatch
from foxbatch import api
from foxbatch.access import decide
from foxbatch.client import ServiceClient
from foxbatch.clock import SystemClock
from foxbatch.events import Event
from foxbatch.planner import BUYS, Plan, as_planned, collection, plan
from foxbatch.policy import RetryPolicy
from foxbatch.provider import load_provider
from foxbatch.state import BatchState, fold
from tests.facts import PLANNED
from tests.property.histories import bags
from tests.test_api import MANIFEST

PACKAGE = Path(foxbatch.__file__).parent
OPTIONS = api.RunOptions(speed=200, environ={"PATH": ""})


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return the modules that could reach a service.

    The sandbox is one itself. The gallery has a server, and asks nobody.
    """
    names = {p.relative_to(PACKAGE).as_posix(): p for p in PACKAGE.rglob("*.py")}
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in names.items()}
    return tuple(
        (name, tree)
        for name, tree in sorted(trees.items())
        if not name.startswith("sandbox/")
        and (not name.startswith("report/") or imports_httpx(tree))
    )


def functions_with(wanted: type[ast.AST], text: str) -> set[tuple[str, str]]:
    """Return modules and innermost functions where *text* is a constant or called."""
    found = set()
    for name, tree in modules():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, wanted) and said(node) == text:
                        found.add((name, function.name))
    return found


def said(node: ast.AST) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Call(func=ast.Attribute(attr=attribute)):
            return attribute
        case _:
            return None


def test_one_function_can_post_and_one_calls_it() -> None:
    assert functions_with(ast.Constant, "POST") == {("client/http.py", "submit")}
    assert functions_with(ast.Call, "submit") == {("runner/submit.py", "_send")}
    assert functions_with(ast.Call, "_send") == {("runner/submit.py", "_post")}
    asking = {name for name, tree in modules() if imports_httpx(tree)}
    for other in ("post", "put", "patch", "delete", "request"):
        callers = {name for name, _ in functions_with(ast.Call, other)}
        assert callers.isdisjoint(asking)


def imports_httpx(tree: ast.Module) -> bool:
    return any(
        alias.name == "httpx"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    )


@given(bag=bags())
def test_what_collect_plans_buys_nothing(bag: list[Event]) -> None:
    """Whatever happened, also where a policy would buy a failed job again."""
    planned = [plan_of(fact) for fact in bag]

    made = collection(fold([*bag, *planned]))

    assert made.with_action(*BUYS) == []
    assert made.estimate.jobs == 0


def plan_of(fact: Event) -> Event:
    job = getattr(fact, "job", PLANNED.job)
    return msgspec.structs.replace(
        PLANNED, job=job, v=1, seq=fact.seq + 1000, at=fact.at, run=fact.run
    )


def test_a_client_that_reads_sends_no_post() -> None:
    reached: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        reached.append(request.method)
        return httpx.Response(404)

    async def ask() -> None:
        provider = load_provider("sandbox", base=Path())
        client = ServiceClient(
            provider,
            decide(provider, environ={}, dotenv={}, base_url="http://127.0.0.1:8"),
            clock=SystemClock(),
            transport=httpx.MockTransport(answer),
            reads_only=True,
        )
        async with client:
            await client.poll("t")  # type: ignore[arg-type]  # an id
            with pytest.raises(RuntimeError, match="may only read"):
                await client.submit("/v1/videos/generations", b"{}")

    anyio.run(ask)

    assert reached == ["GET"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the methods of all requests; a POST is refused once this is armed."""
    methods: list[str] = []
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def guarded(
        self: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        methods.append(request.method)
        if request.method != "GET" and "armed" in methods:
            raise AssertionError(f"{request.method} {request.url}")
        return await send(self, request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", guarded)
    return methods


def test_collect_sends_nothing_but_get(tmp_path: Path, sent: list[str]) -> None:
    """With tasks that run, fail, are held, and a policy that retries failures."""
    prompts = ["A fox", "B [sandbox:fail service_error]", "C [sandbox:lost-reply]"]
    path = tmp_path / "small.yaml"
    more = "retry: {attempts: 3, classes: [service]}\n"
    path.write_text(MANIFEST.format(prompts=json.dumps(prompts)) + more)
    wanted = api.load_manifest(path)
    left = anyio.run(api.run, wanted, replace(OPTIONS, detach=True, speed=20))
    sent.append("armed")

    summary = anyio.run(api.collect, left.run_dir, OPTIONS)

    assert summary.counts == {"done": 1, "failed": 1, "held": 1}
    assert set(sent[sent.index("armed") + 1 :]) == {"GET"}


def test_collect_buys_nothing_even_if_its_plan_were_wrong(
    tmp_path: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(MANIFEST.format(prompts=json.dumps(["A fox", "A hare"])))
    wanted = api.load_manifest(path)
    run_dir = anyio.run(api.run, wanted, replace(OPTIONS, max_new=1)).run_dir
    jobs = [as_planned(job, wanted.manifest.sha256) for job in api.expand(wanted)]

    def wrong(state: BatchState) -> Plan:
        return plan(jobs, state, retry=RetryPolicy())

    monkeypatch.setattr("foxbatch.api.running.collection", wrong)
    sent.append("armed")

    summary = anyio.run(api.collect, run_dir, OPTIONS)

    assert (summary.submitted, summary.counts) == (0, {"done": 1, "new": 1})
    assert "POST" not in sent[sent.index("armed") + 1 :]
