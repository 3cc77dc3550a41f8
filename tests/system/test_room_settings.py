"""What people set for a room: kept, checked, and in force at once."""

import subprocess
import sys
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
    "blocked": [],
    "beside": None,
    "keep_recordings": False,
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
        ({"beside": "a/b"}, 400, "bad_room_name", "slash"),
        ({"beside": "refused"}, 400, "bad_message", "beside itself"),
        ({"language": "italiano!"}, 400, "bad_language", "like it-IT"),
        ({"langauge": "it-IT"}, 400, "bad_message", "langauge: Extra inputs"),
        ({"terms": {"phrases": "Ada"}}, 400, "bad_message", "terms.phrases: "),
        ({"replacements": [{"heard": " ", "shown": "x"}]}, 400, "bad_message", "Replacement 1"),
        ({"terms": {"phrases": ["x" * 201]}}, 413, "too_large", "201 characters"),
        ({"terms": {"text": "x" * 50_001}}, 413, "too_large", "50001 characters of text"),
        ({"terms": {"text": "x" * 2**20}}, 413, "too_large", "larger than 1024 kB"),
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


def test_two_who_set_a_room_at_once_lose_nothing(scripted: RunningServer) -> None:
    """Who has not seen the newest settings is told so, and what is there stays."""
    for path in ("/api/rooms/shared/settings", "/api/event/settings"):
        url = scripted.url + path
        seen = {"If-Match": httpx.get(url).headers["etag"]}
        anna = httpx.put(url, json={"blocked": ["damn"]}, headers=seen)
        assert anna.status_code == 200
        bruno = httpx.put(url, json={"blocked": ["heck"]}, headers=seen)
        assert (bruno.status_code, bruno.json()["code"]) == (412, "outdated")
        assert httpx.get(url).json() == anna.json()
        seen = {"If-Match": anna.headers["etag"]}
        assert httpx.get(url).headers["etag"] == anna.headers["etag"]
        assert httpx.put(url, json={"blocked": ["damn", "heck"]}, headers=seen).is_success
        assert httpx.get(url).json()["blocked"] == ["damn", "heck"]
        assert httpx.put(url, json={}).is_success


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "parola.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_room_is_told_from_files(scripted: RunningServer, tmp_path: Path) -> None:
    """`parola terms` changes what it names and leaves the rest; a wrong file is a sentence."""
    names, misheard = tmp_path / "names.txt", tmp_path / "misheard.txt"
    names.write_text("Grace Hopper\n\nNuoro\n", encoding="utf-8")
    misheard.write_text("grace hooper -> Grace Hopper\n", encoding="utf-8")
    to = ("--server", scripted.url)
    assert run("terms", "told", "--phrases", names, "--language", "it_it", *to).returncode == 0
    told = run("terms", "told", "--replacements", misheard, *to)
    assert told.stdout == "told knows 2 phrases, 0 characters of text and 1 replacements.\n"
    assert httpx.get(f"{scripted.url}/api/rooms/told/settings").json() == {
        "language": "it-IT",
        "terms": {"phrases": ["Grace Hopper", "Nuoro"], "text": ""},
        "replacements": [{"heard": "grace hooper", "shown": "Grace Hopper"}],
        "blocked": [],
        "beside": None,
        "keep_recordings": False,
    }
    wrong = run("terms", "told", "--replacements", names, *to)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "has no ->" in wrong.stderr
    written = run("vocabulary", "--phrases", names, "-o", tmp_path / "table.txt")
    assert written.returncode == 0
    assert "Grace-Hopper\t\t\tGrace Hopper" in (tmp_path / "table.txt").read_text()
