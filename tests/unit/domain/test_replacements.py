"""Rules put right what was misheard, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.replacements import Replacer
from parola.domain.room_settings import Replacement
from parola.domain.transcript import Segment, Word


def segment(text: str, stable: int = 0, *, is_final: bool = True) -> Segment:
    """Return a segment whose words last 100 frames each, 0.5 s apart; the first are stable."""
    texts = text.split()
    words = tuple(
        Word(part, 1000 * n, 1000 * n + 100, 0.5 + n / 1000, stable=n < stable)
        for n, part in enumerate(texts)
    )
    return Segment("s", 1, text, 0, 1000 * len(texts), is_final, "en-US", words)


def rules(*pairs: tuple[str, str]) -> Replacer:
    return Replacer([Replacement(*pair) for pair in pairs])


@pytest.mark.parametrize(
    ("heard", "shown", "text", "expected"),
    [
        ("grace hooper", "Grace Hopper", "and grace hooper said", "and Grace Hopper said"),
        ("cooper netties", "Kubernetes", "on Cooper Netties, today", "on Kubernetes, today"),
        ("kubernetes", "cube", "Kubernetes KUBERNETES kubernetes", "Cube CUBE cube"),
        ("art", "ART", "party art start art.", "party ART start ART."),
        ("note book", "notebook", "a note, book", "a note, book"),
        ("perché", "perchè", "PERCHÉ? «perché» percher", "PERCHÈ? «perchè» percher"),
        ("straße", "Strasse", "die STRASSE", "die Strasse"),
        ("sí se", "sise", "¿sí se puede?", "¿sise puede?"),
        ("你好", "您好", "他说你好吗", "他说您好吗"),
        ("c++", "see plus plus", "in c++, yes", "in see plus plus, yes"),
        ("a", "b a b", "a a", "b a b b a b"),
    ],
)
def test_whole_words_in_any_case(heard: str, shown: str, text: str, expected: str) -> None:
    """A rule fits whole words in any case and script, and leaves the punctuation in place."""
    corrected = rules((heard, shown)).correct(segment(text))
    assert corrected.text == expected
    assert corrected.heard == ("" if text == expected else text)
    assert "".join(w.text for w in corrected.words) == expected.replace(" ", "")


def test_the_first_rule_that_fits_counts_and_results_are_left_alone() -> None:
    """Rules that turn words into each other neither chain nor loop."""
    swap = rules(("ada", "grace"), ("grace", "ada"), ("ada grace", "nobody"))
    assert swap.correct(segment("ada grace ada")).text == "grace ada grace"


def test_the_sound_under_a_replacement_is_shared_out() -> None:
    """New words lie in the time of the old ones, by their length, with the least confidence."""
    words = rules(("b c", "be seen")).correct(segment("a b c d")).words
    assert [(w.text, w.start_frame, w.end_frame) for w in words] == [
        ("a", 0, 100),
        ("be", 1000, 1366),
        ("seen", 1366, 2100),
        ("d", 3000, 3100),
    ]
    assert [w.confidence for w in words] == [0.5, 0.501, 0.501, 0.503]


def test_a_word_that_may_begin_a_rule_is_not_stable_yet() -> None:
    """A painted word never changes: "grace" waits until "hooper" can no longer follow."""
    replacer = rules(("grace hooper", "Grace Hopper"))

    def stable(text: str, first: int, *, is_final: bool = False) -> list[str]:
        corrected = replacer.correct(segment(text, first, is_final=is_final))
        return [word.text for word in corrected.words if word.stable]

    assert stable("saying grace", 2) == ["saying"]
    assert stable("saying grace hooper", 2) == ["saying"]
    assert stable("saying grace hooper", 3) == ["saying", "Grace", "Hopper"]
    assert stable("saying grace aloud", 3) == ["saying", "grace", "aloud"]
    assert stable("saying grace", 2, is_final=True) == ["saying", "grace"]


def test_without_word_times_the_text_is_put_right() -> None:
    """An engine that gives no words, or spaces its text in its own way, is served too."""
    bare = Segment("s", 1, "so  grace hooper\nsaid", 0, 10, True, "en-US")
    assert rules(("grace hooper", "Grace Hopper")).correct(bare).text == "so  Grace Hopper\nsaid"


atoms = st.sampled_from(["a", "b", "c", "A", "b,", "c."])
texts = st.lists(atoms, min_size=1, max_size=8).map(" ".join)
phrases = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(" ".join)
any_rules = st.lists(st.builds(Replacement, phrases, phrases | st.just("x y")), max_size=3)


@given(any_rules, texts, texts, st.integers(0, 16))
def test_a_stable_word_never_changes(
    given_rules: list[Replacement], text: str, guess: str, stable: int
) -> None:
    """Whatever follows the stable words, what was shown as stable stays as it was shown."""
    replacer = Replacer(given_rules)
    words = text.split()[:stable]
    before = replacer.correct(segment(" ".join([*words, guess]), len(words), is_final=False))
    bare = replacer.correct(segment(" ".join(words), len(words), is_final=False))
    after = replacer.correct(segment(text))
    for partial in before, bare:
        painted = [word.text for word in partial.words if word.stable]
        assert [word.text for word in after.words][: len(painted)] == painted


@given(any_rules, texts)
def test_untouched_words_stay_and_times_never_run_back(
    given_rules: list[Replacement], text: str
) -> None:
    """Words and text say the same; words in no rule keep everything; times stay in order."""
    before = segment(text)
    after = Replacer(given_rules).correct(before)
    assert " ".join(word.text for word in after.words) == after.text
    frames = [frame for word in after.words for frame in (word.start_frame, word.end_frame)]
    assert frames == sorted(frames)
    in_rules = {part for rule in given_rules for part in rule.heard.split()}
    kept = [word for word in before.words if word.text.strip(".,").casefold() not in in_rules]
    assert [word for word in after.words if word in kept] == kept


@given(st.lists(st.builds(Replacement, phrases, st.just("x y")), max_size=3), texts)
def test_twice_is_once_where_no_rule_hears_what_another_shows(
    given_rules: list[Replacement], text: str
) -> None:
    """What was put right is right."""
    replacer = Replacer(given_rules)
    once = replacer.correct(segment(text))
    assert replacer.correct(segment(once.text)).text == once.text


@given(any_rules, texts, texts)
def test_a_cut_where_no_rule_can_reach_changes_nothing(
    given_rules: list[Replacement], left: str, right: str
) -> None:
    """Two utterances put right by themselves are what both are together, cut at a full stop."""
    replacer = Replacer(given_rules)
    parts = [replacer.correct(segment(text)).text for text in (f"{left}.", right)]
    assert replacer.correct(segment(f"{left}. {right}")).text == " ".join(parts)
