"""Looks at a model folder as upstream ships it: which kind it is, or why it cannot be used.

Nothing is loaded here: sherpa-onnx ends the whole process on some wrong folders, and takes a
tokens file of garbage without a word.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parola.domain.errors import EngineFailed
from parola.domain.vocabulary import Language, base_language
from parola.engines.onnx_facts import NotOnnx, OnnxFacts, read_onnx_facts
from parola.engines.sherpa_catalogue import languages_of

Kind = Literal["transducer", "nemo_transducer", "zipformer2_ctc", "nemo_ctc", "wenet_ctc", "t_one"]

LANGUAGES_FILE = "languages"
"""A text file in a folder that says which languages it knows, where its name does not."""

MAX_TOKENS_BYTES = 8 << 20
"""The largest vocabularies have some ten thousand lines."""

ENCODERS = {"conformer", "ebranchformer", "lstm", "zipformer", "zipformer2"}
"""What sherpa-onnx 2.0 takes as a streaming transducer's `model_type`."""

_NEMO_CACHE = "cache_last_channel_dim1"
_DISAMBIGUATION = re.compile(r"#\d+")


@dataclass(frozen=True, slots=True)
class Model:
    """A folder that sherpa-onnx should be able to load."""

    folder: Path
    kind: Kind
    files: tuple[Path, ...]
    """Encoder, decoder and joiner, or the one model of a CTC."""

    tokens: tuple[str, ...]
    languages: tuple[str, ...]
    """Base languages such as "en"; never empty."""

    window_s: float
    """The most sound it waits for before it looks."""

    metadata: dict[str, str]

    @property
    def name(self) -> str:
        """The folder's name, upstream's own unless somebody changed it."""
        return self.folder.name

    @property
    def shouts(self) -> bool:
        """Whether its vocabulary has capitals only."""
        letters = "".join(token for token in self.tokens if not token.startswith("<"))
        return letters.isupper()

    @property
    def takes_hotwords(self) -> bool:
        """Whether the talk's own words can be given to it."""
        return self.kind == "transducer" and hotword_pieces(self.folder) is not None

    def knows(self, language: Language) -> bool:
        """Return whether it recognises the language."""
        return base_language(language) in self.languages


def read_model(folder: Path) -> Model:
    """Return what a folder holds.

    Raises:
        EngineFailed: it cannot be used; the message says which file and what to do.
    """
    if not folder.is_dir():
        raise _unusable(folder, "there is no such folder")
    try:
        return _read(folder)
    except OSError as error:
        raise _unusable(folder, f"{error.filename}: {error.strerror}") from error


def hotword_pieces(folder: Path) -> Path | None:
    """Return the file that says how words are cut into the model's tokens, where there is one."""
    for name in ("bpe.vocab", "bpe.model"):
        if (folder / name).is_file():
            return folder / name
    return None


def _read(folder: Path) -> Model:
    parts = tuple(_pick(folder, role) for role in ("encoder", "decoder", "joiner"))
    encoder, decoder, joiner = parts
    if encoder and decoder and joiner:
        return _transducer(folder, (encoder, decoder, joiner))
    if encoder or decoder or joiner:
        raise _incomplete(folder, encoder, decoder, joiner)
    return _ctc(folder)


def _incomplete(folder: Path, *parts: Path | None) -> EngineFailed:
    encoder, decoder, _ = parts
    if encoder and decoder and "paraformer" in _kind_word(folder, encoder):
        return _paraformer(folder)
    roles = ("encoder", "decoder", "joiner")
    missing = [role for role, part in zip(roles, parts, strict=True) if not part]
    return _unusable(folder, f"{' and '.join(missing)} is missing (…onnx)")


def _kind_word(folder: Path, file: Path) -> str:
    return f"{folder.name} {_facts(folder, file).metadata.get('model_type', '')}".lower()


def _transducer(folder: Path, files: tuple[Path, Path, Path]) -> Model:
    encoder, decoder, joiner = (_facts(folder, file) for file in files)
    if decoder.outputs > 1:
        _demand(folder, files[0], encoder, "vocab_size", "pred_rnn_layers", "pred_hidden")
        kind: Kind = "nemo_transducer"
        size = _number(folder, files[0], encoder, "vocab_size") + 1
    else:
        _demand(folder, files[0], encoder, "model_type", "T", "decode_chunk_len")
        _demand(folder, files[1], decoder, "context_size", "vocab_size")
        _demand(folder, files[2], joiner, "joiner_dim")
        word = encoder.metadata["model_type"]
        if word not in ENCODERS:
            raise _unusable(folder, f"{files[0].name} is of the kind {word!r}, which cannot stream")
        kind, size = "transducer", _number(folder, files[1], decoder, "vocab_size")
    return _model(folder, kind, files, encoder, size)


def _ctc(folder: Path) -> Model:
    file = _pick(folder, "model") or _pick(folder, "ctc") or _pick(folder, "")
    if file is None:
        raise _unusable(folder, "it holds no .onnx file: unpack the archive of a model here")
    facts = _facts(folder, file)
    word = facts.metadata.get("model_type", "")
    if "paraformer" in word.lower():
        raise _paraformer(folder)
    size = facts.width
    if word == "zipformer2":
        _demand(folder, file, facts, "T", "decode_chunk_len", "encoder_dims")
        kind: Kind = "zipformer2_ctc"
    elif _NEMO_CACHE in facts.metadata:
        _demand(folder, file, facts, "window_size", "chunk_shift", "vocab_size")
        kind, size = "nemo_ctc", _number(folder, file, facts, "vocab_size") + 1
    elif "frame_length_ms" in facts.metadata:
        _demand(folder, file, facts, "state_dim", "sample_rate")
        kind = "t_one"
    elif "cnn_module_kernel" in facts.metadata:
        _demand(folder, file, facts, "head", "num_blocks", "right_context", "vocab_size")
        kind, size = "wenet_ctc", _number(folder, file, facts, "vocab_size")
    else:
        said = f"says it is {word!r}" if word else "does not say what it is (no metadata)"
        raise _unusable(folder, f"{file.name} {said}: streaming models only")
    return _model(folder, kind, (file,), facts, size)


def _model(
    folder: Path, kind: Kind, files: tuple[Path, ...], facts: OnnxFacts, size: int | None
) -> Model:
    frames = next(
        (int(v) for k in ("T", "window_size") if (v := facts.metadata.get(k, "")).isdigit()), 67
    )
    return Model(
        folder=folder,
        kind=kind,
        files=files,
        tokens=_tokens(folder, size),
        languages=_languages(folder),
        window_s=frames / 100,
        metadata=facts.metadata,
    )


def _pick(folder: Path, role: str) -> Path | None:
    """Return the file of a role: int8 where there is one, but not for a decoder.

    Source: upstream's own examples; a decoder is small, and int8 costs it accuracy.
    """
    found = sorted(path for path in folder.glob(f"{role}*.onnx") if path.is_file())
    small = [path for path in found if path.name.endswith(".int8.onnx")]
    large = [path for path in found if path not in small]
    ordered = large + small if role == "decoder" else small + large
    return ordered[0] if ordered else None


def _facts(folder: Path, file: Path) -> OnnxFacts:
    try:
        return read_onnx_facts(file)
    except NotOnnx as error:
        raise _unusable(folder, f"{file.name} is not an ONNX model: {error}") from error


def _demand(folder: Path, file: Path, facts: OnnxFacts, *keys: str) -> None:
    if missing := [key for key in keys if key not in facts.metadata]:
        raise _unusable(
            folder,
            f"{file.name} does not say {', '.join(missing)} in its metadata: "
            "it is another model's part, or was not exported for sherpa-onnx",
        )


def _number(folder: Path, file: Path, facts: OnnxFacts, key: str) -> int:
    text = facts.metadata[key]
    if not text.isdigit():
        raise _unusable(folder, f"{file.name} says {key} = {text!r}, which is no number")
    return int(text)


def _tokens(folder: Path, size: int | None) -> tuple[str, ...]:
    """Return the vocabulary, by number."""
    path = folder / "tokens.txt"
    if not path.is_file():
        raise _unusable(folder, "tokens.txt is missing")
    if path.stat().st_size > MAX_TOKENS_BYTES:
        raise _unusable(folder, "tokens.txt is too large to be a vocabulary")
    known: dict[int, str] = {}
    lines = path.read_bytes().decode(errors="replace").split("\n")
    for at, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        token, _, number = line.rstrip().rpartition(" ")
        if not number.isdecimal() or "\ufffd" in line or int(number) in known:
            raise _unusable(folder, f"line {at} of tokens.txt is not “token number”")
        known[int(number)] = token or " "
    extra = [n for n, token in known.items() if _DISAMBIGUATION.fullmatch(token)]
    count = len(known) - (len(extra) if size is not None and len(known) > size else 0)
    if set(range(count)) - set(known) or not count:
        raise _unusable(folder, "tokens.txt does not number its tokens 0, 1, 2 …")
    if size is not None and count != size:
        raise _unusable(
            folder, f"tokens.txt has {count} tokens, the model has {size}: it is another model's"
        )
    return tuple(known[number] for number in range(count))


def _languages(folder: Path) -> tuple[str, ...]:
    """Return what the folder's own file says, else what the catalogue says of its name."""
    path = folder / LANGUAGES_FILE
    told = tuple(path.read_text(encoding="utf-8").lower().split()) if path.is_file() else ()
    known = told or languages_of(folder.name)
    if not known:
        raise _unusable(
            folder,
            f"nobody says which language it knows: write it into {path}, such as “en” or “it de”",
        )
    return known


def _paraformer(folder: Path) -> EngineFailed:
    return _unusable(
        folder,
        "it is a Paraformer, which guesses how many words there are: only recognisers that "
        "decide frame by frame are used here (CTC and transducers)",
    )


def _unusable(folder: Path, reason: str) -> EngineFailed:
    return EngineFailed(f"The model in {folder} cannot be used: {reason}.")
