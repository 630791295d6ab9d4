"""What the audit reads and writes: whose turn it is, what it distrusts, and what no row accounts for."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)

from pypi_mirror.clock import Clock
from pypi_mirror.ledger.backlog import backlog_row
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.projects import KNOWN_FILE, KNOWN_PROJECT, REMOVED, REMOVING, KnownFile, KnownProject
from pypi_mirror.ledger.reading import count_of, fetch, fetch_as, total
from pypi_mirror.ledger.tables import backlog, files, projects, runs
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import RunKind

_GONE: Final = (REMOVING, REMOVED)
# A statement takes some ten thousand values.
_CHUNK: Final = 1_000
# Of so many audits the interval between two is told.
_RUNS_LOOKED_AT: Final = 10
_THE_FILE: Final = and_(files.c.project_id == bindparam("id_"), files.c.filename == bindparam("filename_"))
_DELETE_FILE: Final = delete(files).where(_THE_FILE)


class AuditedFile(Struct, frozen=True, kw_only=True):
    """A row of ``files``, and when its bytes were last known to be right (seconds since 1970)."""

    file: KnownFile
    verified_at: int


class AuditedProject(Struct, frozen=True, kw_only=True):
    """A project whose turn it is. ``turn`` is its place in the order of turns; ``page_digest`` is None where
    nobody noted it; ``files`` are all its rows, tombstones too.
    """

    project: KnownProject
    page_digest: bytes | None
    turn: tuple[int, int]
    files: tuple[AuditedFile, ...]


class Coverage(Struct, frozen=True, kw_only=True):
    """How far back the audit reaches. ``oldest`` is when the project whose turn is longest ago had it (0: it
    never had), None in an empty mirror; the ``covered`` ones had it within the window.
    """

    oldest: int | None
    projects: int
    projects_covered: int
    bytes: int
    bytes_covered: int


class Audits:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def due(
        self,
        *,
        before: int | None,
        after: tuple[int, int] | None,
        names: Sequence[NormalizedName] = (),
        most_files: int,
    ) -> list[AuditedProject]:
        """The next projects whose turn was before ``before``, those whose turn is longest ago first.

        With None all have a turn, by their ids. With ``names`` only these. ``after`` is the turn of the last
        one that was looked at. As many as have about ``most_files`` files together, one at least.
        """
        turn = (projects.c.audited_at, projects.c.id)
        statement = select(projects.c.page_digest, *turn, *KNOWN_PROJECT).limit(_CHUNK)
        statement = statement.order_by(*(turn if before is not None else turn[1:]))
        if names:
            statement = statement.where(projects.c.name.in_(names))
        if before is not None:
            statement = statement.where(projects.c.audited_at < before)
        if after is not None and before is None:
            statement = statement.where(projects.c.id > after[1])
        elif after is not None:
            statement = statement.where(tuple_(*turn) > tuple_(*(literal(value) for value in after)))
        chosen: list[tuple[Any, ...]] = []
        weight = 0
        with self._engine.connect().execution_options(reading=True) as connection:
            for row in connection.execute(statement):
                known = KnownProject(*row[3:])
                if chosen and weight + known.files > most_files:
                    break
                chosen.append((known, row[0], (row[1], row[2])))
                weight += known.files
            rows = self._files(connection, [known.id for known, _, _ in chosen])
        return [
            AuditedProject(project=known, page_digest=digest, turn=place, files=tuple(rows[known.id]))
            for known, digest, place in chosen
        ]

    def _files(self, connection: Connection, ids: Sequence[int]) -> dict[int, list[AuditedFile]]:
        found: dict[int, list[AuditedFile]] = {id_: [] for id_ in ids}
        statement = select(files.c.project_id, files.c.verified_at, *KNOWN_FILE).where(
            files.c.project_id.in_(ids)
        )
        for project_id, verified_at, *row in connection.execute(statement):
            found[project_id].append(AuditedFile(file=KnownFile(*row), verified_at=verified_at))
        return found

    def verified(
        self,
        run_id: int,
        *,
        hashed: Iterable[tuple[int, str]],
        looked_at: Iterable[int],
        digests: Iterable[tuple[int, bytes]],
        at: int,
    ) -> None:
        """Note that files (project id, name) were right at ``at``, that projects were audited, and the
        digests of pages that had none. Raises LeaseLost when another run has taken the mirror over.
        """
        with self._engine.begin() as connection:
            hold(connection, run_id)
            _run_many(
                connection,
                update(files).where(_THE_FILE).values(verified_at=at),
                [{"id_": id_, "filename_": filename} for id_, filename in hashed],
            )
            _run_many(
                connection,
                update(projects).where(projects.c.id == bindparam("id_")).values(audited_at=at),
                [{"id_": id_} for id_ in looked_at],
            )
            _run_many(
                connection,
                update(projects)
                .where(projects.c.id == bindparam("id_"), projects.c.page_digest.is_(None))
                .values(page_digest=bindparam("digest_")),
                [{"id_": id_, "digest_": digest} for id_, digest in digests],
            )

    def mark_for_repair(
        self, run_id: int, damaged: Sequence[tuple[KnownProject, Sequence[str], Sequence[str], str]]
    ) -> None:
        """Put damaged projects on the backlog: (project, names of files whose rows go, names of tombstones
        to forget, reason).

        It is one transaction: whatever happens to this run, they are not forgotten.
        Their pages are made again from what upstream has.
        """
        now = int(self._clock())
        with self._engine.begin() as connection:
            hold(connection, run_id)
            _run_many(
                connection,
                _DELETE_FILE,
                [{"id_": p.id, "filename_": name} for p, rows, dead, _ in damaged for name in (*rows, *dead)],
            )
            again = [(p, reason) for p, _, _, reason in damaged if reason]
            _run_many(
                connection,
                update(projects).where(projects.c.id == bindparam("id_")).values(made_entry=None),
                [{"id_": p.id} for p, _ in again],
            )
            rows = [
                backlog_row(
                    p.project, p.display_name, error="Damaged", reason=reason, first=(run_id, now), now=now
                )
                for p, reason in again
            ]
            upsert(connection, backlog, rows, keep_existing=True)

    def withhold(
        self, run_id: int, project_id: int, filenames: Sequence[str], *, page_digest: bytes | None
    ) -> None:
        """A project's page was written without ``filenames``, which are not on the disk: their rows go.

        The page is no longer made from upstream's as a whole, so it counts as made from none.
        """
        with self._engine.begin() as connection:
            hold(connection, run_id)
            _run_many(
                connection,
                _DELETE_FILE,
                [{"id_": project_id, "filename_": name} for name in filenames],
            )
            listed = select(func.count(), total(files.c.size)).where(
                files.c.project_id == project_id, files.c.removed_at.is_(None)
            )
            number, size = connection.execute(listed).one()
            connection.execute(
                update(projects)
                .where(projects.c.id == project_id)
                .values(made_entry=None, files=number, bytes=size, page_digest=page_digest)
            )

    def asked_longest_ago(self, *, before: int, limit: int) -> list[KnownProject]:
        """Up to ``limit`` projects that upstream was last asked for before ``before``, longest ago first.

        Those on the backlog have a time of their own.
        """
        statement = (
            select(*KNOWN_PROJECT)
            .where(
                projects.c.status.not_in(_GONE),
                projects.c.synced_at < before,
                ~select(backlog.c.project).where(backlog.c.project == projects.c.name).exists(),
            )
            .order_by(projects.c.synced_at, projects.c.id)
            .limit(limit)
        )
        return [KnownProject(*row) for row in fetch(self._engine, statement)]

    def coverage(self, since: int) -> Coverage:
        """How much of the mirror was audited since ``since``."""
        covered = projects.c.audited_at >= since
        statement = select(
            func.min(projects.c.audited_at).label("oldest"),
            func.count().label("projects"),
            count_of(covered).label("projects_covered"),
            total(projects.c.bytes).label("bytes"),
            total(case((covered, projects.c.bytes), else_=0)).label("bytes_covered"),
        ).where(projects.c.status.not_in(_GONE))
        return fetch_as(self._engine, statement, Coverage)[0]

    def interval(self) -> float | None:
        """Seconds between two audits, on average of the last ones; None before the second."""
        statement = (
            select(runs.c.started_at)
            .where(runs.c.kind == RunKind.AUDIT.value)
            .order_by(runs.c.id.desc())
            .limit(_RUNS_LOOKED_AT)
        )
        began = [at for (at,) in fetch(self._engine, statement)]
        return (began[0] - began[-1]) / (len(began) - 1) if len(began) > 1 else None


def _run_many(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)
