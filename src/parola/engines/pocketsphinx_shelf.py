"""Keeps vocabularies by what they were built of, in a folder that one model's workers share.

A worker is a stream's alone and takes what it knows with it when it ends: without the shelf, each
talk with 300 new names would begin with five seconds of guessing how they are said.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from parola.domain.terms import Terms
from parola.engines.pocketsphinx_lexicon import Entry, Lexicon

MOST = 64
"""Vocabularies that are kept, 50 kB each at most; the one that was used longest ago goes first."""


class Shelf:
    """Vocabularies in files, one each. Several processes may read and add at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, terms: Terms, build: Callable[[Terms], Lexicon]) -> Lexicon:
        """Return the terms' vocabulary, which is built only if it is not here."""
        content = json.dumps([terms.phrases, terms.text]).encode()
        place = self._folder / hashlib.sha256(content).hexdigest()
        try:
            kept = json.loads(place.read_bytes())
            os.utime(place)
        except (OSError, ValueError):
            return self._add(place, build(terms))
        return Lexicon([_entry(**fields) for fields in kept])

    def _add(self, place: Path, lexicon: Lexicon) -> Lexicon:
        new = place.with_suffix(f".{os.getpid()}")
        try:
            new.write_text(json.dumps([asdict(entry) for entry in lexicon.entries]))
            new.replace(place)
            self._clear()
        except OSError:
            # A full disk or a folder somebody removed: the next one builds it again.
            new.unlink(missing_ok=True)
        return lexicon

    def _clear(self) -> None:
        kept = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        for file in kept[:-MOST]:
            file.unlink(missing_ok=True)


def _entry(words: list[str], phones: list[list[str]], probability: float) -> Entry:
    return Entry(tuple(words), tuple(map(tuple, phones)), probability)
