"""A run looks at the account before and after it, and never waits long for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
import trio.testing

from foxbatch.errors import ExitCode
from foxbatch.events import AccountSeen, RunEnded, SubmitIntended, word
from foxbatch.policy import Limits
from foxbatch.runner import StopButton
from foxbatch.sandbox import Sandbox, SandboxOptions
from foxbatch.state import Phase
from tests.runner_harness import (
    ACCOUNT,
    SERVICE,
    UNPACED,
    Ran,
    Reply,
    Service,
    World,
    always,
    many,
    meets,
    response,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    service = Service(Sandbox(SandboxOptions(credits=1_000)))
    provider = replace(SERVICE, account=ACCOUNT)
    return World(folder=tmp_path, service=service, provider=provider)


def looks(ran: Ran) -> list[AccountSeen]:
    return [fact for fact in ran.facts if isinstance(fact, AccountSeen)]


def asks_at(world: World) -> list[float]:
    return [
        round(sent.at, 3)
        for sent in world.service.sent
        if sent.path == "/api/usage/token/"
    ]


def posts_at(world: World) -> list[float]:
    return world.service.times("post")


def hangs_at(nth: int) -> Callable[[httpx.Request], Awaitable[httpx.Response | None]]:
    """Return a door at which the *nth* look at the account meets no answer."""
    asked = 0

    async def door(request: httpx.Request) -> httpx.Response | None:
        nonlocal asked
        asked += request.url.path.startswith("/api/")
        if asked == nth and request.url.path.startswith("/api/"):
            await anyio.sleep_forever()
        return None

    return door


async def test_the_account_is_seen_before_the_first_intent_and_before_the_end(
    world: World,
) -> None:
    ran = await world.run(many(2))

    before, after = looks(ran)
    assert (before.used, before.available, before.unlimited) == (0, 5_000_000, False)
    assert after.used == 2 * 28 * 5_000
    assert (after.unit, after.per_credit) == ("quota", 5_000)
    words = [word(fact) for fact in ran.facts]
    assert words.index("account.seen") < words.index("submit.intended")
    assert words[-2:] == ["account.seen", "run.ended"]
    assert ran.phases == {Phase.DONE: 2}
    run = ran.state.runs[before.run]
    assert (run.account_before, run.account_after) == (before, after)


async def test_a_provider_file_without_a_balance_has_no_look(world: World) -> None:
    world.provider = replace(SERVICE, account=replace(ACCOUNT, balance=None))

    ran = await world.run(many(1))

    assert (looks(ran), asks_at(world)) == ([], [])
    assert ran.outcome.exit_code is ExitCode.DONE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reply(500), id="500"),
        pytest.param(Reply(401, {"error": {"message": "no"}}), id="401"),
        pytest.param(Reply(200, {"success": False}), id="no with 200"),
        pytest.param(Reply(200, b"<html>"), id="a page"),
        pytest.param(httpx.ConnectError("refused"), id="no connection"),
    ],
)
async def test_an_odd_answer_is_no_reason_for_anything(
    world: World, answer: Reply | Exception
) -> None:
    async def door(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.startswith("/api/"):
            return None
        if isinstance(answer, Exception):
            raise answer
        return response(answer)

    world.service.door = door

    ran = await world.run(many(1))

    assert looks(ran) == []
    assert ran.phases == {Phase.DONE: 1}
    assert ran.outcome.exit_code is ExitCode.DONE


async def test_the_first_submission_waits_three_seconds_at_most(world: World) -> None:
    world.service.door = hangs_at(1)

    ran = await world.run(many(1))

    assert posts_at(world) == [3]
    assert len(looks(ran)) == 1


async def test_told_to_stop_it_does_not_wait_to_begin(world: World) -> None:
    world.service.door = hangs_at(1)
    stop, ran = StopButton(), list[Ran]()

    async def work() -> None:
        ran.append(await world.run(many(1), stop=stop))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await anyio.sleep(1)
        stop.press("interrupted")

    assert posts_at(world) == []
    assert ran[0].outcome.exit_code is ExitCode.INTERRUPTED
    assert ran[0].facts[-1].at.startswith("2026-01-01T00:00:01")


@pytest.mark.parametrize("why", ["interrupted", "stop_after"])
async def test_told_to_stop_it_waits_less_than_a_second_to_end(
    world: World, why: str
) -> None:
    world.service.door = hangs_at(2)
    stop, ended = StopButton(), list[float]()

    async def work() -> None:
        await world.run(many(1, "[sandbox:slow 600]"), stop=stop)
        ended.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await anyio.sleep(10)
        stop.press("interrupted" if why == "interrupted" else "stop_after")

    assert ended == [10.8]


async def test_stopped_at_once_it_says_goodbye_without_a_look(world: World) -> None:
    world.service.door = hangs_at(2)
    told: list[str] = []
    stop = StopButton()

    with anyio.move_on_after(10.5):
        async with anyio.create_task_group() as tasks:

            async def press() -> None:
                await anyio.sleep(10)
                stop.press("interrupted")

            tasks.start_soon(press)
            await world.run(
                many(1, "[sandbox:slow 600]"),
                stop=stop,
                observe=lambda fact: told.append(word(fact)),
            )

    assert told.count("account.seen") == 1
    assert told[-1] == "run.ended"


async def test_a_detached_run_looks_and_leaves(world: World) -> None:
    world.detach = True

    ran = await world.run(many(2, "[sandbox:slow 600]"))

    assert [look.used for look in looks(ran)] == [0, 2 * 28 * 5_000]
    assert anyio.current_time() == pytest.approx(0)
    assert isinstance(ran.facts[-1], RunEnded)


async def test_looks_take_a_turn_like_polls(world: World) -> None:
    world.limits = Limits(in_flight=8, requests_per_second=1)

    ran = await world.run(many(1))

    intents = [fact for fact in ran.facts if isinstance(fact, SubmitIntended)]
    assert asks_at(world)[0] == 0
    assert posts_at(world) == [1.05]  # as after a poll
    assert len(intents) == 1


async def test_a_lost_reply_is_charged_between_the_looks(world: World) -> None:
    lost = httpx.ReadError("the connection was aborted")

    async def door(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            await world.service.inner.handle_async_request(request)
            raise lost
        return None

    world.service.door = door

    ran = await world.run(many(1))

    assert [look.used for look in looks(ran)] == [0, 28 * 5_000]
    assert ran.phases == {Phase.HELD: 1}


async def test_a_run_that_cannot_be_made_looks_all_the_same(world: World) -> None:
    """The next one then has something to compare with."""
    world.service.door = meets(post=always(Reply(402, {"error": {"message": "no"}})))
    world.limits = Limits(in_flight=1, requests_per_second=UNPACED)

    ran = await world.run(many(2))

    assert ran.outcome.exit_code is ExitCode.REFUSED
    assert [look.used for look in looks(ran)] == [0, 0]
