"""Expands telephone samples of eight bits to sixteen. Source: ITU-T G.711 (1988)."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Law = Literal["alaw", "ulaw"]


def _alaw(code: int) -> int:
    code ^= 0x55
    magnitude = ((code & 0x0F) << 4) + 8
    segment = (code & 0x70) >> 4
    if segment:
        magnitude = (magnitude + 0x100) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _ulaw(code: int) -> int:
    code ^= 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


_TABLES: dict[Law, npt.NDArray[np.int16]] = {
    "alaw": np.array([_alaw(code) for code in range(256)], "<i2"),
    "ulaw": np.array([_ulaw(code) for code in range(256)], "<i2"),
}


def expanded(data: bytes, law: Law) -> bytes:
    """Return signed 16-bit little-endian samples, one for each byte."""
    return _TABLES[law][np.frombuffer(data, np.uint8)].tobytes()
