"""Every seam of the house on one page: what the running system asks of its plugs."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from parola.domain.access import AuditEntry, Token
from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.corrections import Standing
from parola.domain.jobs import Job, Written
from parola.domain.log import Entry, RoomSummary, SessionPast
from parola.domain.mood import LineMood
from parola.domain.room_settings import RoomSettings
from parola.domain.search import Phrase
from parola.domain.talks import Talk
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Segment, Settled
from parola.domain.vocabulary import Language

EngineEvent = Hypothesis | Settled


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a session asks of an engine."""

    language: Language
    session: str
    first_frame: int = 0
    """The session's frame that the first chunk will start with."""

    room: str = ""
    """Where its words will be shown; empty for a recording that is for one asker only."""

    terms: Terms = field(default_factory=Terms)
    """The talk's own words, as far as they are known."""

    options: Mapping[str, str] = field(default_factory=dict)
    """What the source asked of this very engine, by the engine's own setting names."""

    rate_hz: int = RATE_HZ
    """The source's own rate. The audio comes at 16 kHz whatever it is."""

    channels: int = 1
    """The source's own, 1 or 2. The audio is their mean; see `HearsChannels`."""


class EngineStream(Protocol):
    """One run of a recogniser over one session's audio.

    Reading and writing go on at once. All frame numbers, in and out, are the session's own.
    Chunks come in order; silence may be left out where all before it has been settled, so that a
    chunk begins later than the one before it ended.
    Iteration ends after `end` once the last hypothesis is out; any other end is an error.

    Raises (from `send`, `end` and the iteration):
        EngineFailed: the recogniser broke off; what it had not made final is lost to this stream.
    """

    async def send(self, chunk: AudioChunk) -> None:
        """Take the next chunk; waits while the recogniser is behind (back-pressure)."""

    async def end(self) -> None:
        """Say that no more audio comes: the last finals follow, then the iteration ends."""

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """Yield hypotheses as they come; may be called once."""


class Engine(Protocol):
    """A recogniser."""

    @property
    def name(self) -> str:
        """The word for it in settings, in the API and in exports."""

    @property
    def gated(self) -> bool:
        """Whether the session's gate stands before it; only test engines say no."""

    def knows(self, language: Language) -> bool:
        """Return whether it can recognise the language."""

    def open(self, request: StreamRequest) -> AbstractAsyncContextManager[EngineStream]:
        """Open a stream; leaving the context ends it at once and frees what it holds.

        Raises:
            NoEngine: the language is not among its languages.
            EngineFailed: it cannot start; the message says why and what to do.
        """


@runtime_checkable
class TakesOptions(Protocol):
    """An engine that a source may ask for more than a language; most engines take no options."""

    def check_options(self, request: StreamRequest) -> None:
        """Do nothing, if a stream with the request's options could be asked for; asks nobody.

        Raises:
            BadMessage: an option or its value is not known, or they contradict each other.
        """


@runtime_checkable
class HearsChannels(Protocol):
    """An engine that can tell who speaks by the channel; all others hear the mean of two."""

    def hears_channels(self, request: StreamRequest) -> bool:
        """Return whether a stream with the request is to get the channels, in `AudioChunk.both`."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What somebody charges for recognising."""

    streams: int = 0
    seconds: int = 0
    """As they are charged for: with minimums and rounding."""

    money: Decimal = Decimal(0)
    """US dollars; an estimate."""


@runtime_checkable
class Metered(Protocol):
    """An engine that costs money."""

    def bill(self, room: str) -> Bill:
        """Return what a room's talks have cost since the engine was made; "": those of no room."""


class Log(Protocol):
    """Rooms' append-only, numbered records, kept durably.

    Numbers are minted by the one writer a room has. Appending an entry that is there already
    (same room and number, or a segment of the same session and first frame) changes nothing.
    """

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep the entries, all or none; they are durable when this returns.

        Raises:
            StoreFailed: they are not kept now; trying again is safe.
        """

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return up to `limit` entries with numbers greater than `after`, in order.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def edits(self, room: str) -> list[Entry]:
        """Return every correction, strike and restore of the room, in order.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def last_number(self, room: str) -> int:
        """Return the greatest number in the room's log, 0 where it has none.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def past(self, room: str, session: str) -> SessionPast:
        """Return what the room's log holds of a session; the defaults where that is nothing.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def newest_switch(self, room: str) -> Entry | None:
        """Return the newest entry that took the room off the record or back on.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def rooms(self) -> list[RoomSummary]:
        """Return every room that has a log, by name.

        Raises:
            StoreFailed: the log cannot be read now.
        """


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A final that has to be sent on."""

    ticket: int
    """The outbox's own, never given twice."""

    entry: Entry

    edited: Standing | None = None
    """What has become of it, where somebody has edited it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final that a queue did not take."""

    ticket: int
    reason: str
    is_final: bool
    """Whether the queue will never take it, however often it is tried."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """How far an outbox is behind."""

    lines: int = 0
    oldest_ms: int | None = None
    """When the oldest of them was said, in milliseconds since 1970."""

    refused: int = 0
    """Finals that a queue will never take; they stay where they are."""


class Wakes(Protocol):
    """What is filled elsewhere, and tells so."""

    async def news(self) -> None:
        """Wait until something may have come since the last call."""


class Outbox(Wakes, Protocol):
    """What still has to be sent on: filled with the log, in one transaction; survives a crash."""

    async def waiting(self, limit: int) -> list[Outgoing]:
        """Return the oldest finals to be sent, at most `limit`, without those refused for good.

        One that was edited since it was sent is there again. Of several nodes one at a time gets
        any.

        Raises:
            StoreFailed: it cannot be read now.
        """

    async def settle(self, sent: Sequence[int], refused: Sequence[Refusal]) -> None:
        """Forget the tickets that were sent, and keep those refused for good out of the way.

        Raises:
            StoreFailed: it is as it was; sending again is safe.
        """

    async def unsent(self) -> Unsent:
        """Return how far it is behind.

        Raises:
            StoreFailed: it cannot be read now.
        """


class Queue(Protocol):
    """Takes finals to where they are kept for everybody; may deliver twice and in any order."""

    async def send(self, lines: Sequence[Outgoing]) -> list[Refusal]:
        """Send at most ten finals; return those that were not taken.

        Raises:
            StoreFailed: whether any was taken is not known; sending all again is safe.
        """


class Analyst(Protocol):
    """Reads how lines sound. None of them writes any text."""

    @property
    def name(self) -> str:
        """The word for it in settings and in the API."""

    def knows(self, language: str) -> bool:
        """Return whether it can read lines in the language, a BCP 47 tag."""

    async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
        """Return each text's sentiment, from -1 to 1, in order; at most 25 texts at once.

        None where it cannot say of this one, and never will.

        Raises:
            AnalystFailed: it cannot say now; trying again may help.
        """


@dataclass(frozen=True, slots=True)
class Unread:
    """A final of which nobody has said yet how it sounds, as it reads now."""

    ticket: int
    """The mood book's own, never given twice."""

    room: str
    number: int
    at_ms: int
    """When it was said, in milliseconds since 1970."""

    segment: Segment | None
    """As people have corrected it; None: it was struck."""


class SharedMoods(Protocol):
    """How lines sound, as somebody has read them."""

    async def moods(self, room: str, session: str | None = None) -> list[LineMood]:
        """Return a session's lines in their order; the room's newest conversation's without one.

        Raises:
            StoreFailed: they cannot be read now.
        """


class MoodBook(SharedMoods, Wakes, Protocol):
    """The same, beside a log and in its transactions, with what is to be read; survives a crash."""

    async def unread(self, limit: int) -> list[Unread]:
        """Return the finals and edited lines that are still to be read, the newest first.

        Of several nodes one at a time gets any.

        Raises:
            StoreFailed: it cannot be read now.
        """

    async def settle(self, lines: Sequence[Unread], moods: Sequence[LineMood]) -> None:
        """Keep the moods, drop what was known of the other lines, and forget their tickets.

        Raises:
            StoreFailed: it is as it was; trying again is safe.
        """


class SharedLog(Protocol):
    """Rooms' finals as all nodes have sent them on."""

    async def since(self, room: str, since_ms: int) -> list[Entry]:
        """Return what there is of a room from a time on, in order, as people have corrected it.

        May miss the last second.

        Raises:
            StoreFailed: it cannot be read now.
        """


@runtime_checkable
class Archive(Protocol):
    """A log in which can be searched; not every store can."""

    async def search(
        self, phrases: Sequence[Phrase], room: str | None = None, limit: int = 50
    ) -> list[Entry]:
        """Return the newest finals that hold all phrases, as they read now; none for no phrase.

        Corrections count, what is struck is not found, and what they replaced is not either.

        Raises:
            StoreFailed: the log cannot be read now.
        """

    async def talks(self) -> list[Talk]:
        """Return every talk that has lines, the newest first.

        Raises:
            StoreFailed: the log cannot be read now.
        """


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out of a log for good."""

    talks: frozenset[tuple[str, str]] = frozenset()
    """Rooms and sessions."""

    lines: int = 0
    """Entries of any kind."""

    jobs: int = 0
    """Recordings that were written down in the background; beside the log, not in it."""

    left: str = ""
    """What could not be done to the end, and what to do about it."""


@runtime_checkable
class Forgets(Protocol):
    """A log that old talks can be taken out of; some stores let them expire by themselves."""

    async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
        """Take out every talk whose newest line is older, but for the sessions to spare.

        A room's numbers count on as if nothing were missing, and its newest word on or off the
        record stays.

        Traces may be left of them (`left`); the next time takes them too.

        Raises:
            StoreFailed: nothing was taken out. Trying again is safe.
        """


class RoomBook(Protocol):
    """What people have set for each room, kept durably."""

    async def read(self, room: str) -> RoomSettings:
        """Return what is set for the room; the defaults where nothing is.

        Raises:
            StoreFailed: it cannot be read now.
        """

    async def write(
        self, room: str, settings: RoomSettings, before: RoomSettings | None = None
    ) -> bool:
        """Set everything for the room anew; it is durable when this returns True.

        Args:
            room: the room.
            settings: what holds from now on.
            before: what `read` returned. Where something else is set by now, nothing is written
                and False is returned; None to overwrite whatever there is.

        Raises:
            StoreFailed: what was set before stays; trying again is safe.
        """


class Recording(Protocol):
    """One talk's sound on its way to where it is kept; used by one task."""

    async def write(self, chunks: Sequence[AudioChunk]) -> None:
        """Add sound, in order, on the session's clock; what lies between is silence.

        What was kept before from the first chunk's place on is replaced. What was written survives
        the process.

        Raises:
            StoreFailed, DiskFull, TooLarge: it is not kept; what follows may be.
        """

    async def close(self) -> None:
        """Add the rest, and let go.

        Raises:
            StoreFailed, DiskFull: the last tenth of a second is not kept.
        """


class Recordings(Protocol):
    """The kept sound of talks."""

    def open(self, room: str, session: str) -> Recording:
        """Return where a talk's sound goes; nothing is there before the first of it."""

    async def find(self, room: str, session: str) -> Path | None:
        """Return the file of a talk's sound, if any was kept."""

    async def kept(self, talks: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of the talks (room, session) whose sound was kept."""

    async def delete(self, room: str, session: str) -> bool:
        """Delete a talk's sound; return whether there was any.

        Raises:
            StoreFailed: it cannot be deleted.
        """


class Host(Protocol):
    """What this process runs in, where that can be asked to leave it alone for a while.

    Raises (from everything):
        HostFailed: it does not, or cannot be asked; trying again may help.
    """

    async def protect(self, minutes: int) -> None:
        """Be left alone for so many minutes from now; asked again, from then."""

    async def release(self) -> None:
        """Let it do what it wants again."""


class AccessBook(Protocol):
    """The keys that tokens are signed with, the tokens given out, and what operators did.

    Other processes may write to it: `parola token` does while the server runs.

    Raises (from everything):
        StoreFailed: it cannot be read or written now.
    """

    async def keys(self) -> list[bytes]:
        """Return the keys, newest first; the newest signs, all of them are believed."""

    async def add_key(self, key: bytes, keep: int = 2) -> None:
        """Add a new key that signs from now on; only the newest `keep` stay."""

    async def add_token(self, token: Token) -> None:
        """Keep what was given out; the signed token itself is never kept."""

    async def tokens(self) -> list[tuple[Token, bool]]:
        """Return the tokens whose time is not long over, oldest first, and which are revoked."""

    async def revoke(self, token_id: str) -> bool:
        """Make a token worthless; return whether there was one of that id."""

    async def note(self, entry: AuditEntry) -> None:
        """Add to the audit log."""

    async def audit(self, limit: int) -> list[AuditEntry]:
        """Return the newest entries, newest first."""


class JobBook(Protocol):
    """Recordings to be written down, and the text of those that are done, kept durably.

    Raises (from everything):
        StoreFailed: it cannot be read or written now; trying again is safe.
    """

    async def put(self, job: Job, written: Written | None = None) -> None:
        """Keep a job as it is now, with its text where there is one, both or neither.

        It is durable when this returns. Text that was kept before stays.
        """

    async def jobs(self) -> list[Job]:
        """Return every job, in the order in which they came."""

    async def written(self, job_id: str) -> Written:
        """Return a job's text; none where none was kept."""

    async def remove(self, job_id: str) -> None:
        """Forget a job and its text, if they are there."""


class Transcriber(Protocol):
    """Writes down whole recordings."""

    def check(self, language: Language) -> None:
        """Do nothing, if it can write that language down; asks nobody.

        Raises:
            NoEngine: it cannot.
        """

    async def transcribe(
        self, job: Job, file: Path, on_progress: Callable[[float], None]
    ) -> Written:
        """Return a recording's text.

        Begun a second time after a crash it may take up what the first time began.

        Args:
            job: what is asked for.
            file: where the recording lies if it was uploaded; else it may be put there.
            on_progress: gets the seconds of sound that are done, where that is known.

        Raises:
            EngineFailed, StoreFailed: it does not work now; trying again may help.
            ParolaError: anything else is the recording's fault; trying again does not help.
        """

    async def forget(self, job: Job) -> None:
        """Free what is held elsewhere for a job that is over, or that nobody wants any more.

        Raises:
            StoreFailed: something is left over there.
        """


class Objects(Protocol):
    """Files that lie elsewhere, such as in Amazon S3, by addresses like "s3://bucket/key".

    Raises (from everything):
        NotFound: it is not there, or may not be used; the message says which.
        StoreFailed: it cannot be reached now; trying again may help.
    """

    async def fetch(self, uri: str, to: Path, max_bytes: int) -> None:
        """Bring a file here.

        Raises:
            TooLarge: it is over the limit; nothing usable is here.
        """

    async def store(self, file: Path, uri: str) -> None:
        """Bring a file there, in place of what was there."""

    async def read(self, uri: str, max_bytes: int) -> bytes:
        """Return what is in a small file.

        Raises:
            TooLarge: it is over the limit.
        """

    async def delete(self, uri: str) -> None:
        """Delete a file, if it is there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook made of a notice."""

    is_taken: bool
    detail: str = ""
    """Why not; a sentence."""

    is_hopeless: bool = False
    """Whether trying again is pointless."""


class Notifier(Protocol):
    """Tells programs elsewhere that a job is over."""

    def check(self, url: str) -> None:
        """Do nothing, if that address may be told; asks nobody.

        Raises:
            BadMessage: it may not, or nobody may be told here.
        """

    async def tell(self, job: Job) -> Answer:
        """Tell the job's webhook once; never raises for what happens out there."""


AlarmKind = Literal["no words", "silence", "clipping", "hum", "source quiet", "recording"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong with a room's sound or words, for the operator."""

    kind: AlarmKind
    detail: str
    """A sentence with a reason or a remedy."""


@dataclass(frozen=True, slots=True)
class RoomState:
    """What a room is doing, for the people who look at it."""

    state: str
    """One of `parola.domain.vocabulary.ROOM_STATES`."""

    detail: str = ""
    """A sentence for a person, empty where the state says it all."""

    alarms: tuple[Alarm, ...] = ()
    """What is wrong with its sound or words at the moment."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A final as it went into the log."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A final that is off the record: for who reads now, and in no log."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Partial:
    """The newest guess; replaces the partial before it."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Asked:
    """What the node that speaks a room shall do for somebody on another node."""

    id: str
    wish: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of it."""

    id: str
    answer: Mapping[str, str | int]


RoomEvent = Numbered | Unrecorded | Partial | RoomState | Asked | Answered


class Bus(Protocol):
    """Carries a room's events from the node that hears it to the nodes that show it."""

    async def publish(self, room: str, event: RoomEvent) -> None:
        """Hand an event to every subscriber of the room, in order."""

    def subscribe(self, room: str) -> AbstractAsyncContextManager[AsyncIterator[RoomEvent]]:
        """Return the room's events from now on."""


class Leases(Protocol):
    """Which rooms this node may speak into: one node a room at a time, whatever clocks say.

    A lease that cannot be renewed is lost here before another node can take it.
    """

    async def take(self, room: str) -> bool:
        """Hold a room until `give_back`; return whether it was not held before.

        Raises:
            RoomElsewhere: another node holds it.
            StoreFailed: whoever knows cannot be asked now.
        """

    def holds(self, room: str) -> bool:
        """Return whether this node may speak into the room at this very moment."""

    async def give_back(self, room: str) -> None:
        """Let other nodes have the room; what cannot be said now runs out by itself."""

    def lost(self) -> AsyncIterator[str]:
        """Yield each room that this node has to leave alone from now on; may be called once."""
