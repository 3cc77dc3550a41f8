"""Finds what was said: an index of words beside the log, written in the log's transactions.

It holds each final as it reads now: a correction's words, and nothing of what is struck. What is
off the record never reaches a log, and so is not here either.
"""

import sqlite3

from parola.domain.corrections import Edits
from parola.domain.cues import shown_text
from parola.domain.log import Edit, Entry, Strike
from parola.domain.search import Phrase
from parola.domain.talks import Talk, talks_of
from parola.domain.transcript import Segment
from parola.stores.bodies import entry_of


def note(db: sqlite3.Connection, entry: Entry) -> None:
    """Take an entry that was just added to the log.

    An edit that does not count (`parola.domain.corrections`) changes no row here either.
    """
    body = entry.body
    if isinstance(body, Segment):
        db.execute(
            "INSERT INTO said (room, number, version, text) VALUES (?, ?, ?, ?)",
            (entry.room, entry.number, entry.number, shown_text(body.text)),
        )
    elif isinstance(body, Edit):
        text = "" if isinstance(body, Strike) else shown_text(body.text)
        db.execute(
            "UPDATE said SET version = ?, text = ? WHERE room = ? AND number = ? AND version = ?",
            (entry.number, text, entry.room, body.of, body.made_on),
        )


def search(
    db: sqlite3.Connection, phrases: list[Phrase], room: str | None, limit: int
) -> list[Entry]:
    """Return the newest finals that hold all phrases, as they read now."""
    query = """
        SELECT entries.room, entries.number, entries.at_ms, entries.kind, entries.body
        FROM said_words
        JOIN said ON said.id = said_words.rowid
        JOIN entries ON entries.room = said.room AND entries.number = said.number
        WHERE said_words MATCH ? AND (? IS NULL OR said.room = ?)
        ORDER BY entries.at_ms DESC, entries.room, entries.number DESC LIMIT ?
    """
    asked = " AND ".join(map(_quoted, phrases))
    found = [entry_of(*row) for row in db.execute(query, (asked, room, room, limit))]
    edits = {entry.room: edits_of(db, entry.room) for entry in found}
    now = (edits[entry.room].read(entry) for entry in found)
    return [entry for entry in now if entry]


def talks(db: sqlite3.Connection) -> list[Talk]:
    """Return every talk that has lines, the newest first."""
    changes = "SELECT room, number, at_ms, kind, body FROM entries WHERE kind = 'state'"
    lines = """
        SELECT room, session, count(*) FROM entries WHERE kind = 'segment' GROUP BY room, session
    """
    counts = {(room, session): count for room, session, count in db.execute(lines)}
    found = (entry_of(*row) for row in db.execute(f"{changes} ORDER BY room, number"))
    return talks_of(found, counts)


def edits_of(db: sqlite3.Connection, room: str) -> Edits:
    """Return how a room's finals read now."""
    query = """
        SELECT room, number, at_ms, kind, body FROM entries
        WHERE room = ? AND kind IN ('correction', 'strike', 'restore') ORDER BY number
    """
    return Edits(entry_of(*row) for row in db.execute(query, (room,)))


def _quoted(phrase: Phrase) -> str:
    """Return the phrase for FTS5: between quotation marks no word has a meaning to it.

    Source: SQLite FTS5, section 3.2 and 3.3 (phrases, prefix queries).
    """
    return '"' + " ".join(phrase.words) + '"' + ("*" if phrase.is_open else "")
