"""Says how a room's finals read now, after what people have changed; the log keeps both.

What it promises, whatever comes in whatever order from however many editors:

- an edit counts only if it was made on the version of its final that was the newest: of two
  people who change the same line at once the first one counts, and nobody overwrites unseen;
- whoever has read the same log reads the same text;
- nothing that a recogniser says later changes a line that a person has changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from parola.domain.log import Edit, Entry, Strike
from parola.domain.retiming import retimed
from parola.domain.transcript import Segment


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of one final."""

    version: int
    """The number of its newest edit; its own where it has none."""

    text: str | None = None
    """A person's words; None: as it was heard. Of a struck one, what it said before."""

    is_struck: bool = False
    by: str = ""
    """Who made the newest edit."""


class Edits:
    """One room's edits: for each final the one that counts."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Begin with a log's entries, in their order; those that are no edits are read over."""
        self._standings: dict[int, Standing] = {}
        for entry in entries:
            self.add(entry)

    def copy(self) -> "Edits":
        """Return the same edits, to go on by themselves."""
        other = Edits()
        other._standings = dict(self._standings)
        return other

    def add(self, entry: Entry) -> bool:
        """Take an entry; return whether it is an edit and counts."""
        edit = entry.body
        if not isinstance(edit, Edit):
            return False
        before = self.standing(edit.of)
        if edit.made_on != before.version or entry.number <= before.version:
            return False
        text = before.text if isinstance(edit, Strike) else edit.text
        is_struck = isinstance(edit, Strike)
        self._standings[edit.of] = Standing(entry.number, text, is_struck, edit.by)
        return True

    def standing(self, number: int) -> Standing:
        """Return what has become of the final with this number."""
        return self._standings.get(number) or Standing(number)

    def counts(self, entry: Entry) -> bool:
        """Return whether the entry is the newest edit of its final."""
        edit = entry.body
        return isinstance(edit, Edit) and self.standing(edit.of).version == entry.number

    def read(self, entry: Entry) -> Entry | None:
        """Return the entry of a log as it reads now; None for edits and what is struck."""
        if isinstance(entry.body, Edit):
            return None
        standing = self._standings.get(entry.number)
        if standing is None or not isinstance(entry.body, Segment):
            return entry
        if standing.is_struck:
            return None
        return replace(entry, body=_corrected(entry.body, standing.text))

    def read_all(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries as they read now, without edits and what is struck."""
        for entry in entries:
            if (now := self.read(entry)) is not None:
                yield now


def _corrected(segment: Segment, text: str | None) -> Segment:
    if text is None or text == segment.text:
        return segment
    return replace(
        segment,
        text=text,
        words=retimed(segment, text),
        made_by="corrected",
        heard=segment.heard or segment.text,
    )
