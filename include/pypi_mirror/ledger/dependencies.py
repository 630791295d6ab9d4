"""What the allowlist requires: who demands what of whom, and how far that was followed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field
from packaging.utils import NormalizedName
from sqlalchemy import Connection, Engine, and_, bindparam, delete, func, or_, select, update

from pypi_mirror.chunks import chunks
from pypi_mirror.demands.core_metadata import CoreMetadata
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.reading import fetch, project_names, scalar
from pypi_mirror.ledger.scratch import keep_apart
from pypi_mirror.ledger.tables import (
    catalogue,
    catalogue_bodies,
    core_metadata,
    demands,
    held_files,
    projects,
    requirements,
    requires,
)
from pypi_mirror.ledger.writing import update_each, upsert
from pypi_mirror.policy.demanded import Demanded, ReleaseDemand
from pypi_mirror.policy.required import Edge, edge_demands

_CHUNK: Final = 1_000
_DIGEST: Final = 16


class _Demand(NamedTuple):
    """What is demanded of a project. ``machines`` decides, ``reached`` is what of it was found since
    following began again. It goes some time after ``undemanded_since``.
    """

    specifier: str
    extra: str
    machines: int
    reached: int
    undemanded_since: int | None = None


class Lack(NamedTuple):
    """Something that is required and is not here: ``what`` (``example>=2``), and why, as half a sentence.

    Where ``releases`` is not 0, so many are left out that requirements admit; others may meet these.
    """

    what: str
    reason: str
    releases: int = 0


class ToFollow(Struct, frozen=True, kw_only=True):
    """A project to follow: what was found to be demanded of it, and how often that had grown by then. It was
    followed before where ``made_entry`` is not None.
    """

    project: NormalizedName
    demands: tuple[ReleaseDemand, ...]
    named: bool
    grown: int
    made_entry: bytes | None


class FollowedProject(Struct, frozen=True, kw_only=True):
    """A project as it was followed: what it requires, from the catalogue's entry of this digest.

    It ``waits`` where files that are not here yet can say more.
    """

    followed: ToFollow
    entry: bytes
    edges: Mapping[NormalizedName, Sequence[Edge]]
    lacks: tuple[Lack, ...]
    waits: bool = False
    metadata: Mapping[bytes, CoreMetadata] = field(default_factory=dict)


DEMANDS: Final = msgspec.json.Decoder(list[_Demand])
_METADATA: Final = msgspec.json.Decoder(CoreMetadata)


class Dependencies:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin_apart(self) -> None:
        """In the ledger of a plan: what is followed there begins with nothing, but for the metadata that is
        known, and reads all pages.
        """
        with self._engine.begin() as connection:
            keep_apart(
                connection,
                copied=(core_metadata, requires, held_files),
                emptied=(demands, requirements, catalogue, catalogue_bodies),
            )

    def demanded(self) -> Demanded:
        """All that decides over what others require."""
        rows = fetch(self._engine, select(demands.c.project, demands.c.demands))
        found = {
            NormalizedName(project): tuple(
                ReleaseDemand(each.specifier, each.extra, each.machines) for each in DEMANDS.decode(body)
            )
            for project, body in rows
        }
        return Demanded({project: each for project, each in found.items() if each})

    def begin(self, run_id: int) -> None:
        """Follow everything again; what was found before decides until that is done."""
        with self._engine.begin() as connection:
            hold(connection, run_id)
            reset = {"reached": demands.c.named, "grown": 0, "followed": None}
            connection.execute(update(demands).values(reset))
            rows = connection.execute(select(demands.c.project, demands.c.demands)).all()
            without = [
                {
                    "project_": project,
                    "demands_": _encode(each._replace(reached=0) for each in DEMANDS.decode(body)),
                }
                for project, body in rows
            ]
            if without:
                connection.execute(_SET_DEMANDS, without)

    def named(self) -> dict[NormalizedName, bytes]:
        """The projects that the allowlist names, as was noted, and the digests of its rules for each."""
        statement = select(demands.c.project, demands.c.rules).where(demands.c.named)
        return dict(map(tuple, fetch(self._engine, statement)))

    def name(self, run_id: int, rules: Mapping[NormalizedName, bytes]) -> None:
        """The allowlist names these projects and no others, by ``rules`` of these digests.

        What those that it no longer names required is found undemanded when all is followed again. Of those
        that others require, too, its rules decide beside the demands: they are decided again.
        """
        before = self.named()
        if before == rules:
            return
        new = [name for name in rules if before.get(name) != rules[name]]
        gone = [name for name in before if name not in rules]
        with self._engine.begin() as connection:
            hold(connection, run_id)
            for chunk in chunks(gone, _CHUNK):
                connection.execute(
                    update(demands).where(demands.c.project.in_(chunk)).values(named=False, rules=None)
                )
            for chunk in chunks(new, _CHUNK):
                rows = [{**_NEW_ROW, "project": project} for project in chunk]
                upsert(connection, demands, rows, keep_existing=True)
                connection.execute(_NAME, [{"project_": name, "rules_": rules[name]} for name in chunk])
            for chunk in chunks([*gone, *new], _CHUNK):
                connection.execute(
                    update(demands)
                    .where(demands.c.project.in_(chunk), demands.c.demands != _NONE)
                    .values(changed=True)
                )

    def to_follow(self) -> list[NormalizedName]:
        """The projects whose page, files, or what is demanded of them, has changed since they were followed,
        as far as that can say more.
        """
        return project_names(self._engine, _TO_FOLLOW.order_by(demands.c.project))

    def progress(self) -> tuple[int, int]:
        """How many projects are known to be named or required, and how many of them are left to follow."""
        known = scalar(self._engine, select(func.count()).where(demands.c.reached))
        left = scalar(self._engine, select(func.count()).select_from(_TO_FOLLOW.subquery()))
        return known or 0, left or 0

    def look_up(self, names: Sequence[NormalizedName]) -> dict[NormalizedName, ToFollow]:
        """What is known of each of a few hundred projects."""
        rows = fetch(self._engine, select(demands).where(among(demands.c.project, names)))
        return {
            NormalizedName(row.project): ToFollow(
                project=NormalizedName(row.project),
                demands=tuple(
                    ReleaseDemand(each.specifier, each.extra, each.reached)
                    for each in DEMANDS.decode(row.demands)
                    if each.reached
                ),
                named=row.named,
                grown=row.grown,
                made_entry=row.made_entry,
            )
            for row in rows
        }

    def metadata(self, keys: Iterable[bytes]) -> dict[bytes, CoreMetadata]:
        """What is known of the files, or documents, of these digests."""
        found: dict[bytes, CoreMetadata] = {}
        bodies: dict[bytes, CoreMetadata] = {}
        for chunk in chunks(keys, _CHUNK):
            with self._engine.connect().execution_options(reading=True) as connection:
                for key, digest, body in connection.execute(_STATED, {"keys": chunk}):
                    if digest not in bodies:
                        bodies[digest] = _METADATA.decode(body)
                    found[key] = bodies[digest]
        return found

    def record(self, run_id: int, followed: Sequence[FollowedProject], *, now: int) -> None:
        """Note what these projects require, all of them or none.

        Raises LeaseLost when another run has taken the mirror over.
        """
        if not followed:
            return
        grown: defaultdict[NormalizedName, dict[tuple[str, str], int]] = defaultdict(dict)
        for each in followed:
            for target, demand in edge_demands(each.edges):
                key = demand.specifier, demand.extra
                grown[target][key] = grown[target].get(key, 0) | demand.machines
        with self._engine.begin() as connection:
            hold(connection, run_id)
            _write_metadata(connection, followed)
            names = [each.followed.project for each in followed]
            connection.execute(delete(requirements).where(among(requirements.c.source, names)))
            upsert(
                connection,
                requirements,
                [
                    {"source": each.followed.project, "target": target, "edges": msgspec.json.encode(edges)}
                    for each in followed
                    for target, edges in each.edges.items()
                ],
            )
            rows = [
                {
                    "project": each.followed.project,
                    "followed": each.followed.grown,
                    "made_entry": each.entry,
                    "lacks": msgspec.json.encode(each.lacks) if each.lacks else None,
                    "unknown_at": now if each.waits else None,
                }
                for each in followed
            ]
            update_each(connection, demands, rows, key=("project",))
            _demand(connection, grown)

    def finish(self, run_id: int, *, now: int, keep: int) -> int | None:
        """All was followed: what was not found is undemanded, and goes when it was so for ``keep`` seconds;
        return since when something is at the earliest.
        """
        undemanded = []
        with self._engine.begin() as connection:
            hold(connection, run_id)
            rows = connection.execute(
                select(demands.c.project, demands.c.demands, demands.c.named, demands.c.changed)
            ).all()
            gone, left = [], []
            for project, body, named, changed in rows:
                before = DEMANDS.decode(body)
                after = [each for each in (_aged(each, now, keep) for each in before) if each is not None]
                undemanded += [each.undemanded_since for each in after if each.undemanded_since is not None]
                if not after and not named:
                    gone.append(project)
                if after != before:
                    differs = _deciding(after) != _deciding(before)
                    left.append(
                        {"project": project, "demands": _encode(after), "changed": changed or differs}
                    )
            update_each(connection, demands, left, key=("project",))
            unreached = select(demands.c.project).where(~demands.c.reached)
            connection.execute(delete(requirements).where(requirements.c.source.in_(unreached)))
            for chunk in chunks(gone, _CHUNK):
                connection.execute(
                    update(demands)
                    .where(demands.c.project.in_(chunk))
                    .values(changed=True, lacks=None, made_entry=None)
                )
        return min(undemanded, default=None)

    def changed(self) -> list[NormalizedName]:
        """The projects that have to be decided again, since what is demanded of them has changed."""
        statement = select(demands.c.project).where(demands.c.changed).order_by(demands.c.project)
        return project_names(self._engine, statement)

    def note_planned(self) -> None:
        """All that ``changed`` gives is noted elsewhere."""
        with self._engine.begin() as connection:
            is_over = and_(
                demands.c.changed, ~demands.c.reached, ~demands.c.named, demands.c.demands == _NONE
            )
            connection.execute(delete(demands).where(is_over))
            connection.execute(update(demands).where(demands.c.changed).values(changed=False))


_SET_DEMANDS: Final = (
    update(demands).where(demands.c.project == bindparam("project_")).values(demands=bindparam("demands_"))
)
_STATED: Final = (
    select(core_metadata.c.key, requires.c.digest, requires.c.body)
    .join(requires, requires.c.digest == core_metadata.c.requires)
    .where(core_metadata.c.key.in_(bindparam("keys", expanding=True)))
)
_NAME: Final = (
    update(demands)
    .where(demands.c.project == bindparam("project_"))
    .values(named=True, reached=True, followed=None, rules=bindparam("rules_"))
)
_TO_FOLLOW: Final = (
    select(demands.c.project)
    .join(catalogue, catalogue.c.name == demands.c.project, isouter=True)
    .join(projects, projects.c.name == demands.c.project, isouter=True)
    .where(
        demands.c.reached,
        or_(
            demands.c.followed.is_(None),
            demands.c.followed != demands.c.grown,
            demands.c.made_entry != catalogue.c.digest,
            demands.c.unknown_at <= projects.c.synced_at,
        ),
    )
)
_NONE: Final = b"[]"
_NEW_ROW: Final[Mapping[str, Any]] = {
    "project": "",
    "demands": _NONE,
    "named": False,
    "rules": None,
    "reached": False,
    "grown": 0,
    "followed": None,
    "made_entry": None,
    "changed": False,
    "lacks": None,
    "unknown_at": None,
}


def _encode(found: Iterable[_Demand]) -> bytes:
    return msgspec.json.encode(list(found))


def _deciding(found: Iterable[_Demand]) -> list[tuple[str, str, int]]:
    return [each[:3] for each in found]


def _aged(demand: _Demand, now: int, keep: int) -> _Demand | None:
    """The demand after all was followed again, None where it is over."""
    if demand.reached:
        return demand._replace(machines=demand.reached, undemanded_since=None)
    since = now if demand.undemanded_since is None else demand.undemanded_since
    # A clock that was ahead has seen nothing later than now.
    return demand._replace(undemanded_since=min(since, now)) if now - since < keep else None


def _demand(connection: Connection, grown: Mapping[NormalizedName, Mapping[tuple[str, str], int]]) -> None:
    """Add to what is demanded of each project: (specifier, extra) on machines."""
    for chunk in chunks(sorted(grown), _CHUNK):
        statement = select(demands).where(among(demands.c.project, chunk))
        before = {row.project: dict(row._mapping) for row in connection.execute(statement)}  # noqa: SLF001
        rows = (
            _grown(before.get(project) or {**_NEW_ROW, "project": project}, grown[project])
            for project in chunk
        )
        upsert(connection, demands, [row for row in rows if row is not None])


def _grown(row: dict[str, Any], added: Mapping[tuple[str, str], int]) -> dict[str, Any] | None:
    """The row with what is demanded besides, None where nothing of it is new."""
    found = {each[:2]: each for each in DEMANDS.decode(row["demands"])}
    is_new = decides = False
    for key, machines in added.items():
        before = found.get(key) or _Demand(*key, 0, 0)
        after = before._replace(machines=before.machines | machines, reached=before.reached | machines)
        is_new |= after.reached != before.reached
        decides |= after.machines != before.machines
        found[key] = after
    if not is_new:
        return None
    return {
        **row,
        "demands": _encode(found.values()),
        "reached": True,
        "grown": row["grown"] + 1,
        "changed": row["changed"] or decides,
    }


def _write_metadata(connection: Connection, followed: Sequence[FollowedProject]) -> None:
    bodies: dict[bytes, bytes] = {}
    keys: dict[bytes, bytes] = {}
    for each in followed:
        for key, stated in each.metadata.items():
            body = msgspec.json.encode(stated)
            digest = blake2b(body, digest_size=_DIGEST).digest()
            bodies[digest] = body
            keys[key] = digest
    upsert(
        connection,
        requires,
        [{"digest": digest, "body": body} for digest, body in bodies.items()],
        keep_existing=True,
    )
    upsert(connection, core_metadata, [{"key": key, "requires": digest} for key, digest in keys.items()])
