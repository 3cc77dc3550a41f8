"""What a client was promised does not change any more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.transcript import Segment, Word
from parola.transcribe_api.stable_words import HYPOTHESES, StableWords
from parola.wire.transcribe import Stability

LEVELS: list[Stability] = ["high", "medium", "low"]


def guess(text: str, *, number: int = 1, final: bool = False) -> Segment:
    """Return a guess of a word each tenth of a second."""
    texts = text.split()
    words = tuple(Word(t, at * 1600, (at + 1) * 1600, 0.9) for at, t in enumerate(texts))
    return Segment("s", number, text, 0, len(texts) * 1600 + 1, final, "en-US", words)


def promised(segment: Segment) -> list[str]:
    return [word.text for word in segment.words if word.stable]


@pytest.mark.parametrize("level", LEVELS)
def test_a_word_that_stays_becomes_stable(level: Stability) -> None:
    """High soonest, low latest; a word counts only with all that stand before it."""
    stable = StableWords(level)
    for n in range(1, HYPOTHESES[level]):
        assert promised(stable.add(guess(f"good morning {n}"))) == []
    assert promised(stable.add(guess("good morning 9"))) == ["good", "morning"]


def test_a_changed_mind_of_the_engine_changes_no_promised_word() -> None:
    """What comes after it is the engine's newest guess, in the final too."""
    stable = StableWords("high")
    for _ in range(2):
        stable.add(guess("wreck a nice"))
    assert stable.add(guess("recognise speech there today")).text == "wreck a nice today"
    final = stable.add(guess("recognise speech there tomorrow", final=True))
    assert final.text == "wreck a nice tomorrow"
    assert [word.text for word in final.words] == final.text.split()


def test_what_the_engine_promises_is_promised_at_once() -> None:
    """Amazon's own stable words, for instance."""
    heard = guess("good morning")
    words = (replace(heard.words[0], stable=True), heard.words[1])
    assert promised(StableWords("low").add(replace(heard, words=words))) == ["good"]


def test_an_engine_that_keeps_its_word_keeps_its_times_and_confidence() -> None:
    """A text that needs no mending is passed on as it is, in writing without spaces too."""
    stable = StableWords("high")
    for _ in range(3):
        said = stable.add(replace(guess("おは よう"), text="おはよう"))
    assert said.text == "おはよう"
    assert said.words[0].confidence == 0.9


def test_the_next_result_owes_nothing_to_the_last() -> None:
    """And a withdrawn one takes its promises along: there was no speech."""
    stable = StableWords("high")
    for _ in range(2):
        stable.add(guess("thank you"))
    assert stable.add(guess("")).text == ""
    assert stable.add(guess("for watching")).text == "for watching"
    assert stable.add(guess("good", number=2)).text == "good"


texts = st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map(" ".join)


@given(st.sampled_from(LEVELS), st.lists(texts, max_size=12), texts)
def test_a_promise_is_kept_whatever_the_engine_says(
    level: Stability, partials: list[str], last: str
) -> None:
    """Promised words are a prefix of every later guess; text and words agree."""
    stable = StableWords(level)
    kept: list[str] = []
    for heard in [*map(guess, partials), guess(last, final=True)]:
        said = stable.add(heard)
        assert said.text.split() == [word.text for word in said.words]
        assert said.text.split()[: len(kept)] == kept
        assert promised(said) == said.text.split()[: len(promised(said))]
        assert promised(said)[: len(kept)] == kept
        kept = promised(said)
