"""Official Python clients of Amazon Transcribe, driven by lines of JSON; imports nothing of ours.

Run as `python python_sdks.py CLIENT` by `tests.sdks.run`, with the interpreter that has the
client's library. Each line on standard input is a `Case`, each line on standard output tells how
it went. A client that hangs is told so, and the process ends: not all of them can be cancelled.
"""

import asyncio
import json
import os
import struct
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

REGION = "eu-west-1"
CHUNK_BYTES = 3200

Send = Callable[[bytes], Awaitable[None]]
"""Sends a chunk; an empty one ends the stream."""


class Told:
    """What the client was told so far."""

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.partials = 0

    def take(self, results: list[Any]) -> None:
        """Take the results of one event of either SDK."""
        for result in results:
            self.say(result.alternatives[0].transcript, is_partial=result.is_partial)

    def say(self, text: str, *, is_partial: bool) -> None:
        """Take one result."""
        if is_partial:
            self.partials += 1
        else:
            self.finals.append(text)


async def speak(case: dict[str, Any], send: Send) -> None:
    """Send the case's audio as fast as it goes, and its end where the case has one."""
    pcm = Path(case["audio"]).read_bytes()
    try:
        for at in range(0, len(pcm), CHUNK_BYTES):
            await send(pcm[at : at + CHUNK_BYTES])
        if case["ends"]:
            await send(b"")
    except Exception:  # noqa: BLE001, S110 - how a stream ended, the reading side has to say
        pass


async def amazon_transcribe(case: dict[str, Any], told: Told) -> None:
    """Play a case through the package amazon-transcribe."""
    endpoints = import_module("amazon_transcribe.endpoints")
    client = import_module("amazon_transcribe.client").TranscribeStreamingClient(
        region=REGION, endpoint_resolver=endpoints.StaticEndpointResolver(case["url"])
    )
    stream = await client.start_stream_transcription(
        language_code=case["language"], media_sample_rate_hz=16000, media_encoding="pcm"
    )

    async def send(pcm: bytes) -> None:
        if pcm:
            await stream.input_stream.send_audio_event(audio_chunk=pcm)
        else:
            await stream.input_stream.end_stream()

    speaking = asyncio.create_task(speak(case, send))
    async for event in stream.output_stream:
        told.take(event.transcript.results)
    speaking.cancel()


async def aws_sdk(case: dict[str, Any], told: Told) -> None:
    """Play a case through the package aws-sdk-transcribe-streaming."""
    sdk = "aws_sdk_transcribe_streaming"
    models = import_module(f"{sdk}.models")
    config = await import_module(f"{sdk}.config").AsyncTranscribeStreamingConfig.resolve(
        endpoint_uri=case["url"],
        region=REGION,
        transport=import_module("smithy_http.aio.crt").AWSCRTHTTPClient(),
    )
    client = import_module(f"{sdk}.client").AsyncTranscribeStreamingClient(config=config)
    stream = await client.start_stream_transcription(
        input=models.StartStreamTranscriptionInput(
            language_code=case["language"], media_sample_rate_hertz=16000, media_encoding="pcm"
        )
    )

    async def send(pcm: bytes) -> None:
        if pcm:
            event = models.AudioEvent(audio_chunk=pcm)
            await stream.input_stream.send(models.AudioStreamAudioEvent(value=event))
        else:
            await stream.input_stream.close()

    speaking = asyncio.create_task(speak(case, send))
    _, output = await stream.await_output()
    async for event in output:
        if isinstance(event.value, Exception):
            raise event.value
        told.take(event.value.transcript.results)
    speaking.cancel()


class Refused(Exception):  # noqa: N818 - a state
    """An exception frame over WebSocket, which has no SDK of its own."""


async def presigned(case: dict[str, Any], told: Told) -> None:
    """Play a case over a WebSocket, with botocore's signature and botocore's decoder."""
    websockets = import_module("websockets")
    async with websockets.connect(
        _presigned_url(case), compression=None, proxy=None, close_timeout=1
    ) as socket:
        speaking = asyncio.create_task(speak(case, lambda pcm: socket.send(_audio_frame(pcm))))
        try:
            while True:
                _take_frame(await socket.recv(), told)
        except websockets.ConnectionClosedOK:
            pass
        speaking.cancel()


def _presigned_url(case: dict[str, Any]) -> str:
    auth = import_module("botocore.auth")
    credentials = import_module("botocore.credentials").Credentials(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    )
    asked = {"language-code": case["language"], "media-encoding": "pcm", "sample-rate": "16000"}
    url = f"{case['url']}/stream-transcription-websocket?{urlencode(asked)}"
    request = import_module("botocore.awsrequest").AWSRequest(method="GET", url=url)
    auth.SigV4QueryAuth(credentials, "transcribe", REGION, expires=300).add_auth(request)
    return str(request.url).replace("http", "ws", 1)


def _audio_frame(pcm: bytes) -> bytes:
    named = {
        ":message-type": "event",
        ":event-type": "AudioEvent",
        ":content-type": "application/octet-stream",
    }
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value))
        + value.encode()
        for name, value in named.items()
    )  # fmt: skip
    lengths = struct.pack("!II", 16 + len(headers) + len(pcm), len(headers))
    body = lengths + struct.pack("!I", crc32(lengths)) + headers + pcm
    return body + struct.pack("!I", crc32(body))


def _take_frame(data: bytes, told: Told) -> None:
    buffer = import_module("botocore.eventstream").EventStreamBuffer()
    buffer.add_data(data)
    for message in buffer:
        body = json.loads(message.payload)
        if message.headers[":message-type"] == "exception":
            raise Refused(message.headers[":exception-type"], body["Message"])
        for result in body["Transcript"]["Results"]:
            told.say(result["Alternatives"][0]["Transcript"], is_partial=result["IsPartial"])


CLIENTS = {"amazon-transcribe": amazon_transcribe, "aws-sdk": aws_sdk, "presigned": presigned}


def named(error: BaseException) -> str:
    """Return an exception's whole name; for a frame over WebSocket the one it carries."""
    if isinstance(error, Refused):
        return str(error.args[0])
    return f"{type(error).__module__}.{type(error).__qualname__}"


async def play(client: str, case: dict[str, Any]) -> dict[str, Any]:
    """Play one case and return how it went."""
    told, raised, message, hung = Told(), "", "", False
    playing = asyncio.create_task(CLIENTS[client](case, told))
    done, _ = await asyncio.wait([playing], timeout=case["patience_s"])
    if not done:
        hung = True
    elif error := playing.exception():
        raised, message = named(error), str(error)
    return {
        "finals": told.finals,
        "partials": told.partials,
        "raised": raised,
        "message": message,
        "hung": hung,
    }


async def main(client: str) -> None:
    """Play the cases on standard input, one after the other."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        went = await play(client, json.loads(line))
        print(json.dumps(went), flush=True)  # noqa: T201 - the answer
        if went["hung"]:
            os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
