"""A pretend FoxAPI that behaves, and misbehaves on purpose.

    messages   requests, replies, tasks and recipes: values
    options    how it behaves; which reading of contradictory pages holds
    service    the service itself: `handle(sandbox, request, now) -> reply`, pure
    faults     what goes wrong, and when: plans as data
    media      videos, pictures, sounds and archives made real
    web        all of it on a real socket
    transport  all of it without one, for virtual time

It shares no code with what it is used to test. Importing it is cheap; aiohttp, PyAV
and Pillow are loaded when something of the server is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from foxbatch.sandbox.messages import (
    Archive,
    Clip,
    Delivery,
    Picture,
    Recipe,
    Reply,
    Request,
    Sound,
    Task,
    Twist,
    Upload,
)
from foxbatch.sandbox.options import SandboxOptions, Switches
from foxbatch.sandbox.service.core import Sandbox, handle

if TYPE_CHECKING:
    from foxbatch.sandbox.transport import SandboxTransport
    from foxbatch.sandbox.web.server import EmbeddedSandbox, run_sandbox, serve

__all__ = [
    "Archive",
    "Clip",
    "Delivery",
    "EmbeddedSandbox",
    "Picture",
    "Recipe",
    "Reply",
    "Request",
    "Sandbox",
    "SandboxOptions",
    "SandboxTransport",
    "Sound",
    "Switches",
    "Task",
    "Twist",
    "Upload",
    "handle",
    "run_sandbox",
    "serve",
]

_HOME = {
    "EmbeddedSandbox": "foxbatch.sandbox.web.server",
    "run_sandbox": "foxbatch.sandbox.web.server",
    "serve": "foxbatch.sandbox.web.server",
    "SandboxTransport": "foxbatch.sandbox.transport",
}


def __getattr__(name: str) -> object:
    """Import what is heavy the first time somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value
