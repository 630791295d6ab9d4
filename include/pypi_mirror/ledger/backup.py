"""A copy of the ledger to fall back on, made while runs are at work."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from pypi_mirror.errors import LedgerError


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
