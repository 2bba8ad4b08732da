"""How far a request got, told by the connection itself."""

from __future__ import annotations

from collections.abc import Mapping

# httpcore announces each step before it takes it. A step that is not listed here is
# taken for the first byte: also one that a later version invents.
_SENDS_NOTHING = (
    "connection.connect_tcp.",
    "connection.start_tls.",
    "proxy.start_tls.",
    "http11.response_closed.",
)
_SPEAKS = "http11."


class Sending:
    """Whether a byte of one request can have left.

    Errors say too little about that: a proxy that breaks off before it has opened the
    way looks like a service that breaks off, and a cancellation says nothing at all.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._began: bool | None = None

    @property
    def began(self) -> bool | None:
        """Whether it can have begun; None where nothing was heard of the connection."""
        return self._began

    async def hear(self, step: str, details: Mapping[str, object]) -> None:
        """Take note of a step, as the `trace` of a request."""
        if not self._began:
            nothing = step.startswith(_SENDS_NOTHING) or _asks_proxy(step, details)
            self._began = not nothing


def _asks_proxy(step: str, details: Mapping[str, object]) -> bool:
    """Return whether *step* belongs to the request that opens a way through a proxy."""
    if not step.startswith(_SPEAKS):
        return False
    if not step.endswith(".started"):
        return True  # its beginning has been heard, and said which request it is
    return getattr(details.get("request"), "method", None) == b"CONNECT"
