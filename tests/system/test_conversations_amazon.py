"""The older pipeline's ways to lose a line, with Amazon's engine: none of them loses one here.

Its server began to send when Amazon's socket was open and dropped what came before, dropped what
came last when a speaker hung up, and ended with the first connection to Amazon that failed.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from parola.engines.scripted import marked_audio
from parola.wire.transcribe import BadRequest
from tests.servers import RunningServer, serving
from tests.system.web_app import Line, microphone, speak, web_app
from tests.unit.engines.amazon_service import KEYS, Fault, Service, running

SETTINGS = 'region = "eu-central-1"\nendpoint_url = "{url}"\ncatch_up_speed = 100\n'


pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Place:
    """A server and the service that it calls."""

    server: RunningServer
    service: Service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Both on loopback, once for all of these; each test has calls of its own."""
    folder = tmp_path_factory.mktemp("amazon")
    file = folder / "amazon.toml"
    options = ("--engine", "amazon", "--amazon", str(file), "--no-gate")
    async with running(Service([])) as service:
        file.write_text(SETTINGS.format(url=service.url))
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
            environment.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
            with serving(folder / "data", *options) as server:
                yield Place(server, service)


def numbers(lines: list[Line]) -> list[int]:
    return [int(word) for line in lines for word in line["transcript"].split()]


async def test_first_and_last_words_while_amazon_s_door_is_shut(place: Place) -> None:
    """All is said, and the speaker has hung up (1005), before Amazon lets anybody in."""
    calls = len(place.service.calls)
    place.service.door = asyncio.Event()
    # Seven: a final of five words, and a last sentence that only the end makes final.
    async with web_app(place.server, "shut") as app:
        async with microphone(place.server, sampleRate=16_000, callId="shut") as sound:
            await speak(sound, marked_audio(range(7)))
        assert len(place.service.calls) == calls
        assert await app.window() == []
        place.service.door.set()
        found = await app.until(lambda lines: len(numbers(lines)) == 7)
    assert numbers(found) == list(range(7))


@pytest.mark.parametrize(
    "fault",
    [Fault("reset", 2), Fault("close", 2), Fault("deny")],
    ids=["reset", "closed without a word", "refused at the door"],
)
async def test_amazon_breaks_off_and_nobody_loses_a_word(place: Place, fault: Fault) -> None:
    """The stream that broke has a successor; the other speaker's goes on meanwhile."""
    server, call = place.server, f"both {fault.what}"
    place.service.faults.append(fault)
    async with web_app(server, call) as app:
        mic = {"sampleRate": 16_000, "callId": call}
        async with microphone(server, username="Ada", **mic) as ada:
            await speak(ada, marked_audio(range(5)))
            async with microphone(server, username="Bob", **mic) as bob:
                await speak(bob, marked_audio(range(100, 110)))
                await speak(ada, marked_audio(range(5, 12)))
        found = await app.until(lambda lines: len(numbers(lines)) == 22)
    said = numbers(found)
    assert [word for word in said if word < 100] == list(range(12))
    assert [word for word in said if word >= 100] == list(range(100, 110))


async def test_what_amazon_refuses_for_good_ends_one_speaker(place: Place) -> None:
    """That speaker is told why; the server lives, and the next one is heard."""
    server = place.server
    place.service.faults.append(Fault(BadRequest("The language is not supported.")))
    async with web_app(server, "call") as app:
        async with microphone(server, sampleRate=16_000, callId="call") as sound:
            await speak(sound, marked_audio(range(5)))
            with pytest.raises(ConnectionClosed, match="not supported"):
                await sound.recv()
        async with microphone(server, sampleRate=16_000, callId="call", username="Bob") as sound:
            await speak(sound, marked_audio(range(10, 20)))
        found = await app.until(lambda lines: len(numbers(lines)) >= 10)
        assert server.process.poll() is None
    assert numbers(found)[-10:] == list(range(10, 20))
