"""What the microphone page does with sound: its own resampler and spool, run without a browser."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parola

RUNNER = Path(__file__).with_name("microphone.mjs")
STATIC = Path(parola.__file__).parent / "pages" / "static"
RATES_HZ = [8_000, 22_050, 44_100, 48_000, 96_000]

Samples = npt.NDArray[np.float64]


def run(jobs: list[dict[str, Any]]) -> list[Any]:
    """Return the results of the page's own code."""
    done = subprocess.run(
        ["node", str(RUNNER), str(STATIC)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def job(samples: Samples, rate_hz: int, cuts: tuple[int, ...] = (128,)) -> dict[str, Any]:
    text = base64.b64encode(samples.astype("<f4").tobytes()).decode()
    return {"job": "resample", "rate": rate_hz, "samples": text, "cuts": list(cuts)}


def tones(hz: list[float], rate_hz: int, count: int) -> Samples:
    """Return a sum of sines that together may just reach full scale."""
    at = np.arange(count)[:, None] / rate_hz
    tone: Samples = (
        0.99 / len(hz) * np.sin(2 * np.pi * np.array(hz) * at + np.arange(len(hz)))
    ).sum(axis=1)
    return tone


def db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-20))


def middle(samples: list[int]) -> Samples:
    """Return the samples as -1 to 1, without the ends, where silence meets sound."""
    return np.array(samples[2000:-2000]) / 32_768


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_what_speech_has_is_kept(rate_hz: int) -> None:
    """Tones up to 89 % of the band come out where and as loud as they were, to within -80 dB."""
    band_hz = min(rate_hz, 16_000) / 2
    hz = [band_hz * share for share in (0.02, 0.11, 0.3, 0.57, 0.89)]
    (made,) = run([job(tones(hz, rate_hz, rate_hz), rate_hz)])
    wanted = tones(hz, 16_000, len(made))[2000:-2000]
    assert abs(len(made) - 16_000) <= 1
    assert db(middle(made) - wanted) < db(wanted) - 80


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000])
def test_what_would_fold_back_into_speech_is_filtered(rate_hz: int) -> None:
    """A tone above 8 kHz comes out at least 80 dB quieter."""
    hz = [8_000 + (rate_hz / 2 - 8_000) * share for share in (0.001, 0.1, 0.4, 0.7, 0.98)]
    alone = [tones([each], rate_hz, rate_hz // 2) for each in hz]
    for tone, made in zip(alone, run([job(tone, rate_hz) for tone in alone]), strict=True):
        assert db(middle(made)) < db(tone) - 80


def test_sound_that_is_right_already_passes_unchanged() -> None:
    """16 kHz in, 16 kHz out, at once; what is too loud is cut off, not wrapped."""
    samples = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5])
    (made,) = run([job(samples, 16_000)])
    assert made == [0, 16_384, -16_384, 32_767, -32_768, 32_767, -32_768]


@settings(max_examples=15)
@given(
    st.sampled_from(RATES_HZ),
    st.lists(st.lists(st.integers(1, 700), min_size=1, max_size=5), min_size=2, max_size=8),
)
def test_cutting_changes_nothing(rate_hz: int, cuts: list[list[int]]) -> None:
    """Browsers cut sound as they like: the samples are the same, to the bit."""
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, 3000)
    whole, *parts = run([job(noise, rate_hz, tuple(each)) for each in [[3000], *cuts]])
    assert all(part == whole for part in parts)


Step = tuple[str, int]
Steps = st.lists(
    st.tuples(st.sampled_from(["append", "safe", "from"]), st.integers(0, 60)), max_size=40
)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 80), Steps), min_size=8, max_size=8))
def test_a_spool_gives_back_what_it_was_given(plans: list[tuple[int, int, list[Step]]]) -> None:
    """From any position on, to the frame; only what is safe, or too much, is forgotten."""
    jobs = [
        {"job": "spool", "position": begin, "most": most, "steps": _steps(begin, steps)}
        for begin, most, steps in plans
    ]
    for asked, seen in zip(jobs, run(jobs), strict=True):
        _check(asked, seen)


def _steps(begin: int, steps: list[Step]) -> list[dict[str, Any]]:
    """Return steps whose sound is the number of its own frame, so that nothing can be mistaken."""
    made: list[dict[str, Any]] = []
    end = begin
    for kind, size in steps:
        if kind == "append" and size:
            made.append({"append": list(range(end, end + size))})
            end += size
        elif kind == "safe":
            made.append({"safe": min(size, end)})
        elif kind == "from":
            made.append({"from": size})
    return made


def _check(asked: dict[str, Any], seen: list[dict[str, Any]]) -> None:
    first = end = asked["position"]
    dropped = 0
    for step, now in zip(asked["steps"], seen, strict=True):
        if "append" in step:
            end += len(step["append"])
            excess = max(0, end - first - asked["most"])
            first, dropped = first + excess, dropped + excess
        elif "safe" in step:
            first = max(first, step["safe"])
        elif first <= step["from"] < end:
            found = now["found"]
            assert found == list(range(step["from"], step["from"] + len(found)))
            assert found
            assert found[-1] < end
        else:
            assert now["found"] is None
        assert (now["first"], now["end"], now["dropped"]) == (first, end, dropped)
