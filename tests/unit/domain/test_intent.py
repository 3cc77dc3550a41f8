"""What a line is for: what the model looks at, and what comes with the program."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import parola.analysts
from bench.mood import train
from parola.analysts.local import intents, read
from parola.domain.intent import INTENTS, Intent, IntentModel, chosen, features, of_conversation

MODEL = Path(parola.analysts.__file__).parent / "intent.json"


def test_a_question_mark_is_a_word_and_no_other_sign_is() -> None:
    """Engines that write no signs are as good as those that do; only "?" says something."""
    assert features("Hello, there!", 0.0) == features("hello there", 0.0)
    assert features("really?", 0.0) != features("really", 0.0)


def test_what_is_unsure_is_other() -> None:
    """Under the threshold nothing is claimed; at it, it is."""
    scores = [0.0] * len(INTENTS)
    scores[INTENTS.index("thanks")] = 0.5
    assert chosen(scores, 0.5) == "thanks"
    assert chosen(scores, 0.51) == "other"


def test_a_model_that_knows_no_word_goes_by_its_bias() -> None:
    """A line in a language it has never seen breaks nothing."""
    model = IntentModel({}, [0.1] * len(INTENTS), 0.4)
    assert model.intent("日本語", 0.0) == "other"


@pytest.mark.parametrize(
    ("language", "text", "intent"),
    [
        ("en-US", "where can we find the slides", "question"),
        ("it-IT", "Dove si trovano le diapositive?", "question"),
        ("it", "vorrei prenotare una camera per favore", "request"),
        ("en", "the microphone does not work again", "complaint"),
        ("it-IT", "grazie mille a tutti", "thanks"),
        ("it", "Il laboratorio è stato spostato in aula B.", "announcement"),
        ("en", "good morning everybody and welcome", "greeting"),
        ("en", "the function returns a list", "other"),
    ],
)
def test_the_model_that_comes_with_the_program_knows_both_languages(
    language: str, text: str, intent: str
) -> None:
    """Plain cases of each intent are told apart."""
    found = read(language, text)
    assert found
    assert found[1] == intent


def test_other_languages_are_not_guessed_at() -> None:
    """Nobody is told how a line sounds in a language there are no lists of."""
    assert read("fr-FR", "merci beaucoup") is None


def test_the_model_is_made_of_the_sentences_that_are_here() -> None:
    """Whoever changes a sentence has to train again; the trainer makes this very model."""
    written = json.loads(MODEL.read_text())
    assert hashlib.sha256(train.DATA.read_bytes()).hexdigest() in written["made_of"]
    assert tuple(written["intents"]) == INTENTS
    made = train.train(train.sentences(), written["threshold"])
    there = intents()
    assert made.weights.keys() >= {n for n, w in there.weights.items() if max(map(abs, w)) > 0.06}
    for name in there.weights.keys() & made.weights.keys():
        assert np.allclose(there.weights[name], made.weights[name], atol=0.011), name


def test_a_conversation_is_about_what_its_lines_are_about() -> None:
    """Most of a talk is "other"; a share of the rest names it, one line does not."""
    other: list[Intent] = ["other"] * 8
    question: list[Intent] = ["question"]
    assert of_conversation(other + question * 2) == "question"
    assert of_conversation(other + question) == "other"
    assert of_conversation(other * 10 + question * 2) == "other"
    assert of_conversation(["thanks", "request", "request", "thanks", "request"]) == "request"
    assert of_conversation([]) == "other"
