"""A pretend FoxAPI that behaves, and misbehaves on purpose.

    core        the service itself: `handle(sandbox, request, now) -> reply`, pure
    rules       what it accepts for a model, and what it charges
    story       how long a task takes, how it ends, what a query shows
    messages    requests, replies, tasks and clips: values
    files       ranges of served files
    card        the picture of a pretend video
    media       clips made real, and kept
    store       the tasks on disk, so that a restart forgets none
    server      all of it on a real socket
    transport   all of it without one, for virtual time

It shares no code with what it is used to test. Importing it is cheap; aiohttp, PyAV
and Pillow are loaded when something of the server is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from foxbatch.sandbox.core import Sandbox, SandboxOptions, handle
from foxbatch.sandbox.messages import Clip, Reply, Request, Task
from foxbatch.sandbox.rules import Switches

if TYPE_CHECKING:
    from foxbatch.sandbox.server import EmbeddedSandbox, run_sandbox, serve
    from foxbatch.sandbox.transport import SandboxTransport

__all__ = [
    "Clip",
    "EmbeddedSandbox",
    "Reply",
    "Request",
    "Sandbox",
    "SandboxOptions",
    "SandboxTransport",
    "Switches",
    "Task",
    "handle",
    "run_sandbox",
    "serve",
]

_HOME = {
    "EmbeddedSandbox": "foxbatch.sandbox.server",
    "run_sandbox": "foxbatch.sandbox.server",
    "serve": "foxbatch.sandbox.server",
    "SandboxTransport": "foxbatch.sandbox.transport",
}


def __getattr__(name: str) -> object:
    """Import what is heavy the first time somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value
