"""The painter: a painted word stays, nothing said is lost, and nobody has to read too fast."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.vocabulary import ROOM_STATES
from parola.live.painter import CATCH_UP_AFTER_S, HIDDEN, LATE_S, NOTES, words_of
from tests.painter.hostile import script
from tests.painter.runner import Result, Script, in_javascript, in_python

SCRIPTS: list[Script] = json.loads(
    (Path(__file__).parents[2] / "painter" / "scripts.json").read_text()
)

hostile = st.builds(script, st.integers(0, 2**32), skips=st.booleans())
patient = st.builds(script, st.integers(0, 2**32), skips=st.just(False))


def unmet(wanted: Script, results: list[Result]) -> list[str]:
    """Return what a script expects and did not get."""
    return [
        f"at {step['at']} {what}: {result[what]!r} instead of {value!r}"
        for step, result in zip(wanted["steps"], results, strict=True)
        for what, value in step.get("expect", {}).items()
        if result[what] != value
    ]


@pytest.mark.parametrize("wanted", SCRIPTS, ids=[each["name"] for each in SCRIPTS])
def test_the_server_paints_by_the_script(wanted: Script) -> None:
    """Each script of scripts.json is named after what it shows."""
    assert unmet(wanted, in_python(wanted)) == []


def test_the_pages_paint_by_the_same_scripts() -> None:
    """The pages' painter shows the same at every step of each script."""
    results = in_javascript(SCRIPTS)
    assert [unmet(*each) for each in zip(SCRIPTS, results, strict=True)] == [[]] * len(SCRIPTS)


def test_both_painters_are_one() -> None:
    """Under 300 engines that keep no promise, both paint the same things at the same time."""
    scripts = [script(seed, skips=seed % 3 > 0) for seed in range(300)]
    for number, shown in enumerate(in_javascript(scripts)):
        assert shown == in_python(scripts[number]), f"script {number}"


@given(hostile)
def test_a_painted_word_never_changes(played: Script) -> None:
    """Whatever an engine rewrites: a line only grows or leaves at the top."""
    for before, after in pairwise(result["lines"] for result in in_python(played)):
        stays = max(range(len(before) + 1), key=lambda n: _continues(before[n:], after))
        gone = before[:stays]
        assert _continues(before[stays:], after)
        # Only a full screen rolls.
        assert not gone or len(after) == played["lines"]


def _continues(before: list[str], after: list[str]) -> bool:
    """Return whether `after` begins with these lines, of which the last may have grown."""
    if not before:
        return True
    same = before[:-1] == after[: len(before) - 1] and len(after) >= len(before)
    last = after[len(before) - 1] if same else ""
    return same and (last == before[-1] or last.startswith(before[-1] + " "))


@given(patient)
def test_no_final_word_is_lost(played: Script) -> None:
    """Without skipping, every final is painted as a whole, in order, contradictions or not."""
    played["steps"].append({"at": 1e6})
    painted = [i["text"] for r in in_python(played) for i in r["items"] if i["kind"] == "word"]
    left = iter(painted)
    for step in played["steps"]:
        frame = step.get("frame", {})
        if frame.get("type") == "segment" and not frame["is_partial"]:
            for word in words_of(frame["text"]):
                assert any(_bare(word) == _bare(other) for other in left), word


def _bare(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum()) or word


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c,", "D"]), min_size=1, max_size=8), max_size=8)
)
def test_an_honest_engine_is_painted_word_for_word(finals: list[list[str]]) -> None:
    """Where stable words stay, the finals are painted exactly: nothing twice, no marks."""
    steps: list[dict[str, Any]] = []
    for number, words in enumerate(finals, 1):
        for sure in range(len(words) + 1):
            steps.append({"at": len(steps), "frame": _honest(number, words, sure)})
        final = _honest(number, words, 0) | {"is_partial": False}
        steps.append({"at": len(steps), "frame": final})
    steps.append({"at": 1e6})
    results = in_python({"lines": 3, "columns": 20, "steps": steps})
    painted = [i["text"] for r in results for i in r["items"] if i["kind"] != "end"]
    assert painted == [word for words in finals for word in words]


def _honest(number: int, words: list[str], sure: int) -> dict[str, Any]:
    return {
        "type": "segment",
        "is_partial": True,
        "session": "s",
        "segment": number,
        "text": " ".join(words),
        "words": [{"text": word, "stable": n < sure} for n, word in enumerate(words)],
        "start_s": float(number),
        "end_s": number + 0.5,
    }


@given(hostile, st.lists(st.floats(0, 400), max_size=20))
def test_looking_more_often_changes_nothing(played: Script, looks: list[float]) -> None:
    """What is painted does not depend on how often somebody looks."""
    last = played["steps"][-1]["at"] + 60
    steps = [*played["steps"], {"at": last}]
    often = sorted([*steps, *({"at": at} for at in looks if at < last)], key=lambda s: s["at"])
    items = [i for r in in_python(played | {"steps": steps}) for i in r["items"]]
    assert [i for r in in_python(played | {"steps": often}) for i in r["items"]] == items


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), min_size=1, max_size=20))
def test_words_come_at_a_pace_people_can_read(finals: list[tuple[float, int]]) -> None:
    """No more than five words in any second while nothing is late; nothing is over 10 s late."""
    came: dict[str, float] = {}
    steps: list[dict[str, Any]] = []
    at = 0.0
    for number, (wait_s, count) in enumerate(finals, 1):
        at += wait_s
        words = [f"{number}-{place}" for place in range(count)]
        came |= dict.fromkeys(words, at)
        steps.append({"at": at, "frame": _honest(number, words, 0) | {"is_partial": False}})
    looks = [{"at": place / 50} for place in range(int(at * 50) + 3000)]
    steps = sorted([*steps, *looks], key=lambda step: float(step["at"]))
    results = in_python({"lines": 3, "columns": 20, "steps": steps})
    seen = [
        (step["at"], item["text"])
        for step, result in zip(steps, results, strict=True)
        for item in result["items"]
        if item["kind"] == "word"
    ]
    assert all(at - came[word] <= LATE_S + 0.03 for at, word in seen)
    for (before, word), (after, _) in pairwise(seen):
        if before - came[word] < CATCH_UP_AFTER_S - 0.03:
            assert after - before > 0.2 - 0.03


def test_every_state_that_a_room_can_have_is_told() -> None:
    """No state leaves the reader of an empty screen without a word, but the one that hides."""
    assert ROOM_STATES.keys() - NOTES.keys() == {HIDDEN}
