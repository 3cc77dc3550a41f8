"""Amazon Transcribe's results, and how they become our hypotheses and ours theirs."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.audio import to_seconds
from parola.domain.transcript import Hypothesis, Segment, Word
from parola.wire import transcribe
from parola.wire.transcribe import (
    Alternative,
    BadTranscript,
    Entity,
    Item,
    LanguageScore,
    Result,
)

times = st.integers(0, 10**7).map(lambda ms: ms / 1000)
maybe_score = st.none() | st.floats(0, 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
items = st.builds(
    Item,
    texts,
    times,
    times,
    st.sampled_from(["pronunciation", "punctuation"]),
    maybe_score,
    st.none() | st.booleans(),
    st.none() | texts,
    st.booleans(),
)
entities = st.builds(Entity, texts, times, times, texts, texts, maybe_score)
results = st.builds(
    Result,
    texts,
    times,
    times,
    st.booleans(),
    st.lists(
        st.builds(
            Alternative,
            texts,
            st.lists(items, max_size=4).map(tuple),
            st.lists(entities, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    st.none() | texts,
    st.none() | texts,
    st.lists(st.builds(LanguageScore, texts, st.floats(0, 1)), max_size=2).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(results, max_size=3))
def test_results_are_read_as_they_were_written(written: list[Result]) -> None:
    """Every field of every result survives; an event without results is one."""
    assert transcribe.read_transcript_event(transcribe.write_transcript_event(written)) == written


@given(
    results,
    st.lists(
        st.sampled_from(
            [
                "ResultId",
                "StartTime",
                "IsPartial",
                "Alternatives",
                "Items",
                "Content",
                "Confidence",
                "Stable",
                "Entities",
                "LanguageIdentification",
                "ChannelId",
            ]
        ),
        max_size=3,
    ),
    json_values,
)
def test_wrong_types_are_a_documented_error(result: Result, keys: list[str], value: object) -> None:
    """Whatever stands under a known key: results, or `BadTranscript` with a sentence."""

    def spoilt(node: object) -> object:
        if isinstance(node, dict):
            return {k: value if k in keys else spoilt(v) for k, v in node.items()}
        return [spoilt(one) for one in node] if isinstance(node, list) else node

    payload = json.dumps(spoilt(json.loads(transcribe.write_transcript_event([result]))))
    try:
        for one in transcribe.read_transcript_event(payload.encode()):
            transcribe.to_hypothesis(one)
            assert one.channel_id is None or isinstance(one.channel_id, str)
            assert isinstance(one.is_partial, bool)
    except BadTranscript as error:
        assert "transcript" in error.message  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b'{"Transcript":[]}',
        b'{"Transcript":{"Results":{}}}',
        b'{"Transcript":{"Results":[1]}}',
        b'{"Transcript":{"Results":[{"StartTime":NaN}]}}',
        b'{"Transcript":{"Results":[{"StartTime":1e999}]}}',
        b'{"Transcript":{"Results":[{"StartTime":1' + b"0" * 400 + b"}]}}",
        b'{"Transcript":{"Results":[{"StartTime":true}]}}',
        b'{"Transcript":{"Results":[{"StartTime":"1"}]}}',
        b'{"Transcript":{"Results":[{"IsPartial":"false"}]}}',
        b'{"Transcript":{"Results":[{"ChannelId":0}]}}',
        b'{"Transcript":{"Results":[{"Alternatives":""}]}}',
    ],
)
def test_events_that_are_none_are_refused(payload: bytes) -> None:
    """Not JSON, too deep, wrong types, numbers that are none."""
    with pytest.raises(BadTranscript):
        transcribe.read_transcript_event(payload)


def test_absent_and_unknown_keys_are_no_error() -> None:
    """A newer service may say more; an older one less."""
    assert transcribe.read_transcript_event(b"{}") == []
    assert transcribe.read_transcript_event(b'{"Transcript":{"Results":[]},"New":1}') == []
    sparse = (
        b'{"Transcript":{"Results":[{"ResultId":null,"Alternatives":['
        b'{"Items":[{"Type":"noise"}]}]}]}}'
    )
    (result,) = transcribe.read_transcript_event(sparse)
    assert result == Result("", 0.0, 0.0, False, (Alternative("", (Item("", 0.0, 0.0),)),))


SPOKEN = b"""{"Transcript":{"Results":[{"ResultId":"r1","StartTime":1.0,"EndTime":3.5,
"IsPartial":false,"LanguageCode":"it-IT","Alternatives":[{"Transcript":"Buongiorno, come va?",
"Items":[
{"Type":"pronunciation","Content":"Buongiorno","StartTime":1.01,"EndTime":1.9,"Confidence":0.9,
 "Stable":true,"Speaker":"1","VocabularyFilterMatch":false},
{"Type":"punctuation","Content":",","StartTime":1.9,"EndTime":1.9,"VocabularyFilterMatch":false},
{"Type":"pronunciation","Content":"come","StartTime":2.0,"EndTime":2.4,"Speaker":"0"},
{"Type":"pronunciation","Content":"va","StartTime":2.5,"EndTime":3.6,"Speaker":"0"},
{"Type":"punctuation","Content":"?","StartTime":3.0,"EndTime":3.0}]}]}]}}"""


def test_a_result_becomes_words_on_the_sessions_clock() -> None:
    """Frames from the stream's start plus the offset; punctuation stays with its word."""
    (result,) = transcribe.read_transcript_event(SPOKEN)
    heard = transcribe.to_hypothesis(result, offset_frames=160_000)
    assert heard == Hypothesis(
        text="Buongiorno, come va?",
        first_frame=176_000,
        end_frame=160_000 + 57_600,
        is_final=True,
        words=(
            Word("Buongiorno,", 176_160, 190_400, 0.9, True),
            Word("come", 192_000, 198_400),
            Word("va?", 200_000, 217_600),
        ),
        speaker="0",
        language="it-IT",
    )
    assert " ".join(word.text for word in heard.words) == heard.text


def test_a_result_without_alternatives_withdraws_the_partial() -> None:
    """An empty final is an empty hypothesis, not an error."""
    assert transcribe.to_hypothesis(Result("r", 1.0, 0.5, False), 10) == Hypothesis(
        "", 16_010, 16_010, True
    )


def test_opening_marks_stand_before_their_word() -> None:
    """Spanish questions, and punctuation that comes before anything was said."""
    said = [
        Item("¿", 0, 0, "punctuation"),
        Item("Qué", 0, 1),
        Item("¿", 1, 1, "punctuation"),
        Item("tal", 1, 2),
        Item("?", 2, 2, "punctuation"),
    ]
    result = Result("r", 0, 2, True, (Alternative("¿Qué ¿tal?", tuple(said)),))
    assert [word.text for word in transcribe.to_hypothesis(result).words] == ["¿Qué", "¿tal?"]


@given(results, st.integers(0, 10**9))
def test_any_result_gives_times_that_run_forwards(result: Result, offset: int) -> None:
    """Whatever the service's times are: no word ends before it starts or before the stream."""
    heard = transcribe.to_hypothesis(result, offset)
    assert offset <= heard.first_frame <= heard.end_frame
    for word in heard.words:
        assert offset <= word.start_frame <= word.end_frame <= heard.end_frame
        assert word.text.strip()


def frames(first: int, last: int) -> st.SearchStrategy[int]:
    return st.integers(first // 16, last // 16).map(lambda ms: ms * 16)


word_texts = st.from_regex("[a-zàè'-]{1,8}[.,?!]{0,2}", fullmatch=True)


@st.composite
def guesses(draw: st.DrawFn) -> Hypothesis:
    """An engine's guess on whole milliseconds, words in order."""
    said = draw(st.lists(word_texts, min_size=1, max_size=6))
    edges = sorted(
        draw(st.lists(frames(32_000, 320_000), min_size=len(said) + 1, max_size=len(said) + 1))
    )
    final = draw(st.booleans())
    words = tuple(
        Word(text, start, end, 0.5 if final else None, draw(st.booleans()) or final)
        for text, start, end in zip(said, edges, edges[1:], strict=False)
    )
    speaker = draw(st.sampled_from([None, "0"])) if final else None
    return Hypothesis(" ".join(said), edges[0], edges[-1], final, words, speaker)


@given(guesses(), st.sampled_from([0, 16_000, 32_000]))
def test_a_guess_comes_back_from_the_wire_as_it_was(guess: Hypothesis, offset: int) -> None:
    """An engine's words, said as the service says them and read as we read it, are the same."""
    result = transcribe.from_hypothesis(
        guess, "r", offset_frames=offset, stabilised=True, speaker_labels=True
    )
    (sent,) = transcribe.read_transcript_event(transcribe.write_transcript_event([result]))
    assert transcribe.to_hypothesis(sent, offset) == guess


def test_only_what_was_asked_for_is_said() -> None:
    """No stability, speakers or language unasked; confidence and speakers in finals only."""
    words = (Word("sì.", 0, 1600, 0.7, True),)
    final = Segment("s", 1, "sì.", 0, 1600, True, "it-IT", words, "0")
    plain = transcribe.from_hypothesis(final, "r", scores=(LanguageScore("it-IT", 0.9),))
    assert (plain.language_code, plain.language_identification) == (None, ())
    word, mark = plain.alternatives[0].items
    assert (word.content, word.confidence, word.stable, word.speaker) == ("sì", 0.7, None, None)
    assert (mark.content, mark.kind, mark.start_s) == (".", "punctuation", 0.1)
    partial = transcribe.from_hypothesis(
        replace(final, is_final=False),
        "r",
        speaker_labels=True,
        stabilised=True,
        identified=True,
        scores=(LanguageScore("it-IT", 0.9),),
        channel_id="ch_1",
    )
    word, _ = partial.alternatives[0].items
    assert (word.confidence, word.speaker, word.stable) == (None, None, True)
    assert (partial.language_code, partial.channel_id) == ("it-IT", "ch_1")
    assert partial.language_identification == (LanguageScore("it-IT", 0.9),)


@given(st.lists(word_texts, max_size=6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_words_without_times_are_spread_over_the_guess(
    said: list[str], first: int, long: int
) -> None:
    """An engine without word times still has items, in order, from start to end."""
    guess = Hypothesis(" ".join(said), first, first + long, is_final=True)
    result = transcribe.from_hypothesis(guess, "r")
    edges = [edge for item in result.alternatives[0].items for edge in (item.start_s, item.end_s)]
    assert edges == sorted(edges)
    if said:
        assert (edges[0], edges[-1]) == (to_seconds(first), to_seconds(first + long))
    assert [w.text for w in transcribe.to_hypothesis(result).words] == said
