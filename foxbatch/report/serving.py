"""The gallery on a loopback socket while its runs go on. Needs aiohttp.

Whoever may ask: only those who know the token, which is in the address that is told
once, and which the browser then keeps as a cookie that no other site can use. A
`Host` that is not ours is refused, or a name that somebody points at 127.0.0.1 would
open the door. Nothing can be changed here but ratings.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import gzip
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec

from foxbatch.clock import Clock, SystemClock
from foxbatch.errors import FoxbatchError, MissingExtraError
from foxbatch.pages.serving import InThread, meanwhile, until_signalled
from foxbatch.report.page import live_page, policy
from foxbatch.report.posters import why_unable
from foxbatch.report.ratings import Line, Rating, append, read_opinion, read_ratings
from foxbatch.report.watching import Standing, Watching
from foxbatch.report.workshop import Hand, Order

try:
    from aiohttp import web
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the live gallery", "view") from error

_T = TypeVar("_T")

LOOK_S = 0.5  # between two looks at the ledgers
HEARTBEAT_S = 15.0  # after which silence would look like a lost connection
_GOODBYE_S = 0.5
_MOST_BODY_BYTES = 64 * 1024
_HOST = "127.0.0.1"

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A file of a stranger is shown, and never run, also where it is opened by itself.
_FILE_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"
_TYPES = {
    ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
    ".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg",
    ".flac": "audio/flac", ".m4a": "audio/mp4", ".aac": "audio/aac",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
    ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif",
    ".json": "application/json", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip


class _Shown:
    """One gallery and those who look at it."""

    def __init__(self, watching: Watching, who: str, clock: Clock) -> None:
        self.watching = watching
        self.who = who
        self.clock = clock
        self.token = secrets.token_urlsafe(24)
        self.port = 0
        self.closing = False
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._watchers = 0

    @property
    def cookie(self) -> str:
        """Name of the cookie: ports of one host share their cookies."""
        return f"foxbatch-{self.port}"

    async def ask(self, question: Callable[[], _T]) -> _T:
        """Return what *question* finds out, in a thread, one at a time."""
        async with self._turn:
            return await asyncio.to_thread(question)

    async def keep_looking(self) -> None:
        """Follow the ledgers as long as somebody watches."""
        while True:
            if self._watchers and await self.ask(self.watching.look):
                self.wake()
            await self.clock.sleep(LOOK_S)

    async def light(self, hand: Hand) -> None:
        """Make the posters that are missing, one after the other, behind the page."""
        tried: set[Order] = set()
        while True:
            waiting = await self.ask(lambda: list(self.watching.unlit()))
            order = next((one for one in waiting if one not in tried), None)
            if order is None or not self._watchers:
                await self.clock.sleep(LOOK_S * 2)
                continue
            tried.add(order)
            await asyncio.to_thread(hand.do, order)

    def wake(self) -> None:
        """Let all watchers look what is new."""
        self._news.set()
        self._news = asyncio.Event()

    async def say_goodbye(self) -> None:
        """Tell the last news to all who watch, and that there will be no more."""
        if self._watchers:
            await self.ask(self.watching.look)
        self.closing = True
        self.wake()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Count one who watches while the block runs."""
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    # ---- Who may ask

    @web.middleware
    async def guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Refuse whoever does not come from our page, and make every answer safe."""
        refusal = self._refusal(request)
        if refusal:
            return web.Response(status=403, text=refusal, headers=_SAFE)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_SAFE)
            raise
        return response

    def _refusal(self, request: web.Request) -> str:
        hosts = {f"{_HOST}:{self.port}", f"localhost:{self.port}"}
        if request.headers.get("Host") not in hosts:
            return "this host is not served here"
        if request.path == "/" and "token" in request.query:
            return ""
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in {"same-origin", "none"} and request.path != "/":
            return "another page has no business here"
        header = request.headers.get("X-Foxbatch-Token", "")
        if request.method == "POST":
            return "" if self._fits(header) else "the token is missing or wrong"
        if self._fits(header) or self._fits(request.cookies.get(self.cookie, "")):
            return ""
        return "open the address that foxbatch view has told: it holds a token"

    def _fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())

    # ---- What is answered

    async def page(self, request: web.Request) -> web.Response:
        """Answer with the page; first take the token out of the address."""
        if "token" in request.query:
            if not self._fits(request.query["token"]):
                raise web.HTTPForbidden(text="the token is not the one of this page")
            reply = web.Response(status=303, headers={**_SAFE, "Location": "/"})
            reply.set_cookie(
                self.cookie, self.token, httponly=True, samesite="Strict", path="/"
            )
            return reply
        return web.Response(
            body=live_page(self.token, self.who),
            content_type="text/html",
            charset="utf-8",
            headers={
                **_SAFE,
                "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
            },
        )

    async def data(self, _request: web.Request) -> web.Response:
        """Answer with the gallery as it is now."""
        moment, body = await self.ask(self._packed)
        return web.Response(
            body=body,
            content_type="application/json",
            headers={**_SAFE, "Content-Encoding": "gzip", "X-Foxbatch-Moment": moment},
        )

    def _packed(self) -> tuple[str, bytes]:
        self.watching.look()
        encoded = msgspec.json.encode(self.watching.gallery())
        return self.watching.moment, gzip.compress(encoded, compresslevel=2, mtime=0)

    async def details(self, request: web.Request) -> web.Response:
        """Answer with the details of one cell."""
        try:
            place = int(request.query.get("cell", ""))
            found = await self.ask(partial(self.watching.details, place))
        except (ValueError, IndexError):
            raise web.HTTPNotFound(text="there is no such cell") from None
        return _json(found)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell changes as they happen, from the moment that the page knows."""
        headers = {**_SAFE, "Content-Type": "text/event-stream"}
        stream = web.StreamResponse(headers=headers)
        await stream.prepare(request)
        moment = request.headers.get("Last-Event-ID") or request.query.get("since", "")
        said, heard = None, len(self.watching.opinions)
        with self.watched(), contextlib.suppress(ConnectionError):
            await stream.write(b"retry: 1000\n\n")
            while not self.closing:
                news = self._news  # taken first: what comes meanwhile is not missed
                quiet = True
                if self.watching.moment != moment:
                    moment, event = await self.ask(partial(self._told, moment))
                    await stream.write(event)
                    quiet = False
                if self.watching.standing != said:
                    said = self.watching.standing
                    await stream.write(_event("state", said))
                    quiet = False
                if len(self.watching.opinions) > heard:
                    opinions = self.watching.opinions[heard:]
                    heard += len(opinions)
                    await stream.write(_event("ratings", opinions))
                    quiet = False
                if quiet:
                    await stream.write(b": still here\n\n")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await news.wait()
            _, event = await self.ask(partial(self._told, moment))
            await stream.write(event + _event("state", Standing(state="gone")))
        return stream

    def _told(self, moment: str) -> tuple[str, bytes]:
        now, changes = self.watching.moment, self.watching.since(moment)
        if changes is None:
            return now, _event("anew", {}, now)
        return now, _event("cells", changes, now)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file that a cell names, or a part of it."""
        run, path = request.match_info["run"], request.match_info["path"]
        found = None
        if run.isdecimal():
            found = await self.ask(partial(self.watching.file, int(run), quote(path)))
        if found is None:
            raise web.HTTPNotFound(text="no cell has such a file")
        kind = _TYPES.get(found.suffix.lower(), "application/octet-stream")
        headers = {
            **_SAFE,
            "Content-Security-Policy": _FILE_POLICY,
            "Cache-Control": "private, no-cache",
            "Content-Type": kind,
        }
        return web.FileResponse(found, headers=headers)

    async def ratings(self, _request: web.Request) -> web.Response:
        """Answer with all that people think."""
        folders = self.watching.folders
        try:
            lines = await self.ask(
                lambda: [line for path in folders for line in read_ratings(path)]
            )
        except FoxbatchError as error:
            raise web.HTTPConflict(text=f"{error}. {error.hint}") from None
        return _json(lines)

    async def rate(self, request: web.Request) -> web.Response:
        """Keep what somebody thinks of a file, and tell it to all who watch."""
        body = await request.read()
        try:
            line = await self.ask(partial(self._keep, body))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        except FoxbatchError as error:
            raise web.HTTPConflict(text=f"{error}. {error.hint}") from None
        self.wake()
        return _json(line)

    def _keep(self, body: bytes) -> Line:
        opinion = read_opinion(body)
        if isinstance(opinion, Rating):
            job, sha256 = opinion.job, opinion.sha256
        else:
            job, sha256 = opinion.vote.jobs[0], opinion.vote.sha256[0]
        folder = self.watching.run_of(job, sha256)
        if folder is None:
            raise ValueError(f"there is no job {job} here")
        line = append(folder, self.who, opinion, self.clock)
        self.watching.hear()
        return line


def _json(value: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers=_SAFE
    )


def _event(name: str, value: object, moment: str = "") -> bytes:
    head = f"id: {moment}\n" if moment else ""
    said = msgspec.json.encode(value)  # without line feeds: JSON has none
    return f"{head}event: {name}\ndata: ".encode() + said + b"\n\n"


# ---- On a socket


@contextlib.asynccontextmanager
async def serve(
    watching: Watching,
    *,
    who: str = "",
    port: int = 0,
    clock: Clock | None = None,
    posters: bool = True,
) -> AsyncIterator[str]:
    """Serve *watching* while the block runs; give the address that opens it.

    Args:
        watching: What is shown.
        who: Whose ratings are kept; empty for the user of this process.
        port: 0 takes a free one.
        clock: Says when to look again, and when something was rated.
        posters: Whether those that are missing are made.

    Raises:
        OSError: The port cannot be used.
    """
    shown = _Shown(watching, who or _user(), clock or SystemClock())
    app = web.Application(middlewares=[shown.guard], client_max_size=_MOST_BODY_BYTES)
    app.add_routes(
        [
            web.get("/", shown.page),
            web.get("/data", shown.data),
            web.get("/details", shown.details),
            web.get("/events", shown.events),
            web.get("/files/{run}/{path:.*}", shown.file),
            web.get("/ratings", shown.ratings),
            web.post("/ratings", shown.rate),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S)
    async with contextlib.AsyncExitStack() as opening:
        await runner.setup()
        opening.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, _HOST, port)
        await site.start()
        shown.port = runner.addresses[0][1]
        await opening.enter_async_context(meanwhile(shown.keep_looking()))
        if posters and _can_make_posters(watching):
            hand = Hand()
            opening.callback(hand.close)
            await opening.enter_async_context(meanwhile(shown.light(hand)))
        opening.push_async_callback(shown.say_goodbye)
        yield f"http://{_HOST}:{shown.port}/?token={shown.token}"


def _can_make_posters(watching: Watching) -> bool:
    try:
        return not any(map(why_unable, watching.folders))
    except FoxbatchError:  # a link: `foxbatch report` says so
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        return "me"


class Showing(InThread):
    """A gallery that is served in a thread of its own while a `with` block runs.

    Attributes:
        url: The address that opens it. Set inside the block.
    """

    def __init__(self, watching: Watching, *, who: str = "", port: int = 0) -> None:
        super().__init__(serve(watching, who=who, port=port, posters=False))


def show(
    watching: Watching,
    *,
    on_ready: Callable[[str], object],
    who: str = "",
    port: int = 0,
) -> None:
    """Serve until SIGINT or SIGTERM; call *on_ready* with the address.

    Must be called on the main thread, outside any event loop.

    Raises:
        OSError: The port cannot be used.
    """
    until_signalled(serve(watching, who=who, port=port), on_ready)
