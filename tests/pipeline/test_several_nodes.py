"""Several nodes on one broker send one outbox on, whichever of them dies."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.broker import running_broker
from tests.pipeline.world import environment_of, until, world
from tests.servers import RunningServer, serving
from tests.speakers import Source, goes_on
from tests.stand_ins import StandIn

LEASE_S = 2


async def test_every_final_reaches_the_table_once_though_its_node_is_killed(
    ministack: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue took what a node sent, the node did not hear so and was killed while it spoke.

    Two others go on with its talk and its outbox: the table has the whole log, in its order.
    """
    async with world(ministack, seed=3) as there:
        for name, value in environment_of(there).items():
            monkeypatch.setenv(name, value)
        keeper = await there.start("tests.pipeline.keeper", there.queue)
        try:
            with ExitStack() as held:
                (tmp_path / "broker").mkdir()
                broker = held.enter_context(running_broker(tmp_path / "broker"))

                def node(name: str) -> RunningServer:
                    (tmp_path / name).mkdir()
                    options = ["--engine", "scripted", "--cluster", broker.url, "--node", name]
                    options += ["--cluster-lease-s", str(LEASE_S)]
                    options += ["--pipeline-queue", there.queue]
                    return held.enter_context(serving(tmp_path / name / "data", *options))

                # The nodes start in threads: the line to the queue is in this loop.
                first, second, third = await asyncio.gather(
                    *(asyncio.to_thread(node, name) for name in ("uno", "due", "tre"))
                )
                there.to_queue.faults.lost_answer = 1.0
                source = Source("sala")
                async with source.connected(first) as socket:
                    await source.say(socket, 35)
                    while not source.safe:
                        said = json.loads(await socket.recv())
                        source.safe = said.get("position", 0)
                    source.safe = 0  # it comes again from its beginning
                    await until(lambda: there.to_queue.faults.seen["lost answers"] > 0, 60)
                    first.kill()
                there.to_queue.faults.lost_answer = 0.0
                await goes_on(source, second, 60)
                finals = _finals(third)
                await until(lambda: len(there.texts()) >= len(finals), 60)
                await until(lambda: _waiting(second) == _waiting(third) == 0, 60)
        finally:
            keeper.kill()
            await keeper.wait()
        assert there.texts() == finals
        assert " ".join(finals).split() == [str(number) for number in range(60)]
        assert there.put_aside() == []


def _finals(server: RunningServer) -> list[str]:
    found = httpx.get(f"{server.url}/api/rooms/sala/transcript.json").raise_for_status().json()
    return [line["text"] for talk in found["sessions"] for line in talk["segments"]]


def _waiting(server: RunningServer) -> float:
    lines = httpx.get(f"{server.url}/metrics").raise_for_status().text.splitlines()
    (line,) = [line for line in lines if line.startswith("parola_outbox_lines ")]
    return float(line.split()[1])
