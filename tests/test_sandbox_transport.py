from __future__ import annotations

import io
import time

import anyio
import av
import httpx
import pytest
import trio.testing

from foxbatch.sandbox import Recipe, Sandbox, SandboxOptions, SandboxTransport
from foxbatch.sandbox.faults import read_plan
from foxbatch.sandbox.messages import Archive, Delivery, Json, Picture, Reply, Sound
from foxbatch.sandbox.transport import arriving, stand_in
from foxbatch.sandbox.web.contents import Contents

START = 1_785_830_400.0
VIDEOS = "/v1/videos/generations"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def fake_film(_recipe: Recipe) -> bytes:
    return b"0123456789"


def virtual() -> float:
    return START + anyio.current_time()


def client_of(
    sandbox: Sandbox, *, base_url: str = "http://sandbox.test"
) -> httpx.AsyncClient:
    transport = SandboxTransport(sandbox, now=virtual, media=fake_film)
    return httpx.AsyncClient(transport=transport, base_url=base_url, timeout=30)


def faulty(*rules: str, **options: object) -> Sandbox:
    """A sandbox that does *rules* from now on, by the loop's clock."""
    listed = "\n".join(f"  - {rule}" for rule in rules)
    plan = read_plan(f"foxbatch: 1\nrules:\n{listed}\n", shown_as="x.yaml", name="x")
    asked = SandboxOptions(plan=plan, **options)  # type: ignore[arg-type]
    return Sandbox(options=asked, started_at=virtual())


async def bought(client: httpx.AsyncClient, **changes: Json) -> str:
    body = {"model": "veo-3.1", "prompt": "A fox", **changes}
    reply = await client.post(VIDEOS, json=body)
    assert reply.status_code == 200
    return str(reply.json()["id"])


async def film_of(client: httpx.AsyncClient) -> str:
    """Return the path of a finished film."""
    task = await bought(client)
    await anyio.sleep(3600)
    return f"/files/{task}/0.mp4"


async def read_into(content: bytearray, client: httpx.AsyncClient, path: str) -> None:
    """Add to *content* what arrives of a file, for as long as it does."""
    async with client.stream("GET", path) as reply:
        async for piece in reply.aiter_raw():
            content += piece


class Virtual:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.mark.anyio
class TestUnderVirtualTime(Virtual):
    async def test_a_generation_takes_no_time(self) -> None:
        start = time.monotonic()
        async with client_of(Sandbox()) as client:
            task = await bought(client)

            seen = []
            for _ in range(2):
                seen.append((await client.get(f"/v1/tasks/{task}")).json()["status"])
                await anyio.sleep(3600)

        assert seen[-1] == "completed"
        assert time.monotonic() - start < 60

    async def test_a_link_expires_after_a_day(self) -> None:
        async with client_of(Sandbox()) as client:
            path = await film_of(client)

            statuses = []
            for wait_s in (0, 24 * 3600):
                await anyio.sleep(wait_s)
                statuses.append((await client.get(path)).status_code)

        assert statuses == [200, 403]


@pytest.mark.anyio
class TestFaults(Virtual):
    async def test_an_outage_refuses_connections_until_it_is_over(self) -> None:
        rule = "{name: down, when: {after: 10s, until: 30s}, do: {refuse: true}}"
        async with client_of(faulty(rule)) as client:
            await client.get("/v1/models")
            await anyio.sleep(10)
            with pytest.raises(httpx.ConnectError, match="refused"):
                await client.get("/v1/models")
            await anyio.sleep(20)

            assert (await client.get("/v1/models")).status_code == 200

    async def test_a_connection_is_closed_before_the_reply(self) -> None:
        sandbox = faulty("{name: hang-up, on: submit, do: {close: true}}")
        async with client_of(sandbox) as client:
            with pytest.raises(
                httpx.RemoteProtocolError,
                match=r"^Server disconnected without sending a response\.$",
            ):
                await bought(client)

        assert not sandbox.tasks

    async def test_a_lost_reply_is_a_read_error_and_a_task(self) -> None:
        sandbox = faulty("{name: lost, on: submit, do: {drop: true}}")
        async with client_of(sandbox) as client:
            with pytest.raises(httpx.ReadError):
                await bought(client)

        assert len(sandbox.tasks) == 1

    @pytest.mark.parametrize(
        ("stall", "error", "after_s"),
        [
            pytest.param("90s", httpx.ReadTimeout, 30, id="longer than the client"),
            pytest.param("10s", httpx.ReadError, 10, id="shorter than the client"),
        ],
    )
    async def test_a_stalled_reply_ends_by_whoever_has_less_patience(
        self, stall: str, error: type[Exception], after_s: float
    ) -> None:
        sandbox = faulty(f"{{name: still, on: submit, do: {{stall: {stall}}}}}")
        async with client_of(sandbox) as client:
            start = anyio.current_time()
            with pytest.raises(error):
                await bought(client)

        assert anyio.current_time() - start == pytest.approx(after_s)
        assert len(sandbox.tasks) == 1

    async def test_a_client_without_a_timeout_waits_it_out(self) -> None:
        sandbox = faulty("{name: still, on: read, do: {stall: 1h}}")
        async with client_of(sandbox) as client:
            with pytest.raises(httpx.ReadError):
                await client.get("/v1/models", timeout=None)

        assert anyio.current_time() == pytest.approx(3600)

    async def test_a_late_reply_is_late(self) -> None:
        async with client_of(
            faulty("{name: slow, on: read, do: {delay: 20s}}")
        ) as client:
            reply = await client.get("/v1/models")

        assert reply.status_code == 200
        assert anyio.current_time() == pytest.approx(20)

    async def test_a_reply_can_be_too_late(self) -> None:
        async with client_of(
            faulty("{name: slow, on: read, do: {delay: 40s}}")
        ) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/v1/models")

        assert anyio.current_time() == pytest.approx(30)

    async def test_a_file_drips(self) -> None:
        rule = "{name: drip, on: file, do: {drip: 2}}"
        async with client_of(faulty(rule)) as client:
            path = await film_of(client)
            start = anyio.current_time()
            content = (await client.get(path)).content

        assert content == b"0123456789"
        assert anyio.current_time() - start == pytest.approx(5)

    @pytest.mark.parametrize(
        ("does", "error", "arrived"),
        [
            pytest.param("cut: 50%", httpx.ReadError, b"01234", id="cut by a reset"),
            pytest.param(
                "stall: {for: 90s, at: 50%}", httpx.ReadTimeout, b"01234", id="still"
            ),
            pytest.param(
                "claims: 5",
                httpx.RemoteProtocolError,
                b"0123456789",
                id="told to be longer",
            ),
        ],
    )
    async def test_a_file_breaks_off(
        self, does: str, error: type[Exception], arrived: bytes
    ) -> None:
        sandbox = faulty(f"{{name: broken, on: file, do: {{{does}}}}}")
        async with client_of(sandbox) as client:
            path = await film_of(client)
            content = bytearray()
            with pytest.raises(error):
                await read_into(content, client, path)

        assert content == arrived

    async def test_a_file_that_is_told_to_be_shorter_ends_there(self) -> None:
        async with client_of(
            faulty("{name: short, on: file, do: {claims: -3}}")
        ) as client:
            reply = await client.get(await film_of(client))

        assert (reply.headers["Content-Length"], reply.content) == ("7", b"0123456")


@pytest.mark.anyio
class TestOnAnyBackend:
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Sandbox(options=SandboxOptions(keys={"sk-a": None}))

    async def test_headers_and_bodies_arrive(self, sandbox: Sandbox) -> None:
        async with client_of(sandbox) as client:
            refused = await client.get("/v1/models")
            client.headers["Authorization"] = "Bearer sk-a"
            accepted = await client.get("/v1/models")
            await bought(client)

        assert (refused.status_code, accepted.status_code) == (401, 200)
        assert len(sandbox.tasks) == 1

    async def test_the_file_is_reached_by_its_link(self) -> None:
        later = iter([START, START, *[START + 3600] * 20])
        transport = SandboxTransport(
            Sandbox(), now=lambda: next(later), media=fake_film
        )
        base_url = "https://fox.test:8443"
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            task = await bought(client)
            seen = (await client.get(f"/v1/tasks/{task}")).json()
            url = seen["results"][0]["url"]

            part = await client.get(url, headers={"Range": "bytes=2-4"})
            head = await client.head(url)

        assert url == f"https://fox.test:8443/files/{task}/0.mp4"
        assert (part.status_code, part.content) == (206, b"234")
        assert (head.headers["Content-Length"], head.content) == ("10", b"")

    async def test_a_part_that_leaves_before_an_orderly_close(self) -> None:
        """No rule of a plan does this; the core may."""
        reply = Reply(
            status=200,
            headers={},
            body=b"0123456789",
            delivery=Delivery(ends="closed", sent=0.3),
        )
        request = httpx.Request("GET", "http://x")

        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            await (await arriving(reply, request)).aread()

    async def test_what_never_has_a_body_has_none(self) -> None:
        request = httpx.Request("GET", "http://x")

        reply = await (await arriving(Reply(status=204, headers={}), request)).aread()

        assert reply == b""

    async def test_a_fault_before_the_request_creates_nothing(self) -> None:
        sandbox = Sandbox()
        faults: list[Exception | None] = [httpx.ConnectError("refused"), None]
        transport = SandboxTransport(
            sandbox, now=lambda: START, before=lambda _: faults.pop(0)
        )

        async with httpx.AsyncClient(
            transport=transport, base_url="http://x"
        ) as client:
            with pytest.raises(httpx.ConnectError):
                await bought(client)
            assert not sandbox.tasks
            await bought(client)

        assert len(sandbox.tasks) == 1

    async def test_what_was_uploaded_can_be_fetched(self) -> None:
        async with client_of(Sandbox()) as client:
            files = {"file": ("fox.png", PNG)}
            made = (await client.post("/v1/files/upload/stream", files=files)).json()
            whole = await client.get(made["url"])
            part = await client.get(made["url"], headers={"Range": "bytes=1-3"})

        assert (whole.content, part.content) == (PNG, b"PNG")

    async def test_uploads_are_shared_by_transports_that_share_them(self) -> None:
        sandbox, contents = Sandbox(), Contents()

        def client() -> httpx.AsyncClient:
            transport = SandboxTransport(sandbox, now=lambda: START, contents=contents)
            return httpx.AsyncClient(transport=transport, base_url="http://x")

        async with client() as one, client() as other, client_of(sandbox) as apart:
            files = {"file": ("fox.png", PNG)}
            made = (await one.post("/v1/files/upload/stream", files=files)).json()
            fetched = [await c.get(made["url"]) for c in (other, apart)]

        assert [reply.status_code for reply in fetched] == [200, 404]

    async def test_without_other_media_a_real_stand_in_is_served(self) -> None:
        later = iter([START, START, START, START, *[START + 3600] * 20])
        transport = SandboxTransport(Sandbox(), now=lambda: next(later))

        async with httpx.AsyncClient(
            transport=transport, base_url="http://x"
        ) as client:
            changes: dict[str, Json] = {"resolution": "720p", "duration": 4}
            tasks = [await bought(client, prompt=p, **changes) for p in "AB"]
            contents = {
                (await client.get(f"/files/{task}/0.mp4")).content for task in tasks
            }

        assert len(contents) == 1
        with av.open(io.BytesIO(contents.pop()), "r") as mp4:
            assert mp4.streams.video[0].width == 1280
            assert mp4.duration == 4_000_000


def test_stand_ins_of_other_kinds_are_few_too() -> None:
    def picture(prompt: str) -> Picture:
        return Picture(
            width=64,
            height=64,
            form="png",
            title="t",
            prompt=prompt,
            facts=(),
            look=prompt,
        )

    def sound(prompt: str) -> Sound:
        return Sound(duration_s=1, form="wav", title="t", prompt=prompt, look=prompt)

    archive = Archive(members=(("a.txt", "A fox"),))

    assert stand_in(picture("a")) == stand_in(picture("b"))
    assert stand_in(sound("a")) == stand_in(sound("b"))
    assert stand_in(archive).startswith(b"PK")
