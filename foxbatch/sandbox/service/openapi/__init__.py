"""The sandbox described for machines: OpenAPI 3.1, made of the catalogue.

values     the few shapes that most schemas have
bodies     what a model accepts
languages  what a language model and the upload routes accept
replies    what is answered
routes     the paths, and every status of each
"""

from __future__ import annotations

from foxbatch.sandbox.messages import Json, Reply, Request, json_reply
from foxbatch.sandbox.options import SandboxOptions
from foxbatch.sandbox.service.openapi.bodies import body_schemas
from foxbatch.sandbox.service.openapi.languages import language_schemas
from foxbatch.sandbox.service.openapi.replies import reply_schemas
from foxbatch.sandbox.service.openapi.routes import paths
from foxbatch.sandbox.service.state import Sandbox

__all__ = ["describe", "page"]

_ABOUT = """\
A pretend media-generation service. It is written from the public pages of FoxAPI and
shares no code with what it is used to test; nothing here is charged for, and no model
runs.

The description holds while no fault plan has the sandbox misbehave: then any route may
answer anything, which is what such plans are for. GET routes answer HEAD as well. Any
other method is refused with 405 and `Allow`, and any other path with 404.

Four things that are refused with 422 cannot be said in JSON Schema: 8.0 where an
integer is needed, a width and a height that do not fit each other, a callback URL to a
private network, and pictures that are too many or too large as base64.
A model may also have no channel, an upload may be gone, and the
balance may be too low."""


def describe(options: SandboxOptions, base_url: str) -> dict[str, Json]:
    """Return the OpenAPI description of a sandbox with *options* at *base_url*."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FoxAPI, as the sandbox of foxbatch plays it",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [
            {"name": "Generations", "description": "Have something made."},
            {"name": "Tasks", "description": "See what becomes of it."},
            {"name": "Files", "description": "Inputs, and what was made."},
            {"name": "Account", "description": "Models, prices, balance and charges."},
            {"name": "Sandbox", "description": "Only the sandbox has these."},
        ],
        "paths": paths(options),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **body_schemas(options),
                **language_schemas(),
                **reply_schemas(),
            },
        },
    }


def page(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what the sandbox accepts and answers."""
    del now
    return json_reply(200, describe(sandbox.options, request.base_url))
