"""A text that was written elsewhere is no more than what is in the sound."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from parola.audio.decode import decode
from parola.audio.gate import Gate, LevelDetector
from parola.audio.silero import SileroDetector
from parola.domain.audio import FRAME_BYTES, AudioChunk, to_frames
from parola.domain.log import Withheld
from parola.domain.transcript import Segment, Word
from parola.live.evidence import MARGIN
from parola.live.proving import Proof
from tests.audio_files import tone

LOUD = (2.0, 5.0)
"""The only seconds, of eight, in which the detector hears speech."""

SOUND = tone(8.0)
PCM = bytes(
    bytes(to_frames(LOUD[0]) * FRAME_BYTES)
    + SOUND[to_frames(LOUD[0]) * FRAME_BYTES : to_frames(LOUD[1]) * FRAME_BYTES]
    + bytes(to_frames(8.0 - LOUD[1]) * FRAME_BYTES)
)


def segment(number: int, *words: tuple[str, float, float]) -> Segment:
    spoken = tuple(Word(text, to_frames(start), to_frames(end), 0.9) for text, start, end in words)
    text = " ".join(word.text for word in spoken)
    span = spoken[0].start_frame, spoken[-1].end_frame
    return Segment("job", number, text, *span, True, "en-US", spoken, engine="amazon")


def proven(
    *segments: Segment, gated: bool = True, chunk_frames: int = 1600
) -> list[Segment | Withheld]:
    proof = Proof(segments, Gate(LevelDetector()) if gated else None, "amazon")
    found: list[Segment | Withheld] = []
    for at in range(0, len(PCM), chunk_frames * FRAME_BYTES):
        pcm = PCM[at : at + chunk_frames * FRAME_BYTES]
        found += proof.hear(AudioChunk(at // FRAME_BYTES, pcm))
    return [*found, *proof.end()]


SPOKEN = segment(1, ("good", 2.2, 2.6), ("morning", 2.6, 3.2))
INVENTED = segment(2, ("thank", 6.5, 7.0), ("you", 7.0, 7.5))
AFTER_THE_END = segment(3, ("for", 9.0, 9.5), ("watching", 9.5, 600.0))


def test_what_is_in_the_sound_is_shown_and_the_rest_withheld() -> None:
    """Numbers have no gap where something was withheld."""
    late = segment(3, ("everyone", 4.0, 4.6))
    found = proven(INVENTED, SPOKEN, late, AFTER_THE_END)
    shown = [piece for piece in found if isinstance(piece, Segment)]
    assert [(piece.number, piece.text) for piece in shown] == [(1, "good morning"), (2, "everyone")]
    withheld = [piece for piece in found if isinstance(piece, Withheld)]
    assert [piece.text for piece in withheld] == ["thank you", "for watching"]
    assert {(piece.reason, piece.engine, piece.session) for piece in withheld} == {
        ("no speech", "amazon", "job")
    }


def test_one_word_may_be_withheld() -> None:
    """The words round it stay, and the sentence's times."""
    mixed = segment(1, ("good", 4.0, 4.4), ("morning", 4.4, 4.9), ("everyone", 6.0, 6.6))
    told, shown = proven(mixed)
    assert isinstance(told, Withheld)
    assert told.text == "everyone"
    assert isinstance(shown, Segment)
    assert (shown.text, shown.end_frame) == ("good morning", mixed.end_frame)


def test_without_a_gate_all_is_let_through() -> None:
    """As in a room whose server was started with `--no-gate`."""
    assert proven(SPOKEN, INVENTED, gated=False) == [SPOKEN, INVENTED]


spans = st.tuples(st.integers(0, 90), st.integers(0, 20)).map(
    lambda drawn: (drawn[0] / 10, (drawn[0] + drawn[1]) / 10)
)


@given(st.lists(st.lists(spans, min_size=1, max_size=5), max_size=6), st.integers(1, 100))
def test_no_word_without_speech_whatever_was_written(
    drawn: list[list[tuple[float, float]]], hundreds: int
) -> None:
    """In any order and anywhere; how the sound is cut into chunks changes nothing."""
    segments = [
        segment(number, *[("word", *span) for span in written])
        for number, written in enumerate(drawn, start=1)
    ]
    found = proven(*segments)
    first, end = to_frames(LOUD[0]) - MARGIN, to_frames(LOUD[1]) + MARGIN
    shown = [piece for piece in found if isinstance(piece, Segment)]
    for piece in shown:
        assert all(word.start_frame < end and word.end_frame > first for word in piece.words)
    assert [piece.number for piece in shown] == list(range(1, len(shown) + 1))
    words = sum(len(piece.text.split()) for piece in found)
    assert words == sum(len(written) for written in drawn), "nothing is lost without a word of it"
    assert proven(*segments, chunk_frames=hundreds * 100) == found


def over(file: Path, *words: str, skip_s: float = 0.0) -> list[Segment | Withheld]:
    """Return what becomes of a text that claims to fill a real recording but for its ends."""
    chunks = list(decode(file))
    step_s = (chunks[-1].end_frame / to_frames(1.0) - 2 * skip_s) / len(words)
    times = [skip_s + at * step_s for at in range(len(words) + 1)]
    said = segment(1, *[(w, *span) for w, span in zip(words, pairwise(times), strict=True)])
    proof = Proof([said], Gate(SileroDetector()), "amazon")
    found: list[Segment | Withheld] = []
    for chunk in chunks:
        found += proof.hear(chunk)
    return [*found, *proof.end()]


def test_over_real_sound_without_speech_nothing_is_shown(recordings: Path) -> None:
    """Rain, engines, clocks, animals, sneezes: not even the likeliest invention passes."""
    files = sorted((recordings / "nonspeech").glob("esc-*.wav"))
    assert len(files) > 30
    shown = [
        (file.stem, piece.text)
        for file in files
        for piece in over(file, "thank", "you", "for", "watching")
        if isinstance(piece, Segment)
    ]
    assert shown == []


def test_what_was_really_said_is_shown(recordings: Path) -> None:
    """Of real sentences, spread over their sound, no word is taken."""
    for name in ("harvard-spk1_snt1", "harvard-spk2_snt2", "librivox-0930", "libri-1089-134691-0"):
        words = text_of(recordings, name).split()
        (shown,) = over(recordings / "speech" / f"{name}.wav", *words, skip_s=0.3)
        assert isinstance(shown, Segment)
        assert shown.text.split() == words


def text_of(recordings: Path, name: str) -> str:
    """Return what is said in a recording."""
    lines = (recordings / "manifest.tsv").read_text("utf-8").splitlines()
    return next(line.split("\t")[4] for line in lines if line.startswith(f"speech/{name}.wav"))
