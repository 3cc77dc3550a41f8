"""Keeps logs and settings in memory: for tests, where nothing has to outlive the process."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence

from parola.domain.access import AuditEntry, Token
from parola.domain.corrections import Edits
from parola.domain.cues import shown_text
from parola.domain.errors import StoreFailed
from parola.domain.log import (
    BEGIN_AND_END,
    Edit,
    Entry,
    RoomSummary,
    SessionPast,
    StateChange,
    is_switch,
    switch_in,
)
from parola.domain.room_settings import RoomSettings
from parola.domain.search import Phrase, words_of
from parola.domain.talks import Talk, talks_of
from parola.domain.transcript import Segment
from parola.ports import Forgotten


class MemoryLog:
    """A log that behaves as the durable ones do, and fails or stalls when a test says so."""

    def __init__(self) -> None:
        self.fail_with: str | None = None
        """While set, every call raises StoreFailed with this sentence."""
        self.gate: asyncio.Event | None = None
        """While set to an event that is clear, appends wait for it: a store that is slow."""
        self.appends = 0
        """How many appends were kept: one per transaction of a durable log."""
        self._rooms: dict[str, dict[int, Entry]] = {}
        self._segments: set[tuple[str, str, int]] = set()
        self._forgotten: dict[str, int] = {}
        """How far rooms had counted when lines were taken out."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Check all, then keep all: what raises has changed nothing."""
        if self.gate:
            await self.gate.wait()
        self._fail_if_told()
        before = {room: dict(log) for room, log in self._rooms.items()}, set(self._segments)
        try:
            for entry in entries:
                self._keep(entry)
        except StoreFailed:
            self._rooms, self._segments = before
            raise
        self.appends += 1

    async def read(self, room: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Sorts on every call: a test's logs are short."""
        self._fail_if_told()
        log = self._rooms.get(room, {})
        return [log[number] for number in sorted(log) if number > after][: max(limit, 0)]

    async def edits(self, room: str) -> list[Entry]:
        """Walk through the whole room: a test's logs are short."""
        log = await self.read(room, limit=10**9)
        return [entry for entry in log if isinstance(entry.body, Edit)]

    async def search(
        self, phrases: Sequence[Phrase], room: str | None = None, limit: int = 50
    ) -> list[Entry]:
        """Look at every line: a test's logs are short."""
        self._fail_if_told()
        found: list[Entry] = []
        for name in self._rooms if room is None else (room,):
            log = await self.read(name, limit=10**9)
            found += [entry for entry in Edits(log).read_all(log) if _holds(entry, phrases)]
        found.sort(key=lambda entry: (-entry.at_ms, entry.room, -entry.number))
        return found[: max(limit, 0)] if phrases else []

    async def talks(self) -> list[Talk]:
        """Look at every line: a test's logs are short."""
        self._fail_if_told()
        entries = [e for room in sorted(self._rooms) for e in await self.read(room, limit=10**9)]
        lines = Counter((e.room, e.body.session) for e in entries if isinstance(e.body, Segment))
        return talks_of(entries, lines)

    async def last_number(self, room: str) -> int:
        """Look at every number: a test's logs are short."""
        self._fail_if_told()
        return max(*self._rooms.get(room, {}), self._forgotten.get(room, 0), 0)

    async def past(self, room: str, session: str) -> SessionPast:
        """Walk through the whole room: a test's logs are short."""
        entries = [e for e in await self.read(room, limit=10**9) if e.body.session == session]
        switches = tuple(switch for entry in entries if (switch := switch_in(entry)))
        ours = [entry.body for entry in entries]
        last = next((body for body in reversed(ours) if isinstance(body, Segment)), None)
        talk = [b.change for b in ours if isinstance(b, StateChange) and b.change in BEGIN_AND_END]
        is_open = talk[-1:] == ["session_started"]
        if last is None:
            return SessionPast(0, 0, is_open, switches)
        return SessionPast(last.number, last.end_frame, is_open, switches)

    async def newest_switch(self, room: str) -> Entry | None:
        """Walk through the whole room: a test's logs are short."""
        entries = await self.read(room, limit=10**9)
        return next((entry for entry in reversed(entries) if is_switch(entry)), None)

    async def forget(self, before_ms: int, spare: Collection[str] = ()) -> Forgotten:
        """Look at every line: a test's logs are short."""
        self._fail_if_told()
        newest: dict[tuple[str, str], int] = {}
        for room, log in self._rooms.items():
            for entry in log.values():
                newest[room, entry.body.session] = max(
                    entry.at_ms, newest.get((room, entry.body.session), 0)
                )
        old = {key for key, at_ms in newest.items() if at_ms < before_ms and key[1] not in spare}
        doomed: list[Entry] = []
        for room, log in self._rooms.items():
            switch = await self.newest_switch(room)
            for entry in log.values():
                own_age = not entry.body.session and entry.at_ms < before_ms
                is_old = own_age or (entry.body.session and (room, entry.body.session) in old)
                doomed += [entry] if is_old and entry != switch else []
        for entry in doomed:
            self._forgotten[entry.room] = await self.last_number(entry.room)
            del self._rooms[entry.room][entry.number]
        gone = frozenset((entry.room, entry.body.session) for entry in doomed)
        self._rooms = {room: log for room, log in self._rooms.items() if log}
        self._segments = {key for key in self._segments if key[:2] not in gone}
        return Forgotten(frozenset(key for key in gone if key[1]), len(doomed))

    async def rooms(self) -> list[RoomSummary]:
        """Count anew on every call: a test's logs are short."""
        self._fail_if_told()
        return [
            RoomSummary(
                room=room,
                entries=len(log),
                first_at_ms=min(entry.at_ms for entry in log.values()),
                last_at_ms=max(entry.at_ms for entry in log.values()),
            )
            for room, log in sorted(self._rooms.items())
        ]

    def _keep(self, entry: Entry) -> None:
        there = self._rooms.get(entry.room, {}).get(entry.number)
        if there == entry:
            return
        if there:
            raise StoreFailed(
                f"Entry {entry.number} of room {entry.room!r} is there with other content; "
                "see that only one server writes into the room."
            )
        if isinstance(entry.body, Segment):
            key = (entry.room, entry.body.session, entry.body.first_frame)
            if key in self._segments:
                return
            self._segments.add(key)
        self._rooms.setdefault(entry.room, {})[entry.number] = entry

    def _fail_if_told(self) -> None:
        if self.fail_with:
            raise StoreFailed(self.fail_with)


def _holds(entry: Entry, phrases: Sequence[Phrase]) -> bool:
    if not isinstance(entry.body, Segment):
        return False
    words = words_of(shown_text(entry.body.text))
    return all(phrase.fits(words) for phrase in phrases)


class MemoryRoomBook:
    """A room book that behaves as the durable ones do, and fails when a test says so."""

    def __init__(self) -> None:
        self.fail_with: str | None = None
        """While set, every call raises StoreFailed with this sentence."""
        self._rooms: dict[str, RoomSettings] = {}

    async def read(self, room: str) -> RoomSettings:
        """Look into a dictionary."""
        self._fail_if_told()
        return self._rooms.get(room, RoomSettings())

    async def write(
        self, room: str, settings: RoomSettings, before: RoomSettings | None = None
    ) -> bool:
        """Write into a dictionary."""
        if before not in {None, await self.read(room)}:
            return False
        self._fail_if_told()
        self._rooms[room] = settings
        return True

    def _fail_if_told(self) -> None:
        if self.fail_with:
            raise StoreFailed(self.fail_with)


class MemoryAccessBook:
    """An access book that behaves as the durable one does."""

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self._tokens: dict[str, Token] = {}
        self._revoked: set[str] = set()
        self._audit: list[AuditEntry] = []

    async def keys(self) -> list[bytes]:
        """Return a copy."""
        return list(self._keys)

    async def add_key(self, key: bytes, keep: int = 2) -> None:
        """Put it first."""
        self._keys = [key, *self._keys][:keep]

    async def add_token(self, token: Token) -> None:
        """Keep it for good: a test is short."""
        self._tokens[token.id] = token

    async def tokens(self) -> list[tuple[Token, bool]]:
        """Sort on every call."""
        ordered = sorted(self._tokens.values(), key=lambda token: (token.issued_at_s, token.id))
        return [(token, token.id in self._revoked) for token in ordered]

    async def revoke(self, token_id: str) -> bool:
        """Remember the id."""
        if token_id not in self._tokens:
            return False
        self._revoked.add(token_id)
        return True

    async def note(self, entry: AuditEntry) -> None:
        """Keep it."""
        self._audit.append(entry)

    async def audit(self, limit: int) -> list[AuditEntry]:
        """Return the newest first."""
        return self._audit[::-1][: max(limit, 0)]
