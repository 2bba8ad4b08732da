"""Fetching result files, from hosts that must never see a key."""

from __future__ import annotations

import ipaddress
import re
import zlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import httpx

from foxbatch.artifacts import Partial, extension_for, is_page, sniff
from foxbatch.client.redaction import HIDDEN, Secrets, without_secrets
from foxbatch.client.wording import CONNECTION_ERRORS, in_words
from foxbatch.provider import is_loopback

MAX_FILE_BYTES = 8 << 30
MAX_REDIRECTS = 5
_PIECE_BYTES = 1 << 20

# A file may take any time in total, but not come to rest: a server that drips would
# keep one of few slots for ever.
_REST_S = 60.0
_LEAST_BYTES = 64 * 1024

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({401, 403, 404, 410})
_BEYOND_THE_END = 416
_MEDIA = frozenset({"video", "image", "audio"})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file is whole, in its temporary place.

    Attributes:
        extension: By its bytes, else by its type; without a dot.
        content_type: As the server said.
        bytes: Its size.
        recognised: Whether its bytes tell what it is, where they should.
    """

    extension: str
    content_type: str | None
    bytes: int
    recognised: bool = True


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """The file is not there.

    Attributes:
        reason: For people.
        permanent: Whether this address will never give it.
        expired: Whether the address has probably expired: ask the task for a new one.
    """

    reason: str
    permanent: bool = False
    expired: bool = False


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    target: Partial,
    *,
    expect_kind: str,
    api_host: str,
    look_up: bool,
    secrets: Secrets = (),
) -> Fetched | FetchFailed:
    """Fetch *url* into *target*, going on where an earlier try ended.

    Args:
        client: One without any key.
        url: From a result.
        target: Grows by what arrives, also if this fails or is cancelled.
        expect_kind: What the file should be, such as `video`.
        api_host: Where the service is: only if it is on a private address itself may
            its files be on one.
        look_up: Whether host names are resolved to find out.
        secrets: What no address that is asked may contain.
    """
    # A signature in the query may be new; anything else makes it another file, even if
    # both were written in the same second.
    source = url.partition("?")[0]
    if target.source != source:
        target.reset()
        target.source = source
    for _ in range(MAX_REDIRECTS + 1):
        if HIDDEN in without_secrets(url, secrets):
            reason = "the address contains the key, so it is not asked"
            return FetchFailed(reason, permanent=True)
        refused = await _refused(url, api_host, look_up=look_up)
        if refused is not None:
            return refused
        try:
            request = client.build_request("GET", url, headers=_resuming(target))
            peer = _Peer(request.url, api_host, look_up=look_up)
            request.extensions["trace"] = peer.hear
            outcome = await _one(client, request, target, expect_kind)
        except httpx.InvalidURL as error:
            return FetchFailed(f"no address: {error}", permanent=True)
        except _PrivatePeerError as error:
            return _private(error.host)
        except CONNECTION_ERRORS as error:
            return FetchFailed(in_words(error, secrets))
        if not isinstance(outcome, str):
            return outcome
        url = outcome
    return FetchFailed(f"more than {MAX_REDIRECTS} redirects")


def _resuming(target: Partial) -> dict[str, str]:
    """Return the headers that ask for the rest of the very same version, if any."""
    if target.size == 0 or target.validator is None:
        return {}
    return {"Range": f"bytes={target.size}-", "If-Range": target.validator}


async def _one(
    client: httpx.AsyncClient,
    request: httpx.Request,
    target: Partial,
    expect_kind: str,
) -> Fetched | FetchFailed | str:
    """Send one request; a text is where it was redirected to."""
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        status = response.status_code
        if status in _REDIRECTS and "location" in response.headers:
            return str(request.url.join(response.headers["location"]))
        if status in _GONE:
            return FetchFailed(f"status {status}", permanent=True, expired=True)
        if status not in (200, 206):
            if status == _BEYOND_THE_END:
                target.reset()  # what is there is no part of that file
            return FetchFailed(f"status {status}")
        return await _receive(response, target, expect_kind)
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()


async def _receive(
    response: httpx.Response, target: Partial, expect_kind: str
) -> Fetched | FetchFailed:
    total = _begin(response, target)
    if isinstance(total, FetchFailed):
        return total
    content_type = response.headers.get("content-type")
    unpack = _unpacker(response.headers.get("content-encoding", "identity"))
    if unpack is None:
        return FetchFailed("it is packed in a way that was not asked for")
    # Closed here: a full disk leaves the loop early, and garbage collectors are late.
    # It is a generator, whatever httpx calls it.
    body = cast("httpx.AsyncByteStream", response.stream)
    stream: AsyncGenerator[bytes, None] = body.__aiter__()  # type: ignore[assignment]
    async with aclosing(stream) as chunks:
        try:
            failure = await _take(chunks, unpack, target)
        except zlib.error:
            target.reset()
            return FetchFailed("it cannot be unpacked")
    return failure or _judge(target, expect_kind, content_type, total)


async def _take(
    chunks: AsyncIterator[bytes],
    unpack: Callable[[bytes], Iterator[bytes]],
    target: Partial,
) -> FetchFailed | None:
    """Write all that comes; return why that ended early, if it did."""
    came = 0  # over the connection, since the clock was set
    with anyio.move_on_after(_REST_S) as patience:
        async for chunk in chunks:
            came += len(chunk)
            if came >= _LEAST_BYTES:
                came, patience.deadline = 0, anyio.current_time() + _REST_S
            for piece in unpack(chunk):
                target.append(piece)
                if target.size > MAX_FILE_BYTES:
                    target.reset()
                    reason = f"more than {MAX_FILE_BYTES} bytes"
                    return FetchFailed(reason, permanent=True)
    if patience.cancelled_caught:
        return FetchFailed(f"less than {_LEAST_BYTES} bytes came in {_REST_S:g} s")
    return None


def _unpacker(encoding: str) -> Callable[[bytes], Iterator[bytes]] | None:
    """Return what unpacks the chunks of a body, should a server pack it in spite of us.

    Piece by piece: a few kilobytes can unpack to gigabytes. What is packed twice, or in
    another way, is no honest answer to a request for the plain file.
    """
    if encoding == "identity":
        return lambda chunk: iter((chunk,))
    if encoding not in ("gzip", "deflate"):
        return None
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out which of the two

    def unpack(chunk: bytes) -> Iterator[bytes]:
        while chunk:
            yield decoder.decompress(chunk, _PIECE_BYTES)
            chunk = decoder.unconsumed_tail

    return unpack


def _judge(
    target: Partial, expect_kind: str, content_type: str | None, total: int | None
) -> Fetched | FetchFailed:
    """Return what came; what is not the file is forgotten."""
    reason = ""
    if target.size == 0:
        reason = "an empty file came"
    elif expect_kind in _MEDIA and is_page(target.head, content_type):
        reason = f"a page came where {expect_kind} was expected"
    elif total is not None and target.size != total:
        reason = f"{target.size} bytes came instead of {total}"
    if reason:
        target.reset()
        return FetchFailed(reason)
    extension = extension_for(target.head, content_type)
    recognised = expect_kind not in _MEDIA or sniff(target.head) is not None
    return Fetched(extension, content_type, target.size, recognised)


def _begin(response: httpx.Response, target: Partial) -> int | FetchFailed | None:
    """Make *target* ready for the body; return how long the whole file is, if known."""
    headers = response.headers
    encoded = headers.get("content-encoding", "identity") != "identity"
    if response.status_code == 206:  # noqa: PLR2004  Partial Content
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if found is None or found[1] is None or int(found[1]) != target.size or encoded:
            target.reset()
            return FetchFailed("another part of the file came than was asked for")
        if target.size and not _same_version(headers, target.validator):
            target.reset()
            return FetchFailed("a part of another version of the file came")
        return None if found[2] is None else int(found[2])
    target.reset()
    target.validator = None if encoded else _validator(headers)
    length = headers.get("content-length", "")
    if encoded or not length.isdecimal():
        return None
    if int(length) > MAX_FILE_BYTES:
        reason = f"{length} bytes are more than {MAX_FILE_BYTES}"
        return FetchFailed(reason, permanent=True)
    return int(length)


def _validator(headers: httpx.Headers) -> str | None:
    """Return what names this version of the file byte for byte."""
    etag = headers.get("etag", "")
    if etag.startswith('"'):
        return str(etag)
    modified: str | None = headers.get("last-modified")
    return modified


def _same_version(headers: httpx.Headers, validator: str | None) -> bool:
    """Return whether a part belongs to what is there already, as far as it says."""
    said = [headers[name] for name in ("etag", "last-modified") if name in headers]
    return not said or validator in said


async def _refused(url: str, api_host: str, *, look_up: bool) -> FetchFailed | None:
    """Return why *url* is not asked at all, None if it may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # both can be impossible
    except ValueError:
        return FetchFailed("no address", permanent=True)
    if parts.scheme not in ("http", "https") or not host:
        return FetchFailed(f"no http(s) address: {parts.scheme}:", permanent=True)
    if host == api_host or not await _is_private(host, look_up=look_up):
        return None
    if await _is_private(api_host, look_up=look_up):
        return None
    return _private(host)


def _private(host: str) -> FetchFailed:
    return FetchFailed(f"{host} is a private address", permanent=True)


class _PrivatePeerError(Exception):
    """A connection leads to a private address, whatever its name was said to be."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class _Peer:
    """Looks at where the connection of one request really leads, before it is used.

    A name may be answered with another address each time it is asked for: what was
    looked up for it before need not be what is connected to.
    """

    def __init__(self, url: httpx.URL, api_host: str, *, look_up: bool) -> None:
        self._host = url.raw_host.decode("ascii")
        self._api_host, self._look_up = api_host, look_up
        self._to: object = None

    async def hear(self, step: str, details: Mapping[str, Any]) -> None:
        """Take note of a step, as the `trace` of a request."""
        if step == "connection.connect_tcp.started":
            self._to = details.get("host")
        if step != "connection.connect_tcp.complete":
            return
        # A proxy may be anywhere, and what it connects to is its own business.
        if self._to != self._host or self._host == self._api_host:
            return
        stream = details["return_value"]
        address = str(stream.get_extra_info("server_addr")[0]).partition("%")[0]
        if _is_public(address):
            return
        if not await _is_private(self._api_host, look_up=self._look_up):
            await stream.aclose()
            raise _PrivatePeerError(self._host)


async def _is_private(host: str, *, look_up: bool) -> bool:
    """Return whether *host* is, or resolves to, an address that is not public."""
    if is_loopback(host) or host.endswith(".localhost"):
        return True
    try:
        return not _is_public(host)
    except ValueError:
        pass
    if not look_up:
        return False
    try:
        found = await anyio.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False  # nothing is there, or a proxy knows: the request will tell
    return not all(
        _is_public(str(address[0]).partition("%")[0]) for *_, address in found
    )


_TRANSLATED = ipaddress.ip_network(
    "64:ff9b::/96"
)  # RFC 6052: an IPv4 address at the end


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inside or address
    return address.is_global and not address.is_multicast
