"""Tells the operator what a source's sound and text say is wrong. Time is an argument.

An alarm that is wrong teaches people to look away: each one waits until it is sure, and its rate
of false alarms is measured (docs/reference/invention.md). None of them changes what is shown.
"""

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from parola.domain.audio import FRAME_BYTES, RATE_HZ, AudioChunk
from parola.ports import Alarm, AlarmKind

Samples = npt.NDArray[np.float64]

SPEECH_WITHOUT_WORDS_S = 12.0
"""Seconds of speech since the last word, and of the clock too: a file that is played fast is
ahead of its words. A careful engine's second pass comes 1 to 5 s later."""

SILENCE_S = 120.0
"""Without any speech: longer than a pause in a talk, shorter than a coffee break."""

SOURCE_QUIET_S = 5.0
"""Without any audio from a source that is connected: sources send ten times a second."""

MUTED_DBFS = -75.0
"""Below this in a long silence, not even a room is heard: the microphone is off or muted."""

WINDOW = RATE_HZ // 2
"""Frames. Level, clipping and hum are judged twice a second …"""

MEMORY = 20
"""… over the last ten seconds."""

CLIPPED = 32_700
"""A sample at least so far from 0 was cut off by the converter, or nearly."""

CLIPPED_SHARE = 0.003
"""Of a window's samples. Three in a thousand are heard, and harm recognition."""

CLIPPED_WINDOWS = 4
"""So many in ten seconds: one bump against the microphone is no alarm."""

HUM_HZ = (50, 60)
HUM_SHARE = 0.5
"""Of a window's power on the mains and its overtones up to 1 kHz, …"""

HUM_DBFS = -55.0
"""… if it is louder than this …"""

HUM_WINDOWS = 16
"""… and nearly always so within ten seconds: a tone of music moves on."""

_TEXTS: dict[AlarmKind, str] = {
    "no words": "Speech is heard, but no words come.",
    "silence": "Nobody has been heard for two minutes.",
    "clipping": "The sound is clipped; turn the microphone or its amplifier down.",
    "hum": "The sound hums at the mains' frequency; look at cable, plug and ground.",
    "source quiet": "The source is connected but sends no sound; look at its program or network.",
}


class Alarms:
    """One session's alarms: told of its sound and words, asked what is wrong.

    Alarms on the sound count time on the session's own clock, in frames. Only what depends on the
    source's or the engine's pace is judged by the clock given to `now`.
    """

    def __init__(self, language: str, engine: str) -> None:
        self._language = language
        self._engine = engine
        self._tail = bytearray()
        self._windows: deque[tuple[bool, bool, float]] = deque(maxlen=MEMORY)
        """Of each window: whether it clips, whether it hums, its level in dBFS."""
        self._speech_frames = 0
        self._silent_frames = 0
        self._loudest_silence = -math.inf
        self._withheld = 0
        self._came = False
        self._words_at_s: float | None = None
        """When words were last seen by `now`, or `now` was first asked."""
        self._ended = False

    def expect(self, language: str, engine: str) -> None:
        """Take note that another language is spoken, or another engine listens, from now on."""
        self._language, self._engine = language, engine

    def hear(self, chunk: AudioChunk) -> None:
        """Take sound as the source sent it (not as the gate lets it through)."""
        self._tail += chunk.pcm
        size = FRAME_BYTES * WINDOW
        while len(self._tail) >= size:
            judged = _judge(np.frombuffer(bytes(self._tail[:size]), "<i2").astype(np.float64))
            self._windows.append(judged)
            self._loudest_silence = max(self._loudest_silence, judged[2])
            del self._tail[:size]

    def voice(self, chunk: AudioChunk) -> None:
        """Take a chunk as the gate decided on it: speech, or none."""
        if chunk.voiced:
            self._speech_frames += chunk.frames
            self._silent_frames = 0
            self._loudest_silence = -math.inf
        else:
            self._silent_frames += chunk.frames

    def words(self) -> None:
        """Take note that words were shown, be it as a guess."""
        self._speech_frames = 0
        self._withheld = 0
        self._came = True

    def withheld(self) -> None:
        """Take note that the engine wrote words that were not shown."""
        self._withheld += 1

    def end(self) -> None:
        """Take note that the source has said it is done: nothing is wrong any more."""
        self._ended = True

    def now(self, now_s: float, unsent_s: float = 0.0) -> tuple[Alarm, ...]:
        """Return what is wrong at the moment, in the order of the kinds.

        Args:
            now_s: a clock, in seconds, that never goes back.
            unsent_s: for how long the source has sent nothing.
        """
        if self._came or self._words_at_s is None:
            self._came, self._words_at_s = False, now_s
        if self._ended:
            return ()
        return tuple(self._wrong(now_s - self._words_at_s, unsent_s))

    def _wrong(self, wordless_s: float, unsent_s: float) -> Iterator[Alarm]:
        speech_s = self._speech_frames / RATE_HZ
        if min(speech_s, wordless_s) >= SPEECH_WITHOUT_WORDS_S:
            yield Alarm("no words", f"{_TEXTS['no words']} {self._reason()}")
        if self._silent_frames >= SILENCE_S * RATE_HZ:
            yield Alarm("silence", f"{_TEXTS['silence']} {self._kind_of_silence()}")
        if sum(clips for clips, _, _ in self._windows) >= CLIPPED_WINDOWS:
            yield Alarm("clipping", _TEXTS["clipping"])
        if sum(hums for _, hums, _ in self._windows) >= HUM_WINDOWS:
            yield Alarm("hum", _TEXTS["hum"])
        if unsent_s >= SOURCE_QUIET_S:
            yield Alarm("source quiet", _TEXTS["source quiet"])

    def _reason(self) -> str:
        """Return what is most likely wrong where speech gives no words."""
        if self._withheld:
            return "What the engine writes has too little speech under it: is it a voice, or music?"
        level = max((level for _, _, level in self._windows), default=-math.inf)
        if level < -45.0:
            return f"The voice is faint ({level:.0f} dBFS): turn the microphone up or go nearer."
        return (
            f"Is {self._language} spoken there? If so, look at the engine {self._engine}: "
            "it may be behind or stuck."
        )

    def _kind_of_silence(self) -> str:
        if self._loudest_silence < MUTED_DBFS:
            return "Not even the room is heard: is the microphone muted or unplugged?"
        return "The room is heard: perhaps it is only a break."


def _judge(samples: Samples) -> tuple[bool, bool, float]:
    """Return whether half a second clips, whether it hums, and its level in dBFS."""
    power = float(np.mean(samples**2))
    level = 10 * math.log10(power / 32768**2) if power else -math.inf
    clips = float(np.mean(np.abs(samples) >= CLIPPED)) >= CLIPPED_SHARE
    return clips, level > HUM_DBFS and _hums(samples), level


def _hums(samples: Samples) -> bool:
    """Return whether most of the power lies on a mains frequency and its overtones.

    Half a second resolves 2 Hz: a line and its two neighbours, of a Hann window's width, count.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    spectrum[:10] = 0  # below 20 Hz: handling, wind, a direct current
    whole = float(spectrum.sum())
    step_hz = RATE_HZ / len(samples)
    for mains in HUM_HZ:
        lines = [round(mains * n / step_hz) for n in range(1, 1000 // mains + 1)]
        on = sum(float(spectrum[at - 1 : at + 2].sum()) for at in lines)
        low = sum(float(spectrum[at - 1 : at + 2].sum()) for at in lines[:2])
        # Music and voices hit some of so many lines; a hum stands on its first two as well.
        if on >= HUM_SHARE * whole and low >= 0.1 * whole:
            return True
    return False
