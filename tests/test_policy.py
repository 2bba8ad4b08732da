"""Limits, retries, patience and budget."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from foxbatch.policy import Accept, Budget, Limits, RetryPolicy, parse_duration

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    "limits",
    [
        {"in_flight": 0},
        {"downloads": 0},
        {"max_jobs": 0},
        {"requests_per_second": 0},
        {"requests_per_second": -1},
    ],
    ids=str,
)
def test_limits_under_which_nothing_happens_are_refused(
    limits: dict[str, int],
) -> None:
    with pytest.raises(ValueError, match="every limit must be positive"):
        Limits(**limits)


def test_less_than_one_request_in_a_second_is_slow_but_fine() -> None:
    assert Limits(requests_per_second=0.1).requests_per_second == 0.1


def test_a_policy_that_never_submits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        RetryPolicy(attempts=0)


@pytest.mark.parametrize(
    ("failure_class", "accepted", "allowed"),
    [
        pytest.param("capacity", 1, True, id="named, with an attempt left"),
        pytest.param("capacity", 2, False, id="named, all attempts used"),
        pytest.param("content", 1, False, id="not named"),
    ],
)
def test_only_named_classes_are_bought_again(
    failure_class: str, accepted: int, allowed: bool
) -> None:
    policy = RetryPolicy(attempts=2, classes=frozenset({"capacity"}))

    assert policy.allows(failure_class, accepted=accepted) is allowed


@pytest.mark.parametrize(
    ("repeat", "bound_s"),
    [
        pytest.param(1, 1.0, id="the first repeat waits at most first_delay_s"),
        pytest.param(3, 4.0, id="then the bound doubles"),
        pytest.param(8, 60.0, id="up to max_delay_s"),
        pytest.param(5_000, 60.0, id="without overflowing"),
    ],
)
def test_delay_is_between_half_its_bound_and_its_bound(
    repeat: int, bound_s: float
) -> None:
    delays = [RetryPolicy().delay_s(repeat, random.Random(seed)) for seed in range(50)]

    assert bound_s / 2 <= min(delays) < max(delays) <= bound_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("0", 0.0, id="at once"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 5\t", 5.0, id="white space around it"),
        pytest.param("121", 120.0, id="longer than the cap"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("inf", None, id="infinity"),
        pytest.param("1_0", None, id="digits with an underscore"),
        pytest.param("1e3", None, id="a power of ten"),
        pytest.param("+5", None, id="a sign"),
        pytest.param("5\n", None, id="a newline"),
        pytest.param("\u0665", None, id="a digit that is not ASCII"),
        pytest.param("9" * 400, 120.0, id="a number without end is capped"),
        pytest.param("-1", None, id="negative"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("7, 8", None, id="two headers made one"),
        pytest.param("Wed, 21 Oct 2026 07:28:30 GMT", 30.0, id="a date"),
        pytest.param("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0, id="an old date"),
        pytest.param("Wed Oct 21 07:28:30 2026", 30.0, id="the oldest date"),
        pytest.param("21 Oct 2026 07:28:30 GMT", None, id="a date of mail"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 0.0, id="now"),
        pytest.param("Wed, 21 Oct 2026 07:27:59 GMT", None, id="a date in the past"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 120.0, id="a far date"),
        pytest.param("Wed, 21 Oct 2026 07:28:30", None, id="a date without zone"),
        pytest.param("Wed, 99 Oct 2026 07:28:30 GMT", None, id="no such day"),
        pytest.param(
            f"Wed, 21 Oct {'9' * 20} 07:28:30 GMT", None, id="no year of any calendar"
        ),
        pytest.param(
            f"Wed, 21 Oct 2026 07:28:30 +{'9' * 20}", None, id="no zone of this earth"
        ),
    ],
)
def test_retry_after_is_read_with_suspicion(
    header: str | None, wait_s: float | None
) -> None:
    assert RetryPolicy().retry_after_s(header, NOW) == wait_s


@pytest.mark.parametrize(
    ("accept", "classes", "tolerated"),
    [
        pytest.param(Accept(), [], True, id="no failure needs no tolerance"),
        pytest.param(Accept(), ["content"], False, id="nothing is tolerated by itself"),
        pytest.param(Accept(failed=0.1), ["content"] * 10, True, id="just the share"),
        pytest.param(Accept(failed=0.1), ["content"] * 11, False, id="one too many"),
        pytest.param(Accept(failed=0.29), ["input"] * 29, True, id="rounding is fair"),
        pytest.param(
            Accept(failed=1.0), ["input"] * 100, True, id="every job may fail"
        ),
        pytest.param(
            Accept(failed=0.5, classes=frozenset({"content"})),
            ["content", "service"],
            False,
            id="a class that is not named is never tolerated",
        ),
        pytest.param(
            Accept(failed=0.5, classes=frozenset({"content", "service"})),
            ["content", "content"],
            True,
            id="named classes need not all occur",
        ),
        pytest.param(
            Accept(classes=frozenset({"content"})),
            ["content"],
            False,
            id="a class without a share changes nothing",
        ),
    ],
)
def test_failures_among_a_hundred_jobs_may_stand(
    accept: Accept, classes: list[str], tolerated: bool
) -> None:
    assert accept.tolerates(classes, jobs=100) is tolerated


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(), "no budget"),
        (Budget(jobs=1), "1 job"),
        (Budget(jobs=1200, per="run"), "1,200 jobs per run"),
        (Budget(credits=2.5, per="month"), "2.5 credits per month"),
        (Budget(jobs=3, credits=5000), "3 jobs and 5,000 credits"),
    ],
    ids=["none", "one job", "jobs", "credits", "both"],
)
def test_budget_is_told_in_words(budget: Budget, words: str) -> None:
    assert str(budget) == words
    assert budget.bounds is (words != "no budget")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("1.5s", 1.5),
        ("20m", 1_200),
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1d2h3m4.5s", 93_784.5),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        "s",
        "1.5h",
        "-1s",
        "1h 30m",
        "30m1h",
        "1h1h",
        "1S",
        "1s\n",
        ".5s",
        "1e3s",
    ],
)
def test_what_is_no_duration_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as") as caught:
        parse_duration(text)

    assert repr(text) in str(caught.value)
