"""Which of a session's sound is off the record: spoken to be shown, and kept nowhere."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from parola.domain.audio import RATE_HZ, AudioChunk
from parola.domain.log import Switch


class OffRecord:
    """Where a session's sound went off the record and back on, on the session's clock.

    Sound that has not come when the word is said goes by the new word when that is "off". For
    "on" it may still be sound from before, that the network held up: a span off the record is
    never shorter, in sound, than it lasted on the clock (docs/why/012).
    """

    def __init__(self, switches: Sequence[Switch] = ()) -> None:
        """Begin with what the log knows of the session."""
        self._switches: list[Switch] = []
        self._changed = asyncio.Event()
        for switch in switches:
            self._note(switch)

    @property
    def newest(self) -> Switch | None:
        """The last time the word was said; None where all is on the record."""
        return self._switches[-1] if self._switches else None

    def is_off(self, frame: int) -> bool:
        """Return whether the sound at a frame is off the record."""
        past = [switch for switch in self._switches if switch.frame <= frame]
        return bool(past) and past[-1].is_off

    def next_after(self, frame: int) -> int | None:
        """Return the first frame after this one at which the other word holds, if it is known."""
        return min((s.frame for s in self._switches if s.frame > frame), default=None)

    def kept(self, chunk: AudioChunk) -> Iterator[AudioChunk]:
        """Yield the parts of a chunk that are on the record."""
        while chunk.frames:
            until = self.next_after(chunk.first_frame)
            part, rest = chunk.cut(chunk.end_frame if until is None else until)
            if not self.is_off(part.first_frame):
                yield part
            chunk = rest

    def switch(self, fed_frame: int, now_ms: int, *, is_off: bool) -> Switch | None:
        """Note the word at a time and the first frame that has not come; None if it held already.

        Returned is from which frame on it holds.
        """
        last = self.newest
        if is_off == (last is not None and last.is_off):
            return None
        frame = fed_frame
        if last and not is_off:
            frame = max(frame, last.frame + max(now_ms - last.at_ms, 0) * RATE_HZ // 1000)
        switch = Switch(frame, now_ms, is_off=is_off)
        self._note(switch)
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
        return switch

    def _note(self, switch: Switch) -> None:
        # Off again, before sound came that would have been on the record: the span goes on.
        self._switches = [s for s in self._switches if s.frame < switch.frame]
        self._switches.append(switch)

    async def words(self) -> AsyncIterator[Switch]:
        """Yield the newest word, where one was ever said, and each that follows."""
        told: Switch | None = None
        while True:
            changed = self._changed
            if self.newest and self.newest != told:
                told = self.newest
                yield told
            else:
                await changed.wait()
