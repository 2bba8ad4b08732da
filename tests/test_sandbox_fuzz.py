"""The published description fuzzed by Schemathesis: a small share of a long run.

The cases are the same each time, and nothing is listened to: requests go to the core.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from requests.adapters import HTTPAdapter
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth
from urllib3 import HTTPResponse

from foxbatch.sandbox import Request, Sandbox, SandboxOptions, handle
from foxbatch.sandbox.service.openapi import describe
from tests.pretend import KEY, START

BASE_URL = "http://sandbox.invalid"
OPTIONS = SandboxOptions(keys={KEY: None}, speed=1000)
DESCRIPTION: Any = describe(OPTIONS, BASE_URL)
_SHORT = settings(
    max_examples=10,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Wire(HTTPAdapter):
    """Takes requests to a core; each comes a second after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox(options=OPTIONS, started_at=START)
        self.now = START

    def send(
        self, request: requests.PreparedRequest, *_args: object, **_more: object
    ) -> requests.Response:
        self.now += 1
        reply = handle(self.sandbox, _as_received(request), self.now)
        body = b"a file" if reply.media else reply.body
        raw = HTTPResponse(
            body=BytesIO(body),
            headers=dict(reply.headers),
            status=reply.status,
            reason=HTTPStatus(reply.status).phrase,
            preload_content=False,
        )
        response = self.build_response(request, raw)
        response.elapsed = timedelta(seconds=1)
        return response


def _as_received(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    assert isinstance(body, (bytes, str))
    return Request(
        method=request.method or "",
        path=unquote(parts.path),
        base_url=BASE_URL,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.lower(): str(text) for name, text in request.headers.items()},
        body=body if isinstance(body, bytes) else body.encode(),
    )


@cache
def session() -> requests.Session:
    made = requests.Session()
    made.mount("http://", Wire())
    return made


@cache
def schema() -> Any:  # noqa: ANN401  # its operations have no public type
    return schemathesis.openapi.from_dict(DESCRIPTION)


def operations(mode: GenerationMode) -> list[str]:
    """Return the operations that can be asked rightly, or wrongly."""
    return [
        f"{method.upper()} {path}"
        for path, found in DESCRIPTION["paths"].items()
        for method, operation in found.items()
        if mode == GenerationMode.POSITIVE or _can_be_wrong(operation)
    ]


def _can_be_wrong(operation: Mapping[str, Any]) -> bool:
    """Return whether not every request is right: in a form, all is text."""
    if "requestBody" in operation:
        return "application/json" in operation["requestBody"]["content"]
    parameters = operation.get("parameters", [])
    return any(one["schema"]["type"] != "string" for one in parameters)


def is_beyond_words(value: object) -> bool:
    """Return whether *value* is refused although no schema can say so.

    See `foxbatch.sandbox.service.openapi.bodies`.
    """
    match value:
        case float():
            return value.is_integer()
        case list():
            return any(map(is_beyond_words, value))
        case {"width": int(width), "height": int(height)} if width > 0 < height:
            too_long = max(width, height) > 3 * min(width, height)
            return too_long or not 655_360 <= math.prod((width, height)) <= 8_294_400
        case {"callback_url": str()}:
            return True
        case {"model": "gpt-image-2", "image_urls": [_, _, _, _, _, *_]}:
            return True  # more than five of them may be sent as base64
        case dict():
            return any(map(is_beyond_words, value.values()))
        case _:
            return False


def fuzz(name: str, mode: GenerationMode) -> None:
    method, path = name.split()
    operation = schema()[path][method]
    is_keyed = bool(DESCRIPTION["paths"][path][method.lower()]["security"])
    # The file host refuses a key that is sent to it.
    headers = {"Authorization": f"Bearer {KEY}"} if is_keyed else {}
    cases = operation.as_strategy(generation_mode=mode)

    @seed(1)
    @_SHORT
    @given(cases.filter(lambda case: not is_beyond_words(case.body)))
    def run(case: Case[Any]) -> None:
        case.call_and_validate(
            base_url=BASE_URL,
            session=session(),
            headers=headers,
            excluded_checks=[ignored_auth],  # it would open a socket
        )

    run()


@pytest.mark.parametrize("name", operations(GenerationMode.POSITIVE))
def test_right_requests_are_answered_as_described(name: str) -> None:
    fuzz(name, GenerationMode.POSITIVE)


@pytest.mark.parametrize("name", operations(GenerationMode.NEGATIVE))
def test_wrong_requests_are_refused_as_described(name: str) -> None:
    fuzz(name, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("name", operations(GenerationMode.POSITIVE))
def test_a_key_is_asked_for_where_the_description_says_so(name: str) -> None:
    method, path = name.split()
    security = DESCRIPTION["paths"][path][method.lower()]["security"]
    is_refused = [
        session().request(method, BASE_URL + path, headers=headers).status_code == 401
        for headers in ({}, {"Authorization": "Bearer sk-wrong"})
    ]

    assert is_refused == [security == [{"bearer": []}]] * 2
