"""Keeps keys, tokens and the audit log in a SQLite file of their own, readable by its owner only.

It is not the log's file: `parola token` writes here while a server holds the log. Each call is one
short transaction, so that both get on with each other.
"""

import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from parola.domain.access import AuditEntry, Token, claims, token_of
from parola.stores.sqlite_file import BUSY_S, Connection, transaction

ACCESS_FILE = "access.sqlite3"

KEEP_EXPIRED_S = 30 * 86_400
"""How long a token is listed after its time."""

MAX_AUDIT = 100_000
"""Entries of the audit log; some 20 MB."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (number INTEGER PRIMARY KEY, key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, expires_at_s INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0,
    claims TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, holder TEXT NOT NULL,
    token TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, status INTEGER NOT NULL
);
"""


@asynccontextmanager
async def open_sqlite_access(
    folder: Path, now_s: Callable[[], float] = time.time
) -> AsyncIterator["SqliteAccessBook"]:
    """Open the access book of a data folder, making folder and file where they are not there.

    Raises:
        StoreFailed: it cannot be opened.
        OSError: the folder or the file cannot be made.
    """
    connection = Connection(folder / ACCESS_FILE)
    try:
        await connection.open(lambda held: _open(folder, held))
        yield SqliteAccessBook(connection, now_s)
    finally:
        await connection.close()


class SqliteAccessBook:
    """An access book; made by `open_sqlite_access`."""

    def __init__(self, connection: Connection, now_s: Callable[[], float]) -> None:
        self._connection = connection
        self._now_s = now_s

    async def keys(self) -> list[bytes]:
        query = "SELECT key FROM keys ORDER BY number DESC"
        return await self._connection.run(lambda db: [row[0] for row in db.execute(query)])

    async def add_key(self, key: bytes, keep: int = 2) -> None:
        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute("INSERT INTO keys (key) VALUES (?)", (key,))
                newest = "SELECT number FROM keys ORDER BY number DESC LIMIT ?"
                db.execute(f"DELETE FROM keys WHERE number NOT IN ({newest})", (keep,))  # noqa: S608

        await self._connection.run(work)

    async def add_token(self, token: Token) -> None:
        row = (token.id, token.expires_at_s, json.dumps(claims(token)))
        long_over = self._now_s() - KEEP_EXPIRED_S

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute("DELETE FROM tokens WHERE expires_at_s < ?", (long_over,))
                db.execute("INSERT INTO tokens (id, expires_at_s, claims) VALUES (?, ?, ?)", row)

        await self._connection.run(work)

    async def tokens(self) -> list[tuple[Token, bool]]:
        query = "SELECT claims, revoked FROM tokens"
        found = await self._connection.run(
            lambda db: [(token_of(json.loads(text)), bool(r)) for text, r in db.execute(query)]
        )
        return sorted(found, key=lambda pair: (pair[0].issued_at_s, pair[0].id))

    async def revoke(self, token_id: str) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            with transaction(db):
                query = "UPDATE tokens SET revoked = 1 WHERE id = ?"
                return bool(db.execute(query, (token_id,)).rowcount)

        return await self._connection.run(work)

    async def note(self, entry: AuditEntry) -> None:
        row = (entry.at_ms, entry.holder, entry.token, entry.address, entry.action, entry.status)

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute(
                    "INSERT INTO audit (at_ms, holder, token, address, action, status)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )
                db.execute(
                    "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?",
                    (MAX_AUDIT,),
                )

        await self._connection.run(work)

    async def audit(self, limit: int) -> list[AuditEntry]:
        query = (
            "SELECT at_ms, holder, token, address, action, status FROM audit"
            " ORDER BY number DESC LIMIT ?"
        )
        return await self._connection.run(
            lambda db: [AuditEntry(*row) for row in db.execute(query, (max(limit, 0),))]
        )


def _open(folder: Path, held: ExitStack) -> sqlite3.Connection:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ACCESS_FILE
    # Made by us first: SQLite would let the umask decide who can read the keys.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    held.enter_context(closing(db))
    db.executescript(SCHEMA)
    return db
