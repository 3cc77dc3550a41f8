"""A room's settings over HTTP: language, the talk's own words, replacements."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Message

from parola.domain.errors import BadMessage, TooLarge
from parola.domain.room_settings import WHOLE_EVENT, Replacement, RoomSettings, version_of
from parola.domain.terms import Terms
from parola.domain.vocabulary import language_tag, room_name
from parola.server.deps import Services, services

MAX_BODY = 2**20
"""Bytes. The largest settings that a room takes are smaller, however they are escaped."""

Running = Annotated[Services, Depends(services)]


class Form(BaseModel):
    """What a request may hold, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class TermsForm(Form):
    """The talk's own words."""

    phrases: list[str] = Field(default=[], description="Names and terms, the most important first.")
    text: str = Field(default="", description="Running text: title, abstract, slides.")


class ReplacementForm(Form):
    """One rule: what was heard becomes what is shown."""

    heard: str = Field(description="One or more words, in any case.")
    shown: str = Field(description="One or more words.")


class SettingsForm(Form):
    """Everything that is set for a room; what is left out is set to its default."""

    language: str | None = Field(
        default=None, description="What is spoken, whatever a source says."
    )
    terms: TermsForm = TermsForm()
    replacements: list[ReplacementForm] = []
    blocked: list[str] = Field(default=[], description="Words and phrases that are masked.")
    beside: str | None = Field(
        default=None, description="Room with the same talk in another language, for big screens."
    )
    keep_recordings: bool = Field(default=False, description="Whether talks' sound is kept.")


class EventForm(Form):
    """Everything that is set for all rooms together."""

    replacements: list[ReplacementForm] = []
    blocked: list[str] = Field(default=[], description="Words and phrases that are masked.")


class SpokenRoute(APIRoute):
    """Answers what it cannot read with one sentence, as all of Parola's errors are."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with a bound on what it reads."""
        handle = super().get_route_handler()

        async def clearly(request: Request) -> Response:
            body = await _whole_body(request)

            async def receive() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            try:
                return await handle(Request(request.scope, receive))
            except RequestValidationError as error:
                raise BadMessage(_sentence(error)) from error

        return clearly


router = APIRouter(route_class=SpokenRoute)


Seen = Annotated[str, Header(alias="if-match", description="The ETag that was looked at.")]
"""Without it, whatever was set before is overwritten."""


@router.get("/api/rooms/{room}/settings", tags=["rooms"])
async def room_settings(running: Running, answer: Response, room: str) -> SettingsForm:
    """Return what is set for a room; the defaults where nothing is."""
    settings = await running.rooms.plugs.book.read(room_name(room))
    return _shown(_tagged(answer, settings))


@router.put("/api/rooms/{room}/settings", tags=["rooms"])
async def set_room(
    running: Running, answer: Response, room: str, form: SettingsForm, if_match: Seen = ""
) -> SettingsForm:
    """Set everything for a room anew; it is kept, and holds at once.

    412 where somebody else has set it since the `ETag` of If-Match was given.
    """
    settings = _meant(form)
    await running.rooms.set_up(room_name(room), settings, _seen(if_match))
    return _shown(_tagged(answer, settings))


@router.get("/api/event/settings", tags=["rooms"])
async def event_settings(running: Running, answer: Response) -> EventForm:
    """Return what is set for every room."""
    return _event(_tagged(answer, await running.rooms.plugs.book.read(WHOLE_EVENT)))


@router.put("/api/event/settings", tags=["rooms"])
async def set_event(
    running: Running, answer: Response, form: EventForm, if_match: Seen = ""
) -> EventForm:
    """Set the replacements and blocked words of all rooms anew; a room's own come first.

    412 where somebody else has set them since the `ETag` of If-Match was given.
    """
    settings = _meant(SettingsForm(replacements=form.replacements, blocked=form.blocked))
    await running.rooms.set_up_event(settings, _seen(if_match))
    return _event(_tagged(answer, settings))


def _tagged(answer: Response, settings: RoomSettings) -> RoomSettings:
    """Say in the answer which version this is."""
    answer.headers["ETag"] = f'"{version_of(settings)}"'
    return settings


def _seen(if_match: str) -> str | None:
    """Return the version that a request was made on; None where any will do."""
    return None if if_match in {"", "*"} else if_match.strip('"')


def _meant(form: SettingsForm) -> RoomSettings:
    """Return the settings, without empty phrases and superfluous space.

    Raises:
        BadLanguage: the language is no language tag.
        BadRoomName: no room can be called what is to stand beside.
        BadMessage: a replacement has an empty side.
    """
    rules = tuple(Replacement(_trim(r.heard), _trim(r.shown)) for r in form.replacements)
    for number, rule in enumerate(rules, start=1):
        if not rule.heard or not rule.shown:
            raise BadMessage(f"Replacement {number} needs words on both sides.")
    phrases = tuple(dict.fromkeys(p for p in map(_trim, form.terms.phrases) if p))
    return RoomSettings(
        language=language_tag(form.language) if form.language else None,
        terms=Terms(phrases, form.terms.text.strip()),
        replacements=rules,
        blocked=tuple(dict.fromkeys(word for word in map(_trim, form.blocked) if word)),
        beside=room_name(form.beside) if form.beside else None,
        keep_recordings=form.keep_recordings,
    )


def _shown(settings: RoomSettings) -> SettingsForm:
    return SettingsForm(
        language=settings.language,
        terms=TermsForm(phrases=list(settings.terms.phrases), text=settings.terms.text),
        replacements=[
            ReplacementForm(heard=rule.heard, shown=rule.shown) for rule in settings.replacements
        ],
        blocked=list(settings.blocked),
        beside=settings.beside,
        keep_recordings=settings.keep_recordings,
    )


def _event(settings: RoomSettings) -> EventForm:
    shown = _shown(settings)
    return EventForm(replacements=shown.replacements, blocked=shown.blocked)


def _trim(text: str) -> str:
    return " ".join(text.split())


def _sentence(error: RequestValidationError) -> str:
    """Return the first thing that is wrong, and where."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."


async def _whole_body(request: Request) -> bytes:
    """Return what was sent.

    Raises:
        TooLarge: it is more than `MAX_BODY`; the rest is not read.
    """
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > MAX_BODY:
            raise TooLarge("The settings are larger than 1 MB; a room takes no more than that.")
    return bytes(body)
