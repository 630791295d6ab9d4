"""The mirror that the page shows: opened at the first request, and again when its configuration changed.

Nothing is created or upgraded here: only syncs do that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request

from pypi_mirror.clock import SystemClock
from pypi_mirror.disk.faults import named_disk_faults
from pypi_mirror.errors import LedgerError, OldLedger
from pypi_mirror.ledger.connection import create_engine, file_of, shown_address
from pypi_mirror.ledger.migrations import HEAD, version_of
from pypi_mirror.ledger.store import Ledger, refuse_newer
from pypi_mirror.mirror import Mirror
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.requirements import with_requirements
from pypi_mirror.settings.values import Settings

Identity = tuple[int, ...] | None


class NoMirrorYet(LedgerError):
    """Nothing was synced yet, or the ledger is lost; ``place`` is where it should be."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(
            f"there is no ledger at {place}: nothing has been synced yet, or the ledger is lost. The first "
            "run creates it; `pypi-mirror ledger rebuild` restores a lost one from the tree"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """``ledger`` tells an SQLite ledger's file from one that was put in its place."""

    settings: Settings
    ledger: Identity
    mirror: Mirror


class MirrorSource:
    """One for the application; its mirror is used by many requests at once, each in a thread."""

    def __init__(self, path: Callable[[], Path] = configuration_path) -> None:
        self._path = path
        self._lock = Lock()
        self._read: tuple[Identity, Settings] | None = None
        self._opened: _Opened | None = None

    def settings(self) -> Settings:
        """What the configuration file says now; raises ConfigurationError."""
        with self._lock:
            return self._settings()

    @contextmanager
    def mirror(self) -> Iterator[Mirror]:
        """The mirror as it is configured now.

        Raises ConfigurationError, and LedgerError for a ledger that is missing, damaged, older or newer.
        """
        with self._lock:
            mirror = self._current().mirror
        _require_current(mirror)
        if mirror.resolved.policy.follows:
            # Each run finds more that decides.
            mirror = replace(mirror)
        with named_disk_faults(mirror.disks):
            yield mirror

    def close(self) -> None:
        """Close the ledger; a later request opens it again."""
        with self._lock:
            self._close()

    def _settings(self) -> Settings:
        path = self._path()
        # Taken before it is read: what changes meanwhile is seen the next time.
        identity = _identity(path)
        if self._read is None or identity is None or self._read[0] != identity:
            self._read = None
            self._read = (identity, read_settings(path))
        # The files that it names change on their own; as long as they do not, this is the same object.
        return with_requirements(self._read[1])

    def _current(self) -> _Opened:
        settings = self._settings()
        file = file_of(settings.ledger)
        identity = None if file is None else _inode(file)
        if file is not None and identity is None:
            self._close()
            raise NoMirrorYet(str(file))
        opened = self._opened
        if opened is None or opened.settings is not settings or opened.ledger != identity:
            self._close()
            ledger = Ledger(create_engine(settings.ledger, keeps_open=False), SystemClock())
            mirror = Mirror(settings=settings, ledger=ledger, clock=SystemClock())
            opened = self._opened = _Opened(settings=settings, ledger=identity, mirror=mirror)
        return opened

    def _close(self) -> None:
        # Requests that are at it finish on the connections that they have.
        if self._opened is not None:
            self._opened.mirror.ledger.engine.dispose()
            self._opened = None


def _require_current(mirror: Mirror) -> None:
    """Asked each time: a newer program may have upgraded the ledger under a server that still runs."""
    engine = mirror.ledger.engine
    found = version_of(engine)
    if found is None:
        raise NoMirrorYet(shown_address(engine))
    refuse_newer(engine, found)
    if found != HEAD:
        raise OldLedger(found=found, known=HEAD, address=shown_address(engine))


def _identity(path: Path) -> Identity:
    """Changes whenever the file does; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _inode(path: Path) -> Identity:
    identity = _identity(path)
    return None if identity is None else identity[:2]


def _source(request: Request) -> MirrorSource:
    source: MirrorSource = request.app.state.mirrors
    return source


TheSource = Annotated[MirrorSource, Depends(_source)]


def _mirror(source: TheSource) -> Iterator[Mirror]:
    with source.mirror() as mirror:
        yield mirror


def _settings(source: TheSource) -> Settings:
    return source.settings()


TheMirror = Annotated[Mirror, Depends(_mirror)]
TheSettings = Annotated[Settings, Depends(_settings)]
