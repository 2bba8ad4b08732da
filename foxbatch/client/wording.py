"""What went wrong with a connection, in plain words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping

import httpx

from foxbatch.client.redaction import Secrets, redact

_BOUND = 300

# A broken record of TLS in the middle of an answer comes out of httpx as it is.
CONNECTION_ERRORS = (httpx.RequestError, ssl.SSLError)
"""All that a request over a connection can end in."""

# `{why}` is what the system or the library says, `{read}` and the like are the seconds
# that were waited. The first class that fits counts.
_WORDS: tuple[tuple[type[httpx.RequestError], str], ...] = (
    (httpx.ConnectTimeout, "no connection within {connect} s"),
    (httpx.ReadTimeout, "no answer within {read} s"),
    (httpx.WriteTimeout, "the request could not be sent within {write} s"),
    (httpx.PoolTimeout, "no connection was free within {pool} s"),
    (httpx.ConnectError, "the connection could not be made: {why}"),
    (httpx.ProxyError, "the proxy refuses the connection: {why}"),
    (httpx.ReadError, "the connection broke before the whole answer came"),
    (httpx.WriteError, "the connection broke while the request was sent"),
    (httpx.RemoteProtocolError, "the answer is not HTTP: {why}"),
    (httpx.DecodingError, "the answer cannot be decompressed"),
    (httpx.UnsupportedProtocol, "the address is neither http nor https"),
)
_ENDS: Mapping[str, str] = {
    "Server disconnected": "the connection broke before an answer came",
    "peer closed connection": "the answer broke off",
}


def in_words(error: httpx.RequestError | ssl.SSLError, secrets: Secrets = ()) -> str:
    """Return what happened, without *secrets*; what nobody expects keeps its name."""
    text = _words(error, redact(str(error), secrets, bound=_BOUND).rstrip(". "))
    return redact(text, secrets, bound=_BOUND)


def _words(error: httpx.RequestError | ssl.SSLError, said: str) -> str:
    if isinstance(error, ssl.SSLError):
        return f"the encrypted connection broke: {_tls(error)}"
    if isinstance(error, httpx.RemoteProtocolError):
        for start, words in _ENDS.items():
            if said.startswith(start):
                return words
    for kind, words in _WORDS:
        if not isinstance(error, kind):
            continue
        if isinstance(error, httpx.ConnectError):
            for cause in _causes(error):
                if isinstance(cause, ssl.SSLError):
                    return f"TLS failed: {_tls(cause)}"
            said = next(filter(None, map(_system, _causes(error))), said)
        return words.format(why=said or "no reason is given", **_waited(error))
    name = type(error).__name__
    return f"{name}: {said}" if said else name


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield what led to *error*, the nearest first."""
    error = error and (error.__cause__ or error.__context__)
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            # One for each address of the host: they hardly ever differ.
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__


def _system(error: BaseException) -> str:
    """Return what the operating system says, empty where it says nothing."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
        return "the name of the host is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return ""


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    reason: str = getattr(error, "reason", "") or "no reason is given"
    return reason.lower().replace("_", " ")


def _waited(error: httpx.RequestError) -> dict[str, str]:
    """Return the seconds that the request was willing to wait, by what for."""
    try:
        limits: Mapping[str, float | None] = error.request.extensions["timeout"]
    except (RuntimeError, KeyError):
        limits = {}
    names = ("connect", "read", "write", "pool")
    return {name: f"{limits.get(name) or 0:g}" for name in names}
