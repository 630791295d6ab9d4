"""The connection to the ledger's database: how it is opened and copied, and whose errors its callers see."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import NullPool

from pypi_mirror.errors import LedgerDamaged, LedgerError, LedgerUnavailable
from pypi_mirror.plain_text import without_secrets

# How long a writer waits for another one, in seconds. A group of a batch commits in milliseconds.
_BUSY_TIMEOUT: Final = 120
# SQLite's extended result codes have these in their low byte.
_PRIMARY_CODE: Final = 0xFF
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OUT_OF_REACH: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
)
# data_corrupted and index_corrupted.
_POSTGRES_DAMAGED: Final = frozenset({"XX001", "XX002"})
_DAMAGE: Final = (
    "the ledger at {shown} is damaged ({reason}); `pypi-mirror ledger rebuild` makes a new one from the tree "
    "and keeps this one aside"
)
# Of the disk, in mid-run.
_REFUSED: Final = {
    sqlite3.SQLITE_FULL: "make room on that disk (bytes, inodes or quota)",
    sqlite3.SQLITE_IOERR: "see that the disk has room and is sound (the kernel's log says more)",
}
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def create_engine(url: str, *, keeps_open: bool = True, alone: bool = False) -> Engine:
    """An engine for a SQLAlchemy URL; nothing is opened yet.

    ``alone``: nobody else writes to this SQLite file, so a transaction need not begin as a writer's.

    A server that runs for months must not keep an SQLite file open in between (``keeps_open``): who closes it
    last deletes the log beside it by its name, and by then a new ledger may lie there.

    Whatever goes wrong on its connections, now or later, reaches callers as LedgerError: LedgerDamaged for
    a broken SQLite file, LedgerUnavailable where trying again can help. Raises LedgerError for a URL that
    is none; such a URL may hold a password and is not shown.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = sqlalchemy.create_engine(
                parsed,
                connect_args={"timeout": _BUSY_TIMEOUT},
                poolclass=None if keeps_open else NullPool,
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_deferred if alone else _begin_sqlite)
        else:
            engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise LedgerError("the ledger's URL is an invalid SQLAlchemy URL; see [ledger] url") from error
    shown = shown_address(engine)

    def translate(context: ExceptionContext) -> LedgerError | None:
        return _translated(context, shown)

    event.listen(engine, "handle_error", translate, retval=True)
    return engine


def shown_address(engine: Engine) -> str:
    """The ledger's URL without its secrets."""
    return without_secrets(engine.url.render_as_string(hide_password=False))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy's "begin" event below opens transactions; sqlite3 itself must not.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut can take back the last commits, never a part of one: what they recorded was on the disk
    # before, and is found there when the next run looks at it again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another writer came between,
    # whatever the timeout; one that starts as a writer waits its turn.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _translated(context: ExceptionContext, shown: str) -> LedgerError | None:
    error = context.original_exception
    # A failed ping is no failure: the pool opens another connection.
    if context.is_pre_ping or not isinstance(error, Exception) or isinstance(error, LedgerError):
        return None
    reason = str(error).strip()
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & _PRIMARY_CODE in _DAMAGED:
        return LedgerDamaged(_DAMAGE.format(shown=shown, reason=reason))
    if code is not None and code & _PRIMARY_CODE in _OUT_OF_REACH:
        return LedgerError(
            f"the ledger at {shown} cannot be used: {reason}; it has to be a file that the mirror's user "
            "may write, in a directory where that user may make others, on a disk that is writable and has "
            "inodes left"
        )
    if getattr(error, "sqlstate", None) in _POSTGRES_DAMAGED:
        return LedgerDamaged(_DAMAGE.format(shown=shown, reason=reason))
    if code is not None and code & _PRIMARY_CODE in _BUSY:
        return LedgerUnavailable(f"the ledger at {shown} is kept busy by another process ({reason})")
    advice = None if code is None else _REFUSED.get(code & _PRIMARY_CODE)
    if advice is not None:
        return LedgerError(
            f"the ledger at {shown} cannot be written: {reason}; {advice}, then sync again: "
            "what was recorded is kept"
        )
    if code is None and (context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError)):
        return LedgerUnavailable(f"the ledger at {shown} cannot be reached: {reason}")
    return LedgerError(f"the ledger at {shown} cannot be used: {reason}")


def file_of(url: str) -> Path | None:
    """The file of an SQLite ledger; None where the ledger is on a server."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def back_up(url: str, target: Path) -> int:
    """Copy an SQLite ledger to the new file ``target``, as it is at one moment; returns the copy's bytes.

    Writers go on meanwhile. A copy that was cut off is not under that name. Raises LedgerError, also for a
    ledger on a server, which has a program for this.
    """
    source = file_of(url)
    if source is None:
        raise LedgerError("the ledger is not in a file: back it up with its server's own program, pg_dump")
    if not source.is_file():
        raise LedgerError(f"{source}: no ledger is here to back up")
    if target.exists():
        raise LedgerError(f"{target}: is there already; name a new file")
    if not target.parent.is_dir():
        raise LedgerError(f"{target.parent}: no such directory; make it, or name another file")
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
    except sqlite3.Error as error:
        unfinished.unlink(missing_ok=True)
        raise LedgerError(f"the ledger at {source} could not be copied to {target}: {error}") from error
    unfinished.rename(target)
    return target.stat().st_size
