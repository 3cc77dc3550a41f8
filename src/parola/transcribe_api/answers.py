"""Turns a session's segments into the frames of one stream's answer."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from parola.domain.log import Withheld
from parola.domain.transcript import Segment
from parola.ports import RoomState
from parola.transcribe_api.stable_words import StableWords
from parola.transcribe_api.word_filters import WordFilter
from parola.wire import eventstream
from parola.wire.transcribe import (
    InternalFailure,
    LanguageScore,
    StreamParameters,
    from_hypothesis,
    write_transcript_event,
)

Send = Callable[[bytes], Awaitable[None]]


class Answers:
    """The sink of a private session: one `TranscriptEvent` for every partial and final.

    A withdrawn partial is a result without text. The number of a segment is the same in its
    partials and its final, so all of them have one `ResultId`.
    """

    def __init__(
        self,
        parameters: StreamParameters,
        send: Send,
        words: WordFilter | None,
        channel: int | None = None,
    ) -> None:
        self._parameters = parameters
        self._send = send
        self._words = words
        self._channel_id = None if channel is None else f"ch_{channel}"
        self._stable = (
            StableWords(parameters.partial_results_stability)
            if parameters.enable_partial_results_stabilization
            else None
        )
        self._number = 0
        self._result_id = ""
        self.scores: tuple[LanguageScore, ...] = ()
        """How likely each language is, where that was to be found out."""
        self.finals = 0
        """How many results were final."""

    async def show(self, segment: Segment) -> None:
        """Send a partial or a final; waits while the client does not read."""
        if segment.number != self._number:
            self._number, self._result_id = segment.number, str(uuid4())
        if self._stable is not None:
            segment = self._stable.add(segment)
        asked = self._parameters
        result = from_hypothesis(
            segment,
            self._result_id,
            stabilised=asked.enable_partial_results_stabilization,
            speaker_labels=asked.show_speaker_label,
            identified=asked.identifies,
            scores=self.scores,
            channel_id=self._channel_id,
        )
        if self._words is not None:
            result = self._words.apply(result)
        self.finals += segment.is_final
        payload = write_transcript_event([result])
        await self._send(eventstream.encode(eventstream.event("TranscriptEvent", payload)))

    async def withhold(self, withheld: Withheld) -> None:
        """Say nothing: Amazon's protocol has no place for it."""

    async def tell(self, state: RoomState) -> None:
        """Pass over every state but the last one.

        Raises:
            InternalFailure: the engine cannot go on; the message says why.
        """
        if state.state == "failed":
            raise InternalFailure(state.detail)
