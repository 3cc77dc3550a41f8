"""Keeps a talk's sound until its text is safe, within a budget; what overflows is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk

BLOCK_FRAMES = 10 * RATE_HZ
"""What is kept and given up as one: ten seconds, 320 kB."""

MEMORY_FRAMES = 15 * 60 * RATE_HZ
"""Most that is kept in memory where no disk takes it: a quarter of an hour, 29 MB."""

READ_FRAMES = RATE_HZ // 10
"""Most that is read at once: a tenth of a second, the usual size of a message."""


class Block(Protocol):
    """Neighbouring frames somewhere."""

    @property
    def first_frame(self) -> int:
        """Where it starts on the session's clock."""

    @property
    def frames(self) -> int:
        """How many frames it holds."""

    @property
    def is_on_disk(self) -> bool:
        """Whether it would still be there after this process was killed."""

    def append(self, pcm: bytes) -> None:
        """Add samples behind the last.

        Raises:
            OSError: the disk is full or broken; the block is as it was before.
        """

    def read(self, offset: int, frames: int) -> bytes:
        """Return the samples from a frame of the block on; fewer where it ends.

        Raises:
            OSError: the disk is broken.
        """

    def cut(self, frames: int) -> None:
        """Keep only so many frames, the first ones."""

    def remove(self) -> None:
        """Give up what it holds."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of frames on the session's clock."""

    first_frame: int
    end_frame: int


class MemoryBlock:
    """A block that dies with the process."""

    is_on_disk = False

    def __init__(self, first_frame: int) -> None:
        self.first_frame = first_frame
        self._pcm = bytearray()

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self._pcm) // FRAME_BYTES

    def append(self, pcm: bytes) -> None:
        """Add samples behind the last."""
        self._pcm += pcm

    def read(self, offset: int, frames: int) -> bytes:
        """Return the samples from a frame of the block on."""
        return bytes(self._pcm[offset * FRAME_BYTES : (offset + frames) * FRAME_BYTES])

    def cut(self, frames: int) -> None:
        """Keep only so many frames, the first ones."""
        del self._pcm[frames * FRAME_BYTES :]

    def remove(self) -> None:
        """Give up what it holds."""
        self._pcm.clear()


class Spool:
    """The sound of one talk between its source and the server's log.

    Kept is a run without gaps: [`first_frame`, `end_frame`). It grows at its end with `append`
    and shrinks at its beginning: with `trim`, because the text is safe, or because the budget is
    spent. Where a block cannot be written the newest sound is kept in memory instead.
    """

    def __init__(
        self,
        budget_frames: int,
        new_block: Callable[[int], Block] = MemoryBlock,
        kept: Sequence[Block] = (),
        first_frame: int = 0,
    ) -> None:
        """Begin at `first_frame`, or go on behind what is `kept`: neighbours, the oldest first.

        `budget_frames` counts whole blocks; there is always room for two.
        """
        self._budget = max(budget_frames, 2 * BLOCK_FRAMES)
        self._new_block = new_block
        self._blocks = list(kept)
        self._first = max(first_frame, kept[0].first_frame) if kept else first_frame
        self._end = kept[-1].first_frame + kept[-1].frames if kept else first_frame
        # A block that the last process was writing may end in mid-frame: it is not written again.
        self._closed = bool(kept)
        self.is_off_record = False
        """Whether what comes is kept in memory only, until the word is taken back."""
        self._on_record_from = 0
        """The frame from which on that is over."""
        self.trouble: OSError | None = None
        """Why the newest sound is in memory only, if it is."""
        self.trim(first_frame)

    @property
    def first_frame(self) -> int:
        """The oldest frame that is kept."""
        return self._first

    @property
    def end_frame(self) -> int:
        """The frame that the next samples will have."""
        return self._end

    @property
    def is_on_disk(self) -> bool:
        """Whether all that is kept would survive the end of this process."""
        return all(block.is_on_disk for block in self._blocks)

    def append(self, pcm: bytes) -> Span | None:
        """Keep the next samples (whole frames); return what had to be given up for them.

        Not one sample of them is given up, however many there are, before older ones.
        """
        at, size = 0, BLOCK_FRAMES * FRAME_BYTES
        while at < len(pcm):
            block = self._open_block()
            part = pcm[at : at + size - block.frames * FRAME_BYTES]
            if self._end < self._on_record_from:
                part = part[: (self._on_record_from - self._end) * FRAME_BYTES]
            try:
                block.append(part)
            except OSError as error:
                self.trouble, self._new_block, self._closed = error, MemoryBlock, True
                continue
            at += len(part)
            self._end += len(part) // FRAME_BYTES
            self._closed |= self._end == self._on_record_from
        return self._keep_budget()

    def go_off_record(self, frame: int) -> None:
        """Keep sound from this frame on in memory only, what is on the disk already too.

        Raises:
            OSError: the disk is broken.
        """
        self.is_off_record, self._closed = True, True
        blocks, self._blocks = self._blocks, []
        for block in blocks:
            self._blocks += _off_disk(block, frame)

    def go_on_record(self, frame: int) -> None:
        """Keep sound from this frame on as before."""
        self.is_off_record, self._closed = False, True
        self._on_record_from = frame

    def read(self, frame: int) -> AudioChunk | None:
        """Return what follows from a frame on, a tenth of a second at most; None at the end.

        A frame that is not kept any more stands for the oldest that is.

        Raises:
            OSError: the disk is broken.
        """
        frame = max(frame, self._first)
        for block in self._blocks:
            offset = frame - block.first_frame
            if 0 <= offset < block.frames:
                return AudioChunk(frame, block.read(offset, READ_FRAMES))
        return None

    def trim(self, frame: int) -> None:
        """Let go of everything before a frame; never of what is not there yet."""
        self._first = min(max(self._first, frame), self._end)
        while self._blocks and self._end_of(self._blocks[0]) <= self._first:
            self._blocks.pop(0).remove()

    def clear(self) -> None:
        """Let go of everything."""
        self.trim(self._end)

    def _open_block(self) -> Block:
        if not self._blocks or self._closed or self._blocks[-1].frames >= BLOCK_FRAMES:
            is_off = self.is_off_record or self._end < self._on_record_from
            self._blocks.append((MemoryBlock if is_off else self._new_block)(self._end))
            self._closed = False
        return self._blocks[-1]

    def _keep_budget(self) -> Span | None:
        given_up_from = self._first
        while len(self._blocks) > 1 and self._is_too_much():
            self.trim(self._end_of(self._blocks[0]))
        return Span(given_up_from, self._first) if self._first > given_up_from else None

    def _is_too_much(self) -> bool:
        in_memory = sum(block.frames for block in self._blocks if not block.is_on_disk)
        everything = sum(block.frames for block in self._blocks)
        return everything > self._budget or in_memory > MEMORY_FRAMES

    @staticmethod
    def _end_of(block: Block) -> int:
        return block.first_frame + block.frames


def _off_disk(block: Block, frame: int) -> list[Block]:
    """Return the block with its sound from a frame on in memory.

    Raises:
        OSError: the disk is broken.
    """
    at = max(frame - block.first_frame, 0)
    if not block.is_on_disk or at >= block.frames:
        return [block]
    late = MemoryBlock(block.first_frame + at)
    late.append(block.read(at, block.frames - at))
    if at:
        block.cut(at)
        return [block, late]
    block.remove()
    return [late]
