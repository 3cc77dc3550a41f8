"""The real sherpa-onnx in its real processes, with models that hear tones as letters."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import onnx
import psutil
import pytest

from parola.beside import beside
from parola.domain.audio import AudioChunk, to_frames
from parola.domain.errors import EngineFailed, NoEngine
from parola.domain.terms import Terms
from parola.domain.transcript import Hypothesis, Settled
from parola.domain.vocabulary import language_tag
from parola.engines.sherpa import SherpaEngine
from parola.engines.sherpa_loading_order import Load
from parola.engines.sherpa_model import Model, read_model
from parola.engines.sherpa_probe import try_model
from parola.ports import EngineEvent, EngineStream, StreamRequest
from tests import tone_models
from tests.tone_models import chunks, silence, spoken

ENGLISH = language_tag("en-US")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return read_model(tone_models.write_transducer(tmp_path_factory.mktemp("models") / "tones"))


@pytest.fixture(scope="module")
def engine(model: Model) -> Iterator[SherpaEngine]:
    with closing(SherpaEngine([model])) as opened:
        yield opened


async def hear(
    engine: SherpaEngine, sound: list[AudioChunk], terms: Terms | None = None
) -> list[EngineEvent]:
    async def send(stream: EngineStream) -> None:
        for chunk in sound:
            await stream.send(chunk)
        await stream.end()

    first = sound[0].first_frame
    request = StreamRequest(ENGLISH, "s", first, terms=terms or Terms())
    async with asyncio.timeout(30), engine.open(request) as stream, beside(send(stream)):
        return [event async for event in stream]


def guesses(events: list[EngineEvent]) -> list[Hypothesis]:
    return [event for event in events if isinstance(event, Hypothesis)]


def texts(events: list[EngineEvent]) -> list[str]:
    return [guess.text for guess in guesses(events) if guess.is_final]


async def test_known_tones_are_known_words(engine: SherpaEngine) -> None:
    """Loader and decoder are the real ones: what was spoken is what is written."""
    events = await hear(engine, chunks(spoken("NO YES ") + silence(2) + spoken("NONO ")))
    assert texts(events) == ["no yes", "no no"]


@pytest.mark.parametrize(
    "write",
    [tone_models.write_nemo_ctc, tone_models.write_zipformer2_ctc],
    ids=["nemo", "zipformer2"],
)
async def test_a_ctc_is_heard_too(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """The other family, two rooms of it in a batch; it does not say how sure it is."""
    with closing(SherpaEngine([read_model(write(tmp_path / "ctc"))])) as engine:
        events, other = await asyncio.gather(
            hear(engine, chunks(spoken("YES NO "))), hear(engine, chunks(spoken("NONO ")))
        )
    assert (texts(events), texts(other)) == (["yes no"], ["no no"])
    assert {word.confidence for guess in guesses(events) for word in guess.words} == {None}


async def test_partials_grow_and_keep_what_they_call_stable(engine: SherpaEngine) -> None:
    """A viewer sees letters come; a stable word is never changed again."""
    events = guesses(await hear(engine, chunks(spoken("NO YES "))))
    assert [guess.text for guess in events] == ["n", "no", "no y", "no ye", "no yes", "no yes"]
    assert [guess.is_final for guess in events] == [False] * 5 + [True]
    for earlier, later in pairwise(events):
        kept = [word.text for word in earlier.words if word.stable]
        assert [word.text for word in later.words][: len(kept)] == kept
    assert [word.stable for word in events[2].words] == [True, False]


async def test_words_lie_over_their_sound(engine: SherpaEngine) -> None:
    """Times are the session's, within a tenth of a second of the tones."""
    first = to_frames(3600)
    pcm = silence(0.5) + spoken("NO YES ")
    (final,) = [g for g in guesses(await hear(engine, chunks(pcm, first))) if g.is_final]
    no, yes = final.words
    assert abs(no.start_frame - first - to_frames(0.5)) < to_frames(0.1)
    assert abs(yes.start_frame - first - to_frames(1.98)) < to_frames(0.1)
    assert no.end_frame <= yes.start_frame
    assert all(word.confidence and 0.5 < word.confidence <= 1 for word in final.words)


async def test_an_endpoint_ends_an_utterance_and_settles_it(engine: SherpaEngine) -> None:
    """1.2 s of silence after words make them final while the stream goes on."""
    events = await hear(engine, chunks(spoken("NO") + silence(2) + spoken("YES")))
    finals = [
        at for at, event in enumerate(events) if isinstance(event, Hypothesis) and event.is_final
    ]
    settled = events[finals[0] + 1]
    assert isinstance(settled, Settled)
    later = [word.start_frame for guess in guesses(events[finals[0] + 1 :]) for word in guess.words]
    assert min(later) >= settled.end_frame


async def test_what_the_gate_withholds_costs_nothing_and_settles(engine: SherpaEngine) -> None:
    """A closed gate lets the utterance end, then only time passes."""
    quiet = [AudioChunk(c.first_frame, c.pcm, voiced=False) for c in chunks(silence(10), 16000)]
    talk = [*chunks(spoken("NO") + silence(0.52))[:10], *quiet]
    talk += chunks(spoken("YES"), quiet[-1].end_frame)
    events = await hear(engine, talk)
    assert texts(events) == ["no", "yes"]
    assert sum(isinstance(event, Settled) for event in events) >= 8


async def test_a_gap_in_the_sound_is_no_gap_in_the_clock(engine: SherpaEngine) -> None:
    """Where sound was left out, what stands before it is ended and the times go on."""
    gap = to_frames(100)
    events = await hear(engine, [*chunks(spoken("NO")), *chunks(spoken("YES"), gap)])
    finals = [guess for guess in guesses(events) if guess.is_final]
    assert [final.text for final in finals] == ["no", "yes"]
    assert finals[1].words[0].start_frame >= gap


async def test_many_rooms_are_one_batch_and_do_not_mix(engine: SherpaEngine) -> None:
    """Eight rooms in one process each get their own words."""
    said = ["NO", "YES", "NONO", "YESNO", "NOYES", "YESYES", "NONONO", "NO YES"]
    heard = await asyncio.gather(*(hear(engine, chunks(spoken(f"{text} "))) for text in said))
    assert ["".join("".join(texts(one)).split()).upper() for one in heard] == [
        text.replace(" ", "") for text in said
    ]
    (workers,) = [w for order, w in engine._workers.items() if not order.hotwords]
    assert workers.forge_pid
    assert psutil.Process(workers.forge_pid).children() == []


async def test_a_talks_own_words_need_no_care(engine: SherpaEngine) -> None:
    """They go to a beam search; what the model cannot spell, or reads as its own, is left out."""
    terms = Terms(("yes", "Größe", "no/yes:3", ""))
    assert texts(await hear(engine, chunks(spoken("YES NO ")), terms)) == ["yes no"]
    assert any(order.hotwords for order in engine._workers)


async def test_a_talks_own_words_win_where_the_sound_hardly_decides(engine: SherpaEngine) -> None:
    """Of two letters nearly as loud as each other, the one that makes a known word is written."""
    pcm = spoken("N") + tone_models.both("O", "E") + silence(2)
    (plain,) = texts(await hear(engine, chunks(pcm)))
    (known,) = texts(await hear(engine, chunks(pcm), Terms(("no",))))
    assert plain.startswith("ne")
    assert known.startswith("no")


async def test_silence_gives_no_words(engine: SherpaEngine) -> None:
    """Neither search writes on digital silence."""
    for terms in (Terms(), Terms(("no",))):
        assert guesses(await hear(engine, chunks(silence(6)), terms)) == []


async def test_a_room_that_does_not_read_stops_only_itself(engine: SherpaEngine) -> None:
    """The others go on while somebody's events wait."""
    async with engine.open(StreamRequest(ENGLISH, "s")) as stream:
        for chunk in chunks(spoken("NO") * 3):
            await stream.send(chunk)
        assert texts(await hear(engine, chunks(spoken("YES ")))) == ["yes"]


async def test_a_process_that_dies_is_told_and_replaced(model: Model) -> None:
    """Its rooms get an error they can open a new stream after."""
    with closing(SherpaEngine([model])) as engine:
        async with engine.open(StreamRequest(ENGLISH, "s")) as stream:
            os.kill(stream.pid, signal.SIGKILL)
            with pytest.raises(EngineFailed, match="ended unexpectedly"):
                _ = [event async for event in stream]
        (workers,) = engine._workers.values()
        assert workers._forge
        workers._forge.wait()
        assert texts(await hear(engine, chunks(spoken("NO ")))) == ["no"]


async def test_a_model_that_vanished_is_told(tmp_path: Path) -> None:
    """Somebody removed the folder while the server ran."""
    folder = tone_models.write_transducer(tmp_path / "tones")
    with closing(SherpaEngine([read_model(folder)])) as engine:
        (folder / "tokens.txt").unlink()
        with pytest.raises(EngineFailed, match=r"tokens\.txt is missing"):
            await hear(engine, chunks(spoken("NO")))


async def test_another_language_is_refused(engine: SherpaEngine) -> None:
    """Nobody gets words in a language the model does not know."""
    assert not engine.knows(language_tag("it-IT"))
    with pytest.raises(NoEngine):
        async with engine.open(StreamRequest(language_tag("it-IT"), "s")):
            pass


def test_a_machine_that_is_too_slow_is_told_so(model: Model) -> None:
    """Measured at the start, with both numbers in the sentence."""
    with pytest.raises(EngineFailed, match=r"too slow .* limit is 0\.00"):
        SherpaEngine([model], max_rtf=1e-9)


def test_a_model_that_ends_the_process_is_a_sentence(tmp_path: Path) -> None:
    """What looks right from outside and makes sherpa-onnx end its process ends the trial only."""
    folder = tone_models.write_nemo_ctc(tmp_path / "tones")
    keys = {"model_type": "zipformer2", "T": 45, "decode_chunk_len": 32, "encoder_dims": "1"}
    model = onnx.load(folder / "model.onnx")
    onnx.save(tone_models.with_metadata(model, **keys), folder / "model.onnx")
    with pytest.raises(EngineFailed, match=r"its process (ended with code|was ended by)"):
        SherpaEngine([read_model(folder)])


def test_the_trial_survives_a_crash(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal becomes a sentence that names it."""
    crash = "import os,signal;os.kill(os.getpid(),signal.SIGSEGV)"
    monkeypatch.setattr("parola.engines.sherpa_probe._BOOT", crash)
    with pytest.raises(EngineFailed, match="SIGSEGV"):
        try_model(model, 1.0)


def test_an_exit_is_told_with_its_code(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream's exit(-1) arrives as 255."""
    monkeypatch.setattr("parola.engines.sherpa_probe._BOOT", "raise SystemExit(255)")
    with pytest.raises(EngineFailed, match="code 255"):
        try_model(model, 1.0)


def test_an_order_survives_being_text() -> None:
    """A path with anything in it arrives."""
    order = Load('/a b/"ü"', hotwords=True)
    assert Load.of(order.text) == order
