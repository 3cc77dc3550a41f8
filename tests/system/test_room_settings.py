"""What people set for a room: kept, checked, and in force at once."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import RunningServer, serving
from tests.unit.docs.reference import examples, page

DEFAULTS: dict[str, Any] = {
    "language": None,
    "terms": {"phrases": [], "text": ""},
    "replacements": [],
}


def test_settings_survive_a_restart(tmp_path: Path) -> None:
    """The documented example is taken, and is there after the server was killed."""
    (wanted,) = examples(page("http.md"), "settings")
    path = "/api/rooms/Sala%20Grande%20%C3%A8/settings"
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        assert httpx.get(server.url + path).json() == DEFAULTS
        answer = httpx.put(server.url + path, json=wanted)
        assert (answer.status_code, answer.json()) == (200, wanted)
        server.kill()
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        assert httpx.get(server.url + path).json() == wanted
        assert httpx.put(server.url + path, json={}).json() == DEFAULTS
        assert httpx.get(server.url + path).json() == DEFAULTS


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({"language": "italiano!"}, 400, "bad_language", "like it-IT"),
        ({"langauge": "it-IT"}, 400, "bad_message", "langauge: Extra inputs"),
        ({"terms": {"phrases": "Ada"}}, 400, "bad_message", "terms.phrases: "),
        ({"replacements": [{"heard": " ", "shown": "x"}]}, 400, "bad_message", "Replacement 1"),
        ({"terms": {"phrases": ["x" * 201]}}, 413, "too_large", "201 characters"),
        ({"terms": {"text": "x" * 50_001}}, 413, "too_large", "50001 characters of text"),
        ({"terms": {"text": "x" * 2**20}}, 413, "too_large", "larger than 1 MB"),
        ([], 400, "bad_message", "."),
    ],
)
def test_bad_settings_are_answered_with_a_sentence(
    scripted: RunningServer, body: object, status: int, code: str, said: str
) -> None:
    """What cannot be set is refused in words, and what was set before stays."""
    url = f"{scripted.url}/api/rooms/refused/settings"
    answer = httpx.put(url, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["detail"]
    assert httpx.get(url).json() == DEFAULTS
