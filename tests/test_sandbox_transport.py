from __future__ import annotations

import io

import anyio
import av
import httpx
import pytest
import trio.testing

from foxbatch.sandbox import Sandbox, SandboxOptions, SandboxTransport
from foxbatch.sandbox.messages import Clip, Json

START = 1_785_830_400.0


def fake_film(_clip: Clip) -> bytes:
    return b"0123456789"


def client_of(
    sandbox: Sandbox, *, base_url: str = "http://sandbox.test"
) -> httpx.AsyncClient:
    transport = SandboxTransport(
        sandbox, now=lambda: START + anyio.current_time(), media=fake_film
    )
    return httpx.AsyncClient(transport=transport, base_url=base_url)


async def bought(client: httpx.AsyncClient, **changes: Json) -> str:
    body = {"model": "veo-3.1", "prompt": "A fox", **changes}
    reply = await client.post("/v1/videos/generations", json=body)
    assert reply.status_code == 200
    return str(reply.json()["id"])


class TestUnderVirtualTime:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

    @pytest.mark.anyio
    async def test_a_slow_generation_takes_no_time(self) -> None:
        async with client_of(Sandbox()) as client:
            task = await bought(client, prompt="[sandbox:slow 3600]")

            seen = []
            for _ in range(3):
                seen.append((await client.get(f"/v1/tasks/{task}")).json())
                await anyio.sleep(1800)

        assert [view["progress"] for view in seen] == [0, 50, 100]

    @pytest.mark.anyio
    async def test_a_link_expires_after_a_day(self) -> None:
        async with client_of(Sandbox()) as client:
            task = await bought(client, prompt="[sandbox:slow 10]")
            url = f"/files/{task}/0.mp4"

            statuses = []
            for wait_s in (10, 24 * 3600):
                await anyio.sleep(wait_s)
                statuses.append((await client.get(url)).status_code)

        assert statuses == [200, 403]


@pytest.mark.anyio
class TestOnAnyBackend:
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Sandbox(options=SandboxOptions(keys=frozenset({"sk-a"}), speed=1e9))

    async def test_headers_and_bodies_arrive(self, sandbox: Sandbox) -> None:
        async with client_of(sandbox) as client:
            refused = await client.get("/v1/models")
            client.headers["Authorization"] = "Bearer sk-a"
            accepted = await client.get("/v1/models")
            await bought(client)

        assert (refused.status_code, accepted.status_code) == (401, 200)
        assert len(sandbox.tasks) == 1

    async def test_the_file_is_reached_by_its_link(self) -> None:
        sandbox = Sandbox()
        async with client_of(sandbox, base_url="https://fox.test:8443") as client:
            task = await bought(client, prompt="[sandbox:slow 0]")
            seen = (await client.get(f"/v1/tasks/{task}")).json()
            url = seen["results"][0]["url"]

            part = await client.get(url, headers={"Range": "bytes=2-4"})
            head = await client.head(url)

        assert url == f"https://fox.test:8443/files/{task}/0.mp4"
        assert (part.status_code, part.content) == (206, b"234")
        assert (head.headers["Content-Length"], head.content) == ("10", b"")

    async def test_a_lost_reply_is_a_read_error_and_a_task(self) -> None:
        sandbox = Sandbox()

        async with client_of(sandbox) as client:
            with pytest.raises(httpx.ReadError):
                await bought(client, prompt="[sandbox:lost-reply]")

        assert len(sandbox.tasks) == 1

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

    async def test_without_other_media_a_real_stand_in_is_served(self) -> None:
        transport = SandboxTransport(Sandbox(), now=lambda: START)

        async with httpx.AsyncClient(
            transport=transport, base_url="http://x"
        ) as client:
            contents = set()
            for prompt in ("[sandbox:slow 0] A", "[sandbox:slow 0] B"):
                task = await bought(
                    client, prompt=prompt, resolution="720p", duration=4
                )
                contents.add((await client.get(f"/files/{task}/0.mp4")).content)

        assert len(contents) == 1
        with av.open(io.BytesIO(contents.pop()), "r") as mp4:
            assert mp4.streams.video[0].width == 1280
            assert mp4.duration == 4_000_000
