"""Promises of the resampler and the measures."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.audio.pcm import (
    MAX_CHANNELS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    Apart,
    Resampler,
    interleaved,
    level_dbfs,
    one_channel,
    telephone,
    to_mono,
)
from parola.domain.audio import FRAME_BYTES, RATE_HZ
from parola.domain.errors import BadAudio
from tests.audio_files import tone

rates = st.one_of(
    st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
    st.integers(MIN_RATE_HZ, MAX_RATE_HZ),
)
channel_counts = st.integers(1, MAX_CHANNELS)


def noise(frames: int, channels: int, seed: int) -> bytes:
    samples = np.random.default_rng(seed).integers(-32_768, 32_767, frames * channels)
    return bytes(samples.astype("<i2").tobytes())


def resample(pcm: bytes, rate_hz: int, channels: int = 1, cuts: tuple[int, ...] = ()) -> bytes:
    resampler = Resampler(rate_hz, channels)
    edges = [0, *sorted(min(cut, len(pcm)) for cut in cuts), len(pcm)]
    parts = [resampler.feed(pcm[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join(parts) + resampler.flush()


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=rates,
    channels=channel_counts,
    frames=st.integers(0, 20_000),
    cuts=st.lists(st.integers(0, 200_000), max_size=40),
    seed=st.integers(0, 9),
)
def test_cutting_the_input_differently_changes_nothing(
    rate_hz: int, channels: int, frames: int, cuts: list[int], seed: int
) -> None:
    """Whatever the packets' edges, odd bytes included, the same samples come out."""
    pcm = noise(frames, channels, seed)
    assert resample(pcm, rate_hz, channels, tuple(cuts)) == resample(pcm, rate_hz, channels)


@settings(max_examples=30, deadline=None)
@given(rates, st.integers(0, 9_000), st.lists(st.integers(1, 4_001), min_size=1, max_size=5))
def test_channels_that_stay_apart_do_not_mix(rate_hz: int, frames: int, cuts: list[int]) -> None:
    """Each comes out as if it were alone, frame beside frame, however the stream is cut."""
    one, two = noise(frames, 1, 1), noise(frames, 1, 2)
    both = interleaved(one, two)
    apart, made, at = Apart(rate_hz), b"", 0
    for size in itertools.cycle(cuts):
        if at >= len(both):
            break
        made += apart.feed(both[at : at + size])
        at += size
    made += apart.flush()
    assert one_channel(made, 2, 0) == resample(one, rate_hz, 1)
    assert one_channel(made, 2, 1) == resample(two, rate_hz, 1)


@settings(max_examples=60, deadline=None)
@given(rate_hz=rates, channels=channel_counts, frames=st.integers(0, 30_000))
def test_the_length_is_the_ratio_of_the_rates(rate_hz: int, channels: int, frames: int) -> None:
    """After flush the output is as long in time as the input, to one frame."""
    made = len(resample(noise(frames, channels, 1), rate_hz, channels)) / FRAME_BYTES
    assert abs(made - frames * RATE_HZ / rate_hz) <= 1


@settings(max_examples=200, deadline=None)
@given(
    rate_hz=st.integers(-10, 300_000),
    channels=st.integers(-2, 20),
    parts=st.lists(st.binary(max_size=400), max_size=8),
)
def test_any_input_gives_samples_or_bad_audio(
    rate_hz: int, channels: int, parts: list[bytes]
) -> None:
    """No rate, number of channels or bytes break it in any other way."""
    try:
        resampler = Resampler(rate_hz, channels)
    except BadAudio:
        known = MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and 1 <= channels <= MAX_CHANNELS
        assert not known
        return
    out = b"".join(resampler.feed(part) for part in parts) + resampler.flush()
    assert len(out) % FRAME_BYTES == 0


@given(parts=st.lists(st.binary(max_size=101), max_size=9))
def test_what_is_16_khz_mono_already_passes_unchanged_at_once(parts: list[bytes]) -> None:
    """Nothing is filtered, delayed or lost where nothing needs to be converted."""
    resampler = Resampler(RATE_HZ)
    taken = given_out = b""
    for part in parts:
        taken += part
        given_out += resampler.feed(part)
        assert given_out == taken[: len(taken) - len(taken) % FRAME_BYTES]
    assert resampler.flush() == b""


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000, 192_000])
def test_sound_above_8_khz_does_not_fold_back(rate_hz: int) -> None:
    """A whistle that 16 kHz cannot carry vanishes instead of sounding as another tone."""
    out = resample(tone(1.0, rate_hz, hz=10_000, peak=16_000), rate_hz)
    assert level_dbfs(out[3_200:-3_200]) < -90


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_speech_keeps_its_level_and_pitch(rate_hz: int) -> None:
    """A tone comes out as the same tone, as loud as before."""
    out = resample(tone(1.0, rate_hz, hz=440), rate_hz)
    samples = np.frombuffer(out, "<i2")[1_600:-1_600].astype(np.float64)
    wanted = np.frombuffer(tone(1.0, RATE_HZ, hz=440), "<i2")[1_600:-1_600].astype(np.float64)
    assert np.max(np.abs(samples - wanted)) < 80  # of 8,000: one percent


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_live_sound_is_held_back_less_than_50_ms(rate_hz: int) -> None:
    """Captions from a browser's microphone do not wait for the filter."""
    resampler = Resampler(rate_hz)
    step = tone(0.1, rate_hz)
    got = 0
    for count in range(1, 30):
        got += len(resampler.feed(step)) // FRAME_BYTES
        assert count * 1_600 - got < 0.05 * RATE_HZ


def test_a_resampler_is_as_new_after_flush() -> None:
    """A second recording does not hear the end of the first."""
    resampler = Resampler(48_000, 2)
    first = resampler.feed(noise(5_000, 2, 3) + b"odd") + resampler.flush()
    second = resampler.feed(noise(5_000, 2, 3)) + resampler.flush()
    assert first == second


def test_full_scale_noise_is_clipped_not_wrapped() -> None:
    """The filter's overshoot stays loud; it does not turn into the opposite sign."""
    square = (np.sign(np.sin(np.arange(48_000) * 0.05)) * 32_767).astype("<i2")
    out = np.frombuffer(resample(square.tobytes(), 48_000), "<i2")
    assert out.max() == 32_767
    assert np.count_nonzero(np.abs(np.diff(out.astype(np.int32))) > 60_000) == 0


@given(channels=channel_counts, frames=st.integers(0, 300), seed=st.integers(0, 99))
def test_mono_is_the_mean_of_the_channels(channels: int, frames: int, seed: int) -> None:
    """Every frame is the mean of its channels, to half a step."""
    pcm = noise(frames, channels, seed)
    mean = np.frombuffer(pcm, "<i2").reshape(-1, channels).astype(np.float64).mean(axis=1)
    mono = np.frombuffer(to_mono(pcm, channels), "<i2")
    assert mono.shape == (frames,)
    assert np.all(np.abs(mono - mean) <= 0.5)


@pytest.mark.parametrize(("pcm", "channels"), [(b"x", 1), (b"xx", 2), (b"", 0), (b"", 9)])
def test_half_frames_and_impossible_channels_are_refused(pcm: bytes, channels: int) -> None:
    """What is no whole frame is said, not guessed."""
    with pytest.raises(BadAudio):
        to_mono(pcm, channels)


def test_levels_are_decibels_below_full_scale() -> None:
    """A full-scale sine is 3 dB below a full-scale square; half the swing is 6 dB less."""
    assert level_dbfs(tone(1.0, peak=32_767)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(tone(1.0, peak=16_384)) == pytest.approx(-9.03, abs=0.01)
    assert level_dbfs(np.full(99, -32_768, "<i2").tobytes()) == 0.0


@pytest.mark.parametrize("pcm", [b"", b"\0\0" * 1_600])
def test_silence_has_no_level(pcm: bytes) -> None:
    """Digital silence, or nothing, is minus infinity and no warning."""
    assert level_dbfs(pcm) == -math.inf


def test_an_odd_number_of_bytes_has_no_level() -> None:
    """Half a sample is an error, not a guess."""
    with pytest.raises(BadAudio):
        level_dbfs(b"abc")


@given(st.integers(0, 99), st.lists(st.integers(0, 9), max_size=20))
def test_telephone_sound_may_be_cut_anywhere(first: int, cuts: list[int]) -> None:
    """The pieces' samples together are those of the whole."""
    whole = np.arange(sum(cuts), dtype="<i2")
    pieces, at = [], 0
    for size in cuts:
        pieces.append(telephone(whole[at : at + size].tobytes(), first + at))
        at += size
    assert b"".join(pieces) == telephone(whole.tobytes(), first)


def test_telephone_sound_comes_back_as_it_went_in() -> None:
    """Raised to 16 kHz and taken back, speech's band is the same to 40 dB; half the bytes."""
    pcm = b"".join(tone(0.2, 8_000, hz) for hz in (300, 1000, 2000, 3000, 3400))
    resampler = Resampler(8_000)
    raised = resampler.feed(pcm) + resampler.flush()
    back = np.frombuffer(telephone(raised, 0), "<i2").astype(float)
    sent = np.frombuffer(pcm, "<i2").astype(float)
    assert len(back) == len(sent)
    inside = slice(200, -200)
    loss = np.mean((back - sent)[inside] ** 2) / np.mean(sent[inside] ** 2)
    assert loss < 1e-4
