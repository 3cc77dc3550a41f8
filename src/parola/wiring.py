"""Names every plug and opens them in order: settings in, a serving process out."""

import asyncio
import gc
import ipaddress
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from math import inf
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import uvicorn
from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from parola import __version__
from parola.analysts import local
from parola.analysts.comprehend import open_comprehend
from parola.audio.decode import probe
from parola.audio.gate import Gate, GateSettings, LevelDetector
from parola.audio.silero import SileroDetector
from parola.beside import beside, tasks_beside
from parola.domain.access import AuditEntry
from parola.domain.errors import EngineFailed, NoEngine, StoreFailed
from parola.domain.vocabulary import language_tag
from parola.engines.amazon import AmazonEngine
from parola.engines.amazon_errors import INSTALL as INSTALL_AMAZON
from parola.engines.amazon_file import read_amazon_settings
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.scripted import ScriptedEngine
from parola.engines.sherpa import MAX_RTF, SherpaEngine, read_models
from parola.hosts.ecs import EcsTask
from parola.live.errands import Errands
from parola.live.leaving import Leaving
from parola.live.moods import Moods
from parola.live.playback import Playbacks, Recording
from parola.live.protection import protected
from parola.live.recorder import LONGEST_PAUSE_S, Recorder
from parola.live.retention import Retention, told
from parola.live.room import Plugs
from parola.live.rooms import Limits, Rooms
from parola.live.shipper import Shipper
from parola.live.textscreen import TextScreens
from parola.live.windows import Windows
from parola.ports import (
    Analyst,
    Engine,
    Forgotten,
    Host,
    Log,
    Outbox,
    SharedMoods,
)
from parola.server.access import Access, Policy, is_here
from parola.server.app import create_app
from parola.server.asgi import server_config
from parola.server.deps import EngineFacts, Services
from parola.server.first_links import FirstLink, first_links
from parola.server.job_desk import JobDesk
from parola.server.limits import Shares
from parola.server.uploads import Uploads
from parola.stores.aws import open_aws
from parola.stores.dynamodb import open_dynamodb
from parola.stores.recordings import RecordingFolder
from parola.stores.sqs import SqsQueue
from parola.wiring_jobs import ForRecordings, JobSettings, networks_in, open_jobs
from parola.wiring_stores import Stores, open_stores

logger = logging.getLogger(__name__)

SAMPLE = Path(__file__).parent / "samples" / "talk.ogg"

EngineName = Literal["auto", "amazon", "sherpa", "pocketsphinx", "scripted"]

RECORDINGS = "recordings"
"""The kept sound of talks, a folder in the data folder."""

LAST_WORDS, LAST_ANSWERS, LAST_SAVES, LAST_SHIPMENTS = 0.5, 0.15, 0.15, 0.2
"""How a stop's time is shared: the last finals, the connections' ends, what is still unsaved, what
is still to be sent on (and waits on disk otherwise)."""

"""The largest WebSocket frame taken: half a minute of sound. Larger ones close with 1009."""


class Settings(JobSettings):
    """What can be set: as options of `parola serve` or as PAROLA_… in the environment.

    docs/reference/settings.md is compared with this class by a test.
    """

    model_config = SettingsConfigDict(env_prefix="PAROLA_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[list[int], NoDecode] = Field(
        [8000],
        description="Ports to listen on; 0 takes a free one. Older clients expect 3000, 8080.",
    )

    @field_validator("port", mode="before")
    @classmethod
    def _ports(cls, value: object) -> object:
        """Take "8000" and "8000,3000" from the environment."""
        return value.split(",") if isinstance(value, str) else value

    data: Path = Field(
        Path("parola-data"),
        description="Folder for all that is kept: log, uploads, recordings.",
    )
    wait_for_data_s: float = Field(
        0.0, ge=0, description="Seconds to wait for a data folder that another server holds."
    )
    keep_transcripts_days: float | None = Field(
        None, gt=0, description="Days after which talks are deleted, for good; unless said: never."
    )
    engine: EngineName = Field(
        "auto", description="Recogniser: auto takes the best one available for the language."
    )
    amazon: Path | None = Field(
        None, description="File with Amazon Transcribe's settings; with it, auto uses Amazon."
    )
    models: Path | None = Field(
        None, description="Folder of sherpa's models; without it, models in the data folder."
    )
    max_rtf: float = Field(
        MAX_RTF, gt=0, description="Seconds sherpa may take for a second of sound; more is refused."
    )
    language: str = Field("en-US", description="Language where none is asked for.")
    gate: bool = Field(
        True, description="Voice detection before the engine. Off, noise turns into words."
    )
    send_silence: bool = Field(
        True, description="Send the engine silence where nobody speaks; off, nothing is sent."
    )
    max_upload_mb: int = Field(2048, ge=1, description="Largest recording taken, in MiB.")
    keep_uploads_h: float = Field(24.0, gt=0, description="Hours an uploaded recording is kept.")
    max_sessions: int = Field(32, ge=1, description="Talks recognised at the same time.")
    stream_pace: Literal["fast", "realtime"] = Field(
        "fast", description="Pace of files named on /stream: the engine's, or the clock's."
    )
    stop_within_s: float = Field(
        10.0, gt=0, description="Seconds for the last finals when the server is stopped."
    )
    pipeline_queue: str | None = Field(
        None, description="URL of the Amazon SQS queue that finals are sent on to."
    )
    pipeline_table: str | None = Field(
        None, description="Amazon DynamoDB table that conversations are read from, on any node."
    )
    sentiment: Literal["local", "comprehend", "off"] = Field(
        "local", description="Who reads how lines sound: word lists here, Amazon, or nobody."
    )
    cluster: str | None = Field(
        None,
        description="Broker that several nodes share, redis://… or rediss://…; it keeps the logs.",
    )
    node: str | None = Field(
        None, description="This node's name among several; else the computer's."
    )
    cluster_lease_s: float = Field(
        10.0, ge=1, description="Seconds after which another node may take a dead one's rooms."
    )
    open: bool | None = Field(
        None,
        description="Whether nobody needs a token. Unless said: yes on loopback, no elsewhere.",
    )
    public_reading: bool = Field(
        False, description="Whether everybody may read, and only the rest takes a token."
    )
    trusted_proxy: Annotated[list[str], NoDecode] = Field(
        [],
        description="Proxies whose X-Forwarded headers are believed: addresses or networks.",
    )
    max_per_address: int = Field(
        500, ge=1, description="Sockets that one address may have; a hall may be one address."
    )
    tls_cert: Path | None = Field(
        None, description="Certificate chain in PEM; with it, the server speaks TLS."
    )
    tls_key: Path | None = Field(None, description="The certificate's key in PEM.")

    @field_validator("trusted_proxy", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return networks_in(value)

    @property
    def policy(self) -> Policy:
        """Who is let in."""
        if self.open:
            return "everybody"
        # Behind a proxy, everybody comes from loopback.
        if self.open is None and is_here(self.host) and not self.trusted_proxy:
            return "this computer"
        return "tokens to speak" if self.public_reading else "tokens"

    @property
    def models_folder(self) -> Path:
        """Where sherpa's models are."""
        return self.models or self.data / "models"


Opened = tuple[Engine, EngineFacts]


@contextmanager
def open_engines(settings: Settings) -> Iterator[list[Opened]]:
    """Give the engines to use, best first, with what people should know of each.

    Amazon is used where it is asked for or configured, never because credentials lie around;
    sherpa where it has a model; PocketSphinx where nothing better knows the language.

    Raises:
        NoEngine: the one that was asked for cannot run here; the message names the remedy.
        NotFound, BadMessage: Amazon's file cannot be used.
        BadLanguage: the language is no language tag.
    """
    name = settings.engine
    with ExitStack() as stack:
        opened: list[Opened] = []
        if name == "scripted":
            note = "speaks a fixed verse and never listens: for tests and rehearsals"
            opened.append((ScriptedEngine(), EngineFacts("scripted", note, ())))
        if name == "amazon" or (name == "auto" and settings.amazon):
            opened.append(_amazon(settings.amazon))
        if name in {"auto", "sherpa"} and (sherpa := _sherpa(settings)):
            stack.callback(sherpa[0].close)
            opened.append(sherpa)
        if name == "pocketsphinx" or (name == "auto" and _needs_pocketsphinx(opened)):
            pocketsphinx = _pocketsphinx()
            stack.callback(pocketsphinx[0].close)
            opened.append(pocketsphinx)
        yield opened


def _needs_pocketsphinx(opened: list[Opened]) -> bool:
    """Return whether it is there, or has to be since there is nothing else."""
    return not opened or not PocketSphinxEngine.missing()


def _pocketsphinx() -> tuple[PocketSphinxEngine, EngineFacts]:
    if missing := PocketSphinxEngine.missing():
        raise NoEngine(missing)
    engine = PocketSphinxEngine()
    engine.start()
    note = "embedded demonstrator: English only, weak on real rooms"
    return engine, EngineFacts("pocketsphinx", note, ("en",))


def _sherpa(settings: Settings) -> tuple[SherpaEngine, EngineFacts] | None:
    """Return sherpa with the models there are; None where auto has to do without.

    Raises:
        NoEngine: it was asked for and cannot run.
    """
    asked = settings.engine == "sherpa"
    folder = settings.models_folder
    models, refused = read_models(folder)
    for sentence in refused:
        logger.warning("%s", sentence)
    if not models and not asked:
        return None
    if not models:
        get = f"`parola models get NAME --models {folder}`"
        none = " ".join(refused) or f"There is no model in {folder}: {get}."
        raise NoEngine(SherpaEngine.missing() or none)
    try:
        engine = SherpaEngine(models, settings.max_rtf)
    except EngineFailed as error:
        if asked:
            raise NoEngine(error.message) from error
        logger.warning("going on without sherpa: %s", error.message)
        return None
    engine.start(language_tag(settings.language))
    used = ", ".join(f"{name} (real-time factor {rtf:.2f})" for name, rtf in engine.rtf.items())
    return engine, EngineFacts(
        "sherpa", f"sherpa-onnx on this computer with {used}", engine.languages
    )


def _amazon(file: Path | None) -> tuple[Engine, EngineFacts]:
    if not find_spec("botocore"):
        raise NoEngine(INSTALL_AMAZON)
    engine = AmazonEngine(read_amazon_settings(file) if file else None)
    note = "Amazon Transcribe: sound goes to AWS and is billed"
    return engine, EngineFacts("amazon", note, tuple(engine.languages))


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open log, recorder, rooms and uploads; close them in the opposite order.

    Raises:
        NoEngine, StoreFailed, BadLanguage: something that is set cannot be had.
    """
    language = language_tag(settings.language)
    max_upload_bytes = settings.max_upload_mb * 2**20
    async with AsyncExitStack() as stack:
        # First, since it may take long: nobody holds the data folder for it.
        engines = stack.enter_context(open_engines(settings))
        stores = await stack.enter_async_context(open_stores(settings))
        shipper = await stack.enter_async_context(
            _shipper(stores.outbox, settings.pipeline_queue, settings.stop_within_s)
        )
        shared = None
        if settings.pipeline_table:
            shared = await stack.enter_async_context(open_dynamodb(settings.pipeline_table))
        keep_s = settings.keep_uploads_h * 3600
        access = Access(settings.policy, stores.access, time.time)
        await access.refresh()
        uploads = Uploads(settings.data / "uploads", max_upload_bytes, keep_s)
        recorder = await stack.enter_async_context(_recorder(stores.log, settings.stop_within_s))
        gate, make_gate = choose_gate(on=settings.gate, sends_silence=settings.send_silence)
        plugs = Plugs(
            engines=[engine for engine, _ in engines],
            make_gate=make_gate,
            log=stores.log,
            book=stores.book,
            recorder=recorder,
            bus=stores.bus,
            now_ms=_now_ms,
            monotonic=time.monotonic,
            recordings=RecordingFolder(settings.data / RECORDINGS),
            leases=stores.leases,
        )
        moods = await stack.enter_async_context(_moods(stores, settings.sentiment, shared))
        tasks = await stack.enter_async_context(tasks_beside())
        rooms = Rooms(plugs, Limits(sessions=settings.max_sessions), tasks)
        tasks.create_task(rooms.pass_on_failures())
        tasks.create_task(rooms.watch_over())
        if stores.leases:
            rooms.envoy = Errands(rooms, tasks)
            tasks.create_task(rooms.leave_lost_rooms())
            tasks.create_task(rooms.keep_settings_fresh())
        tasks.create_task(_prune(uploads))
        tasks.create_task(access.keep_fresh())
        jobs = await stack.enter_async_context(_job_desk(settings, rooms))
        retention = Retention(rooms, stores.log, moods, jobs.jobs)
        if stores.follow:
            tasks.create_task(stores.follow(retention.let_go))
        if settings.keep_transcripts_days:
            days = settings.keep_transcripts_days
            tasks.create_task(retention.run(days, _noting(access, days)))
        protection = await stack.enter_async_context(protected(rooms, _host()))
        playbacks = Playbacks(rooms, tasks)
        yield Services(
            rooms=rooms,
            playbacks=playbacks,
            uploads=uploads,
            version=__version__,
            engines=tuple(facts for _, facts in engines),
            default_language=language,
            sample=Recording(SAMPLE, "sample talk", probe(SAMPLE).duration_s),
            max_upload_bytes=max_upload_bytes,
            text_screens=TextScreens(rooms, tasks),
            windows=Windows(rooms, tasks, shared=shared),
            stream_in_real_time=settings.stream_pace == "realtime",
            gate=gate,
            shipper=shipper,
            moods=moods,
            access=access,
            jobs=jobs,
            retention=retention,
            protection=protection,
            leaving=Leaving(),
            shares=Shares(sockets_per_address=settings.max_per_address),
            trusted_proxies=tuple(map(ipaddress.ip_network, settings.trusted_proxy)),
        )
        playbacks.stop_all()
        await rooms.drain(LAST_WORDS * settings.stop_within_s)


def choose_gate(*, on: bool, sends_silence: bool = True) -> tuple[str, Callable[[], Gate | None]]:
    """Return what stands before the engines, "voice", "level" or "off", and its maker.

    Where the voice detector's model cannot be loaded, loudness has to do: better than no gate,
    and said aloud, since it does not tell noise from speech.
    """
    if not on:
        return "off", lambda: None
    gate_settings = GateSettings(sends_silence=sends_silence)
    try:
        SileroDetector()
    except (ModuleNotFoundError, ValueError) as error:
        logger.warning("the gate goes by loudness only, so noise may become words: %s", error)
        return "level", lambda: Gate(LevelDetector(), gate_settings)
    return "voice", lambda: Gate(SileroDetector(), gate_settings)


@asynccontextmanager
async def _recorder(log: Log, within_s: float) -> AsyncIterator[Recorder]:
    recorder = Recorder(log)
    async with beside(recorder.run()):
        yield recorder
        # Longer than its longest pause, so that there is one last try.
        left = await recorder.close(max(LAST_SAVES * within_s, LONGEST_PAUSE_S + 0.5))
        if left:
            raise StoreFailed(
                f"{len(left)} lines of transcript could not be saved before the stop: "
                f"{recorder.failure or 'the log was too slow'}"
            )


@asynccontextmanager
async def _shipper(
    outbox: Outbox | None, queue_url: str | None, within_s: float
) -> AsyncIterator[Shipper | None]:
    """Send finals on while the body runs; then what is left, as far as the time reaches."""
    if queue_url is None or outbox is None:
        yield None
        return
    async with open_aws("sqs") as client:
        shipper = Shipper(outbox, SqsQueue(client, queue_url), _now_ms)
        async with beside(shipper.watch()):
            async with beside(shipper.run()):
                yield shipper
            if left := await shipper.empty(LAST_SHIPMENTS * within_s):
                logger.warning(
                    "%d finals wait in the outbox, where they are safe, to be sent on", left
                )


FOR_RECORDINGS = {"data", "engine", "amazon", "models", "max_rtf", "gate", "send_silence"}
"""The settings that the process which writes a recording down is told."""


@asynccontextmanager
async def _job_desk(settings: Settings, rooms: Rooms) -> AsyncIterator[JobDesk]:
    uploads = Uploads(settings.data / "jobs", settings.max_upload_mb * 2**20, keep_s=inf)
    given = ForRecordings(
        data=settings.data,
        engine_settings=settings.model_dump(mode="json", include=FOR_RECORDINGS),
        max_bytes=uploads.max_bytes,
        check=rooms.engine_for,
        now_ms=_now_ms,
    )
    async with open_jobs(settings, given) as (jobs, notifier):
        sources = frozenset(settings.job_source)
        yield JobDesk(jobs, uploads, notifier, settings.max_job_h * 3600, sources)


@asynccontextmanager
async def _moods(
    stores: Stores, reader: str, shared: SharedMoods | None
) -> AsyncIterator[Moods | None]:
    """Read how lines sound while the body runs; the rest is read after the next start.

    Raises:
        AnalystFailed: who is to read cannot.
    """
    async with AsyncExitStack() as stack:
        if reader == "off" or stores.moods is None:
            yield None
            return
        analyst: Analyst = local.LocalAnalyst()
        if reader == "comprehend":
            analyst = await stack.enter_async_context(open_comprehend())
        moods = Moods(
            stores.moods,
            analyst,
            local.intent,
            shared=shared,
            book_is_shared=stores.leases is not None,
        )
        await stack.enter_async_context(beside(moods.run()))
        yield moods


def _noting(access: Access, days: float) -> Callable[[Forgotten], Awaitable[None]]:
    """Return what writes into the audit log that old talks were deleted."""

    async def note(gone: Forgotten) -> None:
        action = f"prune: {told(gone)} older than {days:g} days"
        try:
            await access.book.note(AuditEntry(_now_ms(), "the server itself", "", "", action, 200))
        except StoreFailed as error:
            logger.warning("the audit log misses %s: %s", action, error.message)

    return note


def _host() -> Host | None:
    """Return what we run in, where it can be asked; ECS tells its containers by a variable."""
    agent_uri = os.environ.get("ECS_AGENT_URI")
    return EcsTask(agent_uri) if agent_uri else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _prune(uploads: Uploads) -> None:
    while True:
        await asyncio.to_thread(uploads.prune, time.time())
        await asyncio.sleep(600)


class Server(uvicorn.Server):
    """A uvicorn server that lets talks end before it closes their sockets."""

    def __init__(
        self, config: uvicorn.Config, on_started: Callable[[], None], leaving: Leaving
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._leaving = leaving
        self._signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        await super().startup(sockets)
        if self.started:
            # What is here now stays here: 100,000 objects, which a full collection would walk
            # again and again (0.16 s on a 2-core AMD EPYC), while captions wait.
            gc.collect()
            gc.freeze()
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ask for a stop; the second time, stop at once."""
        # uvicorn's own way closes every socket the moment SIGTERM comes.
        if self._signals:
            super().handle_exit(sig, frame)
        self._signals += 1
        self._leaving.ask()


OnStarted = Callable[[Sequence[str], Sequence[EngineFacts], Sequence[FirstLink]], None]


async def serve(
    settings: Settings, on_started: OnStarted, on_stopping: Callable[[float], None] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; then end the talks, save their last words, and return.

    Args:
        settings: what was set.
        on_started: called once with the addresses, such as "http://127.0.0.1:8000", and
            what people should know of the engines, and the links of a first start.
        on_stopping: called once the stop begins, with the seconds it should take.

    Raises:
        OSError: a port is taken, or the data folder cannot be made.
        NoEngine, StoreFailed, BadLanguage: see `open_services`.
    """
    with ExitStack() as held:

        def listen() -> list[socket.socket]:
            return [held.enter_context(_listen(settings.host, port)) for port in settings.port]

        # Whoever waits for another server's folder may wait for its ports too, and must not take
        # connections before it can serve them.
        sockets = [] if settings.wait_for_data_s else listen()
        async with open_services(settings) as services:
            sockets = sockets or listen()
            config = server_config(
                create_app(services),
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                timeout_graceful_shutdown=max(1, int(LAST_ANSWERS * settings.stop_within_s)),
            )
            scheme = "https" if settings.tls_cert else "http"
            urls = [_url(scheme, settings.host, sock) for sock in sockets]
            links = await first_links(services.access)
            server = Server(
                config, lambda: on_started(urls, services.engines, links), services.leaving
            )
            stop = _stop_when_asked(server, services, settings.stop_within_s, on_stopping)
            async with beside(stop):
                await server.serve(sockets)


async def _stop_when_asked(
    server: Server,
    services: Services,
    within_s: float,
    on_stopping: Callable[[float], None] | None,
) -> None:
    await services.leaving.asked.wait()
    await _let_talks_end(services)
    if on_stopping:
        on_stopping(within_s)
    services.playbacks.stop_all()
    await services.rooms.drain(LAST_WORDS * within_s)
    server.should_exit = True


async def _let_talks_end(services: Services) -> None:
    """Wait until the talks that run are over, as long as whoever asked wants to wait."""
    leaving = services.leaving

    async def wait_until_empty() -> None:
        await services.rooms.empty()
        leaving.at_once.set()

    with suppress(TimeoutError):
        async with asyncio.timeout(leaving.wait_s), beside(wait_until_empty()):
            await leaving.at_once.wait()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    sock.set_inheritable(False)
    return sock


def _url(scheme: str, host: str, sock: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{sock.getsockname()[1]}"


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: every viewer is one."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on every platform

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
