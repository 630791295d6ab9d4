"""Projects and their files as the mirror holds them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import ColumnElement, Connection, Engine, bindparam, delete, func, select, update

from pypi_mirror.catalogue import ENCODING
from pypi_mirror.chunks import chunks
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.reading import fetch, fetch_as, project_names, stream, total
from pypi_mirror.ledger.tables import backlog, catalogue, files, past_files, projects, to_do
from pypi_mirror.ledger.writing import insert
from pypi_mirror.model import IndexEntry, path_of

# A project that upstream removed, or that the filters no longer select; its files are tombstones. While
# the root index still lists it, it is being removed and its page shows no files.
REMOVING: Final = "removing"
REMOVED: Final = "removed"
QUARANTINED: Final = "quarantined"
_UNLISTED: Final = (REMOVING, REMOVED, QUARANTINED)


def is_listed(status: str) -> bool:
    """Whether the root index lists a project of this status; upstream's leaves quarantined ones out too."""
    return status not in _UNLISTED


class KnownProject(Struct, frozen=True):
    """What the ledger says of a project; ``selection`` is the fingerprint it was last decided under, empty
    where nobody knows, and ``synced_at`` is in seconds since 1970. ``made_entry`` and ``made_decision`` name
    what its page was made from, None where it has to be made again. ``changes_at`` is when the time alone
    takes the next file off its page.
    """

    id: int
    project: NormalizedName
    display_name: str
    serial: int | None
    seen_serial: int | None
    made_entry: bytes | None
    made_decision: bytes | None
    status: str
    selection: str
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    synced_at: int = 0
    changes_at: int | None = None

    @property
    def present(self) -> bool:
        """Whether the mirror holds it."""
        return self.status not in (REMOVING, REMOVED)


class KnownFile(Struct, frozen=True):
    """A file in the pool; ``removed_at`` is set for a tombstone.

    ``stated`` is ``digests.remembered`` of what upstream states beside SHA-256.
    """

    filename: str
    location: bytes
    sha256: bytes
    size: int
    metadata_sha256: bytes | None
    provenance: bool
    uploaded_at: int | None
    removed_at: int | None
    provenance_sha256: bytes | None = None
    stated: bytes | None = None

    @property
    def path(self) -> str:
        """Relative to ``web/``."""
        return path_of(self.location, self.filename)


# Their columns in the order of their fields: rows are unpacked, not asked for names, since with a million of
# them that takes half the time.
KNOWN_PROJECT: Final = tuple(
    projects.c["name" if name == "project" else name] for name in KnownProject.__struct_fields__
)
KNOWN_FILE: Final = tuple(files.c[name] for name in KnownFile.__struct_fields__)


class Totals(Struct, frozen=True, kw_only=True):
    """What the mirror holds and what its filters left out."""

    projects: int = 0
    files: int = 0
    bytes: int = 0
    dropped_files: int = 0
    dropped_bytes: int = 0


class Projects:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, names: Sequence[NormalizedName]) -> dict[NormalizedName, KnownProject]:
        """Those of ``names`` that the ledger has a row for, removed ones included."""
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(_KNOWN, {"names": names})
            return {known.project: known for known in starmap(KnownProject, rows)}

    def files_of(self, project_ids: Sequence[int]) -> dict[int, dict[str, KnownFile]]:
        """The files of each project by name, tombstones included."""
        found: dict[int, dict[str, KnownFile]] = {id_: {} for id_ in project_ids}
        with self._engine.connect().execution_options(reading=True) as connection:
            for project_id, *row in connection.execute(_FILES_OF, {"ids": project_ids}):
                file = KnownFile(*row)
                found[project_id][file.filename] = file
        return found

    def past_files(self, names: Sequence[NormalizedName]) -> dict[NormalizedName, dict[str, bytes]]:
        """The SHA-256 sums of the files that were deleted of each project, by file name."""
        found: dict[NormalizedName, dict[str, bytes]] = {}
        with self._engine.connect().execution_options(reading=True) as connection:
            for project, filename, sha256 in connection.execute(_PAST_FILES, {"names": names}):
                found.setdefault(NormalizedName(project), {})[filename] = sha256
        return found

    def all(self) -> Iterator[KnownProject]:
        """Every row by name, removed ones included; streamed."""
        yield from starmap(
            KnownProject, stream(self._engine, select(*KNOWN_PROJECT).order_by(projects.c.name))
        )

    def synced_since(self, moment: int) -> Iterator[KnownProject]:
        """The projects of the mirror that were synced at ``moment`` or later, by name; streamed."""
        condition = (projects.c.synced_at >= moment) & projects.c.status.not_in((REMOVING, REMOVED))
        statement = select(*KNOWN_PROJECT).where(condition).order_by(projects.c.name)
        yield from starmap(KnownProject, stream(self._engine, statement))

    def never_read(self, limit: int) -> list[KnownProject]:
        """Up to ``limit`` projects of the mirror of whose pages the catalogue has nothing, by name.

        Those of the backlog, which is tried when it is due, do not count.
        """
        is_read = (
            select(catalogue.c.name)
            .where(catalogue.c.name == projects.c.name, catalogue.c.encoding == ENCODING)
            .exists()
        )
        waits = select(backlog.c.project).where(backlog.c.project == projects.c.name).exists()
        statement = (
            select(*KNOWN_PROJECT)
            .where(projects.c.status.not_in((REMOVING, REMOVED)), ~is_read, ~waits)
            .order_by(projects.c.name)
            .limit(limit)
        )
        return [KnownProject(*row) for row in fetch(self._engine, statement)]

    def changing(self, planned_at: int, limit: int) -> list[KnownProject]:
        """Up to ``limit`` projects of whose pages the time alone takes files by ``planned_at``, by that time.

        Those of the backlog and those left to do wait for the run that does them.
        """
        others = [projects.c.name.not_in(select(table.c.project)) for table in (backlog, to_do)]
        statement = (
            select(*KNOWN_PROJECT)
            .where(projects.c.changes_at <= planned_at, *others)
            .order_by(projects.c.changes_at, projects.c.name)
            .limit(limit)
        )
        return [KnownProject(*row) for row in fetch(self._engine, statement)]

    def listed(self) -> Iterator[IndexEntry]:
        """What the root index lists, by name; streamed."""
        statement = (
            select(projects.c.name, projects.c.display_name, projects.c.serial)
            .where(_LISTED)
            .order_by(projects.c.name)
        )
        for project, display_name, serial in stream(self._engine, statement):
            yield IndexEntry(name=display_name, project=NormalizedName(project), serial=serial)

    def names_uploaded_during(self, start: int, end: int) -> list[NormalizedName]:
        """The projects that have a file uploaded in [start, end) seconds."""
        statement = (
            select(projects.c.name)
            .join(files, files.c.project_id == projects.c.id)
            .where(files.c.uploaded_at >= start, files.c.uploaded_at < end)
            .distinct()
            .order_by(projects.c.name)
        )
        return project_names(self._engine, statement)

    def totals(self) -> Totals:
        """Sums over the projects that have a page."""
        statement = select(
            func.count().label("projects"),
            *(
                total(projects.c[name]).label(name)
                for name in ("files", "bytes", "dropped_files", "dropped_bytes")
            ),
        ).where(projects.c.status.not_in((REMOVING, REMOVED)))
        return fetch_as(self._engine, statement, Totals)[0]

    def sample(self) -> tuple[KnownProject, KnownFile | None] | None:
        """A listed project to try the site with: one with a spelling of its own, metadata and a small file,
        as far as there is one; with the smallest of its files.
        """
        spelled = (projects.c.display_name != projects.c.name).desc()
        with self._engine.connect().execution_options(reading=True) as connection:
            # A few candidates by id, so that the choice costs the same in a mirror of any size.
            some = select(projects.c.id).where(_LISTED).order_by(projects.c.id.desc()).limit(200)
            row = connection.execute(
                select(*KNOWN_PROJECT)
                .where(projects.c.id.in_(some))
                .order_by((projects.c.files > 0).desc(), spelled, projects.c.bytes, projects.c.name)
                .limit(1)
            ).one_or_none()
            if row is None:
                return None
            file = connection.execute(
                select(*KNOWN_FILE)
                .where(files.c.project_id == row.id, files.c.removed_at.is_(None))
                .order_by(files.c.metadata_sha256.is_(None), files.c.size)
                .limit(1)
            ).one_or_none()
        return KnownProject(*row), None if file is None else KnownFile(*file)

    def being_removed(self) -> list[NormalizedName]:
        """The projects whose pages can go once the root index no longer lists them."""
        statement = select(projects.c.name).where(projects.c.status == REMOVING)
        return project_names(self._engine, statement)

    def removed(self, names: Sequence[NormalizedName]) -> None:
        """Their pages are gone; rows stay while tombstones do."""
        with self._engine.begin() as connection:
            # A narrower allowlist removes hundreds of thousands.
            for chunk in chunks(names):
                connection.execute(
                    update(projects)
                    .where(projects.c.name.in_(chunk), projects.c.status == REMOVING)
                    .values(status=REMOVED)
                )
            connection.execute(_EMPTY)

    def tombstones(self, removed_before: int, limit: int) -> list[tuple[int, KnownFile]]:
        """Up to ``limit`` (project id, file) that no page has listed since before ``removed_before``."""
        statement = (
            select(files.c.project_id, *KNOWN_FILE)
            .where(files.c.removed_at < removed_before)
            .order_by(files.c.removed_at, files.c.project_id, files.c.filename)
            .limit(limit)
        )
        return [(project_id, KnownFile(*row)) for project_id, *row in fetch(self._engine, statement)]

    def still_listed(self, tombstones: Sequence[KnownFile]) -> set[tuple[bytes, str]]:
        """Of the places of ``tombstones``, (location, filename), those where a page lists a file.

        It can be another project's page: nothing upstream says keeps two from naming one address. There is
        no index by place, a gigabyte that each download would write to: this goes through the whole table,
        15 million files in ten seconds, whatever the number of tombstones. Ask for many at once.
        """
        places = {(file.location, file.filename) for file in tombstones}
        times = [file.removed_at for file in tombstones if file.removed_at is not None]
        if not times:
            return set()
        # A statement takes some ten thousand values, so that the names come from the table itself.
        due = select(files.c.filename).where(files.c.removed_at.between(min(times), max(times)))
        statement = select(files.c.location, files.c.filename).where(
            files.c.filename.in_(due), files.c.removed_at.is_(None)
        )
        return {
            (location, filename)
            for location, filename in stream(self._engine, statement)
            if (location, filename) in places
        }

    def forget_files(self, gone: Iterable[tuple[int, str]]) -> None:
        """Delete the rows of tombstones that were swept, and of removed projects left empty.

        What their names meant is kept.
        """
        with self._engine.begin() as connection:
            rows: list[dict[str, Any]] = [{"id_": id_, "filename_": filename} for id_, filename in gone]
            if rows:
                remember_files(
                    connection,
                    (files.c.project_id == bindparam("id_")) & (files.c.filename == bindparam("filename_")),
                    rows,
                )
                connection.execute(
                    delete(files).where(
                        files.c.project_id == bindparam("id_"), files.c.filename == bindparam("filename_")
                    ),
                    rows,
                )
            ids = sorted({row["id_"] for row in rows})
            for chunk in chunks(ids):
                connection.execute(_EMPTY.where(projects.c.id.in_(chunk)))


def remember_files(
    connection: Connection, chosen: ColumnElement[bool], parameters: Sequence[dict[str, Any]]
) -> None:
    """Before their rows are deleted: keep what the names of the ``chosen`` files mean."""
    rows = (
        select(projects.c.name, files.c.filename, files.c.sha256)
        .join(projects, projects.c.id == files.c.project_id)
        .where(chosen)
    )
    statement = insert(connection.dialect, past_files).from_select(["project", "filename", "sha256"], rows)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["project", "filename"], set_={"sha256": statement.excluded.sha256}
        ),
        parameters,
    )


_KNOWN: Final = select(*KNOWN_PROJECT).where(among(projects.c.name, "names"))
_FILES_OF: Final = select(files.c.project_id, *KNOWN_FILE).where(among(files.c.project_id, "ids"))
_PAST_FILES: Final = select(past_files).where(among(past_files.c.project, "names"))
_LISTED: Final = projects.c.status.not_in(_UNLISTED)

# Removed projects without a tombstone: nothing is left to remember.
_EMPTY: Final = delete(projects).where(
    projects.c.status == REMOVED,
    ~select(files.c.project_id).where(files.c.project_id == projects.c.id).exists(),
)
