"""A task of ECS is protected while it has talks, and never longer than it has to be."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from parola.beside import beside
from parola.domain.errors import HostFailed
from parola.domain.vocabulary import language_tag, room_name
from parola.engines.scripted import marked_audio
from parola.hosts.ecs import EcsTask
from parola.live.protection import EXPIRES_MIN, RENEW_S, Protection, protected
from parola.live.session import SessionPlan
from tests.houses import house

MAIN = room_name("main")
PLAN = SessionPlan("s", language_tag("en-US"))
ASKED = {"ProtectionEnabled": True, "ExpiresInMinutes": EXPIRES_MIN}
GIVEN_BACK = {"ProtectionEnabled": False}


class Agent:
    """The container agent's endpoint, as its guide describes it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.refuses_with: tuple[int, object] | None = None
        self.url = ""


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent on loopback."""
    state = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/api/x/task-protection/v1/state"
            state.asked.append(json.loads(body))
            enabled = state.asked[-1]["ProtectionEnabled"]
            status, answer = state.refuses_with or (
                200,
                {"protection": {"ProtectionEnabled": enabled, "TaskArn": "arn:aws:ecs:x"}},
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as url:
        state.url = f"{url}/api/x"
        yield state


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def test_it_is_held_while_somebody_speaks(agent: Agent) -> None:
    """Asked for once, renewed in time, given back after the last talk."""
    async with house() as h:
        protection = Protection(h.rooms, EcsTask(agent.url))
        await protection.look()
        assert agent.asked == []
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
            await protection.look()
            await protection.look()
            assert agent.asked == [ASKED]
            h.clock[0] += RENEW_S
            await protection.look()
            assert agent.asked == [ASKED, ASKED]
        while talks := tuple(h.rooms._talks):
            await asyncio.wait(talks)
        await protection.look()
        await protection.look()
        assert agent.asked == [ASKED, ASKED, GIVEN_BACK]
        assert not protection.is_held


def state_of(protection: Protection) -> tuple[bool, bool]:
    """Return whether it is held, and whether anything is wrong."""
    return protection.is_held, protection.failure is not None


REFUSALS = [
    (400, {"error": {"Code": "AccessDeniedException", "Message": "not authorised"}}),
    (200, {"failure": {"Reason": "TASK_NOT_VALID", "Detail": "not of a service"}}),
    (200, {"protection": {"ProtectionEnabled": False}}),
    (500, "gone"),
    (200, ["?"]),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal)[:30])
async def test_a_refusal_is_told_and_stops_nothing(
    agent: Agent, refusal: tuple[int, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Captions flow, the log says once what to do, and it is asked again until it works."""
    agent.refuses_with = refusal
    async with house() as h:
        protection = Protection(h.rooms, EcsTask(agent.url))
        async with h.rooms.speak(MAIN, PLAN) as session:
            await session.feed(marked_audio(range(5)))
            for _ in range(3):
                await protection.look()
            assert state_of(protection) == (False, True)
            assert "docs/howto/aws.md" in str(protection.failure)
            assert [r.levelname for r in caplog.records] == ["ERROR"]
            agent.refuses_with = None
            await protection.look()
            assert state_of(protection) == (True, False)
        assert len(agent.asked) == 4


async def test_what_ran_out_is_not_believed_in(agent: Agent) -> None:
    """A protection that could not be renewed counts until its time is over, no longer."""
    async with house() as h, h.rooms.speak(MAIN, PLAN):
        protection = Protection(h.rooms, EcsTask(agent.url))
        await protection.look()
        agent.refuses_with = REFUSALS[0]
        h.clock[0] += RENEW_S
        await protection.look()
        assert protection.is_held
        h.clock[0] += EXPIRES_MIN * 60
        await protection.look()
        assert not protection.is_held


async def test_nobody_at_the_address_is_told() -> None:
    """An agent that is not there is one sentence with a remedy."""
    with _serving(BaseHTTPRequestHandler) as url:
        pass
    with pytest.raises(HostFailed, match="does not answer"):
        await EcsTask(url).protect(60)


async def test_a_stop_gives_it_back(agent: Agent) -> None:
    """The task may be replaced at once; an agent that refuses does not hold up the stop."""
    async with house() as h:
        async with protected(h.rooms, EcsTask(agent.url)) as protection:
            assert protection
            async with h.rooms.speak(MAIN, PLAN):
                while not protection.is_held:
                    await protection.look()
        assert agent.asked[-1] == GIVEN_BACK
        agent.refuses_with = REFUSALS[0]
        async with protected(h.rooms, EcsTask(agent.url)) as protection:
            assert protection
            protection._asked_at = 0.0
        async with protected(h.rooms, None) as protection:
            assert protection is None


async def test_it_looks_again_and_again(agent: Agent) -> None:
    """Beside the talks, without being asked."""
    turns = asyncio.Queue[float]()

    async def sleep(seconds: float) -> None:
        turns.put_nowait(seconds)
        await turns.join()

    async with house() as h, h.rooms.speak(MAIN, PLAN):
        protection = Protection(h.rooms, EcsTask(agent.url))
        async with asyncio.timeout(10), beside(protection.run(sleep)):
            await turns.get()
            assert agent.asked == [ASKED]
            h.clock[0] += RENEW_S
            turns.task_done()
            await turns.get()
            assert agent.asked == [ASKED, ASKED]
            turns.task_done()
