"""The gate: what it lets through, what it silences, and what it remembers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.audio.gate import Gate, GateSettings, LevelDetector
from parola.audio.silero import WINDOW_FRAMES, SileroDetector
from parola.domain.audio import FRAME_BYTES, AudioChunk, to_frames

QUIET, UNSURE, LOUD = 3, 60, 9000
"""Sample values that the level detector takes for nothing, something, and speech."""

SETTINGS = GateSettings(open_ms=96, pre_roll_ms=160, hang_over_ms=192)
"""3 windows to open, 5 before them, 6 to close."""


def pcm(*parts: tuple[int, float]) -> bytes:
    """Return square waves of a loudness for a number of windows each."""
    waves = [np.resize([size, -size], round(n * WINDOW_FRAMES)) for size, n in parts]
    return bytes(np.concatenate(waves).astype("<i2").tobytes())


def through(audio: bytes, cuts: list[int], first_frame: int = 0) -> list[AudioChunk]:
    """Return what a gate makes of audio that comes cut at the given frames."""
    gate = Gate(LevelDetector(), SETTINGS)
    out: list[AudioChunk] = []
    rest = AudioChunk(first_frame, audio)
    for cut in sorted(cuts):
        chunk, rest = rest.cut(first_frame + cut)
        out += gate.add(chunk)
    return [*out, *gate.add(rest), *gate.flush()]


def voiced_runs(chunks: list[AudioChunk]) -> list[tuple[int, int]]:
    """Return first and end frame of every run that was let through."""
    runs: list[tuple[int, int]] = []
    for chunk in chunks:
        if chunk.voiced and runs and runs[-1][1] == chunk.first_frame:
            runs[-1] = (runs[-1][0], chunk.end_frame)
        elif chunk.voiced:
            runs.append((chunk.first_frame, chunk.end_frame))
    return runs


parts = st.lists(
    st.tuples(st.sampled_from([QUIET, UNSURE, LOUD]), st.floats(0.1, 20)), min_size=1, max_size=8
)
cut_places = st.lists(st.integers(0, 40_000), max_size=12)


@given(parts, cut_places, st.integers(0, 1 << 40))
def test_every_frame_comes_out_once(
    loudness: list[tuple[int, float]], cuts: list[int], first_frame: int
) -> None:
    """Each frame comes out once, in its place, as it was or as silence."""
    audio = pcm(*loudness)
    position = first_frame
    for chunk in through(audio, cuts, first_frame):
        at = (chunk.first_frame - first_frame) * FRAME_BYTES
        assert chunk.first_frame == position
        assert chunk.pcm == (
            audio[at : at + len(chunk.pcm)] if chunk.voiced else bytes(len(chunk.pcm))
        )
        position = chunk.end_frame
    assert position == first_frame + len(audio) // FRAME_BYTES


@given(parts, cut_places)
def test_cutting_the_input_differently_changes_nothing(
    loudness: list[tuple[int, float]], cuts: list[int]
) -> None:
    """However the audio is cut on its way in, the same parts of it are let through."""
    audio = pcm(*loudness)
    assert voiced_runs(through(audio, cuts)) == voiced_runs(through(audio, []))


@given(parts, cut_places)
def test_speech_is_let_through_with_what_came_before_it(
    loudness: list[tuple[int, float]], cuts: list[int]
) -> None:
    """Every run let through starts with the pre-roll, or where the run before it ended."""
    audio = pcm(*loudness)
    detect = LevelDetector()
    whole = range(0, len(audio) - 1023, 1024)
    likely = [detect(audio[at : at + 1024]) >= SETTINGS.open_probability for at in whole]
    runs = voiced_runs(through(audio, cuts))
    for at in range(len(likely) - 2):
        if all(likely[at : at + 3]):
            earlier = max(at - 5, 0) * WINDOW_FRAMES
            assert any(first <= earlier and at * WINDOW_FRAMES < end for first, end in runs) or any(
                earlier < first <= at * WINDOW_FRAMES
                and (first, True) in {(e, True) for _, e in runs}
                for first, _ in runs
            )


def test_short_noises_do_not_open_it() -> None:
    """Two loud windows (64 ms) in silence, a click or a tap, are silenced."""
    assert voiced_runs(through(pcm((QUIET, 20), (LOUD, 2), (QUIET, 20)), [])) == []


def test_it_opens_with_pre_roll_and_closes_after_the_hang_over() -> None:
    """The run let through is the pre-roll, the speech, and the hang-over, to the frame."""
    chunks = through(pcm((QUIET, 20), (LOUD, 10), (QUIET, 20)), [])
    assert voiced_runs(chunks) == [((20 - 5) * WINDOW_FRAMES, (30 + 6) * WINDOW_FRAMES)]


def test_short_pauses_do_not_close_it() -> None:
    """A pause shorter than the hang-over stays inside its utterance."""
    chunks = through(pcm((QUIET, 20), (LOUD, 10), (QUIET, 5), (LOUD, 10), (QUIET, 20)), [])
    assert len(voiced_runs(chunks)) == 1


def test_while_closed_it_is_behind_by_the_pre_roll_only() -> None:
    """Silence leaves the gate as soon as it is older than pre-roll and opening run."""
    gate = Gate(LevelDetector(), SETTINGS)
    out = gate.add(AudioChunk(0, pcm((QUIET, 100))))
    assert sum(chunk.frames for chunk in out) == (100 - 5 - 3 + 1) * WINDOW_FRAMES


def test_while_open_it_is_behind_by_less_than_a_window() -> None:
    """Speech is never held back."""
    gate = Gate(LevelDetector(), SETTINGS)
    out = gate.add(AudioChunk(0, pcm((LOUD, 50.5))))
    assert sum(chunk.frames for chunk in out) == 50 * WINDOW_FRAMES


def test_evidence_lies_where_the_speech_was() -> None:
    """The gate's record speaks for the loud windows and for no others."""
    gate = Gate(LevelDetector(), SETTINGS)
    gate.add(AudioChunk(1000, pcm((QUIET, 10), (LOUD, 8), (UNSURE, 10))))
    assert gate.speech.under(0, 1 << 40).best.windows == 8
    assert gate.speech.under(1000, 1000 + 10 * WINDOW_FRAMES).best.strength == 0
    assert gate.speech.under(1000 + 10 * WINDOW_FRAMES + 300, 1 << 40).best.windows == 7


def test_a_gap_in_the_audio_is_refused() -> None:
    """Audio that does not follow on is an error that names both frames."""
    gate = Gate(LevelDetector())
    gate.add(AudioChunk(0, bytes(200)))
    with pytest.raises(ValueError, match="next frame is 100, not 101"):
        gate.add(AudioChunk(101, bytes(200)))


def test_after_a_flush_it_goes_on() -> None:
    """A flush ends an utterance, not the session: the next chunk follows on the same clock."""
    gate = Gate(LevelDetector(), SETTINGS)
    out = [*gate.add(AudioChunk(0, pcm((LOUD, 10.5)))), *gate.flush()]
    out += [*gate.add(AudioChunk(out[-1].end_frame, pcm((QUIET, 30)))), *gate.flush()]
    assert voiced_runs(out) == [(0, round(10.5 * WINDOW_FRAMES))]
    assert out[-1].end_frame == round(40.5 * WINDOW_FRAMES)


@pytest.mark.parametrize(
    "settings",
    [
        {"open_probability": 0.3, "close_probability": 0.4},
        {"close_probability": 0.0},
        {"open_ms": 0},
        {"hang_over_ms": 0},
        {"pre_roll_ms": -1},
        {"memory_s": 0},
    ],
)
def test_settings_that_never_open_or_close_are_refused(settings: dict[str, float]) -> None:
    """Nonsense is refused when it is said, not noticed in the hall."""
    with pytest.raises(ValueError, match="must"):
        GateSettings(**settings)  # type: ignore[arg-type]


def test_the_level_detector_knows_silence_from_a_full_scale_wave() -> None:
    """0 for digital silence, 1 for full scale, in between for a level in between."""
    detect = LevelDetector()
    assert detect(bytes(1024)) == 0
    assert detect(pcm((32767, 1))) == 1
    assert 0 < detect(pcm((150, 1))) < 1


def test_silero_hears_no_speech_in_silence_and_noise() -> None:
    """The real detector keeps the gate shut on digital silence and on white noise."""
    noise = np.random.default_rng(1).normal(0, 1500, to_frames(3)).astype("<i2").tobytes()
    gate = Gate(SileroDetector())
    out = [*gate.add(AudioChunk(0, bytes(32_000))), *gate.add(AudioChunk(16_000, noise))]
    assert voiced_runs([*out, *gate.flush()]) == []
    assert gate.speech.under(0, 1 << 40).best.strength == 0
