"""Builds sherpa-onnx's recogniser for a checked model folder; only ever in a worker process."""

import os
import tempfile
from pathlib import Path
from typing import Any

import sherpa_onnx

from parola.engines.sherpa_loading_order import Load
from parola.engines.sherpa_model import Model, hotword_pieces, read_model
from parola.engines.sherpa_pieces import read_pieces

THREADS = min(2, os.cpu_count() or 1)
"""Of one model. Upstream's own default; more help little on a batch this small."""


def load(order: Load) -> tuple[Model, Any]:
    """Check the folder again and load it.

    Raises:
        EngineFailed: the folder cannot be used.
        RuntimeError: sherpa-onnx found something wrong, and could say so.
    """
    model = read_model(Path(order.folder))
    # The recogniser reads its files while it is built, and not again.
    with tempfile.TemporaryDirectory(prefix="parola-sherpa-") as scratch:
        extra = _for_hotwords(model, Path(scratch)) if order.hotwords else {}
        return model, _build(model, extra)


def _for_hotwords(model: Model, scratch: Path) -> dict[str, Any]:
    pieces = hotword_pieces(model.folder)
    if pieces is None or not model.takes_hotwords:
        raise RuntimeError(f"{model.name} takes no words of a talk")
    if pieces.name != "bpe.vocab":
        lines = [f"{piece}\t{score}\n" for piece, score in read_pieces(pieces)]
        pieces = scratch / "bpe.vocab"
        pieces.write_text("".join(lines), encoding="utf-8")
    return {
        "decoding_method": "modified_beam_search",
        "modeling_unit": "bpe",
        "bpe_vocab": str(pieces),
    }


def _build(model: Model, extra: dict[str, Any]) -> Any:  # noqa: ANN401 - sherpa-onnx has no types
    common = {
        "tokens": str(model.folder / "tokens.txt"),
        "num_threads": THREADS,
        "enable_endpoint_detection": True,
        **extra,
    }
    if (bands := model.metadata.get("feat_dim", "")).isdigit():
        common["feature_dim"] = int(bands)
    online = sherpa_onnx.OnlineRecognizer
    if model.kind in {"transducer", "nemo_transducer"}:
        encoder, decoder, joiner = (str(file) for file in model.files)
        return online.from_transducer(encoder=encoder, decoder=decoder, joiner=joiner, **common)
    builders = {
        "zipformer2_ctc": online.from_zipformer2_ctc,
        "nemo_ctc": online.from_nemo_ctc,
        "wenet_ctc": online.from_wenet_ctc,
        "t_one": online.from_t_one_ctc,
    }
    return builders[model.kind](model=str(model.files[0]), **common)
