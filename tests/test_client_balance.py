"""Asking about the account: what a true answer, an odd one and none are taken for."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from foxbatch.access import decide
from foxbatch.account import Balance, Charge
from foxbatch.canonical import Json
from foxbatch.client import Accepted, Refused, ServiceClient, Unknown
from foxbatch.client.balance import read_balance, read_charges
from foxbatch.clock import SystemClock
from foxbatch.provider import (
    AccountRoutes,
    BalanceRoute,
    ChargesRoute,
    Provider,
    load_provider,
)
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.sandbox.faults import Plan, choose
from tests.peers import Peer, silent
from tests.sockets import free_port

FOXAPI = load_provider("foxapi", base=Path())
KEY = "sk-invented-for-this-test"
ENDPOINT = "/v1/videos/generations"
BODY = msgspec.json.encode({"model": "veo-3.1-fast", "prompt": "A fox"})


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio: the sandbox is behind real sockets."""
    return "asyncio"


def balance_route() -> BalanceRoute:
    assert FOXAPI.account.balance is not None
    return FOXAPI.account.balance


def charges_route() -> ChargesRoute:
    assert FOXAPI.account.charges is not None
    return FOXAPI.account.charges


def always(fault: str) -> Plan:
    """Return the plan of that name, with its first rule for every submission."""
    plan = choose(fault)
    (rule, *_) = plan.rules
    when = dataclasses.replace(rule.when, every=1)
    return dataclasses.replace(plan, rules=(dataclasses.replace(rule, when=when),))


def client_at(url: str, provider: Provider = FOXAPI, key: str = KEY) -> ServiceClient:
    environ = {"FOXAPI_API_KEY": key}
    access = decide(FOXAPI, environ=environ, dotenv={}, base_url=url)
    return ServiceClient(provider, access, clock=SystemClock())


class TestReading:
    """What replies mean, from their JSON alone."""

    def test_a_balance_is_read_where_the_service_keeps_it(self) -> None:
        data: dict[str, Json] = {
            "total_used": 1_250,
            "total_available": "750",
            "unlimited_quota": False,
        }

        seen = read_balance(balance_route(), {"code": True, "data": data})

        assert seen == Balance(used=1_250, available=750, unlimited=False)

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(None, id="no JSON"),
            pytest.param([], id="a list"),
            pytest.param({"data": {}}, id="no figure"),
            pytest.param({"data": {"total_used": True}}, id="no number"),
            pytest.param({"data": {"total_used": "NaN"}}, id="no finite number"),
            pytest.param({"success": False, "data": {"total_used": 1}}, id="success"),
            pytest.param({"code": False, "data": {"total_used": 1}}, id="code"),
            pytest.param({"error": {}, "data": {"total_used": 1}}, id="error"),
        ],
    )
    def test_an_odd_balance_is_none(self, reply: Json) -> None:
        assert read_balance(balance_route(), reply) is None

    def test_a_balance_without_its_other_figures_is_one(self) -> None:
        reply: Json = {"data": {"total_used": 5, "unlimited_quota": "yes"}}

        assert read_balance(balance_route(), reply) == Balance(used=5)

    def test_charges_that_cost_nothing_or_give_back_are_none(self) -> None:
        items: list[Json] = [
            {"created_at": 60, "model_name": "veo-3.1", "quota": quota}
            for quota in (5, 0, -5, None)
        ]

        listed = read_charges(charges_route(), {"data": items})

        assert listed == (Charge(datetime(1970, 1, 1, 0, 1, tzinfo=UTC), "veo-3.1"),)

    def test_without_a_place_for_amounts_every_entry_is_a_charge(self) -> None:
        route = dataclasses.replace(charges_route(), amount=())

        listed = read_charges(
            route, {"data": [{"created_at": 60, "model_name": "veo-3.1"}]}
        )

        assert listed is not None
        assert len(listed) == 1

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param({"data": {}}, id="no list"),
            pytest.param({"success": False, "data": []}, id="a refusal"),
            pytest.param({"data": [{"model_name": "m", "quota": 1}]}, id="no time"),
            pytest.param({"data": [{"created_at": 1, "quota": 1}]}, id="no model"),
            pytest.param(
                {"data": [{"created_at": 1e15, "model_name": "m", "quota": 1}]},
                id="a time that is none",
            ),
        ],
    )
    def test_a_list_that_is_not_understood_as_a_whole_is_none(
        self, reply: Json
    ) -> None:
        assert read_charges(charges_route(), reply) is None

    def test_no_secret_is_kept_of_a_model(self) -> None:
        item: Json = {"created_at": 1, "model_name": "sk-0123456789", "quota": 1}

        listed = read_charges(charges_route(), {"data": [item]})

        assert listed is not None
        assert listed[0].model == "sk-***"

    def test_what_a_credit_is_foxapi_does_not_say(self) -> None:
        assert (FOXAPI.account.unit, FOXAPI.account.per_credit) == ("quota", None)


@pytest.mark.anyio
class TestAsking:
    """The same over real sockets."""

    async def test_the_sandbox_tells_what_it_billed(self) -> None:
        with EmbeddedSandbox(SandboxOptions(credits=200)) as sandbox:
            async with client_at(sandbox.url) as client:
                made = await client.submit(ENDPOINT, BODY)
                balance, charges = await client.balance(), await client.charges()

        assert isinstance(made, Accepted)
        credits_ = made.view.credits
        assert credits_ is not None
        assert balance == Balance(
            used=credits_ * 5_000,
            available=(200 - credits_) * 5_000,
            unlimited=False,
        )
        assert charges is not None
        (charge,) = charges
        assert charge.model == "veo-3.1-fast"
        assert charge.at.timestamp() == made.view.created

    @pytest.mark.parametrize(
        ("fault", "outcome", "made"),
        [
            pytest.param("lost-reply", Unknown, 1, id="the reply is lost"),
            pytest.param("closed-early", Unknown, 0, id="it never arrives"),
            pytest.param("busy-none", Refused, 0, id="it is refused"),
        ],
    )
    async def test_under_faults_there_is_a_charge_where_there_is_a_task(
        self, fault: str, outcome: type, made: int
    ) -> None:
        with EmbeddedSandbox(SandboxOptions(plan=always(fault))) as sandbox:
            async with client_at(sandbox.url) as client:
                answered = await client.submit(ENDPOINT, BODY)
                balance, charges = await client.balance(), await client.charges()

        assert isinstance(answered, outcome)
        assert charges is not None
        assert balance is not None
        assert (len(charges), bool(balance.used)) == (made, bool(made))

    async def test_a_bad_key_is_not_known_and_no_error(self) -> None:
        options = SandboxOptions(keys={"sk-another-one": None})
        with EmbeddedSandbox(options) as sandbox:
            async with client_at(sandbox.url) as client:
                assert await client.balance() is None
                assert await client.charges() is None

    async def test_a_page_that_is_not_there_is_not_known(self) -> None:
        with Peer(silent) as peer:
            async with client_at(peer.url()) as client:
                assert await client.balance() is None
                assert await client.charges() is None

        assert peer.requests[0].startswith(b"GET /api/usage/token/ HTTP")

    async def test_nobody_there_is_not_known(self) -> None:
        async with client_at(f"http://127.0.0.1:{free_port()}") as client:
            assert await client.balance() is None

    async def test_what_the_provider_file_does_not_name_is_not_asked(self) -> None:
        nothing = dataclasses.replace(FOXAPI, account=AccountRoutes())
        with Peer(silent) as peer:
            async with client_at(peer.url(), nothing) as client:
                assert await client.balance() is None
                assert await client.charges() is None

        assert peer.connections == 0
