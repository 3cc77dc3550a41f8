"""The page says what becomes of each parameter, and the door does it."""

import re
import time
from pathlib import Path

import pytest

from parola.engines.scripted import ScriptedEngine
from parola.transcribe_api.door import Call, Door, Setup
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
    call = Call("websocket", SignedRequest("GET", "/", query, ()), 0)
    words = {"rude": frozenset({"rude"})}
    door = Door(Setup([ScriptedEngine()], lambda: None, time.monotonic, words=words))
    if TABLE[name] == "refused":
        with pytest.raises(BadRequest):
            door.parameters(call)
    else:
        door.parameters(call)
