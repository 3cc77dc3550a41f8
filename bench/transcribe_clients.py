"""Three clients of Amazon Transcribe, one in each process, measured by themselves.

Run by `bench.transcribe_client` with the interpreter that has the client's library; so it
imports nothing of Parola before it is asked for Parola's client. Prints one line of JSON.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

REGION = "eu-central-1"
CHUNK_S = 0.1
CHUNK = bytes(3200)

Send = Callable[[bytes], Awaitable[None]]
"""Sends a chunk; an empty one ends the stream."""


class Pace:
    """Lets all streams begin together, and sends in real time."""

    def __init__(self, seconds: int) -> None:
        self.chunks = round(seconds / CHUNK_S)
        self.go = asyncio.Event()
        self.ready = asyncio.Semaphore(0)
        self.words = 0

    async def send(self, send: Send) -> None:
        """Send silence for the time of the run, then the end."""
        self.ready.release()
        await self.go.wait()
        began = time.monotonic()
        for n in range(self.chunks):
            await send(CHUNK)
            await asyncio.sleep(max(began + (n + 1) * CHUNK_S - time.monotonic(), 0))
        await send(b"")


async def parola(url: str, pace: Pace) -> None:
    """Play one stream through our engine."""
    engine, request = _parola(url)
    audio = import_module("parola.domain.audio")

    async with engine.open(request) as stream:
        sent = 0

        async def send(pcm: bytes) -> None:
            nonlocal sent
            if not pcm:
                await stream.end()
                return
            chunk = audio.AudioChunk(sent, pcm)
            sent = chunk.end_frame
            await stream.send(chunk)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pace.send(send))
            async for event in stream:
                if getattr(event, "is_final", False):
                    pace.words += len(event.words)


_engines: dict[str, Any] = {}


def _parola(url: str) -> tuple[Any, Any]:
    if url not in _engines:
        amazon = import_module("parola.engines.amazon")
        settings = amazon.AmazonSettings(region=REGION, endpoint_url=url)
        _engines[url] = amazon.AmazonEngine(settings)
    ports, vocabulary = import_module("parola.ports"), import_module("parola.domain.vocabulary")
    return _engines[url], ports.StreamRequest(vocabulary.language_tag("en-US"), "bench")


async def amazon_transcribe(url: str, pace: Pace) -> None:
    """Play one stream through the package amazon-transcribe."""
    client = import_module("amazon_transcribe.client").TranscribeStreamingClient(
        region=REGION,
        endpoint_resolver=import_module("amazon_transcribe.endpoints").StaticEndpointResolver(url),
    )
    stream = await client.start_stream_transcription(
        language_code="en-US", media_sample_rate_hz=16000, media_encoding="pcm"
    )

    async def send(pcm: bytes) -> None:
        if pcm:
            await stream.input_stream.send_audio_event(audio_chunk=pcm)
        else:
            await stream.input_stream.end_stream()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pace.send(send))
        async for event in stream.output_stream:
            _count(pace, event.transcript.results)


async def aws_sdk(url: str, pace: Pace) -> None:
    """Play one stream through the package aws-sdk-transcribe-streaming."""
    sdk = "aws_sdk_transcribe_streaming"
    models = import_module(f"{sdk}.models")
    config = await import_module(f"{sdk}.config").AsyncTranscribeStreamingConfig.resolve(
        endpoint_uri=url,
        region=REGION,
        transport=import_module("smithy_http.aio.crt").AWSCRTHTTPClient(),
    )
    client = import_module(f"{sdk}.client").AsyncTranscribeStreamingClient(config=config)
    stream = await client.start_stream_transcription(
        input=models.StartStreamTranscriptionInput(
            language_code="en-US", media_sample_rate_hertz=16000, media_encoding="pcm"
        )
    )

    async def send(pcm: bytes) -> None:
        if pcm:
            event = models.AudioEvent(audio_chunk=pcm)
            await stream.input_stream.send(models.AudioStreamAudioEvent(value=event))
        else:
            await stream.input_stream.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pace.send(send))
        _, output = await stream.await_output()
        async for event in output:
            _count(pace, event.value.transcript.results)


def _count(pace: Pace, results: list[Any]) -> None:
    for result in results:
        if not result.is_partial:
            pace.words += len(result.alternatives[0].items)


CLIENTS = {"parola": parola, "amazon-transcribe": amazon_transcribe, "aws-sdk": aws_sdk}


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def run(name: str, url: str, streams: int, seconds: int) -> dict[str, float]:
    """Play streams side by side; return what they cost this process."""
    pace = Pace(seconds)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(streams):
            tasks.create_task(CLIENTS[name](url, pace))
        for _ in range(streams):
            await pace.ready.acquire()
        cpu_s, began = time.process_time(), time.monotonic()
        pace.go.set()
        await asyncio.sleep(seconds * 0.8)
        cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began
        resident = _resident_bytes()
    return {"core_percent": 100 * cpu_s / took_s, "resident": resident, "words": pace.words}


if __name__ == "__main__":
    who, where, how_many, how_long = sys.argv[1:]
    print(json.dumps(asyncio.run(run(who, where, int(how_many), int(how_long)))))
