"""Viewers on several nodes: all of them are counted, and a node that loses something is named."""

from contextlib import ExitStack

import pytest

from bench import nodes
from bench.load.crowd import crowd
from bench.load.measure import until_heard
from bench.load.systems import Setting
from tests.bench.careless import Mistake, careless
from tests.broker import all_there_or_not, no_broker

VIEWERS = 4


@pytest.mark.parametrize("mistake", ["none", "loses", "doubles"])
def test_the_node_that_loses_something_is_named(
    mistake: Mistake, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are not, and the answer is no."""
    with ExitStack() as held:
        servers = [held.enter_context(careless(Setting(1), way)) for way in ("none", mistake)]
        halls = []
        for number, server in enumerate(servers):
            hall = held.enter_context(crowd(server.entrance, 1, VIEWERS))
            hall.until_ready()
            until_heard(hall, server.say(1, 1))
            halls.append(nodes.Hall(f"node {number}", server.process, hall))
        runs = nodes.listen(halls, lambda: max(server.say(8, 1) for server in servers), 0.5)
    assert [run.is_whole for run in runs] == [True, mistake == "none"]
    assert nodes.report([runs], [0.1]) == (mistake == "none")
    said = capsys.readouterr().out
    assert ("LOST or doubled: node 1" in said) == (mistake != "none")
    assert "LOST or doubled: node 0" not in said


def test_viewers_on_every_node_have_every_final_of_real_nodes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A real broker, two real nodes, and sources on one of them."""
    all_there_or_not(no_broker())
    assert nodes.measure(2, 4, nodes.Talk(rooms=2, finals=3, finals_per_s=4.0), 1)
    assert "| another, 1 | 12 |" in capsys.readouterr().out
