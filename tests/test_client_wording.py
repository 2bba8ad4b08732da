"""Broken connections, in words that need no library's manual."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from foxbatch.client.wording import in_words

KEY = "sk-invented-for-this-test"
REQUEST = httpx.Request(
    "POST",
    "https://api.test",
    extensions={"timeout": {"connect": 10.0, "read": 60.0, "write": 2.5, "pool": 5.0}},
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectTimeout(""), "no connection within 10 s"),
        (httpx.ReadTimeout(""), "no answer within 60 s"),
        (httpx.WriteTimeout(""), "the request could not be sent within 2.5 s"),
        (httpx.PoolTimeout(""), "no connection was free within 5 s"),
        (httpx.ConnectError("No"), "the connection could not be made: No"),
        (
            httpx.ConnectError(""),
            "the connection could not be made: no reason is given",
        ),
        (httpx.ProxyError("403 No"), "the proxy refuses the connection: 403 No"),
        (httpx.ReadError(""), "the connection broke before the whole answer came"),
        (httpx.WriteError(""), "the connection broke while the request was sent"),
        (
            httpx.RemoteProtocolError(
                "Server disconnected without sending a response."
            ),
            "the connection broke before an answer came",
        ),
        (
            httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body"
                " (received 16 bytes, expected 90)"
            ),
            "the answer broke off",
        ),
        (
            httpx.RemoteProtocolError("illegal status line: bytearray(b'SSH-2.0')"),
            "the answer is not HTTP: illegal status line: bytearray(b'SSH-2.0')",
        ),
        (httpx.DecodingError("zlib"), "the answer cannot be decompressed"),
        (httpx.UnsupportedProtocol("x"), "the address is neither http nor https"),
        (httpx.LocalProtocolError("Odd."), "LocalProtocolError: Odd"),
        (httpx.CloseError(""), "CloseError"),
        (httpx.ReadError(f"with {KEY}"), "the connection broke before the whole"),
        (httpx.LocalProtocolError(f"with {KEY}"), "LocalProtocolError: with ***"),
    ],
    ids=str,
)
def test_each_error_is_said_in_plain_words(
    error: httpx.RequestError, words: str
) -> None:
    error.request = REQUEST

    said = in_words(error, (KEY,))

    assert said.startswith(words)
    assert KEY not in said


def _certificate() -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x")
    error.verify_message = "self-signed certificate"
    return error


def _handshake() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            "could not be made: refused",
        ),
        (
            ExceptionGroup(
                "tried", [ConnectionRefusedError(111, "Connection refused")]
            ),
            "could not be made: refused",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "could not be made: the name of the host is not known",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
            "could not be made: temporary failure",
        ),
        (OSError(113, "No route to host"), "could not be made: no route to host"),
        (ValueError("odd"), "could not be made: All attempts failed"),
        (_certificate(), "TLS failed: self-signed certificate"),
        (_handshake(), "TLS failed: wrong version number"),
        (ssl.SSLError("odd"), "TLS failed: no reason is given"),
    ],
    ids=repr,
)
def test_a_connection_that_is_not_made_says_why(cause: Exception, words: str) -> None:
    middle = OSError("All attempts failed")
    middle.__cause__ = cause
    error = httpx.ConnectError("All attempts failed.")
    error.__cause__ = middle

    assert in_words(error).endswith(words)


def test_an_error_that_belongs_to_no_request_has_words_too() -> None:
    assert in_words(httpx.ReadTimeout("")) == "no answer within 0 s"
