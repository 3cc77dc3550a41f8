"""What the event's template deploys works: from a voice to a viewer on another node."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from parola.engines.scripted import marked_audio
from tests.deploy.stack import Stack, deployed
from tests.deploy.test_templates import template
from tests.servers import serving
from tests.stand_ins import StandIn
from tests.system.web_app import microphone, speak, web_app


@pytest.fixture(scope="module")
def stack(ministack: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The event's stack, deployed once for all of these."""
    with deployed(ministack, tmp_path_factory.mktemp("package")) as there:
        yield there


def test_every_resource_is_made(stack: Stack) -> None:
    """All that the template names is there, but for the budget: the stand-in knows none."""
    wanted = template("event")["Resources"].keys() - {"Budget"}
    assert stack.resources == dict.fromkeys(wanted, "CREATE_COMPLETE")


async def test_a_caption_comes_out_on_another_node(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is spoken into one server is read on another: by queue, function and table alone.

    Each word comes once and in order, and the outbox is empty then. A line that is corrected gets
    another sentiment there, and keeps its words.
    """
    for name, value in stack.stand_in.environment.items():
        monkeypatch.setenv(name, value)
    sends = ["--engine", "scripted", "--no-gate", "--pipeline-queue", stack.queue]
    reads = ["--engine", "scripted", "--pipeline-table", stack.table]
    count = 30
    with serving(tmp_path / "one", *sends) as one:
        with serving(tmp_path / "other", *reads) as other:
            async with web_app(other, "sala") as app:
                async with microphone(
                    one, sampleRate=16_000, language="en-US", callId="sala", username="Ada"
                ) as sound:
                    await speak(sound, marked_audio(range(count)))
                found = await app.until(
                    lambda lines: sum(len(x["transcript"].split()) for x in lines) == count
                )
            await _until_read(stack, len(found))
            async with httpx.AsyncClient(base_url=other.url) as http:
                told = (await http.get("/api/rooms/sala/mood?lines=true")).json()
                await _correct(one.url, told["lines"][0]["seq"], "What a terrible disaster.")
                async with asyncio.timeout(60):
                    while (await _labels(http))[0] != "negative":  # noqa: ASYNC110 - a table tells nobody
                        await asyncio.sleep(0.2)
                assert (await _labels(http))[1:] == ["neutral"] * (len(found) - 1)
            async with web_app(other, "sala") as app:
                corrected = {**found[0], "transcript": "What a terrible disaster."}
                assert await app.window() == [corrected, *found[1:]]
        said = [int(word) for line in found for word in line["transcript"].split()]
        assert said == list(range(count))
        assert {line["speakerName"] for line in found} == {"Ada"}
        assert await _outbox_lines(one.url) == 0
    assert (told["read"], told["label"]) == (len(found), "neutral")
    starts_s = [float(line["startTime"]) for line in found]
    assert [line["start_s"] for line in told["lines"]] == pytest.approx(starts_s, abs=0.001)


async def _correct(url: str, number: int, text: str) -> None:
    """Put a person's words in a line's place."""
    path = f"/api/rooms/sala/lines/{number}"
    async with httpx.AsyncClient(base_url=url) as http:
        version = (await http.get(path)).json()["version"]
        answer = await http.put(path, json={"text": text, "made_on": version})
        assert answer.is_success, answer.text


async def _labels(http: httpx.AsyncClient) -> list[str]:
    """Return how each line of the room sounds, by what a node says."""
    told = (await http.get("/api/rooms/sala/mood?lines=true")).json()
    return [line["label"] for line in told["lines"]]


async def _until_read(stack: Stack, count: int) -> None:
    """Wait until the stream's function has read every row, and see that it did so once."""
    db = stack.stand_in.client("dynamodb")
    asked = {
        "TableName": stack.table,
        "KeyConditionExpression": "pk = :room",
        "ExpressionAttributeValues": {":room": {"S": "sala"}},
    }
    while True:
        rows = (await asyncio.to_thread(db.query, **asked))["Items"]
        if len(rows) == count and all("sentiment" in row for row in rows):
            break
        await asyncio.sleep(0.2)
    assert {row["sentiment"]["S"] for row in rows} == {"neutral"}  # numbers have no sentiment
    assert {row["readBy"]["S"] for row in rows} == {"local"}
    assert all("intent" in row and float(row["sentimentScore"]["N"]) == 0 for row in rows)


async def _outbox_lines(url: str) -> float:
    """Return the outbox's depth from /metrics, once that has looked again."""
    async with httpx.AsyncClient(base_url=url) as http:
        for _ in range(100):
            text = (await http.get("/metrics")).text
            lines = [x for x in text.splitlines() if x.startswith("parola_outbox_lines ")]
            if float(lines[0].split()[1]) == 0:
                break
            await asyncio.sleep(0.2)
        return float(lines[0].split()[1])
