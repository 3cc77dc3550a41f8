"""Lets lines be read for how they sound, beside the captions and never before them."""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from math import inf

from parola.domain.errors import AnalystFailed, StoreFailed
from parola.domain.intent import Intent
from parola.domain.mood import LineMood, TalkMood, talk_mood
from parola.domain.transcript import Segment
from parola.ports import Analyst, Forgotten, MoodBook, SharedMoods, Unread

logger = logging.getLogger(__name__)

BATCH = 25
"""Lines at once. Source: Amazon Comprehend, BatchDetectSentiment; the local one would take more."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""How long it pauses after a failure: doubled each time, up to this."""

LOOK_S = 10.0
"""How often a shared table is asked for a room, however many look."""

OTHERS_S = 5.0
"""How often a book is asked for a room that other nodes write into too, however many look."""

ROOMS = 1000
"""Rooms whose newest talk is remembered; those not asked for the longest are read again."""

Sleep = Callable[[float], Awaitable[None]]

IntentOf = Callable[[str, str, float], Intent]
"""Returns what a line is for, by its language, text and sentiment."""


class Moods:
    """Reads what the log has taken, in the background.

    What it promises: nothing waits for it, and what fails here is told and fails nowhere else. What
    is still to be read waits on disk, beside the log and as long as that; a line that makes the
    analyst break is left out, so that it holds up no other one.
    """

    def __init__(
        self,
        book: MoodBook,
        analyst: Analyst,
        intent_of: IntentOf,
        *,
        shared: SharedMoods | None = None,
        book_is_shared: bool = False,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read a book's lines; of rooms that are not in it, tell what a shared table has.

        Args:
            book: what is to be read, and was.
            analyst: who reads.
            intent_of: what a line is for.
            shared: a table, if there is one.
            book_is_shared: whether other nodes read the same book's lines.
            sleep: waits.
            monotonic: seconds that only grow.
        """
        self._shared = shared
        self._known_s = OTHERS_S if book_is_shared else inf
        self._monotonic = monotonic
        self._book = book
        self._analyst = analyst
        self._intent_of = intent_of
        self._sleep = sleep
        self._pause_s = 0.0
        self._batches = 0
        """Counts whatever may make what is remembered old."""
        self._newest: OrderedDict[str, tuple[TalkMood, float]] = OrderedDict()
        self.failure: str | None = None
        """Why nothing can be read at the moment, a sentence for a person; else None."""
        self.lines = 0
        """How many were read since the start."""

    @property
    def analyst(self) -> str:
        """Who reads."""
        return self._analyst.name

    async def run(self) -> None:
        """Read for ever; belongs in the owner's TaskGroup."""
        while True:
            if not await self._read_some():
                await self._book.news()

    async def lines_of(self, room: str, session: str | None = None) -> list[LineMood]:
        """Return a session's lines; those of the room's newest conversation without one.

        Raises:
            StoreFailed: they cannot be read now.
        """
        found = await self._book.moods(room, session)
        if not found and self._shared:
            return await self._shared.moods(room, session)
        return found

    async def newest(self, room: str) -> TalkMood:
        """Return how the room's newest conversation sounds.

        The disk is asked only after there was news, what others write into only now and then.

        Raises:
            StoreFailed: it cannot be read now.
        """
        known, until_s = self._newest.get(room, (None, 0.0))
        if known is None or until_s < self._monotonic():
            batches = self._batches
            lines = await self._book.moods(room)
            known_s = LOOK_S if self._shared and not lines else self._known_s
            until_s = self._monotonic() + known_s
            if not lines and self._shared:
                lines = await self._shared.moods(room)
            known = talk_mood(lines)
            if batches != self._batches:
                return known  # something was read meanwhile: it may be old already
            self._newest[room] = known, until_s
            if len(self._newest) > ROOMS:
                self._newest.popitem(last=False)
        self._newest.move_to_end(room)
        return known

    def forget(self, gone: Forgotten) -> None:
        """Let go of what is remembered of rooms whose talks were deleted."""
        self._batches += 1  # what is being read for somebody may be of such a talk
        for room, _ in gone.talks:
            self._newest.pop(room, None)

    async def _read_some(self) -> bool:
        """Read a batch, and pause where that failed; return whether there may be more to read."""
        try:
            lines = await self._book.unread(BATCH)
            moods = await self._read(lines)
            if lines:
                await self._book.settle(lines, moods)
        except (StoreFailed, AnalystFailed) as error:
            self._tell(error.message)
            self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            await self._sleep(self._pause_s * random.uniform(0.5, 1))  # noqa: S311 - no secret
            return True
        self._tell(None)
        self._pause_s = 0.0
        self.lines += len(moods)
        self._batches += bool(lines)
        for room in {line.room for line in lines}:
            self._newest.pop(room, None)
        return bool(lines)

    async def _read(self, lines: Sequence[Unread]) -> list[LineMood]:
        said = [(line, line.segment) for line in lines if line.segment]
        said.sort(key=_language)
        found: list[LineMood] = []
        for language, group in groupby(said, key=_language):
            if self._analyst.knows(language):
                found += await self._read_language(language, list(group))
        return found

    async def _read_language(
        self, language: str, said: list[tuple[Unread, Segment]]
    ) -> list[LineMood]:
        try:
            scores = await self._analyst.scores(language, [segment.text for _, segment in said])
            return [
                LineMood(
                    line.room,
                    line.number,
                    segment.session,
                    line.at_ms,
                    segment.first_frame,
                    score,
                    self._intent_of(language, segment.text, score),
                    self._analyst.name,
                )
                for (line, segment), score in zip(said, scores, strict=True)
                if score is not None
            ]
        except AnalystFailed:
            raise
        # Whatever is wrong in a plug, the captions go on; these lines would break it again.
        except Exception:
            logger.exception("%d lines are not read: %s broke", len(said), self._analyst.name)
            return []

    def _tell(self, failure: str | None) -> None:
        if failure and not self.failure:
            logger.warning("how lines sound is not known at the moment: %s", failure)
        elif self.failure and not failure:
            logger.info("lines are read again")
        self.failure = failure


def _language(line: tuple[Unread, Segment]) -> str:
    return line[1].language
