"""One service over HTTP; what it answers is a value.

`outcomes` tells what an answer means and is pure, `sending` how far a request got;
`http` asks, `download` fetches.
Names are imported when they are first used, so that reading outcomes loads no httpx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foxbatch.client.download import Fetched, FetchFailed
    from foxbatch.client.http import ServiceClient
    from foxbatch.client.outcomes import (
        Accepted,
        Evidence,
        NotSent,
        PollDenied,
        PollOutcome,
        PollTrouble,
        Refused,
        SubmitOutcome,
        TaskError,
        TaskMissing,
        TaskSeen,
        TaskView,
        Unknown,
        usable_task_id,
    )
    from foxbatch.client.redaction import without_secrets
    from foxbatch.client.sending import Sending

__all__ = [
    "Accepted",
    "Evidence",
    "FetchFailed",
    "Fetched",
    "NotSent",
    "PollDenied",
    "PollOutcome",
    "PollTrouble",
    "Refused",
    "Sending",
    "ServiceClient",
    "SubmitOutcome",
    "TaskError",
    "TaskMissing",
    "TaskSeen",
    "TaskView",
    "Unknown",
    "usable_task_id",
    "without_secrets",
]

_HOME = {
    "ServiceClient": "http",
    "Fetched": "download",
    "FetchFailed": "download",
    "Sending": "sending",
    "without_secrets": "redaction",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time somebody asks for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOME.get(name, 'outcomes')}")
    value = globals()[name] = getattr(module, name)
    return value
