from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parola.domain.errors import BadMessage, NotFound
from parola.transcribe_api.word_filters import MASK, WordFilter, named_words, read_words
from parola.wire.transcribe import Alternative, FilterMethod, Item, Result

WORDS = ["he", "hell", "hello", "He", "it's", "a.b", "(", "perché", "***"]
METHODS: list[FilterMethod] = ["mask", "remove", "tag"]


def result(*words: str) -> Result:
    items = tuple(Item(word, at, at + 1.0) for at, word in enumerate(words))
    return Result("id", 0.0, 9.0, False, (Alternative(" ".join(words), items),))


@given(
    st.lists(st.sampled_from(WORDS), min_size=1),
    st.sets(st.sampled_from([word.casefold() for word in WORDS if word != MASK])),
    st.sampled_from(METHODS),
)
@example(["He"], {"he"}, "mask")
def test_filtered_words_go_and_the_others_stay(
    said: list[str], rude: set[str], method: FilterMethod
) -> None:
    """Items: exactly the filter's words are masked, removed or tagged, whatever their case."""
    best = WordFilter(rude, method).apply(result(*said)).alternatives[0]
    hit = [word.casefold() in rude for word in said]
    if method == "remove":
        assert [item.content for item in best.items] == [
            word for word, is_rude in zip(said, hit, strict=True) if not is_rude
        ]
        return
    assert [item.vocabulary_filter_match for item in best.items] == hit
    masked = [
        MASK if is_rude and method == "mask" else word
        for word, is_rude in zip(said, hit, strict=True)
    ]
    assert [item.content for item in best.items] == masked


@given(
    st.lists(st.sampled_from(["he", "hell", "hello", "He", "it's", "perché"]), min_size=1),
    st.sets(st.sampled_from(["he", "hell", "hello", "it's", "perché"])),
)
@example(["he", "hello"], {"he"})
def test_the_text_says_what_the_items_say(said: list[str], rude: set[str]) -> None:
    """Words within words stay: "he" is not taken out of "hello"."""
    for method in METHODS:
        best = WordFilter(rude, method).apply(result(*said)).alternatives[0]
        assert best.transcript == " ".join(item.content for item in best.items)


def test_punctuation_stays() -> None:
    """Only the word goes."""
    items = (Item("Damn", 0, 1), Item(",", 1, 1, kind="punctuation"), Item("yes", 1, 2))
    said = Result("id", 0, 2, False, (Alternative("Damn, yes", items),))
    masked = WordFilter({"damn"}, "mask").apply(said).alternatives[0]
    assert masked.transcript == "***, yes"
    assert [item.content for item in masked.items] == ["***", ",", "yes"]


def test_words_are_read_one_a_line(tmp_path: Path) -> None:
    """Case and empty lines do not matter; the name comes before the file."""
    file = tmp_path / "rude.txt"
    file.write_text("Damn\n\n  heck \n")
    assert named_words(f"rude={file}") == ("rude", frozenset({"damn", "heck"}))


def test_what_is_no_filter_is_refused(tmp_path: Path) -> None:
    """A missing name, a missing file, an empty file, and what is no text."""
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n \n")
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(BadMessage, match="NAME=FILE"):
        named_words("rude")
    with pytest.raises(BadMessage, match="NAME=FILE"):
        named_words(f"very rude={empty}")
    with pytest.raises(NotFound):
        named_words(f"rude={tmp_path / 'nowhere'}")
    for file in (empty, binary):
        with pytest.raises(BadMessage):
            read_words(file)
