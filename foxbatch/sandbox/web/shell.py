"""What is around the pure core: HTTP messages in, files made, records kept."""

from __future__ import annotations

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from foxbatch.sandbox.messages import (
    Delivery,
    Reply,
    Request,
    Upload,
    error_reply,
    text_reply,
)
from foxbatch.sandbox.service import core
from foxbatch.sandbox.web.callbacks import Postman
from foxbatch.sandbox.web.contents import Contents
from foxbatch.sandbox.web.delivery import Written, deliver
from foxbatch.sandbox.web.doors import Doors
from foxbatch.sandbox.web.files import served
from foxbatch.sandbox.web.hot import HotFiles
from foxbatch.sandbox.web.live import pages
from foxbatch.sandbox.web.store import RecordStore

_READERS = 2
_MAX_BODY_BYTES = 10 * 2**20
_MAX_UPLOAD_BYTES = 60 * 2**20
_SPOOLED_BYTES = 2**20  # of a body that arrives slowly; the rest waits on disk
_IDLE_S = 75.0
_LINGER_S = 2.0  # to read what is not wanted, so that the refusal is seen

_RESET = Reply(status=0, headers={}, delivery=Delivery(ends="dropped"))
_TOO_LARGE = text_reply(
    413,
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n"
    "<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n"
    "</body>\r\n</html>\r\n",
    subtype="html",
)


class Shell:
    """Passes messages between one core and the sockets.

    Attributes:
        server: Makes a connection's protocol.
        doors: Where it listens.
        postman: Posts the callbacks.
    """

    def __init__(
        self,
        sandbox: core.Sandbox,
        *,
        host: str,
        port: int,
        store: RecordStore | None = None,
        contents: Contents | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._store = store
        self._contents = contents or Contents()
        self._hot = HotFiles()
        self._threads = ThreadPoolExecutor(_READERS, "sandbox-files")
        self.server = web.Server(
            self.answer,
            handler_cancellation=True,  # a client that leaves leaves nothing behind
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
        )
        self.doors = Doors(
            self.server, host=host, port=port, outage=partial(core.outage, sandbox)
        )
        self.postman = Postman(sandbox)
        self._pages = pages(needs_key=sandbox.options.keys is not None)

    async def answer(self, message: web.BaseRequest) -> Written:
        """Answer one HTTP message; whoever sent it may get no reply on purpose."""
        if self.doors.shut:  # it was connected before
            return await deliver(message, _RESET)
        self.doors.busy.add(message.protocol)
        try:
            request = await self._read(message)
            if isinstance(request, Reply):
                return await deliver(message, request)
            reply = self._reply(request)
            if reply.media is not None:
                reply = await self._with_file(request, reply)
            return await deliver(message, reply)
        finally:
            self.doors.busy.discard(message.protocol)

    def close(self) -> None:
        """Wait for the files that are being made, and give up the others."""
        self._threads.shutdown(cancel_futures=True)

    async def _read(self, message: web.BaseRequest) -> Request | Reply:
        """Return the request, or the reply of the edge to one that it does not take."""
        headers = {name.lower(): text for name, text in message.headers.items()}
        content = message.content
        if content.is_eof():
            body = content.read_nowait(-1)
        else:
            slow = await _read_slowly(message, headers)
            if slow is None:
                return _TOO_LARGE
            body = slow
        target = message.raw_path
        if not target.startswith("/"):
            target = message.rel_url.raw_path_qs
        path, _, query = target.partition("?")
        host = headers.get("host")
        return Request(
            method=message.method,
            path=unquote(path) if "%" in path else path,
            base_url=f"http://{host}" if host else self.doors.url,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            headers=headers,
            body=body,
        )

    def _reply(self, request: Request) -> Reply:
        if request.method in {"GET", "HEAD"} and request.path in self._pages:
            return _shown(request, self._pages[request.path])
        reply = core.handle(self._sandbox, request, time.time())
        if reply.records:
            try:
                self._keep(reply)
            except OSError as error:
                return error_reply(
                    500,
                    "server_error",
                    f"The sandbox cannot keep its records: {error.strerror or error}",
                )
            self.postman.wake()
        self.doors.look()
        return reply

    def _keep(self, reply: Reply) -> None:
        """Make durable what is new: content first, so that no record is without."""
        for record in reply.records:
            self._contents.take(record, reply.keeps)
        if self._store is not None:
            self._store.add(reply.records)

    async def _with_file(self, request: Request, reply: Reply) -> Reply:
        wanted, loop = reply.media, asyncio.get_running_loop()
        if isinstance(wanted, Upload):
            content = await loop.run_in_executor(
                self._threads, self._contents.get, wanted
            )
            if content is None:  # memory is bounded, and folders can be emptied
                return text_reply(404, "NoSuchKey")
            return served(request, reply, content, etag=f'"{wanted.sha256[:32]}"')
        if wanted is None:
            return reply
        file = self._hot.get(wanted)
        if file is None:
            file = await loop.run_in_executor(self._threads, self._hot.made, wanted)
            self._hot.keep(wanted, file)
        return served(request, reply, file.content, etag=file.etag)


async def _read_slowly(
    message: web.BaseRequest, headers: dict[str, str]
) -> bytes | None:
    """Return the body as it arrives, or None if it is too large to be read."""
    kind = headers.get("content-type", "")
    is_upload = kind.startswith("multipart/form-data")
    limit_bytes = _MAX_UPLOAD_BYTES if is_upload else _MAX_BODY_BYTES
    if int(headers.get("content-length", 0)) > limit_bytes:
        return None
    if headers.get("expect", "").lower() == "100-continue" and message.transport:
        message.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as spool:
        size_bytes = 0
        while piece := await message.content.readany():
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                return None
            spool.write(piece)
        spool.seek(0)
        return spool.read()


def _shown(request: Request, page: Reply) -> Reply:
    if request.method == "GET":
        return page
    length = {"Content-Length": str(len(page.body))}
    return replace(page, headers={**page.headers, **length}, body=b"")
