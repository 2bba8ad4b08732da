"""Credits, limits and the account routes of the sandbox, key by key."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from foxbatch.sandbox import Reply, SandboxOptions, Switches
from tests.pretend import START, Service, said

A, B = "sk-a", "sk-b"


def error(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = said(reply)["error"]
    return value


def refunding(**options: Any) -> Service:  # noqa: ANN401
    return Service(switches=Switches(refunds="failed"), **options)


# Every submission of `Service` costs 80 credits.


class TestCredits:
    def test_the_end_of_them_is_402_and_creates_nothing(self) -> None:
        service = Service(credits=200)

        replies = [service.submit() for _ in range(3)]

        assert [reply.status for reply in replies] == [200, 200, 402]
        assert error(replies[2]) == {
            "message": "Insufficient balance",
            "type": "insufficient_quota",
        }
        assert len(service.sandbox.tasks) == 2
        assert not replies[2].records
        assert service.query(said(replies[0])["id"])["status"] == "pending"

    def test_the_last_credit_can_be_spent(self) -> None:
        service = Service(credits=160)

        assert [service.submit().status for _ in range(3)] == [200, 200, 402]

    def test_they_are_reserved_until_the_end_and_used_then(self) -> None:
        service = Service(credits=100)
        task = service.task()

        before = said(service.get("/v1/account/credits"))
        service.finish(task)
        after = said(service.get("/v1/account/credits"))

        assert before == {"credits_left": 20, "credits_reserved": 80, "credits_used": 0}
        assert after == {"credits_left": 20, "credits_reserved": 0, "credits_used": 80}

    def test_a_failed_task_keeps_them(self) -> None:
        service = Service(credits=80)
        service.finish(service.task(prompt="[sandbox:fail x]"))

        assert service.submit().status == 402

    def test_unless_a_switch_gives_them_back(self) -> None:
        service = refunding(credits=80)
        task = service.task(prompt="[sandbox:fail x]")

        early = service.submit()
        service.finish(task)
        late = service.submit()

        assert (early.status, late.status) == (402, 200)
        credits_ = said(service.get("/v1/account/credits"))
        assert (credits_["credits_reserved"], credits_["credits_used"]) == (80, 0)

    def test_a_completed_task_gives_nothing_back(self) -> None:
        service = refunding(credits=80)
        service.finish(service.task())

        assert service.submit().status == 402

    def test_each_key_has_its_own(self) -> None:
        service = Service(keys={A: 80, B: None}, credits=160)

        statuses = {
            key: [service.submit(key=key).status for _ in range(3)] for key in (A, B)
        }

        assert statuses == {A: [200, 402, 402], B: [200, 200, 402]}

    def test_a_refused_request_costs_nothing(self) -> None:
        service = Service(credits=80)
        for _ in range(5):
            service.submit(hue=1)

        assert service.submit().status == 200

    def test_without_a_limit_no_number_is_invented(self) -> None:
        assert said(Service().get("/v1/account/credits"))["credits_left"] is None

    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from([A, B]),
                st.sampled_from(["x", "[sandbox:fail x]", "[sandbox:slow 5]"]),
                st.floats(0, 40),
            ),
            max_size=30,
        )
    )
    def test_nothing_is_ever_lost_or_spent_twice(
        self, steps: list[tuple[str, str, float]]
    ) -> None:
        """Left, reserved, used and given back are what was granted, at any moment."""
        service = refunding(keys={A: 500, B: 1000})
        for key, prompt, wait_s in steps:
            service.submit(key=key, prompt=prompt)
            service.later(wait_s)
            for name, granted in ((A, 500), (B, 1000)):
                told = said(service.get("/v1/account/credits", key=name))
                assert told["credits_left"] >= 0
                assert sum(told.values()) == granted
        stats = said(service.get("/sandbox/stats"))
        by_key = stats["by_key"].values()
        assert stats["created"] == sum(one["created"] for one in by_key)
        assert stats["created"] == len(service.sandbox.tasks)
        assert stats["billed_credits"] == sum(
            one["credits_reserved"] + one["credits_used"] for one in by_key
        )


class TestTasksAtOnce:
    def test_too_many_are_429_until_one_ends(self) -> None:
        service = Service(in_flight=2)
        service.task(prompt="[sandbox:slow 10]")
        service.task(prompt="[sandbox:slow 20]")
        service.later(9.9)
        refused = service.submit()
        service.later(0.1)
        accepted = service.submit()

        assert (refused.status, error(refused)["type"]) == (429, "rate_limit_error")
        assert accepted.status == 200
        assert len(service.sandbox.tasks) == 3

    def test_each_key_has_its_own_number(self) -> None:
        service = Service(in_flight=1)

        statuses = [service.submit(key=key).status for key in (A, B, A, B)]

        assert statuses == [200, 200, 429, 429]

    def test_a_task_that_takes_no_time_is_never_in_flight(self) -> None:
        service = Service(in_flight=1)

        statuses = [
            service.submit(prompt=f"[sandbox:slow 0] {n}").status for n in range(3)
        ]

        assert statuses == [200, 200, 200]
        assert service.sandbox.in_flight_peak == 0


class TestRequestsInASecond:
    def test_one_too_many_is_429_and_does_not_count_itself(self) -> None:
        service = Service(requests_per_s=2)

        statuses = []
        for wait_s in (0, 0.5, 0.4, 0.05, 0.06):
            service.later(wait_s)
            statuses.append(service.get("/v1/models").status)

        assert statuses == [200, 200, 429, 429, 200]

    def test_each_key_has_its_own_rate(self) -> None:
        service = Service(requests_per_s=1)

        statuses = [
            service.get("/v1/models", key=key).status for key in (A, B, A, None)
        ]

        assert statuses == [200, 200, 429, 200]

    def test_queries_submissions_and_uploads_are_counted_alike(self) -> None:
        service = Service(requests_per_s=1)
        service.ask("x")

        replies = [
            service.submit(),
            service.ask("x"),
            service.get("/api/pricing"),
            service.post("/v1/files/upload/url", {"url": "https://a.b/"}),
        ]

        assert {reply.status for reply in replies} == {429}
        assert not service.sandbox.tasks

    def test_files_and_pages_are_not(self) -> None:
        service = Service(requests_per_s=1)
        paths = ["/files/x/0", "/uploads/1/2/a", "/sandbox/stats", "/sandbox/overview"]

        statuses = {service.get(p, key=None).status for p in paths * 3}

        assert 429 not in statuses

    def test_a_stranger_is_told_so_however_often(self) -> None:
        service = Service(keys={A: None}, requests_per_s=1)

        replies = [service.get("/v1/models", key="sk-x") for _ in range(3)]

        assert [reply.status for reply in replies] == [401, 401, 401]

    @pytest.mark.parametrize(
        ("form", "header"),
        [("seconds", "1"), ("none", None), ("huge", "86400"), ("garbage", "soon")],
    )
    def test_when_to_come_back_is_told_in_every_form(
        self,
        form: Any,  # noqa: ANN401
        header: str | None,
    ) -> None:
        assert self.told(form) == header

    def told(self, form: Any) -> str | None:  # noqa: ANN401
        switches = Switches(retry_after=form)
        service = Service(requests_per_s=1, switches=switches)
        service.get("/v1/models")
        return service.get("/v1/models").headers.get("Retry-After")

    def test_as_a_date_it_is_a_second_later(self) -> None:
        told = self.told("date")

        assert told is not None
        assert told.endswith(" GMT")
        assert parsedate_to_datetime(told).timestamp() == START + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0},
        {"speed": -1},
        {"speed": float("inf")},
        {"speed": float("nan")},
        {"in_flight": 0},
        {"requests_per_s": 0},
        {"workers": 0},
        {"upload_files": 0},
    ],
    ids=lambda wrong: "".join(f"{name} {value}" for name, value in wrong.items()),
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SandboxOptions(**wrong)


# ---- What a key is told of itself

ACCOUNT_ROUTES = (
    "/api/usage/token/",
    "/api/usage/token",
    "/api/log/token",
    "/dashboard/billing/subscription",
    "/dashboard/billing/usage",
    "/v1/dashboard/billing/subscription",
    "/v1/dashboard/billing/usage",
)


class TestAccountRoutes:
    @pytest.mark.parametrize("path", ACCOUNT_ROUTES)
    @pytest.mark.parametrize("key", ["sk-x", None], ids=["wrong key", "no key"])
    def test_a_bad_key_is_told_with_200(self, path: str, key: str | None) -> None:
        service = Service(keys={A: None})

        reply = service.get(path, key=key)

        assert (reply.status, said(reply)["success"]) == (200, False)
        assert said(reply).keys() == {"success", "message"}
        assert not service.sandbox.accounts

    def test_token_usage_is_in_quota(self) -> None:
        service = Service(credits=200)
        service.task()

        told = said(service.get("/api/usage/token/"))

        data = told.pop("data")
        assert told == {"code": True, "message": "ok"}
        assert data.pop("name")
        assert data == {
            "object": "token_usage",
            "total_granted": 1_000_000,
            "total_used": 400_000,
            "total_available": 600_000,
            "unlimited_quota": False,
            "model_limits": {},
            "model_limits_enabled": False,
            "expires_at": 0,
        }

    def test_without_an_end_the_token_is_unlimited(self) -> None:
        data = said(Service().get("/api/usage/token"))["data"]

        assert (data["unlimited_quota"], data["total_available"]) == (True, 0)

    @pytest.mark.parametrize(
        ("credits_", "limit"), [(None, 100_000_000), (250, 2.5), (0, 0)]
    )
    @pytest.mark.parametrize("prefix", ["", "/v1"])
    def test_a_subscription_is_in_dollars(
        self, prefix: str, credits_: int | None, limit: float
    ) -> None:
        service = Service(credits=credits_)

        told = said(service.get(f"{prefix}/dashboard/billing/subscription"))

        assert told == {
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "access_until": 0,
        }

    @pytest.mark.parametrize("prefix", ["", "/v1"])
    def test_usage_is_a_hundred_times_the_dollars(self, prefix: str) -> None:
        service = Service()
        service.finish(service.task())
        service.task()

        told = said(service.get(f"{prefix}/dashboard/billing/usage"))

        assert told == {"object": "list", "total_usage": 160}

    def test_charges_are_the_keys_own_and_the_newest_come_first(self) -> None:
        service = Service()
        for number in range(4):
            service.submit(key=(A, B)[number % 2], model="veo-3.1")
            service.later(10)

        told = said(service.get("/api/log/token", key=A))["data"]

        assert told == [
            {
                "id": number,
                "created_at": int(START) + at,
                "model_name": "veo-3.1",
                "quota": 168 * 5000,
                "group": "default",
            }
            for number, at in ((2, 20), (1, 0))
        ]

    def test_only_so_many_charges_are_listed_though_others_came_between(self) -> None:
        service = Service()
        service.submit(key=A)
        for number in range(1005):
            service.submit(key=B, prompt=f"Fox {number}")

        mine, others = (
            said(service.get("/api/log/token", key=key))["data"] for key in (A, B)
        )

        assert len(mine) == 1
        assert [others[0]["id"], others[-1]["id"], len(others)] == [1005, 6, 1000]

    def test_nothing_of_one_key_is_told_to_another(self) -> None:
        service = Service()
        service.submit(key=A)

        told = [service.get(path, key=B).body for path in ACCOUNT_ROUTES]
        fresh = [Service().get(path, key=B).body for path in ACCOUNT_ROUTES]

        assert told == fresh


# ---- What everybody is told


class TestLists:
    def test_models_are_bare_ids_and_ids_with_brackets(self) -> None:
        data = said(Service().get("/v1/models"))["data"]

        names = [row["id"] for row in data]
        assert {"veo-3.1", "veo-3.1[4k|audio]", "suno-v4", "kimi-k2.6"} <= {*names}
        assert len(names) == len(set(names))
        assert data[0].keys() == {"id", "owned_by", "supported_endpoint_types"}

    def test_a_closed_model_is_not_listed(self) -> None:
        service = Service(closed=frozenset({"veo-3.1", "kimi-k2.6"}))

        listed = {row["id"] for row in said(service.get("/v1/models"))["data"]}
        talking = said(service.get("/v1/configs/llm_generations_models"))["data"]

        assert not {"veo-3.1", "kimi-k2.6"} & listed
        assert "kimi-k2.6" not in {row["id"] for row in talking}

    def test_language_models_tell_what_they_can_read(self) -> None:
        told = said(Service().get("/v1/configs/llm_generations_models"))

        assert told["object"] == "list"
        assert {
            "id": "kimi-k2.6",
            "object": "model",
            "capabilities": ["text"],
        } in told["data"]

    @pytest.mark.parametrize(("language", "count"), [("zh", 2), ("en", 2), ("fox", 0)])
    def test_voices_are_a_bare_array(self, language: str, count: int) -> None:
        path = "/v1/configs/minimax-preset-voice-id"

        told: Any = said(Service().get(path, language=language))

        assert isinstance(told, list)
        assert len(told) == count

    def test_prices_need_no_key(self) -> None:
        told = said(Service(keys={A: None}).get("/api/pricing", key=None))

        rows = {row["model_name"]: row for row in told["data"]}
        assert told["success"] is True
        assert told["group_ratio"].keys() == told["usable_group"].keys()
        assert rows["veo-3.1[audio]"]["model_price"] == 0.21
        assert rows["veo-3.1[audio]"]["quota_type"] == 1
        assert rows["kimi-k2.6"]["quota_type"] == 0
        assert rows["kimi-k2.6"]["model_ratio"] > 0
