"""Hypotheses become numbered segments, and nothing comes twice."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.transcript import Hypothesis, Segment, SegmentAssembler, Word


def guess(first: int, end: int, text: str, *, final: bool = False) -> Hypothesis:
    """Return a hypothesis whose words share its span evenly."""
    texts = text.split()
    step = (end - first) / max(len(texts), 1)
    words = tuple(
        Word(t, first + round(i * step), first + round((i + 1) * step)) for i, t in enumerate(texts)
    )
    return Hypothesis(text, first, end, final, words)


@st.composite
def hypotheses(draw: st.DrawFn) -> list[Hypothesis]:
    """Draw what engine streams might say, also wrong: overlaps, repeats, empty texts."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, 5000))
        end = first + draw(st.integers(0, 2000))
        text = draw(st.sampled_from(["", "a", "a b", "b a b", "a b c d e"]))
        hypothesis = guess(first, end, text, final=draw(st.booleans()))
        if draw(st.booleans()):
            hypothesis = Hypothesis(text, first, end, hypothesis.is_final)
        elif draw(st.booleans()):
            # An engine whose last word goes on after the end of its own utterance.
            hypothesis = replace(hypothesis, end_frame=first + (end - first) // 2)
        found.append(hypothesis)
    return found


def assemble(given: list[Hypothesis]) -> list[Segment]:
    """Return what a viewer would be shown."""
    assembler = SegmentAssembler("s", "en-US")
    return [segment for h in given if (segment := assembler.add(h))]


@given(hypotheses())
def test_finals_are_numbered_without_a_gap_and_never_overlap(given: list[Hypothesis]) -> None:
    """Whatever engines say, finals count 1, 2, 3 … and each starts where the last ended."""
    finals = [s for s in assemble(given) if s.is_final]
    assert [s.number for s in finals] == list(range(1, len(finals) + 1))
    for earlier, later in itertools.pairwise(finals):
        assert later.first_frame >= earlier.end_frame
    assert all(s.text and s.first_frame < s.end_frame for s in finals)


@given(hypotheses())
def test_a_partial_has_the_number_of_the_final_to_come(given: list[Hypothesis]) -> None:
    """A viewer can tell which final replaces which partial."""
    done = 0
    for segment in assemble(given):
        assert segment.number == done + 1
        done += segment.is_final


@given(hypotheses())
def test_a_viewer_is_not_told_the_same_partial_twice(given: list[Hypothesis]) -> None:
    """Every frame that is sent changes something; an empty partial withdraws one that is shown."""
    shown = ""
    for segment in assemble(given):
        if segment.is_final:
            shown = ""
        else:
            assert segment.text != shown
            shown = segment.text


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.data())
def test_a_new_stream_from_any_rewind_point_repeats_nothing(
    lengths: list[int], data: st.DataObject
) -> None:
    """A stream broke off and a new one heard some of the audio again: each word comes once."""
    utterances, frame, number = [], 0, 0
    for length in lengths:
        words = tuple(
            Word(f"w{number + i}", frame + i * 100, frame + (i + 1) * 100) for i in range(length)
        )
        utterances.append(
            Hypothesis(" ".join(w.text for w in words), frame, words[-1].end_frame, True, words)
        )
        frame, number = words[-1].end_frame, number + length
    broke = data.draw(st.integers(0, len(utterances)))
    rewound = data.draw(st.integers(0, broke))
    segments = assemble(utterances[:broke] + utterances[rewound:])
    words_shown = [w for s in segments if s.is_final for w in s.text.split()]
    assert words_shown == [f"w{i}" for i in range(number)]


def test_words_that_began_before_the_last_final_are_cut_away() -> None:
    """A new stream that starts inside an old utterance keeps only what is new."""
    assembler = SegmentAssembler("s", "en-US")
    assembler.add(guess(0, 300, "one two three", final=True))
    segment = assembler.add(guess(200, 500, "three four five", final=True))
    assert segment is not None
    assert segment.text == "four five"
    assert (segment.first_frame, segment.end_frame) == (300, 500)


def test_an_empty_final_withdraws_the_partial() -> None:
    """What turned out to be no speech disappears from the screen."""
    assembler = SegmentAssembler("s", "en-US")
    assembler.add(guess(0, 100, "uh"))
    withdrawn = assembler.add(guess(0, 200, "", final=True))
    assert withdrawn is not None
    assert (withdrawn.text, withdrawn.is_final) == ("", False)
    assert assembler.add(guess(0, 200, "", final=True)) is None
