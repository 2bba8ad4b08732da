"""What every test finds: no keys, both event loops, and a clock that can jump."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import anyio
import hypothesis
import pytest

pytest_plugins = ["tests.cli", "tests.submitting"]

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "here")


def pytest_configure() -> None:
    """Forget the developer's own settings: no test may meet a real key."""
    for name in list(os.environ):
        if name.startswith(("FOXAPI_", "FOXBATCH_")):
            del os.environ[name]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run a test marked `anyio` on both event loops.

    For hours that take no time, a test class overrides this with
    `("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})`.
    """
    return str(request.param)


class LoopClock:
    """The event loop's own time as a `Clock`; it jumps where a `MockClock` does."""

    start = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)
