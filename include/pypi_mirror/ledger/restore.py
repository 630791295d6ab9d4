"""Rows for what a tree holds, where the ledger that knew it is lost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from packaging.utils import NormalizedName
from sqlalchemy import Engine, bindparam, select, update

from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.results import STATUSES
from pypi_mirror.ledger.tables import files, projects
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import IndexEntry

_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredProject:
    """What a project's page and the pool say of it; ``selection`` is empty where its page may be wrong.

    Times are seconds since 1970; ``verified_at`` is 0 where its files were not read.
    """

    project: NormalizedName
    serial: int | None
    status: str
    selection: str
    synced_at: int
    verified_at: int
    files: tuple[KnownFile, ...]


def restore_projects(engine: Engine, restored: Sequence[RestoredProject]) -> None:
    """Write the rows of these projects and of their files, in one transaction."""
    with engine.begin() as connection:
        upsert(connection, projects, [_project_row(each) for each in restored], key=["name"])
        names = [each.project for each in restored]
        found = select(projects.c.name, projects.c.id).where(projects.c.name.in_(names))
        ids = {row.name: row.id for row in connection.execute(found)}
        upsert(
            connection,
            files,
            [_file_row(ids[each.project], each, file) for each in restored for file in each.files],
        )


def restore_display_names(engine: Engine, entries: Iterable[IndexEntry]) -> None:
    """Spell the projects as a root index does."""
    statement = (
        update(projects)
        .where(projects.c.name == bindparam("name_"))
        .values(display_name=bindparam("display_name_"))
    )
    differing = ({"name_": e.project, "display_name_": e.name} for e in entries if e.name != e.project)
    for chunk in _chunks(differing):
        with engine.begin() as connection:
            connection.execute(statement, chunk)


def _chunks(rows: Iterable[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def _project_row(each: RestoredProject) -> dict[str, Any]:
    return {
        "name": each.project,
        "display_name": each.project,
        "serial": each.serial,
        "seen_serial": each.serial,
        "made_entry": None,
        "made_decision": None,
        "status": each.status if each.status in STATUSES else "active",
        "selection": each.selection,
        "files": len(each.files),
        "bytes": sum(file.size for file in each.files),
        "dropped_files": 0,
        "dropped_bytes": 0,
        "synced_at": each.synced_at,
    }


def _file_row(project_id: int, each: RestoredProject, file: KnownFile) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "filename": file.filename,
        "location": file.location,
        "sha256": file.sha256,
        "size": file.size,
        "metadata_sha256": file.metadata_sha256,
        "provenance": file.provenance,
        "provenance_sha256": file.provenance_sha256,
        "uploaded_at": file.uploaded_at,
        "verified_at": each.verified_at,
        "stated": file.stated,
        "removed_at": None,
    }
