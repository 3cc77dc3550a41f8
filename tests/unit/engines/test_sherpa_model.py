"""What a folder must be before it is loaded."""

from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import EngineFailed
from parola.engines.onnx_facts import NotOnnx, read_onnx_facts
from parola.engines.sherpa import read_models
from parola.engines.sherpa_model import Model, read_model
from tests import tone_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tone_models.write_transducer(tmp_path / "tones")


def refused(folder: Path) -> str:
    with pytest.raises(EngineFailed) as caught:
        read_model(folder)
    return caught.value.message


def without_metadata(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


def test_a_transducer_is_known_as_one(folder: Path) -> None:
    """Its kind, files, languages and the way it writes are read off the folder."""
    model = read_model(folder)
    assert (model.kind, model.languages, model.shouts) == ("transducer", ("en",), True)
    names = [file.name for file in model.files]
    assert names == ["encoder.int8.onnx", "decoder.onnx", "joiner.int8.onnx"]
    assert model.tokens == tone_models.TOKENS
    assert model.takes_hotwords


def test_a_ctc_is_known_as_one(tmp_path: Path) -> None:
    """A NeMo CTC counts its blank apart."""
    model = read_model(tone_models.write_nemo_ctc(tmp_path / "ctc"))
    assert (model.kind, len(model.files), model.takes_hotwords) == ("nemo_ctc", 1, False)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"model_type": "zipformer2", "T": 45, "decode_chunk_len": 32, "encoder_dims": 1},
         "zipformer2_ctc"),
        ({"frame_length_ms": 300, "state_dim": 2, "sample_rate": 8000}, "t_one"),
        ({"cnn_module_kernel": 3, "head": 1, "num_blocks": 1, "right_context": 6, "vocab_size": 7},
         "wenet_ctc"),
    ],
)  # fmt: skip
def test_other_ctcs_are_known_by_their_metadata(
    tmp_path: Path, keys: dict[str, object], kind: str
) -> None:
    """Each family says of itself what no other does."""
    folder = tone_models.write_nemo_ctc(tmp_path / "ctc")
    model = onnx.load(folder / "model.onnx")
    onnx.save(tone_models.with_metadata(model, **keys), folder / "model.onnx")
    assert read_model(folder).kind == kind


@pytest.mark.parametrize("name", ["encoder.int8.onnx", "decoder.onnx", "joiner.int8.onnx"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    """Who copied too little learns what."""
    (folder / name).unlink()
    assert f"{name.partition('.')[0]} is missing" in refused(folder)


@pytest.mark.parametrize("name", ["encoder.int8.onnx", "decoder.onnx", "joiner.int8.onnx"])
def test_a_part_without_metadata_is_named(folder: Path, name: str) -> None:
    """sherpa-onnx would end the process on it."""
    without_metadata(folder / name)
    assert name in (said := refused(folder))
    assert "metadata" in said


def test_swapped_parts_are_found(folder: Path) -> None:
    """A joiner under the decoder's name is not loaded."""
    (folder / "decoder.onnx").rename(folder / "kept")
    (folder / "joiner.int8.onnx").rename(folder / "decoder.onnx")
    (folder / "kept").rename(folder / "joiner.int8.onnx")
    assert "another model's part" in refused(folder)


def test_garbage_is_no_model(folder: Path) -> None:
    """A web page saved as a model is named."""
    (folder / "joiner.int8.onnx").write_text("<html>not found</html>" * 20)
    assert "joiner.int8.onnx is not an ONNX model" in refused(folder)


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        (b"<html>\n", "line 1"),
        (b"\xff\xfe\x00 0\n", "line 1"),
        (b"<blk> 0\nA 0\n", "line 2"),
        (b"<blk> 0\nA 2\n", "does not number"),
        (b"<blk> 0\nA 1\nB 2\n", "has 3 tokens, the model has 6"),
        (b"<blk> 0\nA 1\nB 2\nC 3\nD 4\nE 5\nF 6\n", "has 7 tokens, the model has 6"),
        (b"", "does not number"),
    ],
)
def test_a_wrong_vocabulary_is_found(folder: Path, tokens: bytes, reason: str) -> None:
    """sherpa-onnx takes any tokens.txt and writes garbage."""
    (folder / "tokens.txt").write_bytes(tokens)
    assert reason in refused(folder)


def test_disambiguation_symbols_are_no_tokens(folder: Path) -> None:
    """Upstream's older vocabularies go on with #0, #1, which no model puts out."""
    with (folder / "tokens.txt").open("a", encoding="utf-8") as file:
        file.write("#0 6\n#1 7\n")
    assert read_model(folder).tokens == tone_models.TOKENS


def test_paraformer_is_refused_with_the_reason(folder: Path) -> None:
    """It does not decide frame by frame, so it may invent."""
    (folder / "joiner.int8.onnx").unlink()
    model = onnx.load(folder / "encoder.int8.onnx")
    onnx.save(
        tone_models.with_metadata(model, model_type="paraformer"), folder / "encoder.int8.onnx"
    )
    assert "Paraformer" in refused(folder)


def test_a_language_must_be_said(folder: Path) -> None:
    """A folder with a name of its own says which languages it knows."""
    (folder / "languages").unlink()
    assert "languages" in refused(folder)


def test_a_catalogued_name_says_the_language(tmp_path: Path) -> None:
    """Upstream's folders need nothing added."""
    folder = tone_models.write_transducer(
        tmp_path / "sherpa-onnx-streaming-zipformer-fr-2023-04-14"
    )
    (folder / "languages").unlink()
    assert read_model(folder).languages == ("fr",)


def test_one_broken_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    """What is good is used, what is not is told."""
    tone_models.write_transducer(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    models, said = read_models(tmp_path)
    assert [model.name for model in models] == ["good"]
    assert len(said) == 1
    assert "empty" in said[0]


def test_no_folder_no_models(tmp_path: Path) -> None:
    """Nobody needs to make it."""
    assert read_models(tmp_path / "none") == ([], [])


_ENCODER = tone_models.encoder_bytes()


@given(at=st.integers(0, len(_ENCODER) - 1), byte=st.integers(0, 255), end=st.integers(0, 2000))
def test_any_bytes_are_facts_or_not_onnx(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, end: int
) -> None:
    """No file, however broken, brings the reader down or keeps it busy."""
    path = tmp_path_factory.getbasetemp() / "broken.onnx"
    broken = bytearray(_ENCODER)
    broken[at] = byte
    path.write_bytes(broken[: len(broken) - end] if end < len(broken) else broken)
    try:
        facts = read_onnx_facts(path)
    except NotOnnx:
        return
    assert facts.outputs >= 0


def test_facts_are_those_that_onnx_reads(folder: Path) -> None:
    """The small reader and the real one agree."""
    facts = read_onnx_facts(folder / "encoder.int8.onnx")
    real = onnx.load(folder / "encoder.int8.onnx")
    assert facts.metadata == {prop.key: prop.value for prop in real.metadata_props}
    assert (facts.outputs, facts.width) == (3, tone_models.VOCABULARY)


def test_a_model_is_a_value(folder: Path) -> None:
    """Two looks at a folder see the same."""
    first: Model = read_model(folder)
    assert first == read_model(folder)
