"""Telephone samples, expanded as FFmpeg does it."""

import io

import av
import numpy as np
import pytest

from parola.audio.g711 import Law, expanded


@pytest.mark.parametrize(("law", "format_"), [("alaw", "alaw"), ("ulaw", "mulaw")])
def test_every_code_is_the_sample_that_ffmpeg_makes_of_it(law: Law, format_: str) -> None:
    """All 256 of them."""
    codes = bytes(range(256))
    with av.open(io.BytesIO(codes), "r", format=format_) as container:
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert expanded(codes, law) == samples.astype("<i2").tobytes()
