"""The pages people open: files from this server alone, the same for every room."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import fastapi_offline
import segno
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

import parola
from parola.domain.access import Rights
from parola.domain.errors import StoreFailed
from parola.domain.vocabulary import room_name
from parola.server.deps import Services, rights, services

SWAGGER = Path(fastapi_offline.__file__).parent / "static"
PAGES = Path(parola.__file__).parent / "pages"

router = APIRouter(include_in_schema=False)

Running = Annotated[Services, Depends(services)]
May = Annotated[Rights, Depends(rights)]


def add_pages(app: FastAPI) -> None:
    """Add the pages, and the folder with all they load."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=PAGES / "static"), name="static")


@router.get("/")
async def home() -> Response:
    """Return the home page."""
    return FileResponse(PAGES / "home.html")


@router.get("/docs")
async def docs() -> Response:
    """Return Swagger UI."""
    return FileResponse(PAGES / "docs.html")


@router.get("/console")
async def console() -> Response:
    """Return the operator's page."""
    return FileResponse(PAGES / "console.html")


@router.get("/jobs")
async def jobs() -> Response:
    """Return the page that sends recordings in to be written down."""
    return FileResponse(PAGES / "jobs.html")


@router.get("/archive")
async def archive() -> Response:
    """Return the page with every talk, and a search in all of them."""
    return FileResponse(PAGES / "archive.html")


@router.get("/archive/{room}")
async def talk(room: str) -> Response:
    """Return the page of a room's talk, `?session=`; its newest without that."""
    return _page("talk", room)


@router.get("/rooms/{room}")
@router.get("/sala/{room}")
async def display(request: Request, running: Running, may: May, room: str) -> Response:
    """Return the big screen; with the room that is set to stand beside it, who may read both."""
    name = room_name(room)
    # Words go on where the settings cannot be read.
    with suppress(StoreFailed):
        beside = (await running.rooms.plugs.book.read(name)).beside
        if beside and "with" not in request.query_params and may.allow("read", beside):
            both = request.url.include_query_params(**{"with": beside})
            return RedirectResponse(f"{both.path}?{both.query}", 303)
    return _page("display", room)


@router.get("/rooms/{room}/phone")
@router.get("/p/{room}")
async def phone(room: str) -> Response:
    """Return the page for the phone in somebody's hand."""
    return _page("phone", room)


@router.get("/rooms/{room}/overlay")
async def overlay(room: str) -> Response:
    """Return the page that OBS and vMix lay over a video."""
    return _page("overlay", room)


@router.get("/mic")
async def microphone() -> Response:
    """Return the page that speaks into a room of the visitor's choice."""
    return FileResponse(PAGES / "mic.html")


@router.get("/rooms/{room}/mic")
async def microphone_of_room(room: str) -> Response:
    """Return the page that speaks into this room."""
    return _page("mic", room)


@router.get("/rooms/{room}/qr.svg")
async def qr_code(request: Request, room: str) -> Response:
    """Return a QR code of the phone page's address, as this very server was asked."""
    address = f"{request.base_url}p/{quote(room_name(room), safe='')}"
    drawn = io.BytesIO()
    # Four modules of white around it. Source: ISO/IEC 18004, section 6.3.8.
    segno.make(address, error="m", micro=False).save(drawn, "svg", scale=8, border=4, light="#fff")
    return Response(drawn.getvalue(), media_type="image/svg+xml")


# Swagger UI's own files come in a package: the page asks no third party.
@router.get("/static/swagger/{name}")
async def swagger(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> Response:
    """Return one of Swagger UI's files."""
    return FileResponse(SWAGGER / name)


def _page(name: str, room: str) -> Response:
    """Return a room's page, if a room can be called that.

    Raises:
        BadRoomName: it cannot.
    """
    room_name(room)
    return FileResponse(PAGES / f"{name}.html")
