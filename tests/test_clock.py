"""Time as text, and the clock of this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest

from foxbatch.clock import SystemClock, from_text, show_duration, to_text

EAST = timezone(timedelta(hours=5, minutes=30))


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)

    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_monotonic_time_never_goes_back() -> None:
    seen = [SystemClock().monotonic() for _ in range(100)]

    assert seen == sorted(seen)


@pytest.mark.anyio
@pytest.mark.parametrize("seconds", [0.0, -3.0])
async def test_a_sleep_of_nothing_lets_others_run(seconds: float) -> None:
    heard = anyio.Event()

    async def other() -> None:
        heard.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        for _ in range(2):  # trio may take the sleeper first, but not twice
            await SystemClock().sleep(seconds)

        assert heard.is_set()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(
            datetime(2026, 1, 2, 3, 4, 5, 678_999, UTC),
            "2026-01-02T03:04:05.678Z",
            id="milliseconds are cut, not rounded into the future",
        ),
        pytest.param(
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "2026-01-02T03:04:05.000Z",
            id="full seconds have their milliseconds too, so that texts sort",
        ),
        pytest.param(
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=EAST),
            "2026-01-01T21:34:05.000Z",
            id="other zones become UTC",
        ),
    ],
)
def test_moments_have_one_spelling(moment: datetime, text: str) -> None:
    assert to_text(moment) == text


def test_what_was_written_is_read() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)

    assert from_text(to_text(moment)) == moment


@pytest.mark.parametrize("text", ["", "soon", "2026-01-02T03:04:05", "2026-01-02"])
def test_a_text_that_names_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat"):
        from_text(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1.0, "0s"),
        (0.4, "0s"),
        (4.0, "4s"),
        (59.6, "1m 00s"),
        (200.0, "3m 20s"),
        (3_599.6, "1h 00m"),
        (3_900.0, "1h 05m"),
        (90_000.0, "25h 00m"),
    ],
)
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown
