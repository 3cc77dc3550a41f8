import json
from dataclasses import replace

import pytest
from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute
from starlette.routing import Mount, Route

from parola.client.connection import Unreachable
from parola.client.source_messages import (
    Ack,
    Ready,
    Record,
    Trouble,
    end_message,
    read_server_message,
    start_message,
)
from parola.domain import errors
from parola.domain.captions import utc_iso
from parola.domain.jobs import Job, Notice, Written
from parola.domain.log import Correction, Entry, Restore, StateChange, Strike
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import ROOM_STATES, language_tag
from parola.engines.amazon import AmazonEngine
from parola.live.leaving import Leaving
from parola.ports import StreamRequest
from parola.server import (
    archive,
    conversations,
    entering,
    http,
    jobs,
    metrics,
    mood,
    operate,
    pages,
    predecessors,
    room_settings,
    sockets,
    upkeep,
)
from parola.server.app import create_app
from parola.server.deps import Services, close_code, http_status
from parola.wire import messages
from parola.wire.engine_options import from_json
from parola.wire.jobs import job_fields, notice_body
from parola.wire.terms import from_json as terms_from_json
from tests.unit.docs.reference import examples, page, rows

SESSION = "7f0c5a52-30a5-4e0f-a9d4-0a52b1a6f2ce"
FINAL = Segment(
    session=SESSION,
    number=1,
    text="good morning",
    first_frame=8000,
    end_frame=24000,
    is_final=True,
    language="en-US",
    words=(Word("good", 8000, 14400, 0.75), Word("morning", 14400, 24000)),
    engine="pocketsphinx",
)
PARTIAL = Segment(SESSION, 1, "good", 8000, 14400, False, "en-US", engine="pocketsphinx")
START = messages.Start(SESSION, language_tag("en-US"), 48_000)
BUSY = errors.RoomBusy("Another source is speaking into 'main'. Stop it, or take another room.")
AT_MS = 1_779_960_600_000


def test_examples_for_viewers_are_what_the_server_writes() -> None:
    """Each message to viewers has its example on the page, field by field."""
    started = Entry("main", 1, AT_MS, StateChange("session_started", SESSION, "en-US"))
    written = [
        messages.entry_message(Entry("main", 2, AT_MS + 2000, FINAL)),
        messages.partial_message("main", PARTIAL),
        messages.unrecorded_message("main", replace(FINAL, off_record=True)),
        messages.entry_message(started),
        messages.entry_message(
            Entry("main", 3, AT_MS + 9000, Correction(SESSION, 2, 2, "Good morning!", "Anna"))
        ),
        messages.entry_message(Entry("main", 4, AT_MS + 10_000, Strike(SESSION, 2, 3, "Anna"))),
        messages.entry_message(
            Entry("main", 5, AT_MS + 11_000, Restore(SESSION, 2, 4, "Good morning!", "Anna"))
        ),
        messages.struck_message(Entry("main", 2, AT_MS + 2000, FINAL)),
        messages.state_message(
            "main",
            "listening",
            "",
            "en-US",
            "pocketsphinx",
            messages.Pace(10, 0.4),
            at=utc_iso(AT_MS),
        ),
    ]
    assert [
        messages._json(example) for example in examples(page("protocol.md"), "viewer")
    ] == written


def test_examples_for_sources_are_what_the_server_writes() -> None:
    """Each message to sources has its example on the page, field by field."""
    written = [
        messages.ready_message(SESSION, 0),
        messages.ack_message(1_440_000),
        messages.trouble_message("recovering", "The connection to Amazon Transcribe was lost."),
        messages.record_message(1_440_000, is_off=True),
        messages.error_message(BUSY),
    ]
    assert [
        messages._json(example) for example in examples(page("protocol.md"), "server")
    ] == written


def test_examples_of_sources_are_what_server_and_client_mean() -> None:
    """The server reads the page's examples, and our client writes the same."""
    start, end = (messages._json(e) for e in examples(page("protocol.md"), "source"))
    assert messages.read_source_message(start) == START
    assert messages.read_source_message(end) == messages.End()
    assert messages.read_source_message(start_message(START)) == START
    assert messages.read_source_message(end_message()) == messages.End()


def test_options_are_asked_for_as_the_page_says() -> None:
    """The page's example is understood, and what our client writes is read back."""
    (example,) = examples(page("protocol.md"), "options")
    options = from_json(example["engine_options"])
    assert options["pii_entity_types"] == "NAME,EMAIL"
    asking = replace(START, engine_options=options, channels=2)
    assert messages.read_source_message(start_message(asking)) == asking
    AmazonEngine().check_options(StreamRequest(language_tag("it-IT"), SESSION, options=options))


def test_a_talks_own_words_are_told_as_the_page_says() -> None:
    """The page's example is understood, and what our client writes is read back."""
    (example,) = examples(page("protocol.md"), "terms")
    telling = replace(START, terms=terms_from_json(example["terms"]))
    assert telling.terms.phrases == ("Grace Hopper", "COBOL")
    assert messages.read_source_message(start_message(telling)) == telling


def test_the_client_reads_what_the_server_writes() -> None:
    """Our client understands the page's examples."""
    ready, ack, trouble, record, error = (
        messages._json(e) for e in examples(page("protocol.md"), "server")
    )
    assert read_server_message(ready) == Ready(0)
    assert read_server_message(ack) == Ack(1_440_000)
    assert read_server_message(trouble) == Trouble(
        "recovering", "The connection to Amazon Transcribe was lost."
    )
    assert read_server_message(record) == Record(1_440_000, is_off=True)
    with pytest.raises(errors.RoomBusy, match="Stop it, or take another room"):
        read_server_message(error)


def test_states_are_described() -> None:
    """The page lists every state of a room with its meaning."""
    assert dict(rows(page("protocol.md"), "State")) == ROOM_STATES


def test_errors_are_described() -> None:
    """The page lists every error with its code, class, status and close code."""
    kinds: list[type[errors.ParolaError]] = [errors.ParolaError]
    for kind in kinds:
        kinds += [k for k in kind.__subclasses__() if k.__module__ == errors.__name__]
    described = {row[0]: row[1:4] for row in rows(page("errors.md"), "Code")}
    assert described == {
        kind.code: [kind.__name__, str(http_status(kind(""))), str(close_code(kind("")))]
        for kind in kinds
    }
    assert f"`{Unreachable.code}` (`{Unreachable.__name__}`)" in page("errors.md")
    assert all(kind.__name__ in str(errors.__doc__) for kind in kinds)


def test_endpoints_are_described() -> None:
    """The page lists every endpoint with its method, and none that is not there."""
    # The application only stores its services; no request is made.
    services = Services(
        rooms=None,  # type: ignore[arg-type]
        playbacks=None,  # type: ignore[arg-type]
        uploads=None,  # type: ignore[arg-type]
        version="0",
        engines=(),
        default_language=language_tag("en-US"),
        sample=None,  # type: ignore[arg-type]
        max_upload_bytes=1,
        text_screens=None,  # type: ignore[arg-type]
        windows=None,  # type: ignore[arg-type]
        stream_in_real_time=False,
        access=None,  # type: ignore[arg-type]
        retention=None,  # type: ignore[arg-type]
        leaving=Leaving(),
    )
    app = create_app(services)
    routers: list[APIRouter] = [
        pages.router,
        http.router,
        entering.router,
        room_settings.router,
        operate.router,
        archive.router,
        metrics.router,
        mood.router,
        upkeep.router,
        sockets.router,
        jobs.router,
        predecessors.router,
        conversations.router,
    ]
    real = set()
    for route in [*app.routes, *(route for router in routers for route in router.routes)]:
        if isinstance(route, APIWebSocketRoute):
            real.add(("WebSocket", route.path))
        elif isinstance(route, Mount):
            real.add(("GET", route.path))
        elif isinstance(route, APIRoute | Route):
            real |= {(m, route.path) for m in route.methods or () if m != "HEAD"}
    described = [(row[0], row[1]) for row in rows(page("http.md"), "Method")]
    assert sorted(described) == sorted(real)


def test_jobs_are_described() -> None:
    """The page's job and notice are what the socket and a webhook are sent, field by field."""
    queued = Job(
        "q3zJ0hH8m0bq0Qv1cJ2b6A",
        "monday.mp4",
        language_tag("it-IT"),
        AT_MS,
        seconds=3600.5,
        notice=Notice("https://example.com/"),
    )
    begun = queued.begun(AT_MS + 1000)
    (described,) = examples(page("jobs.md"), "job")
    assert described == job_fields(begun, 1200.0)
    (notice,) = examples(page("jobs.md"), "notice")
    assert notice == json.loads(notice_body(begun.done(Written((), 3600.5), AT_MS + 1_200_000)))
