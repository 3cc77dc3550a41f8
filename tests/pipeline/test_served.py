"""A `parola serve` that is killed loses no final on its way to the table."""

from pathlib import Path

import pytest

from tests.pipeline.served import schedule, serve_and_die
from tests.pipeline.world import world
from tests.stand_ins import StandIn

SEED = 9547
"""Short, and with the two moments at which most can be lost; `make storm` has more."""


@pytest.mark.timeout(400)
async def test_a_server_that_is_killed_loses_no_final(ministack: StandIn, tmp_path: Path) -> None:
    """SIGKILL of server and function: log, viewer, table and window tell the same, once."""
    deaths = schedule(SEED, deaths=2)
    assert {death.moment for death in deaths} == {"logged", "refused"}
    assert any(death.takes_keeper for death in deaths)
    async with world(ministack, SEED) as there:
        found = await serve_and_die(there, tmp_path, deaths)
        seen = there.to_queue.faults.seen
    assert found.wrong is None
    assert found.log[0].now.startswith("corrected")
    assert seen["lost answers"] > 0
    assert seen["down"] > 0
