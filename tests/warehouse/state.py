"""Upstream's database in memory: projects, the journal, and every file ever uploaded.

Only events change it (``apply``). Readers in other threads need no lock: values are frozen and each
change is a single assignment.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

from tests.warehouse.model import File, JournalRow, Project

if TYPE_CHECKING:
    from tests.warehouse.events import Event

START = datetime(2025, 3, 1, 12, 0, 0, 172437, tzinfo=UTC)
"""When the first event happens that names no time; each later one happens a second after the one before."""


class Warehouse:
    """An index with everything that happened to it.

    ``projects`` maps normalized names to projects; ``files`` maps file host paths to files and outlives
    removal, as upstream's does; ``revision`` counts changes of any kind, with a serial or without;
    ``skipped`` is how many serials the next journal row leaves out.
    """

    def __init__(self, *events: "Event") -> None:
        self.projects: dict[NormalizedName, Project] = {}
        self.journal: list[JournalRow] = []
        self.files: dict[str, File] = {}
        self.filenames: set[str] = set()
        self.revision = 0
        self.skipped = 0
        self.now = START - timedelta(seconds=1)
        self.on_applied: Callable[[Event], None] | None = None
        self._older: dict[NormalizedName, tuple[Project, ...]] = {}
        self._lock = Lock()
        self.apply(*events)

    @property
    def serial(self) -> int:
        """The serial of the last event, 0 before the first."""
        return self.journal[-1].serial if self.journal else 0

    def apply(self, *events: "Event") -> int:
        """Lets the events happen, in order; returns the serial afterwards.

        An event that cannot happen (LookupError, ValueError, OSError) changes nothing; those before it stay.
        """
        with self._lock:
            for event in events:
                before = self.now
                self.now = event.at or before + timedelta(seconds=1)
                try:
                    event.happen(self)
                except (LookupError, ValueError, OSError):
                    self.now = before
                    raise
                self.revision += 1
                if self.on_applied is not None:
                    self.on_applied(event)
        return self.serial

    def project(self, name: str) -> Project:
        """The project of that name in any spelling; raises LookupError."""
        try:
            return self.projects[canonicalize_name(name)]
        except KeyError:
            raise LookupError(f"there is no project {name}") from None

    def file(self, filename: str) -> File:
        """The file of that name that was uploaded last, removed or not; raises LookupError."""
        for file in reversed(self.files.values()):
            if file.filename == filename:
                return file
        raise LookupError(f"there is no file {filename}")

    def older(self, name: NormalizedName) -> tuple[Project, ...]:
        """What the project's page showed before, oldest first; for a removed project its last state too."""
        return self._older.get(name, ())

    # What follows is for events only.

    def record(self, project: Project, action: str, version: str | None = None) -> Project:
        """Writes the journal; returns the project with the new serial, its cached page untouched."""
        row = JournalRow(
            serial=self.serial + self.skipped + 1,
            name=project.name,
            version=version,
            timestamp=int(self.now.timestamp()),
            action=action,
        )
        self.skipped = 0
        self.journal.append(row)
        return replace(project, serial=row.serial)

    def put(self, project: Project, *, purge: bool = True) -> None:
        """Stores the project; ``purge`` says that caches drop its page, so that it shows the change."""
        if purge:
            self._remember(project.normalized)
            project = replace(project, page_serial=project.serial)
        self.projects[project.normalized] = project

    def drop(self, project: Project) -> None:
        self._remember(project.normalized)
        del self.projects[project.normalized]

    def _remember(self, name: NormalizedName) -> None:
        previous = self.projects.get(name)
        if previous is not None:
            self._older[name] = (*self._older.get(name, ())[-7:], previous)
