"""Finds the names and the unusual words in a talk's running text, in any spaced language."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from parola.domain.terms import Terms

MAX_FOUND = 200
"""Phrases taken from one text: what is said of more is mostly not heard."""

LONGEST_NAME = 4
"""Words. What has more is a title or a heading."""

_SENTENCE = re.compile(r"[.!?:;\n\u2022\u00b7|]+(?=\s|$)|\n")
_WORD = re.compile(r"[^\W_](?:[^\W_]|['\u2019&+.#-](?=[^\W_])|[+#])*")


def with_names(terms: Terms) -> Terms:
    """Return the terms with the names from their text after the phrases that were given."""
    given = {phrase.casefold() for phrase in terms.phrases}
    names = (name for name in names_in(terms.text) if name.casefold() not in given)
    return replace(terms, phrases=(*terms.phrases, *names))


def names_in(text: str) -> list[str]:
    """Return what is written like a name: the most frequent first, at most `MAX_FOUND`.

    Capitals within a sentence, acronyms, capitals or digits within a word. A capital at the
    beginning of a sentence says nothing, unless the same word has one elsewhere too, and so do
    those of a heading. Languages that write every noun with a capital give their nouns.
    """
    sentences = [list(_WORD.finditer(part)) for part in _SENTENCE.split(text)]
    sure = {word[0] for words in sentences for word in _surely_names(words)}
    found = Counter(name for words in sentences for name in _runs(words, sure))
    return [name for name, _ in found.most_common(MAX_FOUND)]


def unusual_words(text: str, is_common: Callable[[str], bool]) -> list[str]:
    """Return the words, in lower case, that are not common: the most frequent first.

    At most `MAX_FOUND`; words of fewer than four letters are left out.
    """
    words = Counter(match[0].lower() for match in _WORD.finditer(text))
    return [
        word
        for word, _ in words.most_common()
        if len(word) >= 4 and not word.isdigit() and not is_common(word)
    ][:MAX_FOUND]


def _surely_names(words: list[re.Match[str]]) -> Iterator[re.Match[str]]:
    """Yield the words of a sentence that are written like names wherever they stand."""
    capitals = sum(word[0][0].isupper() for word in words)
    heading = len(words) > 2 and capitals * 3 >= len(words) * 2
    for number, word in enumerate(words):
        text = word[0]
        if len(text) == 1 or (heading and text.isupper()):
            continue
        capital = text[0].isupper() and number > 0 and not heading
        if capital or any(char.isupper() for char in text[1:]) or _is_mixed(text):
            yield word


def _runs(words: list[re.Match[str]], sure: set[str]) -> Iterator[str]:
    """Yield names: words in `sure` with nothing but a space between them."""
    run: list[str] = []
    end = 0
    for word in words:
        joined = word.string[end : word.start()] == " "
        if run and (word[0] not in sure or not joined):
            yield from _short(run)
            run = []
        if word[0] in sure:
            run.append(word[0])
        end = word.end()
    yield from _short(run)


def _short(run: list[str]) -> list[str]:
    return [" ".join(run)] if 0 < len(run) <= LONGEST_NAME else run


def _is_mixed(text: str) -> bool:
    """Return whether it is made of letters and digits: "GPT4", "h264"."""
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
