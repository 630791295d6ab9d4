"""What a project's next page takes and loses, from upstream's page and what the mirror has; no network."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import Entry
from pypi_mirror.disk.files import served_size_of
from pypi_mirror.ledger.held_files import HeldRow
from pypi_mirror.ledger.projects import QUARANTINED, KnownFile, KnownProject
from pypi_mirror.model import Action, Loss, PlannedProject, ProjectPage, RemoteFile, path_of
from pypi_mirror.policy import Context, Decision, Policy
from pypi_mirror.pool.layout import listed_place, location_of

_DIGEST: Final = 16


class Before(Struct, frozen=True, kw_only=True):
    """What the ledger has of a project; ``past`` are the SHA-256 sums of files it had, ``entry`` is the
    catalogue's, without its body where that is large. ``held`` are files in cooldown, ``as_of`` and
    ``planned_at`` the moments to decide for, as of ``Context``.
    """

    project: KnownProject | None
    files: Mapping[str, KnownFile]
    past: Mapping[str, bytes] = field(default_factory=dict)
    entry: Entry | None = None
    held: Mapping[str, HeldRow] = field(default_factory=dict)
    as_of: int = 0
    planned_at: int = 0

    def context(self, seen: Mapping[str, int]) -> Context:
        """What deciding has to know; ``seen`` is since when files count that the ledger has not yet."""
        return Context(
            as_of=self.as_of,
            planned_at=self.planned_at,
            listed=frozenset(file.filename for file in on_our_page(self)),
            seen={**seen, **{name: row.since for name, row in self.held.items()}},
            lifted=frozenset(name for name, row in self.held.items() if row.lifted_at is not None),
        )

    def held_file(self, filename: str) -> KnownFile | None:
        """The file of this name that was downloaded and waits."""
        row = self.held.get(filename)
        return None if row is None else row.file

    @property
    def is_due(self) -> bool:
        """Whether files wait no longer, or have become too old."""
        changes_at = None if self.project is None else self.project.changes_at
        return (changes_at is not None and changes_at <= self.planned_at) or any(
            row.lifted_at is not None or (row.due_at is not None and row.due_at <= self.as_of)
            for row in self.held.values()
        )


class Work(Struct, frozen=True, kw_only=True):
    """What the next page of a project takes and loses.

    ``new_files`` are not in the mirror yet, ``new_bytes`` as far as the page states sizes and
    ``unsized_files`` of those whose it does not. ``loses_*`` is what policy, or what upstream has announced,
    takes off the page; ``silent`` what upstream's page lacks and nothing announced.
    """

    new_files: int = 0
    new_bytes: int = 0
    unsized_files: int = 0
    loses_project: bool = False
    loses_files: int = 0
    loses_bytes: int = 0
    silent: Loss | None = None


class Decider:
    """Decides under one policy; ``our_page`` gives the entries of a project's page here by file name.
    ``rendering`` names how pages look, ``web`` holds the pool, None where files are not mirrored.
    """

    def __init__(
        self,
        policy: Policy,
        our_page: Callable[[NormalizedName], Mapping[str, RemoteFile]],
        *,
        rendering: str,
        web: Path | None,
    ) -> None:
        self._policy = policy
        self._our_page = our_page
        self._rendering = rendering
        self._web = web

    @property
    def follows(self) -> bool:
        """Whether what others require decides too, which changes under the same filters."""
        return self._policy.follows

    def decide(
        self, page: ProjectPage, before: Before, seen: Mapping[str, int] = MappingProxyType({})
    ) -> Decision:
        """Decide over ``page``; ``seen`` as for ``Before.context``."""
        if not self._policy.depends_on_time:
            return self._policy.decide(page)
        context = before.context(seen)
        if before.project is None and self._policy.holds:
            # What readers of a page that was found have, they keep.
            context = replace(context, listed=frozenset(self._our_page(page.name)))
        return self._policy.decide(page, context)

    def digest(self, decision: Decision) -> bytes:
        """Names what a page shows of upstream's: which files, and how."""
        names = "\n".join(file.filename for file in decision.kept)
        return hashlib.blake2b(f"{self._rendering}\n{names}".encode(), digest_size=_DIGEST).digest()

    def work(self, planned: PlannedProject, before: Before, page: ProjectPage | None) -> Work:
        """What ``planned`` comes to, upstream's page being ``page``; None where upstream has none."""
        if planned.action is Action.REMOVE or (planned.gone and (page is None or not page.files)):
            return self._removal(planned, before)
        silent = self.silent_loss(planned, before, page)
        if page is None or (silent is not None and silent.project):
            return Work(silent=silent)
        listed = {file.filename for file in page.files}
        decision = self.decide(page, before)
        if decision.rejected is not None:
            return replace(self._removal(planned, before), silent=silent)
        dropped = {each.file.filename for each in decision.dropped}
        ours = self._listed(planned.project, before)
        lost = [file for file in ours if file.filename in dropped]
        off = [file for file in ours if file.filename not in listed]
        # Nobody can say what upstream announced since another tool, or a lost ledger, wrote the page.
        lost += off if before.project is None else self._unwanted(page.name, off)
        new = [
            file
            for file in (*decision.kept, *(each.file for each in decision.held))
            if file.filename not in before.files
            and before.held_file(file.filename) is None
            and not self._is_in_pool(page, file)
        ]
        return Work(
            new_files=len(new),
            new_bytes=sum(file.size or 0 for file in new),
            unsized_files=sum(file.size is None for file in new),
            loses_files=len(lost),
            loses_bytes=sum(file.size for file in lost),
            silent=silent,
        )

    def unread_work(self, before: Before) -> Work:
        """What policy takes off our page where nobody knows upstream's."""
        lost = [] if before.project is None else self._unwanted(before.project.project, on_our_page(before))
        return Work(loses_files=len(lost), loses_bytes=sum(file.size for file in lost))

    def _removal(self, planned: PlannedProject, before: Before) -> Work:
        """What is lost by a project that goes, also where its row was planned as if nothing were: by the
        backlog, or decided while upstream still had a page of it.
        """
        known = before.project
        if known is not None and known.present and known.status != QUARANTINED:
            return Work(loses_project=True, loses_files=known.files, loses_bytes=known.bytes)
        if known is None and (found := self._listed(planned.project, before)):
            return Work(
                loses_project=True, loses_files=len(found), loses_bytes=sum(file.size for file in found)
            )
        # Readers have lost a quarantined project already, and upstream's index does not list it, either.
        return Work(
            loses_project=planned.loses_project,
            loses_files=planned.loses_files,
            loses_bytes=planned.loses_bytes,
        )

    def silent_loss(self, planned: PlannedProject, before: Before, page: ProjectPage | None) -> Loss | None:
        """What our page lists and upstream's lacks, where neither the plan, policy nor upstream's status
        explains it.
        """
        known = before.project
        if known is None or not known.present or planned.action is Action.REMOVE:
            return None
        is_empty = page is None or not page.files
        # That it is gone explains it only where the guard has weighed that.
        is_weighed = planned.gone and (planned.loses_project or known.status == QUARANTINED)
        # A quarantined project says of itself that its files are gone, and nobody reads it.
        if is_empty and (is_weighed or (page is not None and page.status.status == QUARANTINED)):
            return None
        names = set() if page is None else {file.filename for file in page.files}
        off = [file for file in on_our_page(before) if file.filename not in names]
        unwanted = {file.filename for file in self._unwanted(known.project, off)}
        lost = [file for file in off if file.filename not in unwanted]
        if not lost and page is not None:
            return None
        return Loss(project=not names, files=len(lost), bytes=sum(file.size for file in lost))

    def _unwanted(self, project: NormalizedName, files: Sequence[KnownFile]) -> list[KnownFile]:
        """Those of ``files``, of which upstream's page says nothing, that policy takes off ours."""
        if not files:
            return []
        page = ProjectPage(
            name=project, serial=None, etag=None, files=tuple(self._our_page(project).values())
        )
        dropped = {each.file.filename for each in self._policy.by_file.decide(page).dropped}
        return [file for file in files if file.filename in dropped]

    def _listed(self, project: NormalizedName, before: Before) -> list[KnownFile]:
        """What our page lists: by the ledger, else by the page that another tool or a lost ledger left."""
        if before.project is not None:
            return on_our_page(before)
        return [_found(file, self._web) for file in self._our_page(project).values()]

    def _is_in_pool(self, page: ProjectPage, file: RemoteFile) -> bool:
        """Whether the file lies where it would be, as far as a directory tells: a ledger can be lost."""
        if self._web is None:
            return True
        location = location_of(page.name, file, file.sha256)
        if location is None or file.size is None:
            return False
        return served_size_of(f"{self._web}/{path_of(location, file.filename)}") == file.size


def _found(entry: RemoteFile, web: Path | None) -> KnownFile:
    """A file that a page lists and no row knows; its size is the disk's where the page states none."""
    file = KnownFile(
        filename=entry.filename,
        location=listed_place(entry),
        sha256=bytes.fromhex(entry.sha256 or ""),
        size=entry.size or 0,
        metadata_sha256=None,
        provenance=False,
        uploaded_at=None,
        removed_at=None,
    )
    if entry.size is not None or web is None:
        return file
    return replace(file, size=served_size_of(f"{web}/{file.path}") or 0)


def on_our_page(before: Before) -> list[KnownFile]:
    if before.project is None or not before.project.present:
        return []
    return [file for file in before.files.values() if file.removed_at is None]
