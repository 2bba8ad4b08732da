"""Asking one service over HTTP."""

from __future__ import annotations

import logging
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, partial
from typing import Self, cast

import anyio
import httpx

from foxbatch import __version__
from foxbatch.access import Access
from foxbatch.account import Balance, Charge
from foxbatch.artifacts import Partial
from foxbatch.canonical import Json
from foxbatch.client.balance import read_balance, read_charges
from foxbatch.client.download import Fetched, FetchFailed, fetch
from foxbatch.client.outcomes import (
    NotSent,
    PollOutcome,
    PollTrouble,
    SubmitOutcome,
    Unknown,
    classify_poll,
    classify_submit,
    decode,
    usable_task_id,
)
from foxbatch.client.sending import Sending
from foxbatch.client.wording import CONNECTION_ERRORS, in_words
from foxbatch.clock import Clock
from foxbatch.errors import UsageError
from foxbatch.events import TaskId
from foxbatch.provider import Provider, host_of

_log = logging.getLogger(__name__)

MAX_REPLY_BYTES = 4 << 20
"""More than any honest answer about a task holds."""

# A connection that stands after 10 s stands at once, or never. A submission is read for
# a minute: giving up early turns a slow answer into a held job. A poll is cheap to ask
# again. A download may pause for a minute, but may take any time in total.
_CONNECT_S = 10.0
_SUBMIT = httpx.Timeout(60.0, connect=_CONNECT_S, read=None)  # `_patiently` counts
_POLL = httpx.Timeout(15.0, connect=_CONNECT_S)
_DOWNLOAD = httpx.Timeout(60.0, connect=_CONNECT_S)

# The timeouts above are per read; a service that drips must not hold a job for ever.
_SILENT_SUBMIT_S = 60.0
_WHOLE_SUBMIT_S = 180.0
_WHOLE_POLL_S = 60.0
_STEPS = 36

# A server closes an idle connection when it likes. If that crosses a POST, nobody can
# say whether it was read: so a connection is used again only while it is fresh.
_FRESH = httpx.Limits(max_connections=None, keepalive_expiry=2.0)
_LASTING = httpx.Limits(max_connections=None, keepalive_expiry=30.0)

_BEFORE_ANY_BYTE = (
    httpx.ConnectError,  # also a failed TLS handshake: no HTTP has been spoken yet
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


class ServiceClient:
    """One service, as one account. An async context manager; use it only inside."""

    def __init__(
        self,
        provider: Provider,
        access: Access,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        reads_only: bool = False,
    ) -> None:
        """Prepare the connections; nothing is sent yet.

        Args:
            provider: What the service's answers mean.
            access: Where it is, and the key.
            clock: Time.
            transport: Answers instead of the network.
            reads_only: Whether nothing may be asked for but what is there already:
                anything else than a GET is refused before it leaves.
        """
        self._provider, self._access, self._clock = provider, access, clock
        self._offline = transport is not None
        # Of the sandbox everything is on this machine, and nothing is TLS.
        near = transport is not None or provider.embedded
        key = access.key
        self._secrets = () if key is None else (key.reveal(),)
        headers = {"Accept": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        trust = None if near else _trust()
        hooks = [_refuse_to_write] if reads_only else []
        make = partial(
            _client, access=access, transport=transport, trust=trust, hooks=hooks
        )
        self._submits = make(_SUBMIT, _FRESH, headers)
        self._polls = make(_POLL, _LASTING, headers)
        # Files are on other hosts: this one has never heard of a key.
        self._downloads = make(_DOWNLOAD, _LASTING, {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for client in (self._submits, self._polls, self._downloads):
            with anyio.CancelScope(shield=True):
                await client.aclose()

    async def submit(
        self, endpoint: str, body: bytes, sending: Sending | None = None
    ) -> SubmitOutcome:
        """Send one POST and return what became of it. It is never repeated here.

        Cancelled, it leaves a submission whose fate nobody knows, unless *sending* does
        (it follows this POST): the caller records that.
        """
        sending = sending or Sending()
        request = self._submits.build_request(
            "POST",
            self._access.base_url + endpoint,
            content=body,
            headers={"Content-Type": "application/json"},
            extensions={"trace": sending.hear},
        )
        heard = anyio.Event()
        started = self._clock.monotonic()
        try:
            outcome = await _patiently(
                partial(self._exchange_submit, request, heard), heard
            )
        except CONNECTION_ERRORS as error:
            words = in_words(error, self._secrets)
            if _proves_nothing_left(error, sending):
                return NotSent(words)
            elapsed_s = self._clock.monotonic() - started
            if not isinstance(error, httpx.TimeoutException):  # which says how long
                words += f" (after {elapsed_s:.1f} s)"
            return Unknown(words)
        if outcome is None:
            words = f"no answer within {_SILENT_SUBMIT_S:g} s"
            if heard.is_set():
                words = f"no whole answer in {_WHOLE_SUBMIT_S:g} s"
            return NotSent(words) if sending.began is False else Unknown(words)
        return outcome

    async def _exchange_submit(
        self, request: httpx.Request, heard: anyio.Event
    ) -> SubmitOutcome:
        response, body = await _exchange(self._submits, request, heard)
        if body is None:
            return Unknown(
                f"status {response.status_code} with a body that is too long"
            )
        return classify_submit(
            self._provider,
            response.status_code,
            response.headers,
            body,
            secrets=self._secrets,
        )

    async def poll(self, task: TaskId, *, sync: bool = True) -> PollOutcome:
        """Ask where *task* stands.

        Args:
            task: Its id.
            sync: Whether the service should look upstream first.
        """
        if usable_task_id(task) is None:
            raise ValueError(f"{task!r} is no task id")
        path = self._provider.task_path.replace("{id}", task)
        query = self._provider.sync_query if sync else {}
        request = self._polls.build_request(
            "GET", self._access.base_url + path, params=dict(query)
        )
        outcome: PollOutcome = PollTrouble(f"no whole answer in {_WHOLE_POLL_S:g} s")
        try:
            with anyio.move_on_after(_WHOLE_POLL_S):
                response, body = await _exchange(self._polls, request)
                outcome = (
                    PollTrouble(
                        "an answer that is too long", status=response.status_code
                    )
                    if body is None
                    else classify_poll(
                        self._provider,
                        task,
                        response.status_code,
                        response.headers,
                        body,
                        secrets=self._secrets,
                    )
                )
        except CONNECTION_ERRORS as error:
            return PollTrouble(in_words(error, self._secrets))
        return outcome

    async def balance(self) -> Balance | None:
        """Ask what the account has used; None where that is not known."""
        route = self._provider.account.balance
        if route is None:
            return None
        seen = read_balance(route, await self._told(route.path))
        if seen is None:
            _log.debug("what the account has used is not known")
        return seen

    async def charges(self) -> tuple[Charge, ...] | None:
        """Ask what the account was charged for lately; None where that is not known."""
        route = self._provider.account.charges
        if route is None:
            return None
        listed = read_charges(route, await self._told(route.path))
        if listed is None:
            _log.debug("what the account was charged for is not known")
        return listed

    async def _told(self, path: str) -> Json:
        """Return what a page about the account says, None for nothing of use.

        It is evidence and no more: whatever goes wrong, nobody has to know.
        """
        request = self._polls.build_request("GET", self._access.base_url + path)
        try:
            response, body = await _exchange(self._polls, request)
        except CONNECTION_ERRORS as error:
            _log.debug("%s: %s", path, in_words(error, self._secrets))
            return None
        if body is None or not response.is_success:
            _log.debug("%s: status %s", path, response.status_code)
            return None
        return decode(body, self._secrets)

    async def download(
        self, url: str, target: Partial, *, expect_kind: str
    ) -> Fetched | FetchFailed:
        """Fetch *url* into *target*, going on where an earlier try ended.

        Args:
            url: From a result.
            target: Closed when this returns; cancelled, it can be gone on with.
            expect_kind: What the file should be, such as `video`.

        Raises:
            RunDirError: The disk is full.
        """
        try:
            return await fetch(
                self._downloads,
                url,
                target,
                expect_kind=expect_kind,
                api_host=host_of(self._access.base_url),
                look_up=not self._offline,
                secrets=self._secrets,
            )
        finally:
            target.close()


def _proves_nothing_left(error: Exception, sending: Sending) -> bool:
    """Return whether no byte of the POST can have left before *error*.

    What the connection tells counts. Another kind of error tells it where nothing was
    heard of the connection.
    """
    if sending.began is None:
        return isinstance(error, _BEFORE_ANY_BYTE)
    return not sending.began


async def _refuse_to_write(request: httpx.Request) -> None:
    if request.method != "GET":
        raise RuntimeError(f"{request.method} by a client that may only read")


async def _patiently(
    exchange: Callable[[], Awaitable[SubmitOutcome]], heard: anyio.Event
) -> SubmitOutcome | None:
    """Return what *exchange* does, or None where that takes too long.

    It has longer once *heard* is set: an answer has begun.

    Only time in which this process runs counts. One that was suspended for hours finds
    the answer waiting, and a deadline that is long over would throw it away.
    """
    answer: SubmitOutcome | None = None
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def count_down() -> None:
            await _pass(_SILENT_SUBMIT_S)
            if heard.is_set():
                await _pass(_WHOLE_SUBMIT_S - _SILENT_SUBMIT_S)
            tasks.cancel_scope.cancel()

        tasks.start_soon(count_down)
        try:
            answer = await exchange()
        except Exception as error:  # noqa: BLE001 the group would wrap it: raised below
            failure = error
        # Nothing from outside may throw the answer away on the way out.
        tasks.cancel_scope.shield = True
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return answer


async def _pass(seconds: float) -> None:
    """Wait in steps; one during which the process was suspended is no longer."""
    for _ in range(_STEPS):
        await anyio.sleep(seconds / _STEPS)


async def _exchange(
    client: httpx.AsyncClient,
    request: httpx.Request,
    heard: anyio.Event | None = None,
) -> tuple[httpx.Response, bytes | None]:
    """Send *request* and return the answer with its body, None if that is too long."""
    response = await client.send(request, stream=True, follow_redirects=False)
    if heard is not None:
        heard.set()
    body = bytearray()
    try:
        # Not `aiter_bytes`: it puts the connection away before it ends, and an answer
        # that has arrived must not be lost to a cancellation in that moment.
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            # One that never ends is ended by the caller's deadline.
            if len(body) <= MAX_REPLY_BYTES:
                body += chunk
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
    if len(body) > MAX_REPLY_BYTES:
        return response, None
    return response, _decoded(bytes(body), response.headers.get("content-encoding"))


def _decoded(body: bytes, encoding: str | None) -> bytes | None:
    """Return *body* as it was meant, should a server compress it in spite of us."""
    if encoding not in ("gzip", "deflate"):
        return body
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out which of the two
    try:
        plain = decoder.decompress(body, MAX_REPLY_BYTES)
    except zlib.error:
        return body  # evidence, and no JSON
    return None if decoder.unconsumed_tail else plain


def _client(
    timeout: httpx.Timeout,
    limits: httpx.Limits,
    headers: dict[str, str],
    *,
    access: Access,
    transport: httpx.AsyncBaseTransport | None,
    trust: ssl.SSLContext | None,
    hooks: Sequence[Callable[[httpx.Request], Awaitable[None]]],
) -> httpx.AsyncClient:
    """Return a client; without *trust* it asks this machine alone, and never by TLS.

    Raises:
        UsageError: The environment names a proxy that cannot be used.
    """
    # A proxy named in the environment is for the world outside, never for this machine.
    direct = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
    if access.is_loopback:
        host = host_of(access.base_url)
        direct[f"all://[{host}]" if ":" in host else f"all://{host}"] = None
    make = partial(
        httpx.AsyncClient,
        # Explicit: neither a URL's user and password nor `.netrc` become credentials.
        auth=httpx.Auth(),
        headers={
            "User-Agent": f"foxbatch/{__version__}",
            # Lengths and ranges then mean the bytes of the file itself.
            "Accept-Encoding": "identity",
            **headers,
        },
        timeout=timeout,
        limits=limits,
        verify=trust or False,
        transport=transport,
        event_hooks={"request": list(hooks)},
    )
    if trust is None:
        return make(trust_env=False)
    try:
        return make(mounts=direct)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise UsageError(
            f"the proxy that the environment names cannot be used: {error}",
            hint="Mend or unset HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.",
        ) from error


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates that count. Loading them takes 100 ms: once is enough.

    Raises:
        UsageError: The environment names certificates that cannot be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise UsageError(
            f"the certificates cannot be read: {error}",
            hint="Mend or unset SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error
