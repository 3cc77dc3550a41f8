"""Recordings that are written down in the background: the API, and a socket to watch them on."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from parola.beside import beside
from parola.domain import captions
from parola.domain.errors import NotFound, ParolaError, Stopping
from parola.domain.jobs import Job, Notice, Written, check_length
from parola.domain.log import Body, Entry, StateChange
from parola.domain.vocabulary import language_tag
from parola.live.jobs import Jobs, JobView
from parola.server.deps import Services, services
from parola.server.http import refuse_large, withheld_fields
from parola.server.job_desk import JobDesk
from parola.server.sockets import close, incoming
from parola.server.uploads import safe_name
from parola.wire.jobs import job_fields, job_message

router = APIRouter(tags=["recordings"])

Running = Annotated[Services, Depends(services)]


def _desk_of(running: Services) -> JobDesk:
    desk: JobDesk | None = running.jobs
    if desk is None:
        raise NotFound("This server writes no recordings down.")
    return desk


async def _desk(running: Running) -> JobDesk:
    return _desk_of(running)


Desk = Annotated[JobDesk, Depends(_desk)]


@router.post("/api/jobs", status_code=202)
async def add(
    request: Request,
    running: Running,
    desk: Desk,
    name: str = "",
    language: str = "",
    source: Annotated[str, Query(description="s3://bucket/key, in place of a body")] = "",
    webhook: Annotated[str, Query(description="told when the job is over")] = "",
) -> dict[str, Any]:
    """Take a recording (the body: any audio or video file) and write it down in the background."""
    if running.rooms.stopping:
        raise Stopping("The server is about to restart; please send it again in a moment.")
    tag = language_tag(language) if language else running.default_language
    # Before the upload: who cannot be served need not send two gigabytes first.
    desk.jobs.check(tag)
    if webhook:
        desk.notifier.check(webhook)
    if source:
        desk.check_source(source)
    title = safe_name(name or source.rpartition("/")[2] or "recording")
    refuse_large(request, running.max_upload_bytes)
    job = Job(
        id=secrets.token_urlsafe(16),
        name=title,
        language=tag,
        created_ms=running.rooms.plugs.now_ms(),
        source=source,
        notice=Notice(webhook) if webhook else None,
    )
    with desk.jobs.place():
        await _take_in(request, desk, job)
    return _fields(desk.jobs.view(job.id))


async def _take_in(request: Request, desk: JobDesk, job: Job) -> None:
    """Take the body in as the job's recording, where it has no other, and queue the job."""
    if job.source:
        await desk.jobs.add(job)
        return
    async with desk.uploads.receive(job.id) as receiver:
        async for data in request.stream():
            await receiver.write(data)
    seconds = receiver.facts.duration_s if receiver.facts else None
    try:
        check_length(seconds, desk.max_s)
        await desk.jobs.add(replace(job, seconds=seconds))
    except BaseException:
        desk.uploads.remove(job.id)
        raise


@router.get("/api/jobs")
async def jobs(desk: Desk) -> dict[str, Any]:
    """Return every recording that is kept, the newest first."""
    return {"jobs": [_fields(view) for view in desk.jobs.views()]}


@router.get("/api/jobs/{job}")
async def one_job(desk: Desk, job: str) -> dict[str, Any]:
    """Return how a recording stands."""
    return _fields(desk.jobs.view(job))


@router.delete("/api/jobs/{job}", status_code=204)
async def remove(desk: Desk, job: str) -> Response:
    """Stop it if it runs, and forget it with its text."""
    await desk.jobs.remove(job)
    return Response(status_code=204)


@router.get("/api/jobs/{job}/transcript.{form}")
async def transcript(desk: Desk, job: str, form: Literal["srt", "vtt", "txt", "json"]) -> Response:
    """Return a recording's text as subtitles, plain text or JSON; 404 until it is done."""
    found, written = await desk.jobs.written(job)
    writer = captions.WRITERS[form](found.name)
    file_name = quote(f"{found.name.rsplit('.', 1)[0]}.{form}", safe="")
    return StreamingResponse(
        _pieces(writer, found, written),
        media_type=f"{writer.media_type}; charset=utf-8",
        headers={"Content-Disposition": f"inline; filename*=UTF-8''{file_name}"},
    )


@router.get("/api/jobs/{job}/withheld")
async def withheld(desk: Desk, job: str) -> dict[str, Any]:
    """Return what was written without speech under it and is not in the text; 404 until done."""
    _, written = await desk.jobs.written(job)
    return {"job": job, "withheld": [withheld_fields(piece) for piece in written.withheld]}


@router.websocket("/ws/jobs/{job}")
async def watch(socket: WebSocket, job: str) -> None:
    """Tell how a recording stands, now and on every change; closes when it is over."""
    await socket.accept()
    try:
        desk = _desk_of(socket.app.state.services)
        async with beside(_tell(socket, desk.jobs, job)):
            async for _ in incoming(socket):
                pass  # nothing is expected; leaving is noticed
    except ParolaError as error:
        await close(socket, error)


async def _tell(socket: WebSocket, jobs: Jobs, job_id: str) -> None:
    async with aclosing(jobs.watch(job_id)) as views:
        async for view in views:
            await socket.send_text(job_message(view.job, view.done_s, view.ahead))
    await socket.close(1000, "")


def _fields(view: JobView) -> dict[str, Any]:
    return job_fields(view.job, view.done_s, view.ahead)


async def _pieces(writer: captions.Writer, job: Job, written: Written) -> AsyncIterator[str]:
    """Yield the file a piece at a time, so that a long one holds nobody up."""
    yield writer.begin()
    session = written.segments[0].session if written.segments else ""
    start = StateChange("session_started", session, job.language)
    bodies: list[Body] = [start, *written.segments]
    for number, body in enumerate(bodies, start=1):
        yield writer.add(Entry(job.name, number, job.created_ms + number, body))
    yield writer.end()
