"""Small streaming models for sherpa-onnx, made here: five tones are five letters, all else blank.

They have upstream's layout and metadata, so that the real loader and the real decoder run, and
they understand no speech at all. What they prove is plumbing.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from parola.domain.audio import RATE_HZ, AudioChunk, to_frames

TOKENS = ("<blk>", "▁N", "O", "▁Y", "E", "S")
"""Of two words: NO and YES."""

TONES_HZ = {"N": 500.0, "O": 900.0, "Y": 1500.0, "E": 2400.0, "S": 3800.0}
LETTERS = tuple(TONES_HZ)

VOCABULARY = len(TOKENS)
FEATURES = 80
WINDOW, SHIFT = 9, 4
"""Feature frames (10 ms each) that the encoder sees at a time, and how far it moves on."""

BLANK_SCORE = 5.0
"""How far (in log energy) a tone must stand above the spectrum's mean to be a letter."""

SEEN_ALREADY = -100.0
"""What keeps a tone that goes on from being written twice."""

HIGH_HZ = RATE_HZ / 2 - 400
"""The upper end of sherpa-onnx's filter bank; it begins at 20 Hz, for NeMo's models at 0."""


def tone(letter: str, seconds: float = 0.12, amplitude: float = 0.3) -> bytes:
    """Return the sound of a letter, 16-bit samples at 16 kHz."""
    at = np.arange(to_frames(seconds)) / RATE_HZ
    wave = amplitude * np.sin(2 * np.pi * TONES_HZ[letter] * at)
    return (wave * 32767).astype("<i2").tobytes()


def both(louder: str, other: str) -> bytes:
    """Return two letters at once, the second one a tenth less loud."""
    pair = tone(louder), tone(other, amplitude=0.27)
    waves = [np.frombuffer(pcm, "<i2").astype(np.int32) for pcm in pair]
    return sum(waves, np.zeros_like(waves[0])).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    """Return digital silence."""
    return bytes(2 * to_frames(seconds))


def spoken(text: str, pause_s: float = 0.12) -> bytes:
    """Return the sound of letters; a space is a pause of a second."""
    parts = [silence(1.0) if char == " " else tone(char) + silence(pause_s) for char in text]
    return b"".join(parts)


def chunks(pcm: bytes, first: int = 0, step: int = 1600) -> list[AudioChunk]:
    """Return sound as a session sends it: 100 ms at a time."""
    size = 2 * step
    return [AudioChunk(first + at // 2, pcm[at : at + size]) for at in range(0, len(pcm), size)]


def write_tokens(folder: Path, tokens: Sequence[str] = TOKENS) -> None:
    """Write tokens.txt."""
    lines = [f"{token} {number}\n" for number, token in enumerate(tokens)]
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def write_transducer(folder: Path) -> Path:
    """Write a folder as upstream's LSTM transducers have it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokens(folder)
    (folder / "languages").write_text("en\n")
    pieces = "".join(f"{token}\t{-number}\n" for number, token in enumerate(TOKENS))
    (folder / "bpe.vocab").write_text(pieces, encoding="utf-8")
    _save(_lstm_encoder(), folder / "encoder.int8.onnx")
    _save(_decoder(), folder / "decoder.onnx")
    _save(_joiner(), folder / "joiner.int8.onnx")
    return folder


def encoder_bytes() -> bytes:
    """Return the transducer's encoder as a file."""
    data: bytes = _lstm_encoder().SerializeToString()
    return data


def write_nemo_ctc(folder: Path) -> Path:
    """Write a folder as upstream's streaming NeMo CTC models have it; blank is the last token."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "languages").write_text("en\n")
    write_tokens(folder, ("<unk>", *TOKENS[1:], "<blk>"))
    _save(_nemo_ctc(), folder / "model.onnx")
    return folder


def write_zipformer2_ctc(folder: Path) -> Path:
    """Write a folder as upstream's streaming zipformer2 CTC models have it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "languages").write_text("en\n")
    write_tokens(folder)
    _save(_zipformer2_ctc(), folder / "ctc-epoch-1.onnx")
    return folder


def with_metadata(model: onnx.ModelProto, **metadata: object) -> onnx.ModelProto:
    """Return the model with the key-value pairs that sherpa-onnx reads."""
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    return model


def _kaldi_mel(hz: float) -> float:
    return 1127.0 * math.log(1 + hz / 700.0)


def _slaney_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def _letter_weights(mel: Callable[[float], float], low_hz: float) -> npt.NDArray[np.float32]:
    """Return (80, 6): a letter is its own three filters less the mean of all; blank is nothing."""
    low, high = mel(low_hz), mel(HIGH_HZ)
    weights = np.full((FEATURES, VOCABULARY), -1 / FEATURES, np.float32)
    weights[:, 0] = 0
    for column, hz in enumerate(TONES_HZ.values(), start=1):
        middle = round((mel(hz) - low) / (high - low) * (FEATURES + 1)) - 1
        weights[middle - 1 : middle + 2, column] += 1 / 3
    return weights


def _bias() -> npt.NDArray[np.float32]:
    return np.array([BLANK_SCORE, *[0.0] * (VOCABULARY - 1)], np.float32)


def _lstm_encoder() -> onnx.ModelProto:
    """X (N, 9, 80) and two states → (N, 1, 6) and the states."""
    weights = [
        numpy_helper.from_array(_letter_weights(_kaldi_mel, 20), "weights"),
        numpy_helper.from_array(_bias(), "bias"),
        numpy_helper.from_array(np.array([1], np.int64), "time"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x", "time"], ["mean"], keepdims=1),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["encoder_out"]),
        helper.make_node("Identity", ["state0"], ["next_state0"]),
        helper.make_node("Identity", ["state1"], ["next_state1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            _floats("x", "N", WINDOW, FEATURES),
            _floats("state0", 1, "N", 2),
            _floats("state1", 1, "N", 2),
        ],
        [
            _floats("encoder_out", "N", 1, VOCABULARY),
            _floats("next_state0", 1, "N", 2),
            _floats("next_state1", 1, "N", 2),
        ],
        weights,
    )
    return with_metadata(
        _model(graph),
        model_type="lstm",
        num_encoder_layers=1,
        T=WINDOW,
        decode_chunk_len=SHIFT,
        rnn_hidden_size=2,
        d_model=2,
    )


def _decoder() -> onnx.ModelProto:
    """Y (N, 2) → (N, 6): not the letter that was written last."""
    table = np.diag([0.0, *[SEEN_ALREADY] * (VOCABULARY - 1)]).astype(np.float32)
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array(1, np.int64), "last"),
        numpy_helper.from_array(np.array(0, np.int64), "none"),
    ]
    nodes = [
        helper.make_node("Gather", ["y", "last"], ["newest"], axis=1),
        # A stream begins with the token −1: nothing yet.
        helper.make_node("Max", ["newest", "none"], ["known"]),
        helper.make_node("Gather", ["table", "known"], ["decoder_out"], axis=0),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.INT64, ["N", 2])
    out = _floats("decoder_out", "N", VOCABULARY)
    graph = helper.make_graph(nodes, "decoder", [y], [out], constants)
    return with_metadata(_model(graph), context_size=2, vocab_size=VOCABULARY)


def _joiner() -> onnx.ModelProto:
    """Both (N, 6) → their sum."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        "joiner",
        [_floats("encoder_out", "N", VOCABULARY), _floats("decoder_out", "N", VOCABULARY)],
        [_floats("logit", "N", VOCABULARY)],
    )
    return with_metadata(_model(graph), joiner_dim=VOCABULARY)


def _nemo_ctc() -> onnx.ModelProto:
    """Features (N, 80, 9), lengths and three caches → log probabilities (N, 1, 7).

    NeMo's first token is never a letter, its last one is the blank.
    """
    order = [*range(1, VOCABULARY), 0]
    never = np.zeros((FEATURES, 1), np.float32), np.array([SEEN_ALREADY], np.float32)
    columns = np.hstack([never[0], _letter_weights(_slaney_mel, 0)[:, order]])
    weights = [
        numpy_helper.from_array(columns, "weights"),
        numpy_helper.from_array(np.concatenate([never[1], _bias()[order]]), "bias"),
        numpy_helper.from_array(np.array([2], np.int64), "time"),
    ]
    caches = ("cache_last_channel", "cache_last_time")
    lengths = ("length", "cache_last_channel_len")
    nodes = [
        helper.make_node("ReduceMean", ["audio_signal", "time"], ["mean"], keepdims=1),
        helper.make_node("Transpose", ["mean"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["turned", "weights"], ["raw"]),
        helper.make_node("Add", ["raw", "bias"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["logprobs"], axis=-1),
        *(helper.make_node("Identity", [name], [f"{name}_next"]) for name in (*caches, *lengths)),
    ]
    numbers = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N"]) for name in lengths]
    ends = [
        helper.make_tensor_value_info(f"{name}_next", TensorProto.INT64, ["N"]) for name in lengths
    ]
    held = [_floats(name, "N", 1, 2, 2) for name in caches]
    kept = [_floats(f"{name}_next", "N", 1, 2, 2) for name in caches]
    graph = helper.make_graph(
        nodes,
        "ctc",
        [_floats("audio_signal", "N", FEATURES, WINDOW), numbers[0], *held, numbers[1]],
        [_floats("logprobs", "N", 1, VOCABULARY + 1), ends[0], *kept, ends[1]],
        weights,
    )
    dims = {f"{name}_dim{at}": size for name in caches for at, size in ((1, 1), (2, 2), (3, 2))}
    return with_metadata(
        _model(graph),
        model_type="EncDecHybridRNNTCTCBPEModel",
        window_size=WINDOW,
        chunk_shift=SHIFT,
        subsampling_factor=SHIFT,
        vocab_size=VOCABULARY,
        normalize_type="",
        **dims,
    )


def _zipformer2_ctc() -> onnx.ModelProto:
    """X (N, 9, 80) and a layer's eight states → log probabilities (N, 1, 6) and the states."""
    weights = [
        numpy_helper.from_array(_letter_weights(_kaldi_mel, 20), "weights"),
        numpy_helper.from_array(_bias(), "bias"),
        numpy_helper.from_array(np.array([1], np.int64), "time"),
    ]
    # One head of one dimension; the shapes follow from the metadata below.
    shapes: dict[str, tuple[int | str, ...]] = {
        "key": (2, "N", 1),
        "nonlin_attn": (1, "N", 2, 3),
        "val1": (2, "N", 1),
        "val2": (2, "N", 1),
        "conv1": ("N", 4, 1),
        "conv2": ("N", 4, 1),
        "embed_states": ("N", 128, 3, 19),
    }
    held = [_floats(name, *shape) for name, shape in shapes.items()]
    kept = [_floats(f"new_{name}", *shape) for name, shape in shapes.items()]
    lengths = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["N"])
        for name in ("processed_lens", "new_processed_lens")
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x", "time"], ["mean"], keepdims=1),
        helper.make_node("MatMul", ["mean", "weights"], ["raw"]),
        helper.make_node("Add", ["raw", "bias"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=-1),
        *(
            helper.make_node("Identity", [name], [f"new_{name}"])
            for name in (*shapes, "processed_lens")
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "ctc",
        [_floats("x", "N", WINDOW, FEATURES), *held, lengths[0]],
        [_floats("log_probs", "N", 1, VOCABULARY), *kept, lengths[1]],
        weights,
    )
    return with_metadata(
        _model(graph),
        model_type="zipformer2",
        T=WINDOW,
        decode_chunk_len=SHIFT,
        num_encoder_layers=1,
        encoder_dims=4,
        query_head_dims=1,
        value_head_dims=1,
        num_heads=1,
        cnn_module_kernels=3,
        left_context_len=2,
    )


def _floats(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made)
    return made


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
