"""Language identification with two real recognisers behind the endpoint.

PocketSphinx listens for English. For Italian listens the real sherpa-onnx, with a model made here
that writes tones as letters and understands no speech: what it is sure of is real, what it knows
is not a language.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import jiwer
import pytest

from parola.audio.gate import Gate
from parola.audio.silero import SileroDetector
from parola.engines.pocketsphinx import PocketSphinxEngine
from parola.engines.sherpa import SherpaEngine
from parola.engines.sherpa_model import read_model
from parola.ports import Engine
from parola.transcribe_api.door import Setup
from parola.transcribe_api.serving import open_transcribe_api
from parola.wire.transcribe import Result, StreamParameters
from tests import tone_models
from tests.sdks.stage import reference, sound
from tests.tone_models import spoken
from tests.unit.transcribe_api.callers import over_websocket, text

RECORDING = "speech/libri-1089-134691-0.wav"

MAX_WORD_ERROR_RATE = 0.1

ASKED = StreamParameters(identify_language=True, language_options=("it-IT", "en-US"))


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    """The Italian one first: who is surer decides, and not who is asked first."""
    folder = tone_models.write_transducer(tmp_path_factory.mktemp("models") / "tones")
    (folder / "languages").write_text("it\n")
    with closing(SherpaEngine([read_model(folder)])) as one, closing(PocketSphinxEngine()) as two:
        yield [one, two]


async def heard(
    engines: list[Engine], pcm: bytes, make_gate: Callable[[], Gate | None]
) -> list[Result]:
    """Return the finals for a sound that may be of either language."""
    setup = Setup(engines, make_gate, time.monotonic)
    async with (
        asyncio.timeout(110),
        open_transcribe_api(setup) as url,
        over_websocket(url, ASKED) as caller,
    ):
        return [one for one in await caller.converse(pcm) if not one.is_partial]


def scores(result: Result) -> dict[str, float]:
    return {one.language_code: one.score for one in result.language_identification}


@pytest.mark.audio
async def test_real_english_is_identified_and_written_down(
    engines: list[Engine], recordings: Path
) -> None:
    """The recogniser of the language that is spoken is surer, and its words are the answer."""
    pcm = sound(recordings, RECORDING)
    finals = await heard(engines, pcm, lambda: Gate(SileroDetector()))
    assert {one.language_code for one in finals} == {"en-US"}
    assert scores(finals[0])["en-US"] > scores(finals[0])["it-IT"]
    said = " ".join(text(one) for one in finals)
    assert jiwer.wer(reference(recordings, RECORDING), said) <= MAX_WORD_ERROR_RATE


async def test_what_the_other_recogniser_knows_is_answered_by_it(engines: list[Engine]) -> None:
    """Without a gate, since tones are no speech: the English one hears them too."""
    finals = await heard(engines, spoken("NO YES NO YES "), lambda: None)
    assert {one.language_code for one in finals} == {"it-IT"}
    assert set(" ".join(text(one) for one in finals).split()) == {"no", "yes"}
