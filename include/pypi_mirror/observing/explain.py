"""Why a project's files are here or not: upstream's page as last read, decided, beside the ledger."""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import ENCODING, EntryState, decode_page
from pypi_mirror.clock import utc
from pypi_mirror.errors import UnreadableEntry, UpstreamDown, UpstreamError
from pypi_mirror.fetching.deciding import Before
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import ProjectPage, Refused, RemoteFile
from pypi_mirror.observing.dependencies import (
    Requirement,
    chain_to,
    required_by,
    requirements_of,
    why_selected,
)
from pypi_mirror.planning.following import is_undecided
from pypi_mirror.policy import Context, Policy, Refusal
from pypi_mirror.release_files import version_in

__all__ = ["Explanation", "FileExplained", "FileState", "Refusal", "explain"]


class FileState(StrEnum):
    """What the mirror has of a file.

    ``LISTED``: a page of ours lists it. ``HELD``: it is in cooldown, or a person has lifted that and the next
    run lists it. ``TOMBSTONE``: it is on the disk, no page lists it. ``MISSING``: it is to be mirrored and is
    not here yet. ``ABSENT``: it is not here, and is not to be.
    """

    LISTED = "listed"
    HELD = "held"
    TOMBSTONE = "tombstone"
    MISSING = "missing"
    ABSENT = "absent"


class FileExplained(Struct, frozen=True, kw_only=True):
    """A file of upstream's page, or, with ``upstream`` false, one that only the ledger has.

    ``mirrored`` is the filters' verdict, ``refusals`` all that speaks against it, ``admitted_by`` the rule of
    [allowlist] that asks for this file where one has to, and ``asked_by`` the option or the file that has
    the rule. ``version`` is None where the name has none.
    ``trouble`` is why a file that is to be mirrored could not be downloaded, or why what upstream's page says
    of one that only the ledger has is refused. ``locked_by`` is the requirement or lock file that keeps one
    that upstream has removed: it names it by its digest.
    """

    filename: str
    version: str | None
    size: int | None
    upstream: bool
    mirrored: bool
    refusals: tuple[Refusal, ...]
    admitted_by: str | None
    asked_by: str | None
    state: FileState
    trouble: str | None = None
    locked_by: str | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """A project, and each of its files.

    ``selected`` says whether the filters let the project in, ``why`` by which setting; ``undecided``: they
    leave it out, and may not once all dependencies are followed. ``found`` says whether upstream has it, None
    when that is not known: then ``trouble`` says why, and ``files`` are the ledger's. ``read_at`` is when
    upstream last confirmed what is said of it, None where it has not been asked.
    ``serial`` is that of our page, ``upstream_serial`` that of upstream's. ``refused`` are parts of the
    latter that are left out whatever the filters say, ``backlog`` is why the project is on the backlog, None
    while it is not. ``unmet`` are rules of [allowlist] that no file of upstream's page meets, with who asks.
    Where dependencies are followed, ``chain`` is the shortest way to it from what [allowlist] names.
    """

    project: NormalizedName
    at: datetime
    read_at: datetime | None
    selected: bool
    undecided: bool
    why: str
    found: bool | None
    trouble: str | None
    status: str | None
    serial: int | None
    upstream_serial: int | None
    files: tuple[FileExplained, ...]
    refused: tuple[Refused, ...] = ()
    backlog: str | None = None
    unmet: tuple[str, ...] = ()
    chain: tuple[NormalizedName, ...] = ()
    required_by: tuple[Requirement, ...] = ()
    requires: tuple[Requirement, ...] = ()

    @property
    def mirrored(self) -> int:
        """How many of the files are to be mirrored."""
        return sum(file.mirrored for file in self.files)


def explain(mirror: Mirror, name: NormalizedName, *, ask_for: float | None = None) -> Explanation:
    """Decide over the files of the page of ``name`` that the catalogue has.

    With ``ask_for`` it is upstream's of now, waited for so many seconds at most; an upstream that does not
    answer, or answers badly, is said in ``trouble``.
    """
    page: ProjectPage | None = None
    trouble = None
    now = read_at = int(mirror.clock())
    if ask_for is None:
        page, read_at, trouble = _page_as_read(mirror, name)
    else:
        try:
            page = asyncio.run(_page(mirror, name, ask_for))
        except TimeoutError:
            trouble = f"upstream gave no whole page within {ask_for:g} seconds"
        except (UpstreamError, UpstreamDown) as error:
            reason = error.reason if isinstance(error, UpstreamDown) else error
            trouble = f"upstream could not be asked: {reason}"
    held = mirror.ledger.projects.known([name]).get(name)
    files = {} if held is None else mirror.ledger.projects.files_of([held.id])[held.id]
    waiting_files = mirror.ledger.held_files.of([name]).get(name, {})
    as_of = mirror.ledger.facts.as_of or 0
    context = Before(project=held, files=files, held=waiting_files, as_of=as_of, planned_at=as_of).context({})
    lacks = mirror.ledger.left_out.of([name]).get(name, [])
    failed = {each.part.filename or "": each.part.reason for each in lacks if each.error is not None}
    refused = (*(() if page is None else page.refused), *(each.part for each in lacks if each.error is None))
    failed |= {each.filename or "": each.reason for each in refused if each.field is None}
    waiting = [entry for entry in mirror.ledger.backlog.failed() if entry.project == name]
    return Explanation(
        project=name,
        at=utc(now),
        read_at=None if trouble is not None else utc(read_at),
        selected=mirror.policy.rejection_reason(name) is None,
        undecided=is_undecided(mirror, name),
        why=why_selected(mirror, name),
        found=None if trouble is not None else page is not None,
        trouble=trouble,
        status=page.status.status if page is not None else None if held is None else held.status,
        serial=None if held is None else held.serial,
        upstream_serial=None if page is None else page.serial,
        files=tuple(
            replace(file, trouble=failed.get(file.filename)) if file.mirrored or not file.upstream else file
            for file in _explained(
                mirror.policy, page or ProjectPage(name=name, serial=None, etag=None), files, context
            )
        ),
        refused=tuple(dict.fromkeys(refused)),
        backlog=waiting[0].reason if waiting else None,
        unmet=()
        if page is None
        else tuple(f"{root.by} asks for {root.rule}" for root in mirror.policy.unmet(page)),
        chain=chain_to(mirror, name),
        required_by=required_by(mirror, name),
        requires=requirements_of(mirror, name),
    )


def _page_as_read(mirror: Mirror, name: NormalizedName) -> tuple[ProjectPage | None, int, str | None]:
    """Upstream's page as last read, when that was, and why nobody knows."""
    entry = mirror.ledger.catalogue.entries([name]).get(name)
    if entry is None or entry.encoding != ENCODING:
        return (
            None,
            0,
            f"no sync has read upstream's page; `pypi-mirror explain {name} --online` asks for it",
        )
    if entry.state is EntryState.GONE:
        return None, entry.checked_at, None
    try:
        body = entry.body or mirror.ledger.catalogue.body(name)
        return decode_page(body, project=name, etag=entry.etag), entry.checked_at, None
    except UnreadableEntry as error:
        return None, 0, f"{error}; `pypi-mirror explain {name} --online` asks upstream for it"


async def _page(mirror: Mirror, name: NormalizedName, timeout: float) -> ProjectPage | None:
    """Upstream's page, None when it has none; asked once, for somebody waits for the answer."""
    once = dataclasses.replace(
        mirror,
        settings=dataclasses.replace(mirror.settings, timeout=min(timeout, mirror.settings.timeout)),
        patience=dataclasses.replace(
            mirror.patience, attempts=1, stale_wait=0, missing_wait=0, outage_wait=0
        ),
    )
    async with asyncio.timeout(timeout), once.transport() as transport:
        answer = await once.project_pages(transport).fetch(name)
    return answer if isinstance(answer, ProjectPage) else None


def _explained(
    policy: Policy,
    page: ProjectPage,
    held: Mapping[str, KnownFile],
    context: Context,
) -> tuple[FileExplained, ...]:
    """The files of upstream's page in its order, then those that only the ledger has, by name."""
    listed = {file.filename for file in page.files}
    others = sorted(filename for filename in held if filename not in listed)
    own = tuple(RemoteFile(filename=filename, url="", size=held[filename].size) for filename in others)
    return tuple(
        _file(
            policy,
            page.name,
            file,
            held.get(file.filename),
            refusals.get(file.filename, ()),
            upstream=on_page,
            is_lifted=file.filename in context.lifted,
        )
        for rules, part, on_page in (
            (policy, page, True),
            (policy.by_file, replace(page, versions=(), files=own), False),
        )
        for refusals in [rules.refusals(part, context)]
        for file in part.files
    )


def _file(
    policy: Policy,
    name: NormalizedName,
    file: RemoteFile,
    known: KnownFile | None,
    refusals: tuple[Refusal, ...],
    *,
    upstream: bool,
    is_lifted: bool,
) -> FileExplained:
    refused = policy.rejection_reason(name) is not None
    locked_by = None
    if known is not None and not upstream and policy.keeps_removed(file.filename, known.sha256.hex()):
        locked_by = policy.locked_by(name, known.sha256.hex())
    mirrored = upstream and not refused and not refusals
    root = policy.admitted_by(name, file)
    return FileExplained(
        filename=file.filename,
        version=version_in(name, file.filename),
        size=file.size,
        upstream=upstream,
        mirrored=mirrored,
        refusals=refusals,
        admitted_by=None if root is None else root.rule,
        asked_by=None if root is None else root.by,
        state=_state(known, mirrored=mirrored, is_held=is_lifted or _is_held(refusals)),
        locked_by=locked_by,
    )


def _is_held(refusals: tuple[Refusal, ...]) -> bool:
    """Whether only the cooldown excludes a file."""
    return bool(refusals) and all(each.holds for each in refusals)


def _state(known: KnownFile | None, *, mirrored: bool, is_held: bool) -> FileState:
    if known is not None:
        return FileState.LISTED if known.removed_at is None else FileState.TOMBSTONE
    if is_held:
        return FileState.HELD
    return FileState.MISSING if mirrored else FileState.ABSENT
