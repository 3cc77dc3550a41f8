"""Several real nodes on a real broker: whichever one somebody comes to, it is one Parola."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parola.beside import beside
from parola.broker import open_broker
from parola.engines.scripted import BLOCK_FRAMES
from tests.broker import Broker, running_broker
from tests.servers import RunningServer, serving
from tests.speakers import Source, goes_on, speak

if TYPE_CHECKING:
    from redis.asyncio import Redis

LEASE_S = 4


@dataclass(slots=True)
class Nodes:
    """Two nodes and their broker."""

    one: RunningServer
    two: RunningServer
    broker: Broker


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    (folder / "broker").mkdir()
    with running_broker(folder / "broker") as broker:
        options = ["--engine", "scripted", "--cluster", broker.url]
        options += ["--cluster-lease-s", str(LEASE_S)]
        one, two = folder / "uno" / "data", folder / "due" / "data"
        for data in one, two:
            data.parent.mkdir()
        with (
            serving(one, *options, "--node", "uno") as first,
            serving(two, *options, "--node", "due") as second,
        ):
            yield Nodes(first, second, broker)


def _get(server: RunningServer, path: str) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(f"{server.url}{path}").raise_for_status().json()


def _put(server: RunningServer, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.put(f"{server.url}{path}", json=body, timeout=15)


def _text(server: RunningServer, room: str) -> str:
    return httpx.get(f"{server.url}/api/rooms/{room}/transcript.txt").raise_for_status().text


async def _until(seen: list[dict[str, Any]], is_there: str, frames: Any) -> dict[str, Any]:  # noqa: ANN401
    """Read a viewer's frames until one holds something."""
    try:
        async with asyncio.timeout(20):
            async for text in frames:
                seen.append(json.loads(text))
                if is_there in text:
                    return seen[-1]
    except TimeoutError:
        pass
    raise AssertionError(f"no {is_there!r} among {len(seen)}, the last of them {seen[-3:]}")


async def test_what_is_said_on_one_node_is_read_on_the_other(nodes: Nodes) -> None:
    """Guesses, finals and states, as they come; and all of it later, from any number on."""
    viewing = f"{nodes.two.ws}/ws/transcript/insieme?partial=true&v=1"
    source, seen = Source("insieme"), list[dict[str, Any]]()
    async with connect(viewing, max_queue=None) as viewer, source.connected(nodes.one) as socket:
        await source.say(socket, 25)
        await _until(seen, '"is_partial":true', viewer)
        # The two ways are not in step: a final may overtake the first guess that is shown.
        if "10 11 12" not in json.dumps(seen):
            await _until(seen, "10 11 12", viewer)
        await source.end(socket)
        await _until(seen, "session_ended", viewer)
    states = {frame["state"] for frame in seen if frame["type"] == "state"}
    assert "listening" in states
    assert _text(nodes.one, "insieme") == _text(nodes.two, "insieme")
    async with connect(f"{nodes.two.ws}/ws/transcript/insieme?after=2") as viewer:
        assert json.loads(await viewer.recv())["seq"] == 3


async def test_a_source_goes_on_at_another_node_at_once(nodes: Nodes) -> None:
    """Its connection breaks, the balancer sends it elsewhere: the talk is that of one node."""
    await speak(nodes.one, "unbroken", 60)
    source = Source("moved")
    for until, node in ((23, nodes.one), (38, nodes.two), (60, nodes.one)):
        async with source.connected(node) as socket:
            await source.say(socket, until)
            if until == 60:
                await source.end(socket)
            else:
                async with asyncio.timeout(15):
                    while source.safe < until - 15:
                        source.safe = json.loads(await socket.recv()).get("position", 0) // (
                            BLOCK_FRAMES
                        )
    assert (
        _text(nodes.two, "moved").splitlines()[1:]
        == (_text(nodes.two, "unbroken").splitlines()[1:])
    )


async def test_another_source_is_refused_on_every_node(nodes: Nodes) -> None:
    """A room has one speaker, wherever the second one comes."""
    source, other = Source("occupata"), Source("occupata")
    async with source.connected(nodes.one) as socket:
        await source.say(socket, 3)
        async with connect(f"{nodes.two.ws}/ws/audio/occupata") as second:
            start = {"type": "start", "session": other.session, "language": "en-US"}
            await second.send(json.dumps(start | {"position": 0}))
            assert json.loads(await second.recv())["code"] == "room_busy"
            with pytest.raises(ConnectionClosed):
                await second.recv()
        await source.end(socket)


async def test_an_operator_may_come_to_any_node(nodes: Nodes) -> None:
    """Corrections and modes are done by the node that speaks the room, and seen on both."""
    source = Source("regia")
    async with source.connected(nodes.one) as socket:
        await source.say(socket, 25)
        async with connect(f"{nodes.two.ws}/ws/transcript/regia?v=1") as viewer:
            seen: list[dict[str, Any]] = []
            final = await _until(seen, "0 1 2 3", viewer)
            line = f"/api/rooms/regia/lines/{final['seq']}"
            done = _put(nodes.two, line, {"made_on": final["seq"], "text": "one to nine"})
            assert done.status_code == 200, done.text
            await _until(seen, "one to nine", viewer)
            again = _put(nodes.two, line, {"made_on": final["seq"], "text": "unseen"})
            assert again.status_code == 409
            assert again.json()["current"]["text"] == "one to nine"
            assert _put(nodes.two, "/api/rooms/regia/mode", {"mode": "hidden"}).status_code == 200
            await _until(seen, '"state":"hidden"', viewer)
            assert _put(nodes.two, "/api/rooms/regia/mode", {"mode": "live"}).status_code == 200
        await source.end(socket)
    assert "one to nine" in _text(nodes.one, "regia")
    assert _put(nodes.one, line, {"made_on": done.json()["version"], "text": "later"}).is_success
    assert _get(nodes.two, line)["text"] == "later"


async def test_what_is_off_the_record_is_read_elsewhere_and_written_nowhere(nodes: Nodes) -> None:
    """Viewers of the other node see it; nothing of it is in the broker's keys and files."""
    source, seen = Source("riservata"), list[dict[str, Any]]()
    viewing = f"{nodes.two.ws}/ws/transcript/riservata?partial=true&v=1"
    async with connect(viewing, max_queue=None) as viewer, source.connected(nodes.one) as socket:
        assert _put(nodes.two, "/api/rooms/riservata/mode", {"mode": "off_record"}).is_success
        async with beside(source.hear_acks(socket)):
            await source.say(socket, 177)
            await _until(seen, "161 162 163", viewer)
    await asyncio.sleep(0.1)
    kept = b"".join(file.read_bytes() for file in nodes.broker.folder.rglob("*") if file.is_file())
    assert b"riservata" in kept
    assert b"161 162" not in kept
    assert _put(nodes.one, "/api/rooms/riservata/mode", {"mode": "live"}).is_success


async def _told(server: RunningServer, path: str, until: Callable[[Any], object]) -> Any:  # noqa: ANN401
    """Return what a node answers, once it is as it should be."""
    async with asyncio.timeout(30):
        while True:
            found = await asyncio.to_thread(_get, server, path)
            if until(found):
                return found
            await asyncio.sleep(0.1)


async def _sounds_the_same(nodes: Nodes, room: str) -> None:
    """See that each node tells how each line sounds, also one that was corrected on one of them."""
    finals = _get(nodes.two, f"/api/rooms/{room}/transcript.json")["sessions"][0]["segments"]
    numbers = [line["seq"] for line in finals]
    praise = {"made_on": numbers[0], "text": "Thank you, that was a wonderful talk"}
    assert _put(nodes.one, f"/api/rooms/{room}/lines/{numbers[0]}", praise).is_success
    for node in nodes.one, nodes.two:
        path = f"/api/rooms/{room}/mood?lines=true"
        mood = await _told(
            node, path, lambda told: told["intents"]["thanks"] and told["read"] == len(numbers)
        )
        assert [line["seq"] for line in mood["lines"]] == numbers
        assert mood["lines"][0]["label"] == "positive"
        async with connect(f"{node.ws}/ws/transcript/{room}"):
            await _told(node, f"/api/rooms/{room}", lambda told: told["mood"])


async def test_a_node_that_dies_hands_its_rooms_over(nodes: Nodes, tmp_path: Path) -> None:
    """Once the lease has run out, the source goes on at the next node; no line twice, none lost.

    How its lines sound is known as well, on every node.
    """
    await speak(nodes.two, "intera", 60)
    options = ("--engine", "scripted", "--cluster", nodes.broker.url, "--node", "tre")
    source = Source("vedova")
    with serving(tmp_path / "data", *options, "--cluster-lease-s", str(LEASE_S)) as third:
        async with source.connected(third) as socket:
            await source.say(socket, 35)
            while source.safe < 10:
                said = json.loads(await socket.recv())
                source.safe = said.get("position", 0) // BLOCK_FRAMES
            third.kill()
    await goes_on(source, nodes.two, 60)
    whole, found = (_text(nodes.one, room).splitlines()[1:] for room in ("intera", "vedova"))
    assert found == whole
    await _sounds_the_same(nodes, "vedova")


async def test_a_node_that_is_stopped_gives_its_rooms_back(nodes: Nodes, tmp_path: Path) -> None:
    """At once, however long its leases are: the source goes on elsewhere, and no word is lost."""
    options = ("--engine", "scripted", "--cluster", nodes.broker.url, "--cluster-lease-s", "600")
    source = Source("passata")
    with serving(tmp_path / "data", *options) as third:
        async with source.connected(third) as socket:
            await source.say(socket, 35)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(source.hear_acks(socket))
                while source.safe < 30:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.02)
                assert await asyncio.to_thread(third.stop) == 0
    await goes_on(source, nodes.two, 60)
    words = [word for word in _text(nodes.one, "passata").split() if word.isdecimal()]
    assert words[-60:] == [str(number) for number in range(60)]


def test_settings_are_everybodys(nodes: Nodes) -> None:
    """What is set for a room on one node is set on all."""
    body = {"language": "it-IT", "replacements": [{"heard": "nove", "shown": "9"}]}
    assert _put(nodes.one, "/api/rooms/aula/settings", body).is_success
    assert _get(nodes.two, "/api/rooms/aula/settings")["language"] == "it-IT"


def _found(server: RunningServer, query: str) -> list[tuple[str, str]]:
    lines = httpx.get(f"{server.url}/api/search", params={"q": query}).raise_for_status().json()
    return [(line["room"], line["text"]) for line in lines["lines"]]


def _listed(server: RunningServer, room: str) -> list[dict[str, Any]]:
    return [talk for talk in _get(server, "/api/talks")["talks"] if talk["room"] == room]


async def test_what_was_said_anywhere_is_listed_and_found_everywhere(nodes: Nodes) -> None:
    """As soon as it is saved, as it reads now; what is struck or deleted is not."""
    keeps = {"keep_recordings": True}
    assert _put(nodes.one, "/api/rooms/memoria/settings", keeps).is_success
    await speak(nodes.one, "memoria", 12)
    async with asyncio.timeout(20):
        # Its last word is saved before its sound, and before the line that says that it is over.
        while not (heard := _listed(nodes.one, "memoria")[0])["ended_at"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        while not (heard := _listed(nodes.one, "memoria")[0])["recording"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    (talk,) = _listed(nodes.two, "memoria")
    assert talk["lines"] == 2
    # The sound is where it was heard.
    assert heard == talk | {"recording": True}
    assert ("memoria", "10 11") in _found(nodes.two, "10 11")

    said = httpx.get(f"{nodes.two.url}/api/search", params={"q": "10 11", "room": "memoria"})
    (line,) = said.raise_for_status().json()["lines"]
    path = f"/api/rooms/memoria/lines/{line['seq']}"
    done = _put(nodes.two, path, {"made_on": line["seq"], "text": "dieci undici"}).json()
    assert _found(nodes.one, "dieci undi") == [("memoria", "dieci undici")]
    struck = f"{nodes.one.url}{path}/strike"
    assert httpx.post(struck, json={"made_on": done["version"]}).is_success
    assert _found(nodes.two, "dieci") == []

    sound = f"{nodes.one.url}/api/rooms/memoria/recording?session={talk['session']}"
    assert httpx.get(sound).is_success
    async with asyncio.timeout(30):
        while _listed(nodes.one, "memoria"):
            pruned = httpx.post(f"{nodes.two.url}/api/prune", json={"days": 1e-6}, timeout=60)
            assert pruned.is_success, pruned.text
            await asyncio.sleep(0.02)
    assert _listed(nodes.two, "memoria") == []
    assert all(room != "memoria" for room, _ in _found(nodes.one, "0 1 2"))
    assert httpx.get(sound).status_code == 404


async def _held_up(client: "Redis", writes: int) -> None:
    """Wait until so many settings wait to be written."""
    async with asyncio.timeout(20):
        while True:
            clients: Any = await client.client_list()
            if sum(who["cmd"] == "eval" and "b" in who["flags"] for who in clients) >= writes:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/api/rooms/contesa/settings", "/api/event/settings"])
async def test_of_two_that_set_the_same_on_two_nodes_one_is_refused(
    nodes: Nodes, path: str
) -> None:
    """As on one node: both have looked at it when the first one writes, and the other gets 412."""
    async with open_broker(nodes.broker.url) as client, httpx.AsyncClient(timeout=15) as http:
        seen = (await http.get(f"{nodes.one.url}{path}")).headers["ETag"]
        for number in range(3):
            # What is read is answered, and what is written waits.
            await client.client_pause(10_000, all=False)
            async with asyncio.TaskGroup() as tasks:
                puts = [
                    tasks.create_task(
                        http.put(
                            f"{node.url}{path}",
                            json={"blocked": [f"{node.url} {number} {n}" for n in range(300)]},
                            headers={"If-Match": seen},
                        )
                    )
                    for node in (nodes.one, nodes.two)
                ]
                await _held_up(client, 2)
                await client.client_unpause()
            won, lost = sorted((put.result() for put in puts), key=lambda put: put.status_code)
            assert (won.status_code, lost.status_code) == (200, 412), won.text + lost.text
            assert lost.json()["code"] == "outdated"
            for node in nodes.one, nodes.two:
                there = await http.get(f"{node.url}{path}")
                assert there.json() == won.json()
                assert there.headers["ETag"] == won.headers["ETag"]
            seen = won.headers["ETag"]
        anyway = {"blocked": ["whatever there is"]}
        assert (await http.put(f"{nodes.two.url}{path}", json=anyway)).status_code == 200


async def test_captions_flow_while_the_broker_is_away(nodes: Nodes, tmp_path: Path) -> None:
    """Viewers of the same node read on and are told; what they read is saved when it is back."""
    options = ("--engine", "scripted", "--cluster", nodes.broker.url, "--cluster-lease-s", "600")
    source, seen = Source("isolata"), list[dict[str, Any]]()
    with serving(tmp_path / "data", *options) as third:
        viewing = f"{third.ws}/ws/transcript/isolata?v=1"
        async with connect(viewing) as viewer, source.connected(third) as socket:
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(source.hear_acks(socket))
                await source.say(socket, 12)
                await _until(seen, "0 1 2", viewer)
                nodes.broker.kill()
                await source.say(socket, 35)
                await _until(seen, '"state":"unsaved"', viewer)
                await _until(seen, "20 21 22", viewer)
                nodes.broker.start()
                await asyncio.to_thread(nodes.broker.wait)
                await _until(seen, '"state":"listening"', viewer)
                hearing.cancel()
            await source.end(socket)
    assert "10 11 12" in _text(nodes.one, "isolata")
