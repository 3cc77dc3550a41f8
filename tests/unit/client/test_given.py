import asyncio
import os
import threading
from contextlib import aclosing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from parola.audio.decode import Address
from parola.audio.raw import Raw, RawReader
from parola.client import given
from parola.client.sources import DecodedSource
from parola.domain.errors import BadAudio, NotFound
from tests.audio_files import audio_file, tone, wav


async def hear(source: DecodedSource) -> bytes:
    async with aclosing(source.sound(0)) as sound:
        return b"".join([piece.pcm async for piece in sound])


async def through_a_pipe(data: bytes, raw: Raw | None) -> bytes:
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(data)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(write))
            return await hear(given.pipe(given.Pipe(reading), raw))
    finally:
        os.close(reading)


TONE = tone(1.5)
SAMPLES = np.frombuffer(TONE, "<i2")


def _s24le() -> bytes:
    return b"".join(b"\x7f" + TONE[at : at + 2] for at in range(0, len(TONE), 2))


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (Raw("s16le", 16_000, 1), TONE),
        (Raw("s32le", 16_000, 1), (SAMPLES.astype("<i4") << 16).tobytes()),
        (Raw("f32le", 16_000, 1), (SAMPLES / 32_768).astype("<f4").tobytes()),
        (Raw("s16le", 16_000, 2), np.repeat(SAMPLES, 2).tobytes()),
        (Raw("s16be", 16_000, 1), SAMPLES.astype(">i2").tobytes()),
        (Raw("s24le", 16_000, 1), _s24le()),
        (Raw("f64le", 16_000, 2), np.repeat(SAMPLES / 32_768, 2).astype("<f8").tobytes()),
        (None, wav(TONE)),
    ],
    ids=str,
)
async def test_samples_of_any_format_come_through_a_pipe(raw: Raw | None, data: bytes) -> None:
    """Whatever the format, the same sound is heard, to a rounding of the last bit."""
    heard = np.frombuffer(await through_a_pipe(data, raw), "<i2").astype(int)
    assert len(heard) == len(SAMPLES)
    assert np.abs(heard - SAMPLES).max() <= 1


async def test_a_container_comes_through_a_pipe() -> None:
    """A pipe cannot be rewound; a recording with a header at its front is heard all the same."""
    heard = await through_a_pipe(audio_file("flac", TONE), None)
    assert abs(len(heard) - len(TONE)) <= 4_000


async def test_a_pipe_that_says_nothing_can_be_stopped() -> None:
    """Stopped from here, a pipe ends, though its writer keeps it open."""
    reading, writing = os.pipe()
    pipe = given.Pipe(reading)
    os.write(writing, TONE)
    hearing = asyncio.ensure_future(hear(given.pipe(pipe, Raw("s16le", 16_000, 1))))
    try:
        await asyncio.sleep(0)
        pipe.stop()
        assert len(await hearing) <= len(TONE)
    finally:
        os.close(writing)
        os.close(reading)


async def test_an_address_is_what_ffmpeg_opens(tmp_path: Path) -> None:
    """FFmpeg's own devices and schemes are addresses; a file of that name is a file."""
    assert given.address_of("rtsp://camera/1") == Address("rtsp://camera/1")
    assert given.address_of("lavfi:sine=duration=1") == Address("sine=duration=1", "lavfi")
    assert given.address_of("talk.wav") is None
    assert given.address_of("C:talk.wav") is None
    strange = tmp_path / "lavfi:x"
    strange.write_bytes(b"")
    assert given.address_of(str(strange)) is None


async def test_a_device_of_ffmpeg_is_heard() -> None:
    """What FFmpeg generates or records comes as 16 kHz mono."""
    where = given.address_of("lavfi:sine=frequency=440:sample_rate=48000:duration=0.3")
    assert where
    assert len(await hear(given.address(where))) == pytest.approx(0.3 * 32_000, abs=64)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


async def test_a_recording_on_a_web_server_is_heard(tmp_path: Path) -> None:
    """An address of the web is read as it comes, and becomes 16 kHz mono."""
    (tmp_path / "talk.wav").write_bytes(wav(tone(0.3, rate_hz=44_100), rate_hz=44_100))
    serve = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            where = given.address_of(f"http://127.0.0.1:{server.server_port}/talk.wav")
            assert where
            assert len(await hear(given.address(where))) == pytest.approx(0.3 * 32_000, abs=64)
        finally:
            server.shutdown()
            thread.join()


async def test_what_cannot_be_heard_says_why() -> None:
    """An address without anything, and a format nobody knows, are one sentence."""
    with pytest.raises(NotFound, match="camera:1/x cannot be opened") as raised:
        await hear(given.address(Address("nope://me:secret@camera:1/x")))
    assert "secret" not in raised.value.message
    with pytest.raises(BadAudio, match="s16le"):
        RawReader(Raw("mp5", 16_000, 1))
