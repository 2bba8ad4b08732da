"""What is asked before money is spent, and what a run says about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.api.beginning import ask, check_prices
from foxbatch.budget import Projection, Spending
from foxbatch.errors import ExitCode, UsageError
from foxbatch.planner import Action, Plan, PlannedJob
from foxbatch.policy import Budget, Limits
from foxbatch.prices import Estimate, Price, PriceLine
from foxbatch.state import Phase
from tests.runner_harness import many

pytestmark = pytest.mark.anyio

OPTIONS = api.RunOptions(speed=1_000, environ={})
BOUGHT = PlannedJob(
    wanted=many(1)[0], phase=Phase.NEW, action=Action.SUBMIT, reason="not bought yet"
)
UNPRICED = Estimate((PriceLine(BOUGHT.wanted, 2, None),))
PRICED = Estimate((PriceLine(BOUGHT.wanted, 2, Price(28, 28, 28, 1)),))
SPENT = (Spending(Budget(credits=100), 0, 0, 0),)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def beginning(**fields: object) -> api.Beginning:
    known: dict[str, object] = {
        "run_dir": Path("runs/x"),
        "name": "x",
        "provider": "foxapi",
        "base_url": "https://api.example.com",
        "paid": True,
        "plan": Plan((BOUGHT,), PRICED),
        "limits": Limits(),
        "phases": {},
    }
    return api.Beginning(**(known | fields))  # type: ignore[arg-type]


class TestAsking:
    @pytest.mark.parametrize(
        ("fields", "options", "asked"),
        [
            pytest.param({}, {}, True, id="a paid run"),
            pytest.param({"spending": SPENT}, {}, True, id="also within a budget"),
            pytest.param({"canaries": 1}, {"canary": True}, True, id="canaries too"),
            pytest.param({}, {"yes": True}, False, id="not after --yes"),
            pytest.param({"paid": False}, {}, False, id="not where it is free"),
            pytest.param(
                {"plan": Plan((), Estimate())}, {}, False, id="not for nothing"
            ),
            pytest.param(
                {}, {"canary": True}, False, id="not when the rest is asked for anyway"
            ),
        ],
    )
    def test_somebody_is_asked_about(
        self, fields: dict[str, object], options: dict[str, bool], asked: bool
    ) -> None:
        heard: list[api.Beginning] = []

        def confirm(one: api.Beginning) -> bool:
            heard.append(one)
            return True

        ask(beginning(**fields), replace(OPTIONS, **options), confirm)  # type: ignore[arg-type]

        assert bool(heard) is asked

    def test_where_nobody_can_be_asked_a_budget_is_a_word(self) -> None:
        ask(beginning(spending=SPENT), OPTIONS, None)

        with pytest.raises(UsageError, match="would buy 1 job from foxapi"):
            ask(beginning(), OPTIONS, None)


class TestPrices:
    CREDITS = Budget(credits=5000, per="month")

    @pytest.mark.parametrize(
        ("estimate", "budget", "options"),
        [
            pytest.param(PRICED, CREDITS, {}, id="known prices"),
            pytest.param(UNPRICED, Budget(jobs=5), {}, id="a budget of jobs"),
            pytest.param(UNPRICED, CREDITS, {"canary": True}, id="--canary"),
            pytest.param(UNPRICED, CREDITS, {"allow_unpriced": True}, id="--allow"),
        ],
    )
    def test_will_do(
        self, estimate: Estimate, budget: Budget, options: dict[str, bool]
    ) -> None:
        check_prices(estimate, [budget], replace(OPTIONS, **options))  # type: ignore[arg-type]

    def test_are_needed_for_a_budget_in_credits(self) -> None:
        with pytest.raises(UsageError) as caught:
            check_prices(UNPRICED, [self.CREDITS, Budget()], OPTIONS)

        assert str(caught.value) == (
            "a budget of 5,000 credits per month needs prices, and what 2 jobs cost is"
            " not known"
        )
        assert "--canary" in caught.value.hint
        assert "--allow-unpriced" in caught.value.hint


def pond(folder: Path, *prompts: str, rules: str = "") -> api.Wanted:
    text = (
        "foxbatch: 1\nname: pond\nprovider: sandbox\n"
        "defaults: {model: veo-3.1-fast,\n"
        "  params: {duration: 4, resolution: 720p, generate_audio: false}}\n"
        "jobs:\n  - id: ducks\n    prompts:\n"
    )
    text += "".join(f'      - "{prompt}"\n' for prompt in prompts)
    path = folder / "pond.yaml"
    path.write_text(text + rules)
    return api.load_manifest(path)


DUCKS = [f"A duck, number {number}" for number in range(4)]


class TestRun:
    async def test_without_prices_a_budget_in_credits_sends_nothing(
        self, tmp_path: Path
    ) -> None:
        wanted = pond(tmp_path, *DUCKS, rules="budget: {credits: 100}\n")

        with pytest.raises(UsageError, match="what 4 jobs cost is not known"):
            await api.run(wanted, OPTIONS)

        assert not list(tmp_path.glob("runs/*/ledger/*"))

    async def test_a_canary_then_the_rest_then_the_budget(self, tmp_path: Path) -> None:
        wanted = pond(tmp_path, *DUCKS, rules="budget: {credits: 112}\n")

        summary = await api.run(wanted, replace(OPTIONS, canary=True, yes=True))
        (left,) = api.plan(wanted).spending
        more = pond(tmp_path, *DUCKS, "Another", rules="budget: {credits: 112}\n")
        over = await api.run(more, OPTIONS)

        assert (summary.exit_code, summary.counts) == (ExitCode.DONE, {"done": 4})
        assert (left.jobs, left.credits, left.credits_left) == (4, 112, 0)
        assert (over.exit_code, over.submitted) == (ExitCode.BUDGET, 0)
        assert over.reason == "stopped: the budget of 112 credits is used up"

    async def test_a_canary_without_a_word_for_the_rest(self, tmp_path: Path) -> None:
        summary = await api.run(pond(tmp_path, *DUCKS), replace(OPTIONS, canary=True))

        assert summary.exit_code is ExitCode.USAGE
        assert summary.counts == {"new": 3, "done": 1}

    async def test_the_rest_is_asked_for_with_its_price(self, tmp_path: Path) -> None:
        heard: list[Projection] = []

        async def go_on(projection: Projection) -> bool:
            heard.append(projection)
            return True

        wanted = pond(tmp_path, *DUCKS)
        options = replace(OPTIONS, canary=True, max_credits=500)
        summary = await api.run(wanted, options, go_on=go_on)

        assert summary.counts == {"done": 4}
        assert heard[0].estimate.credits == 84
        assert [one.credits_left for one in heard[0].spending] == [472]

    async def test_accepted_failures_are_told_and_are_no_failure(
        self, tmp_path: Path
    ) -> None:
        prompts = [*DUCKS, "A duck [sandbox:fail content_policy_violation]"]
        rules = "accept: {failed: 20%, classes: [content]}\n"

        summary = await api.run(pond(tmp_path, *prompts, rules=rules), OPTIONS)

        assert summary.exit_code is ExitCode.DONE
        assert summary.reason == "done; 1 failed, which the manifest accepts"

    async def test_failures_of_other_classes_are_one(self, tmp_path: Path) -> None:
        prompts = [*DUCKS, "A duck [sandbox:fail service_error]"]
        rules = "accept: {failed: 20%, classes: [content]}\n"

        summary = await api.run(pond(tmp_path, *prompts, rules=rules), OPTIONS)

        assert summary.exit_code is ExitCode.FAILED_JOBS

    async def test_a_slice_that_fails_as_a_whole_is_paused(
        self, tmp_path: Path
    ) -> None:
        prompts = [f"Duck {n} [sandbox:fail service_error]" for n in range(4)]
        rules = "retry: {pause_after: 2}\nlimits: {in_flight: 1}\n"

        summary = await api.run(pond(tmp_path, *prompts, rules=rules), OPTIONS)

        assert summary.exit_code is ExitCode.FAILED_JOBS
        assert summary.counts == {"new": 2, "failed": 2}
        assert summary.reason == (
            "paused: 2 jobs with model=veo-3.1-fast not submitted, as all before them"
            " failed"
        )

    async def test_fail_fast_says_which_job_it_was(self, tmp_path: Path) -> None:
        prompts = ["A duck [sandbox:fail service_error]", *DUCKS]
        rules = "limits: {in_flight: 1}\norder: declared\n"

        summary = await api.run(
            pond(tmp_path, *prompts, rules=rules), replace(OPTIONS, fail_fast=True)
        )

        assert summary.exit_code is ExitCode.FAILED_JOBS
        assert summary.counts == {"new": 4, "failed": 1}
        assert summary.reason.startswith("stopped: ducks/a-duck-sandbox-fail")
