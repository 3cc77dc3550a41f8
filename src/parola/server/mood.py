"""How a room's talk sounds, over HTTP: numbers and words out of a short list, no text made here."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from parola.domain.errors import NotFound
from parola.domain.mood import LineMood, TalkMood, talk_mood
from parola.domain.sentiment import label
from parola.domain.vocabulary import room_name
from parola.live.moods import Moods
from parola.server.deps import Services, services

router = APIRouter(tags=["rooms"])

Running = Annotated[Services, Depends(services)]


@router.get("/api/rooms/{room}/mood")
async def mood(
    running: Running,
    room: str,
    session: Annotated[
        str | None, Query(description="one talk's id; the newest without it")
    ] = None,
    *,
    lines: Annotated[bool, Query(description="also each line's own")] = False,
) -> dict[str, Any]:
    """Return how a talk sounds: its last two minutes, a curve, and what its lines are for."""
    name = room_name(room)
    if not (moods := running.moods):
        raise NotFound("How lines sound is not read here; start the server with --sentiment local.")
    if session is None and not lines:
        return _told(name, moods, await moods.newest(name))
    found = await moods.lines_of(name, session)
    told = _told(name, moods, talk_mood(found))
    return {**told, "lines": [_line(line) for line in found]} if lines else told


def _told(room: str, moods: Moods, talk: TalkMood) -> dict[str, Any]:
    return {
        "room": room,
        "read_by": moods.analyst,
        "failure": moods.failure,
        "read": sum(talk.counts.values()),
        "score": round(talk.score, 3),
        "label": talk.label,
        "intent": talk.intent,
        "intents": talk.counts,
        "curve": [
            {
                "start_s": point.start_s,
                "length_s": point.length_s,
                "score": round(point.score, 3),
                "lines": point.lines,
            }
            for point in talk.curve
        ],
    }


def _line(line: LineMood) -> dict[str, Any]:
    return {
        "seq": line.number,
        "session": line.session,
        "start_s": line.start_s,
        "score": round(line.score, 3),
        "label": label(line.score),
        "intent": line.intent,
    }
