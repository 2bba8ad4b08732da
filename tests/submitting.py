"""Submitting to peers that misbehave, impatiently."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest

from foxbatch.access import Access, Key
from foxbatch.client import Accepted, Refused, ServiceClient, SubmitOutcome, http
from foxbatch.clock import SystemClock
from foxbatch.events import Origin
from foxbatch.provider import Provider, load_provider
from tests.peers import Certificate

KEY = "sk-invented-for-this-test"
TASK = "task-unified-1785830400-k3v9qd2m"
ENDPOINT = "/v1/videos/generations"
BODY = b'{"model":"veo-3.1","prompt":"A fox"}'
FOXAPI = load_provider("foxapi", base=Path())

BROKE = r"^the connection broke before "
OFF = r"^the answer broke off"
NO_HTTP = "^the answer is not HTTP: "

Trust: TypeAlias = Callable[[Certificate], None]


def reply(status: str, content: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


MADE = json.dumps({"id": TASK, "status": "pending"}).encode()
ACCEPTED = reply("200 OK", MADE)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give a certificate for this machine and the service behind proxies."""
    return Certificate(tmp_path_factory.mktemp("ours"), "IP:127.0.0.1", "DNS:api.test")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trust]:
    """Give a function that makes foxbatch trust a certificate, as its user would."""
    forget = http._trust.cache_clear  # noqa: SLF001  read once in each process

    def trust(certificate: Certificate) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        forget()

    forget()
    yield trust
    forget()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing for long, and know no proxy."""
    monkeypatch.setattr(http, "_SUBMIT", httpx.Timeout(0.7))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def client_at(url: str, provider: Provider = FOXAPI) -> ServiceClient:
    origin = Origin(provider="foxapi", base_url=url, account="a")
    access = Access(base_url=url, key=Key(KEY), account="a", origin=origin)
    return ServiceClient(provider, access, clock=SystemClock())


async def submitted(
    url: str, body: bytes = BODY, *, provider: Provider = FOXAPI
) -> SubmitOutcome:
    async with client_at(url, provider) as client:
        return await client.submit(ENDPOINT, body)


def check(outcome: SubmitOutcome, kind: type[SubmitOutcome], words: str) -> None:
    """Check what became of a submission, and what a person reads about it."""
    match outcome:
        case Accepted(task=task):
            said: str = task
        case Refused(message=message):
            said = message
        case _:
            said = outcome.reason
    assert type(outcome) is kind, outcome
    assert re.search(words, said), said
    assert KEY not in repr(outcome)
