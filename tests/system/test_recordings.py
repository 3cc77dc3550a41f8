"""The sound of a talk is kept where a room wants it: right in time, and nothing that was secret."""

import asyncio
import json
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from parola.audio.mp3 import BYTES_PER_S
from parola.domain.audio import RATE_HZ
from tests.clicks import clicks_in, sound_with_clicks
from tests.servers import RunningServer, serving
from tests.system.talks import until

TALK = {"session": "7f0c5a52-30a5-4e0f-a9d4-0a52b1a6f2ce"}
CLICK_EVERY = RATE_HZ // 2


async def begin(socket: ClientConnection) -> int:
    """Begin the talk, or go on with it; return from where on the server wants sound."""
    start = {"type": "start", "language": "en-US", "position": 0, "rate": RATE_HZ} | TALK
    await socket.send(json.dumps(start))
    ready = json.loads(await socket.recv())
    assert ready["keeps_sound"] is True
    position: int = ready["position"]
    return position


async def say(socket: ClientConnection, first: int, end: int) -> None:
    """Send sound that clicks on every half second of the talk."""
    clicks = [at - first for at in range(first, end) if at % CLICK_EVERY == 0]
    await socket.send(sound_with_clicks(end - first, clicks))


async def turn(client: httpx.AsyncClient, socket: ClientConnection, mode: str) -> int:
    """Switch the room; return from which frame of the talk on it holds."""
    assert (await client.put("/api/rooms/main/mode", json={"mode": mode})).is_success
    while True:
        told = json.loads(await socket.recv())
        if told["type"] == "record" and told["off"] == (mode != "live"):
            position: int = told["position"]
            return position


async def kept(client: httpx.AsyncClient, least_s: float = 0) -> bytes:
    """Return the recording, once it is so long."""
    answer = httpx.Response(404)

    async def is_long() -> bool:
        nonlocal answer
        answer = await client.get("/api/rooms/main/recording", params=TALK)
        return answer.status_code == 200 and len(answer.content) >= least_s * BYTES_PER_S

    await until(is_long)
    assert answer.headers["content-type"] == "audio/mpeg"
    return answer.content


async def finish(socket: ClientConnection) -> None:
    """Say that this was all, and wait until it is safe."""
    await socket.send(json.dumps({"type": "end"}))
    async for _ in socket:
        pass


async def test_kept_sound_survives_a_kill_and_holds_no_secret(tmp_path: Path) -> None:
    """After SIGKILL the sound is there and goes on in its place; off the record is silence."""
    options = ("--engine", "scripted")
    async with asyncio.timeout(90):
        with serving(tmp_path / "data", *options) as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                wants = {"keep_recordings": True}
                assert (await client.put("/api/rooms/main/settings", json=wants)).is_success
                async with connect(f"{server.ws}/ws/audio/main") as socket:
                    assert await begin(socket) == 0
                    await say(socket, 0, 4 * RATE_HZ)
                    await kept(client, 3.8)
                    off = await turn(client, socket, "off_record")
                    await say(socket, off, off + 4 * RATE_HZ)
                    on = await turn(client, socket, "live")
                    assert on >= off + 4 * RATE_HZ
                    # The span is as long as it lasted, so some sound after it is still secret.
                    await say(socket, off + 4 * RATE_HZ, on + 3 * RATE_HZ)
                    before = await kept(client, on / RATE_HZ + 2.8)
                    server.kill()
        with serving(tmp_path / "data", *options) as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                assert await kept(client) == before
                async with connect(f"{server.ws}/ws/audio/main") as socket:
                    position = await begin(socket)
                    end = on + 6 * RATE_HZ
                    await say(socket, position, end)
                    await finish(socket)
                found = clicks_in(await kept(client, end / RATE_HZ))
                spoken = [at / RATE_HZ for at in range(0, end, CLICK_EVERY) if not off <= at < on]
                seam = position / RATE_HZ
                clear = [
                    s for s in spoken if all(abs(s - at) > 0.1 for at in (0, seam, on / RATE_HZ))
                ]
                near = [second for second in found if min(abs(second - s) for s in spoken) < 0.01]
                assert near == found
                assert all(min(abs(second - s) for second in found) < 0.01 for s in clear)
                await check_the_talk(client)


async def check_the_talk(client: httpx.AsyncClient) -> None:
    """The talk says that it has sound; parts can be had; deleted, it is gone, the words stay."""
    (talk,) = (await client.get("/api/talks")).json()["talks"]
    assert talk["recording"] is True
    path = "/api/rooms/main/recording"
    part = await client.get(path, params=TALK, headers={"Range": "bytes=4000-4143"})
    assert (part.status_code, len(part.content)) == (206, 144)
    assert part.headers["accept-ranges"] == "bytes"
    assert (await client.get(path, params={"session": "other"})).status_code == 404
    assert (await client.delete(path, params=TALK)).status_code == 204
    assert (await client.get(path, params=TALK)).status_code == 404
    (talk,) = (await client.get("/api/talks")).json()["talks"]
    assert talk["recording"] is False
    assert talk["lines"] > 0


async def test_nothing_is_kept_where_nobody_asked(scripted: RunningServer) -> None:
    """By default no sound is kept; switched on, it is from then on, and off again, no more."""
    async with httpx.AsyncClient(base_url=scripted.url) as client, asyncio.timeout(60):
        assert (await client.post("/api/rooms/quiet/sample")).is_success
        folder = scripted.data / "recordings"

        async def has_words() -> bool:
            return bool((await client.get("/api/rooms/quiet")).json()["words"])

        async def has_sound() -> bool:
            return folder.exists() and any(file.stat().st_size for file in folder.iterdir())

        await until(has_words)
        assert not await has_sound()
        wants = {"keep_recordings": True}
        assert (await client.put("/api/rooms/quiet/settings", json=wants)).is_success
        await until(has_sound)
        assert (await client.get("/api/rooms/quiet")).json()["keeps_sound"] is True
        assert (await client.delete("/api/rooms/quiet/playback")).is_success
