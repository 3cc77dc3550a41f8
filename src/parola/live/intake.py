"""Takes one talk's numbered sound from whichever connection carries it at the moment."""

import asyncio

from parola.audio.pcm import Apart, Resampler
from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import RoomBusy
from parola.live.session import Session, refuse_half_frames
from parola.live.showing import Saved

LINGER_S = 30.0
"""How long a talk waits for a source that has lost its connection, before it counts as over."""


class Intake:
    """A session as its source counts it: in frames of the source's own rate, from any connection.

    Frames are counted in the same step in which the session takes them, so a connection that
    breaks at any point leaves no sound counted but not taken, or taken but not counted.
    """

    def __init__(self, session: Session, rate_hz: int, position: int) -> None:
        self.session = session
        self.rate_hz = rate_hz
        self.received = position
        """The source's first frame that has not come yet."""
        self.is_ended = False
        """Whether the source has said that this was all."""
        self._position = position
        self._frame_bytes = FRAME_BYTES * session.plan.channels
        self._resampler = Apart(rate_hz) if session.plan.channels == 2 else Resampler(rate_hz)
        self._holder: Hold | None = None
        self._changed = asyncio.Event()
        self._last_line: Saved | None = None
        self._over = asyncio.Event()

    def take_over(self) -> "Hold":
        """Return the new connection's hold on the talk; the one before can feed no more."""
        self._holder = Hold(self)
        self._tell()
        return self._holder

    def is_held_by(self, hold: "Hold") -> bool:
        """Return whether no later connection has taken over."""
        return self._holder is hold

    def leave(self, hold: "Hold") -> None:
        """Let go, unless another connection has taken over."""
        if self.is_held_by(hold):
            self._holder = None
            self._tell()

    def accept(self, pcm: bytes) -> None:
        """Take sound at once: counted, resampled and fed in one step."""
        self.received += len(pcm) // self._frame_bytes
        self.session.accept(self._resampler.feed(pcm))

    def end(self) -> None:
        """Take the source's word that this was all. Saying it again changes nothing."""
        if not self.is_ended and not self.session.is_ending:
            self.is_ended = True
            self.session.accept(self._resampler.flush())
            self.session.end()

    @property
    def safe_position(self) -> int:
        """The source's frame up to which all text is safe, never beyond what it sent."""
        safe = self.session.durable_frame
        # The resampler's length is right to one frame only: the end is the end, exactly.
        if self.is_ended and safe == self.session.fed_frame:
            return self.received
        ahead = (safe - self.session.plan.first_frame) * self.rate_hz // RATE_HZ
        return min(self._position + ahead, self.received)

    def position_of(self, frame: int) -> int:
        """Return the source's first frame at or after one on the session's clock."""
        ahead = frame - self.session.plan.first_frame
        return self._position + source_frame(ahead, self.rate_hz)

    def close(self, last_line: Saved | None) -> None:
        """Note that nothing more comes from the session, and its last line in the log."""
        self._last_line = last_line
        self._over.set()

    async def over(self) -> None:
        """Wait until nothing more comes from the session: another one may go on in its place."""
        await self._over.wait()

    async def saved(self) -> None:
        """Wait until the talk is over and everything of it is durably in the log, its end too.

        Raises:
            EngineFailed: the engine broke for good before the end.
        """
        await self.session.saved()
        await self._over.wait()
        if self._last_line:
            await self._last_line.kept()

    async def end_when_left(self, linger_s: float = LINGER_S) -> None:
        """End the session once no connection has held it for `linger_s` seconds; return then."""
        while True:
            changed = self._changed
            if self._holder:
                await changed.wait()
                continue
            try:
                async with asyncio.timeout(linger_s):
                    await changed.wait()
            except TimeoutError:
                self.session.end()
                return

    def _tell(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()


class Hold:
    """One connection's hold on an intake, until another connection of the same talk comes."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake

    @property
    def session(self) -> Session:
        """The talk's session."""
        return self.intake.session

    async def feed(self, pcm: bytes) -> None:
        """Take the next sound: s16le, at the source's rate and with its channels.

        Raises:
            BadAudio: it is not whole frames.
            RoomBusy: another connection carries this talk now.
            EngineFailed, NoEngine, Stopping: see `Session.feed`.
        """
        refuse_half_frames(pcm, self.session.plan.channels)
        await self.session.room_for_more()
        self._refuse_if_lost()
        self.intake.accept(pcm)

    def end(self) -> None:
        """Say that this was all.

        Raises:
            RoomBusy: another connection carries this talk now.
        """
        self._refuse_if_lost()
        self.intake.end()

    @property
    def is_lost(self) -> bool:
        """Whether another connection carries the talk now."""
        return not self.intake.is_held_by(self)

    def _refuse_if_lost(self) -> None:
        if self.is_lost:
            raise RoomBusy("Another connection carries this talk now; this one is not needed.")


def session_frame(position: int, rate_hz: int) -> int:
    """Return the session's frame at a source's frame."""
    return position * RATE_HZ // rate_hz


def source_frame(frame: int, rate_hz: int) -> int:
    """Return the source's first frame at or after a session's frame."""
    return -(-frame * rate_hz // RATE_HZ)
