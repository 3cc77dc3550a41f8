"""Puts right what an engine tends to mishear, whole words only and never twice.

What it promises, whatever the rules are:

- a word's case and the punctuation around it make no difference to a rule, and stay;
- of the rules that fit at a word the first one counts, and what it put there is not looked at
  again: no rule works on another's result, so nothing loops;
- words that no rule touches keep their text, times and confidence;
- a word is called stable only once no further word can change what is shown in its place.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from parola.domain.room_settings import Replacement
from parola.domain.transcript import Segment, Word

# Scripts that people write without spaces: there, every character is a word of its own.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_ATOM = re.compile(rf"[{_UNSPACED}]|[^{_UNSPACED}]+")
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class _Token:
    """A word as a rule looks at it."""

    opening: str
    """Punctuation before it."""

    core: str
    closing: str
    atoms: tuple[str, ...]
    """The core in lower case; a character each in scripts without spaces."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Tokens from `first` up to `end` become other ones."""

    first: int
    end: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    heard: tuple[str, ...]
    shown: tuple[str, ...]


class Replacer:
    """Applies one list of rules to segments."""

    def __init__(self, rules: Sequence[Replacement]) -> None:
        self._rules = [_Rule(_atoms_of(rule.heard), tuple(rule.shown.split())) for rule in rules]
        self._rules = [rule for rule in self._rules if rule.heard and rule.shown]

    def correct(self, segment: Segment) -> Segment:
        """Return the segment as people should read it; `heard` keeps what it was before."""
        if not self._rules or not segment.text:
            return segment
        words = self._words(segment.words, is_final=segment.is_final)
        text = self._text(segment.text)
        if text == segment.text:
            return replace(segment, words=words)
        return replace(segment, text=text, words=words, heard=segment.text)

    def _text(self, text: str) -> str:
        """Return the text with other words; the space between the rest stays as it is."""
        found = list(_TOKEN.finditer(text))
        changes, _ = self._changes([match[0] for match in found], len(found))
        parts, done = [], 0
        for change in changes:
            parts += [text[done : found[change.first].start()], " ".join(change.texts)]
            done = found[change.end - 1].end()
        return "".join([*parts, text[done:]])

    def _words(self, words: tuple[Word, ...], *, is_final: bool) -> tuple[Word, ...]:
        words = tuple(_single(words))
        stable = next((n for n, word in enumerate(words) if not word.stable), len(words))
        # After a final no word comes that a rule could wait for.
        sure = len(words) + 1 if is_final else stable
        changes, settled = self._changes([word.text for word in words], sure)
        corrected: list[Word] = []
        done = 0
        for change in changes:
            corrected += _held(words[done : change.first], settled - done)
            spread = tuple(_spread(words[change.first : change.end], change.texts))
            corrected += _held(spread, len(spread) if change.end <= settled else 0)
            done = change.end
        return (*corrected, *_held(words[done:], settled - done))

    def _changes(self, texts: Sequence[str], sure: int) -> tuple[list[_Change], int]:
        """Return what becomes of the tokens, and how many of them no further word can change.

        `sure` says how many tokens will not change any more.
        """
        tokens = [_token(text) for text in texts]
        changes: list[_Change] = []
        at, settled = 0, None
        while at < len(tokens):
            change, examined = self._first_that_fits(tokens, at)
            if settled is None and examined > sure:
                settled = at
            if change:
                changes.append(change)
            at = change.end if change else at + 1
        return changes, at if settled is None else settled

    def _first_that_fits(self, tokens: list[_Token], at: int) -> tuple[_Change | None, int]:
        """Return the change at a token, and how many tokens it takes to say so."""
        examined = at + 1
        for rule in self._rules:
            end, fits = _match(rule.heard, tokens, at)
            examined = max(examined, end)
            if fits:
                return _Change(at, end, _dressed(rule, tokens[at:end])), examined
        return None, examined


def _match(heard: tuple[str, ...], tokens: list[_Token], at: int) -> tuple[int, bool]:
    """Return after which token it is known whether the rule fits at `at`, and whether it does.

    A rule that the tokens so far agree with needs one more than there are.
    """
    matched = 0
    for number in range(at, len(tokens)):
        token = tokens[number]
        inner = number > at and (token.opening or tokens[number - 1].closing)
        agrees = heard[matched : matched + len(token.atoms)] == token.atoms
        if inner or not token.atoms or not agrees:
            return number + 1, False
        matched += len(token.atoms)
        if matched == len(heard):
            return number + 1, True
    return len(tokens) + 1, False


def _dressed(rule: _Rule, tokens: list[_Token]) -> tuple[str, ...]:
    """Return what is shown, in the case and the punctuation of what was heard."""
    shown = list(rule.shown)
    letters = "".join(token.core for token in tokens)
    if "".join(shown).islower():
        if letters.isupper() and len(letters) > 1:
            shown = [word.upper() for word in shown]
        elif letters[:1].isupper():
            shown[0] = shown[0][:1].upper() + shown[0][1:]
    shown[0] = tokens[0].opening + shown[0]
    shown[-1] += tokens[-1].closing
    return tuple(shown)


def _spread(heard: Sequence[Word], texts: Sequence[str]) -> Iterator[Word]:
    """Yield other words over the same sound, in proportion to their letters."""
    first, last = heard[0], heard[-1]
    frames = max(last.end_frame - first.start_frame, 0)
    known = [word.confidence for word in heard if word.confidence is not None]
    letters, done = sum(map(len, texts)), 0
    for text in texts:
        start = first.start_frame + frames * done // letters
        done += len(text)
        yield Word(
            text=text,
            start_frame=start,
            end_frame=first.start_frame + frames * done // letters,
            confidence=min(known, default=None),
            stable=all(word.stable for word in heard),
        )


def _single(words: Sequence[Word]) -> Iterator[Word]:
    """Yield the words; those of many words in a script without spaces one by one."""
    for word in words:
        texts = _TOKEN.findall(word.text)
        yield from _spread([word], texts) if len(texts) > 1 else [word]


def _held(words: Sequence[Word], settled: int) -> Iterator[Word]:
    """Yield the words; those after the settled ones are not stable yet."""
    for number, word in enumerate(words):
        yield word if number < settled or not word.stable else replace(word, stable=False)


def _token(text: str) -> _Token:
    first = next((n for n, char in enumerate(text) if _is_core(char)), len(text))
    last = next((n for n in range(len(text), first, -1) if _is_core(text[n - 1])), first)
    core = text[first:last]
    return _Token(text[:first], core, text[last:], tuple(_ATOM.findall(_folded(core))))


def _atoms_of(text: str) -> tuple[str, ...]:
    return tuple(atom for part in text.split() for atom in _token(part).atoms)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _is_core(char: str) -> bool:
    """Return whether it is a letter, a mark, a digit or a sign: all but punctuation."""
    return unicodedata.category(char)[0] in "LMNS"
