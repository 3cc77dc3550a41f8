"""What keeps a server in order, over HTTP: let it go, and delete old talks."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from parola.server.deps import Services, services
from parola.server.room_settings import Form, SpokenRoute

router = APIRouter(route_class=SpokenRoute, tags=["upkeep"])

Running = Annotated[Services, Depends(services)]

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 86_400.0


class DrainForm(Form):
    """How a server should go."""

    wait_s: float = Field(
        0.0, ge=0, le=LONGEST_WAIT_S, description="Seconds that running talks may go on, at most."
    )


class PruneForm(Form):
    """What should be deleted."""

    days: float = Field(gt=0, le=36_500, description="Talks whose newest line is older go.")


@router.post("/api/drain", status_code=202)
async def drain(running: Running, form: DrainForm) -> dict[str, Any]:
    """Take no new talk, let those that run end or move them on, and end the process.

    Asked again, it waits no longer.
    """
    logger.info("asked to go, within %g s", form.wait_s)
    running.leaving.ask(form.wait_s)
    return {"talks": running.rooms.running}


@router.post("/api/prune")
async def prune(running: Running, form: PruneForm) -> dict[str, Any]:
    """Delete every talk and every recording's text that is older than so many days, for good."""
    gone = await running.retention.prune(form.days)
    return {"talks": len(gone.talks), "lines": gone.lines, "recordings": gone.jobs}
