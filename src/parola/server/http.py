"""The HTTP API: rooms, transcripts, playing files, health."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from parola.domain import captions
from parola.domain.access import Rights
from parola.domain.audio import to_seconds
from parola.domain.corrections import Edits
from parola.domain.errors import NotFound, TooLarge
from parola.domain.log import Entry, RoomSummary, Withheld
from parola.domain.vocabulary import RoomName, language_tag, room_name
from parola.live.feed import View
from parola.live.options import check_options, of_recording
from parola.live.playback import Recording
from parola.live.room import Room, lag_s
from parola.live.session import SessionPlan
from parola.live.textscreen import LINES
from parola.server.deps import Services, rights, services
from parola.server.viewers import EventStream
from parola.wire.engine_options import from_query

router = APIRouter()

Running = Annotated[Services, Depends(services)]
May = Annotated[Rights, Depends(rights)]

PAGE = 1000
"""Log entries read at once for a download."""


@router.get("/livez", tags=["health"])
async def livez() -> PlainTextResponse:
    """Answer 200 as long as the process can answer: whoever hears nothing may end it."""
    return PlainTextResponse("alive\n")


@router.get("/healthz", tags=["health"])
async def healthz(running: Running) -> PlainTextResponse:
    """Answer 200 as long as the process serves and is not about to stop, else 503."""
    if running.rooms.stopping or running.rooms.is_closed:
        return PlainTextResponse("stopping\n", 503)
    return PlainTextResponse("ok\n")


@router.get("/readyz", tags=["health"])
async def readyz(running: Running) -> Response:
    """Answer 200 when new sessions are taken and transcripts are saved, else 503 and why."""
    if running.rooms.stopping or running.rooms.is_closed:
        return PlainTextResponse("stopping\n", 503)
    failure = running.rooms.plugs.recorder.failure
    if failure:
        return PlainTextResponse(f"the transcript cannot be saved: {failure}\n", 503)
    return PlainTextResponse("ready\n")


@router.get("/api/about", tags=["rooms"])
async def about(running: Running) -> dict[str, Any]:
    """Return what this server is and can do."""
    languages = sorted({tag for engine in running.engines for tag in engine.languages})
    return {
        "version": running.version,
        "gate": running.gate,
        "engines": [{"name": engine.name, "note": engine.note} for engine in running.engines],
        "languages": languages,
        "default_language": running.default_language,
        "max_upload_mb": running.max_upload_bytes // 2**20,
        "sample": {"title": running.sample.title, "seconds": running.sample.seconds},
    }


@router.get("/api/rooms", tags=["rooms"])
async def rooms(running: Running, may: May) -> dict[str, Any]:
    """Return every room that is in use or has a transcript, and may be read, by name."""
    kept = {summary.room: summary for summary in await running.rooms.plugs.log.rooms()}
    live = {room.name: room for room in running.rooms.open_rooms}
    names = [name for name in sorted(kept.keys() | live.keys()) if may.allow("read", name)]
    listed = [_room(running, may, n, live.get(RoomName(n)), kept.get(n)) for n in names]
    return {"rooms": [{**room, **await _mood(running, live, room["name"])} for room in listed]}


@router.get("/api/rooms/{room}", tags=["rooms"])
async def one_room(running: Running, may: May, room: str) -> dict[str, Any]:
    """Return one room; 404 when nobody has ever used it."""
    name = room_name(room)
    summaries = await running.rooms.plugs.log.rooms()
    kept = next((summary for summary in summaries if summary.room == name), None)
    live = next((r for r in running.rooms.open_rooms if r.name == name), None)
    if kept is None and live is None:
        raise NotFound(f"Nobody has used a room called {name!r} yet.")
    return {**_room(running, may, name, live, kept), **await _mood(running, {name: live}, name)}


async def _mood(
    running: Services, live: Mapping[RoomName, Room | None], name: str
) -> dict[str, Any]:
    """Return how the room's newest talk sounds; null where nobody is in it, or nobody reads."""
    if not running.moods or not live.get(RoomName(name)):
        return {"mood": None}
    talk = await running.moods.newest(name)
    read = sum(talk.counts.values())
    return {"mood": {"label": talk.label, "intent": talk.intent} if read else None}


def _room(
    running: Services, may: Rights, name: str, live: Room | None, kept: RoomSummary | None
) -> dict[str, Any]:
    playing = running.playbacks.playing(RoomName(name))
    session = live.session if live else None
    last_at_ms = kept.last_at_ms if kept else None
    # What it costs is no business of the audience.
    bill = running.rooms.bill(RoomName(name)) if may.allow("operate", name) else None
    return {
        "name": name,
        "state": live.feed.state.state if live else "idle",
        "detail": live.feed.state.detail if live else "",
        "off_record": live.is_off_record if live else False,
        "language": live.feed.language if live else "",
        "engine": live.feed.engine if live else "",
        "viewers": live.feed.viewers if live else 0,
        "entries": kept.entries if kept else 0,
        "last_at": captions.utc_iso(last_at_ms) if last_at_ms else None,
        "lag_s": lag_s(session) if session else 0.0,
        "level_dbfs": round(session.level_dbfs, 1) if session else None,
        "words": live.counts.words if live else 0,
        "mode": live.curtain.mode if live else "live",
        "keeps_sound": live.settings.keep_recordings if live else False,
        "alarms": [
            {"kind": alarm.kind, "detail": alarm.detail} for alarm in (live.alarms if live else ())
        ],
        "withheld_words": live.withheld_words if live else 0,
        "billed_s": bill.seconds if bill else None,
        "cost_usd": float(round(bill.money, 4)) if bill else None,
        "playing": playing
        and {
            "name": playing[0].title,
            "seconds": playing[0].seconds,
            "position_s": round(playing[1], 1),
        },
    }


@router.get("/api/rooms/{room}/events", tags=["transcripts"])
async def events(
    running: Running,
    room: str,
    *,
    partial: bool = False,
    after: Annotated[int | None, Query(ge=0)] = None,
    v: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Send a room's text as server-sent events; a browser's `Last-Event-ID` goes on exactly."""
    name = room_name(room)
    known = int(last_event_id) if last_event_id.isdecimal() else after
    view = View(known, partials=partial, extras=v >= 1)
    return EventStream(running.rooms, name, view)


@router.get("/api/rooms/{room}/transcript.{form}", tags=["transcripts"])
async def transcript(
    running: Running,
    room: str,
    form: Literal["srt", "vtt", "txt", "json"],
    session: Annotated[str | None, Query(description="one talk's id; all talks without it")] = None,
) -> Response:
    """Return a room's transcript as subtitles, plain text or JSON."""
    name = room_name(room)
    first = await running.rooms.plugs.log.read(name, 0, PAGE)
    if not first:
        raise NotFound(f"There is no transcript for {name!r} yet.")
    writer = captions.WRITERS[form](name, session)
    file_name = quote(f"{name}.{form}", safe="")
    return StreamingResponse(
        _written(running, name, writer, first),
        media_type=f"{writer.media_type}; charset=utf-8",
        headers={"Content-Disposition": f"inline; filename*=UTF-8''{file_name}"},
    )


@router.get("/api/rooms/{room}/withheld", tags=["transcripts"])
async def withheld(running: Running, room: str) -> dict[str, Any]:
    """Return what an engine wrote into the room and nobody was shown, newest last."""
    name = room_name(room)
    kept: deque[dict[str, Any]] = deque(maxlen=PAGE)
    after = 0
    while page := await running.rooms.plugs.log.read(name, after, PAGE):
        after = page[-1].number
        kept += [
            {
                "seq": entry.number,
                "at": captions.utc_iso(entry.at_ms),
                **withheld_fields(entry.body),
            }
            for entry in page
            if isinstance(entry.body, Withheld)
        ]
    return {"room": name, "withheld": list(kept)}


def withheld_fields(body: Withheld) -> dict[str, Any]:
    """Return what was withheld, and why, for programs."""
    return {
        "session": body.session,
        "text": body.text,
        "start_s": to_seconds(body.first_frame),
        "end_s": to_seconds(body.end_frame),
        "reason": body.reason,
        "strength": body.strength,
        "engine": body.engine,
    }


@router.get("/api/rooms/{room}/captions.txt", tags=["transcripts"])
async def captions_now(
    running: Running,
    room: str,
    lines: Annotated[int, Query(ge=1, le=LINES, description="how many lines at most")] = 2,
) -> PlainTextResponse:
    """Return the lines that an overlay shows now, at most 37 letters each."""
    texts = await running.text_screens.lines(room_name(room), lines)
    return PlainTextResponse(
        "".join(f"{text}\n" for text in texts), headers={"Cache-Control": "no-store"}
    )


@router.post("/api/rooms/{room}/sample", status_code=202, tags=["playing"])
async def play_sample(running: Running, room: str) -> dict[str, Any]:
    """Play the bundled sample talk into the room."""
    name = room_name(room)
    plan = SessionPlan(str(uuid4()), language_tag("en-US"))
    await running.playbacks.start(name, running.sample, plan)
    return {"room": name, "seconds": running.sample.seconds}


@router.post("/api/rooms/{room}/files", status_code=202, tags=["playing"])
async def play_file(
    request: Request,
    running: Running,
    room: str,
    name: str,
    language: str = "",
    pace: Literal["realtime", "fast"] = "realtime",
    engine_option: Annotated[tuple[str, ...], Query()] = (),
) -> dict[str, Any]:
    """Take a recording (the body: any audio or video file) and play it into the room."""
    room_checked = room_name(room)
    tag = language_tag(language) if language else running.default_language
    # Before the upload: who cannot be served need not send two gigabytes first.
    engine = running.rooms.engine_for(tag)
    plan = SessionPlan(str(uuid4()), tag, room=room_checked, options=from_query(engine_option))
    # Whether it has channels is not known yet: what it may have is checked.
    check_options(engine, replace(plan, channels=2))
    running.playbacks.refuse_if_busy(room_checked)
    refuse_large(request, running.max_upload_bytes)
    async with running.uploads.receive(name) as receiver:
        async for data in request.stream():
            await receiver.write(data)
    path = running.uploads.open(receiver.name)
    seconds = receiver.facts.duration_s if receiver.facts else None
    if receiver.facts:
        plan = of_recording(engine, plan, receiver.facts.rate_hz, receiver.facts.channels)
    recording = Recording(path, receiver.name, seconds)
    await running.playbacks.start(room_checked, recording, plan, real_time=pace == "realtime")
    return {"room": room_checked, "name": receiver.name, "seconds": recording.seconds}


@router.delete("/api/rooms/{room}/playback", status_code=204, tags=["playing"])
async def stop_playing(running: Running, room: str) -> Response:
    """Stop what is being played into the room; its last words still come."""
    await running.playbacks.stop(room_name(room))
    return Response(status_code=204)


def refuse_large(request: Request, max_bytes: int) -> None:
    """Refuse a body that says it is over the limit before a byte of it is read.

    Raises:
        TooLarge: its Content-Length is over the limit; a multipart body may be a little longer.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes + 65_536:
        raise TooLarge(f"The file is larger than {max_bytes // 2**20} MB, the limit here.")


async def _written(
    running: Services, room: RoomName, writer: captions.Writer, first: list[Entry]
) -> AsyncIterator[str]:
    """Yield the file page by page: a long day's log is never in memory as a whole."""
    yield writer.begin()
    edits = Edits(await running.rooms.plugs.recorder.edits(room))
    page = first
    while page:
        yield "".join(map(writer.add, edits.read_all(page)))
        page = await running.rooms.plugs.log.read(room, page[-1].number, PAGE)
    yield writer.end()
