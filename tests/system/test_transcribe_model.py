"""What we know of StartStreamTranscription is what the newest official SDK knows of it.

Where a newer SDK has more, these tests fail and name it.
"""

import json
import subprocess
from dataclasses import asdict
from typing import Any, get_args

import pytest

from parola.wire.transcribe import (
    HEADER_PREFIX,
    LANGUAGE_CODES,
    Alternative,
    Entity,
    FilterMethod,
    Item,
    LanguageScore,
    MediaEncoding,
    Result,
    Stability,
    TranscribeError,
    TranscriptFormat,
    error_of,
    write_transcript_event,
)
from parola.wire.transcribe_parameters import ContentType
from parola.wire.transcribe_query import _PARAMETERS
from tests.sdks.run import NPM, need

CODES = [*sorted(LANGUAGE_CODES)]


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """What the SDK for JavaScript was generated from, as far as it says so."""
    need("node")
    script = NPM / "transcribe-model.mjs"
    done = subprocess.run(["node", str(script)], capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_parameter_travels_by_the_models_name_and_kind(model: dict[str, Any]) -> None:
    """None is missing and none is invented; beside them there is only the audio."""
    ours = {
        HEADER_PREFIX + one.name: "text" if one.kind == "list" else one.kind for one in _PARAMETERS
    }
    assert ours == model["headers"]
    assert len(model["members"]) == len(ours) + 1
    assert "AudioStream" in model["members"]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("ContentIdentificationType", get_args(ContentType)),
        ("ContentRedactionType", get_args(ContentType)),
        ("LanguageCode", CODES),
        ("MediaEncoding", get_args(MediaEncoding)),
        ("PartialResultsStability", get_args(Stability)),
        ("TranscriptFormat", get_args(TranscriptFormat)),
        ("VocabularyFilterMethod", get_args(FilterMethod)),
    ],
)
def test_every_value_of_the_model_is_known(
    model: dict[str, Any], name: str, ours: tuple[str, ...]
) -> None:
    """Languages, encodings and choices."""
    assert sorted(ours) == sorted(model["enums"][name])


def test_every_exception_of_the_model_has_its_class_and_status(model: dict[str, Any]) -> None:
    """With a remedy of its own, and not that for names nobody knows."""
    for name, status in model["exceptions"].items():
        error = error_of(name, "")
        assert type(error) is not TranscribeError, name
        assert (error.name, error.status) == (name, status)
        assert error.remedy != TranscribeError.remedy


def test_every_member_of_a_result_is_read_and_written(model: dict[str, Any]) -> None:
    """So that nothing the service says is dropped on the way."""
    item = Item("word", 0, 1, confidence=0.5, stable=True, speaker="0")
    entity = Entity("Ada", 0, 1, kind="NAME", confidence=0.5)
    alternative = Alternative("word", (item,), (entity,))
    result = Result(
        "id",
        0,
        1,
        is_partial=False,
        alternatives=(alternative,),
        channel_id="ch_0",
        language_code="it-IT",
        language_identification=(LanguageScore("it-IT", 0.5),),
    )
    assert None not in asdict(result).values()
    (written,) = json.loads(write_transcript_event([result]))["Transcript"]["Results"]
    (said,) = written["Alternatives"]
    found = {
        "Result": written,
        "Alternative": said,
        "Item": said["Items"][0],
        "Entity": said["Entities"][0],
        "LanguageWithScore": written["LanguageIdentification"][0],
    }
    assert {name: sorted(one) for name, one in found.items()} == {
        name: sorted(members) for name, members in model["results"].items()
    }
