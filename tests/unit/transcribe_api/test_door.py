"""The page says what becomes of each parameter, and the door does it."""

import re
import time
from pathlib import Path

import pytest

from parola.domain.errors import BadMessage
from parola.engines.scripted import ScriptedEngine
from parola.ports import StreamRequest
from parola.transcribe_api.door import Call, Door, Setup
from parola.transcribe_api.passing import Passed
from parola.wire.sigv4 import SignedRequest
from parola.wire.transcribe import PARAMETER_NAMES, BadRequest
from tests.unit.docs.reference import rows

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "transcribe-api.md"
TABLE = {
    name: verdict
    for names, verdict, _ in rows(PAGE.read_text(), "Parameter")
    for name in names.split(", ")
}

IDENTIFIED = "identify-language=true&language-options=it-IT,en-US"
STABLE = "enable-partial-results-stabilization=true"
PII = "content-redaction-type=PII"
ASKED = {
    "language-code": "language-code=en-US",
    "identify-language": IDENTIFIED,
    "identify-multiple-languages": "identify-multiple-languages=true&language-options=it-IT,en-US",
    "language-options": IDENTIFIED,
    "preferred-language": f"{IDENTIFIED}&preferred-language=en-US",
    "media-encoding": "media-encoding=flac",
    "sample-rate": "sample-rate=48000",
    "session-id": "session-id=7f0c5a52-30a5-4e0f-a9d4-0a52b1a6f2ce",
    "vocabulary-names": f"vocabulary-names=a,b&{IDENTIFIED}",
    "vocabulary-filter-name": "vocabulary-filter-name=rude",
    "vocabulary-filter-names": f"vocabulary-filter-names=rude&{IDENTIFIED}",
    "vocabulary-filter-method": "vocabulary-filter-name=rude&vocabulary-filter-method=tag",
    "show-speaker-label": "show-speaker-label=true",
    "enable-channel-identification": "enable-channel-identification=true&number-of-channels=2",
    "number-of-channels": "enable-channel-identification=true&number-of-channels=2",
    "enable-partial-results-stabilization": STABLE,
    "partial-results-stability": f"{STABLE}&partial-results-stability=low",
    "content-identification-type": "content-identification-type=PII",
    "content-redaction-type": PII,
    "pii-entity-types": f"{PII}&pii-entity-types=NAME",
    "session-resume-window": "session-resume-window=60",
    "transcript-format": "transcript-format=spoken",
}
"""How each is asked for; a name alone is enough for the others."""


LEFT_OUT = {"show-speaker-label", "session-resume-window", "transcript-format"}


def test_every_parameter_is_described() -> None:
    """Once, and none that the service does not have."""
    assert sorted(TABLE) == sorted(PARAMETER_NAMES)
    assert set(TABLE.values()) == {"done", "part", "taken", "refused"}


@pytest.mark.parametrize("name", sorted(PARAMETER_NAMES))
def test_the_door_does_as_the_page_says(name: str) -> None:
    """What is refused there is refused, and everything else gets in."""
    query = ASKED.get(name, f"{name}=a")
    assert re.search(rf"(^|&){name}=", query)
    common = {"language-code": "en-US", "media-encoding": "pcm", "sample-rate": "16000"}
    for other, value in common.items():
        if f"{other}=" not in query and not (other == "language-code" and "identify" in query):
            query += f"&{other}={value}"
    words = {"rude": frozenset({"rude"})}
    door = Door(Setup([ScriptedEngine()], lambda: None, time.monotonic, words=words))
    if TABLE[name] == "refused":
        with pytest.raises(BadRequest):
            ask(door, query)
        return
    passed = ask(door, query)
    assert passed.options == {}
    left_out = {one.removesuffix("_min").replace("_", "-") for one in passed.left_out}
    assert left_out == {name} & LEFT_OUT


def ask(door: Door, query: str) -> Passed:
    """Return what is passed on of a query."""
    asked, language = door.parameters(Call("websocket", SignedRequest("GET", "/", query, ()), 0))
    engine = door.engine(language)
    assert engine
    return door.passed_on(asked, language, engine)


class Able(ScriptedEngine):
    """Takes options as Amazon's engine does."""

    def check_options(self, request: StreamRequest) -> None:
        if request.options.get("vocabulary_name") == "bad":
            raise BadMessage("There is no such vocabulary.")


COMMON = "language-code=en-US&media-encoding=pcm&sample-rate=16000"


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("vocabulary-name=ours", {"vocabulary_name": "ours"}),
        ("language-model-name=ours", {"language_model_name": "ours"}),
        (
            "content-redaction-type=PII&pii-entity-types=NAME,AGE",
            {"content_redaction_type": "PII", "pii_entity_types": "NAME,AGE"},
        ),
        ("show-speaker-label=true", {"show_speaker_label": "true"}),
        ("transcript-format=spoken", {"transcript_format": "spoken"}),
        (
            "vocabulary-filter-name=theirs&vocabulary-filter-method=remove",
            {"vocabulary_filter_name": "theirs", "vocabulary_filter_method": "remove"},
        ),
        ("vocabulary-filter-name=rude", {}),
    ],
)
def test_an_engine_that_takes_options_is_asked(query: str, options: dict[str, str]) -> None:
    """What the endpoint does itself stays with it; nothing is left out."""
    door = Door(Setup([Able()], lambda: None, time.monotonic, words={"rude": frozenset({"rude"})}))
    assert ask(door, f"{COMMON}&{query}") == Passed(options, ())


@pytest.mark.parametrize(
    "query",
    [
        "vocabulary-name=bad",
        "content-identification-type=PII",
        "vocabulary-filter-name=theirs&vocabulary-filter-method=tag",
    ],
)
def test_what_such_an_engine_cannot_do_either_is_refused(query: str) -> None:
    """By the engine itself, or since its words could not carry it."""
    door = Door(Setup([Able()], lambda: None, time.monotonic))
    with pytest.raises(BadRequest):
        ask(door, f"{COMMON}&{query}")
