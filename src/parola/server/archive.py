"""What was said before, over HTTP: the talks there are, and a search in all of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from parola.domain import captions
from parola.domain.access import Rights
from parola.domain.errors import Forbidden, NotFound
from parola.domain.log import Entry
from parola.domain.search import phrases_of
from parola.domain.talks import Talk
from parola.domain.transcript import Segment
from parola.domain.vocabulary import room_name
from parola.ports import Archive
from parola.server.deps import Services, rights, services
from parola.server.growing import GrowingFile

router = APIRouter(tags=["archive"])

Running = Annotated[Services, Depends(services)]
May = Annotated[Rights, Depends(rights)]

RECORDING_TYPE = "audio/mpeg"

FOUND = 50
"""How many lines one answer has at most."""


@router.get("/api/talks")
async def talks(running: Running, may: May) -> dict[str, Any]:
    """Return every talk that has a transcript and may be read, the newest first."""
    found = await _readable(_archive(running), may)
    keeps = running.rooms.plugs.recordings
    kept = await keeps.kept([(talk.room, talk.session) for talk in found]) if keeps else set()
    return {"talks": [_talk(talk, recorded=(talk.room, talk.session) in kept) for talk in found]}


@router.get("/api/rooms/{room}/recording")
async def recording(running: Running, room: str, session: str) -> Response:
    """Return a talk's sound where it was kept: MP3, in which every time is that of the words."""
    name, keeps = room_name(room), running.rooms.plugs.recordings
    path = await keeps.find(name, session) if keeps else None
    if path is None:
        raise NotFound("No sound was kept of this talk.")
    # What is deleted is to be gone, and what is being said to grow.
    headers = {"Cache-Control": "private, no-cache"}
    return GrowingFile(path, headers=headers, media_type=RECORDING_TYPE)


@router.delete("/api/rooms/{room}/recording", status_code=204)
async def delete_recording(running: Running, room: str, session: str) -> Response:
    """Delete a talk's sound; its words stay."""
    name, keeps = room_name(room), running.rooms.plugs.recordings
    if not (keeps and await keeps.delete(name, session)):
        raise NotFound("No sound was kept of this talk.")
    return Response(status_code=204)


@router.get("/api/search")
async def search(
    running: Running,
    may: May,
    q: str,
    room: Annotated[str | None, Query(description="one room; all rooms without it")] = None,
) -> dict[str, Any]:
    """Return the newest lines that hold all words of `q` and may be read, as they read now.

    Words between quotation marks belong together; the last word may be unfinished.
    """
    archive, phrases = _archive(running), phrases_of(q)
    name = room_name(room) if room else None
    if may.allow("read", name):
        found = await archive.search(phrases, name, FOUND)
    elif name:
        raise Forbidden(f"This token is not for reading {name!r}; ask for one that is.")
    else:
        # Room by room, so that what may not be read takes no place among the newest.
        rooms = {talk.room for talk in await _readable(archive, may)}
        lines = [line for r in rooms for line in await archive.search(phrases, r, FOUND)]
        found = sorted(lines, key=lambda line: line.at_ms, reverse=True)[:FOUND]
    return {"q": q, "lines": [_line(entry) for entry in found]}


async def _readable(archive: Archive, may: Rights) -> list[Talk]:
    return [talk for talk in await archive.talks() if may.allow("read", talk.room)]


def _archive(running: Services) -> Archive:
    log = running.rooms.plugs.log
    if not isinstance(log, Archive):
        raise NotFound("The transcripts of this server are kept where they cannot be searched.")
    return log


def _talk(talk: Talk, *, recorded: bool) -> dict[str, Any]:
    ended = talk.ended_at_ms
    return {
        "room": talk.room,
        "session": talk.session,
        "language": talk.language,
        "started_at": captions.utc_iso(talk.started_at_ms),
        "ended_at": None if ended is None else captions.utc_iso(ended),
        "lines": talk.lines,
        "recording": recorded,
    }


def _line(entry: Entry) -> dict[str, Any]:
    assert isinstance(entry.body, Segment)  # noqa: S101 - only finals are indexed
    return {
        "room": entry.room,
        "session": entry.body.session,
        "seq": entry.number,
        "at": captions.utc_iso(entry.at_ms),
        "start_s": entry.body.start_s,
        "text": entry.body.text,
        "speaker": entry.body.speaker,
        "made_by": entry.body.made_by,
    }
