"""What a project requires: upstream's page, decided, and the core metadata of the releases that are kept."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.demands.build_system import MAX_BYTES, READ, parse_build_system
from pypi_mirror.demands.core_metadata import CoreMetadata, parse_core_metadata
from pypi_mirror.errors import UpstreamError, UpstreamUnavailable
from pypi_mirror.fetching.deciding import Before, Decider
from pypi_mirror.fetching.page_reader import PageReader
from pypi_mirror.ledger.dependencies import FollowedProject, Lack, ToFollow
from pypi_mirror.ledger.page_reads import PageRead
from pypi_mirror.model import PlannedProject, ProjectPage, RemoteFile
from pypi_mirror.policy import Decision, Policy
from pypi_mirror.policy.demanded import ReleaseDemand, admits
from pypi_mirror.policy.filters.platform_sdists import FOR_ALL
from pypi_mirror.policy.releases import Release, release_in
from pypi_mirror.policy.required import Required, Requirements, Wanted
from pypi_mirror.pool.held import HELD
from pypi_mirror.pool.sdist_metadata import sdist_files, sdist_metadata
from pypi_mirror.pool.sidecars import Sidecars
from pypi_mirror.pool.wheel_metadata import wheel_metadata
from pypi_mirror.release_files import WHEEL, version_in
from pypi_mirror.wording import count

# As large as the core metadata of a wheel may be that upstream has none of beside it.
_MAX_DOCUMENT: Final = 32 * 1024**2
_NAMED: Final = 5


class Following(Struct, frozen=True, kw_only=True):
    """What has to be known of a project to follow it."""

    before: Before
    to_follow: ToFollow


class DependenciesRead(PageRead, frozen=True, kw_only=True):
    """A project's page, and what it requires."""

    required: FollowedProject


class DependencyReader:
    """Follows projects; ``stored`` gives what is known of metadata by its key, ``web`` holds the pool."""

    def __init__(
        self,
        pages: PageReader,
        decider: Decider,
        policy: Policy,
        sidecars: Sidecars,
        stored: Callable[[Iterable[bytes]], Mapping[bytes, CoreMetadata]],
        *,
        web: Path,
    ) -> None:
        self._pages = pages
        self._decider = decider
        self._policy = policy
        self._requirements = Requirements(policy.allowed)
        self._sidecars = sidecars
        self._stored = stored
        self._web = web

    async def read(self, planned: PlannedProject, known: Following) -> DependenciesRead:
        """Find what the project requires; raises MirrorError where its page cannot be read, or upstream does
        not answer for its metadata.
        """
        before, to_follow = known.before, known.to_follow
        rejected = self._policy.rejection_reason(planned.project)
        if rejected is not None:
            lacks = tuple(Lack(what, rejected) for what in _described(planned.project, to_follow.demands))
            return DependenciesRead(
                planned=planned,
                entry=None,
                confirmed=None,
                required=FollowedProject(
                    followed=to_follow,
                    entry=b"" if before.entry is None else before.entry.digest,
                    edges={},
                    lacks=lacks,
                ),
            )
        reading = await self._pages.read(planned, before.project, before.entry)
        page = reading.page()
        found, fetched, lacks = Required(), dict[bytes, CoreMetadata](), tuple[Lack, ...]()
        if page is None:
            reason = f"upstream has no project {planned.project}"
            lacks = tuple(Lack(what, reason) for what in _described(planned.project, to_follow.demands))
        else:
            decision = self._decider.decide(page, before, reading.seen)
            kept = (*decision.kept, *(each.file for each in decision.held))
            wanted = self._requirements.wanted(planned.project, kept, to_follow.demands)
            others = _others(page, wanted)
            metadata, fetched = await self._metadata(before, wanted, others)
            built, read = await self._to_build(before, wanted)
            fetched |= read
            found = self._requirements.required(planned.project, wanted, metadata.get, others, built.get)
            lacks = (
                *_unmet(page, decision, kept, to_follow.demands),
                *self._cut(page, decision, wanted, to_follow.demands),
                *_said_of(page.name, found),
            )
        return DependenciesRead(
            planned=planned,
            entry=reading.entry,
            confirmed=reading.confirmed,
            seen=reading.seen,
            required=FollowedProject(
                followed=to_follow,
                entry=reading.digest,
                edges=found.edges,
                lacks=lacks,
                waits=found.waits,
                metadata=fetched,
            ),
        )

    def _cut(
        self,
        page: ProjectPage,
        decision: Decision,
        wanted: Mapping[Release, Wanted],
        demands: Sequence[ReleaseDemand],
    ) -> Iterator[Lack]:
        """The releases that some machine wants and has no file of here, by why that is."""
        dropped = {each.file: each.reason for each in decision.dropped}
        cut: defaultdict[str, list[str]] = defaultdict(list)
        for release, each in sorted(self._requirements.wanted(page.name, tuple(dropped), demands).items()):
            here = wanted.get(release)
            if here is None or each.machines & ~here.machines or self._only_built(each, here):
                # Reasons begin with the rule; what follows is about the file.
                cut[dropped[each.files[0]].partition(", ")[0]].append(each.version)
        for reason, versions in cut.items():
            yield Lack(f"{page.name} {_some(versions)}", reason, len(versions))

    def _only_built(self, cut: Wanted, here: Wanted) -> bool:
        """Whether machines of which no wheel is here have built what was ``cut``; where none are named."""
        is_for_all = any(file.filename.endswith(FOR_ALL) for file in here.files)
        return not self._policy.allowed.environments and cut.built > here.built and not is_for_all

    async def _metadata(
        self,
        before: Before,
        wanted: Mapping[Release, Wanted],
        others: Mapping[Release, Sequence[RemoteFile]],
    ) -> tuple[Mapping[RemoteFile, CoreMetadata], dict[bytes, CoreMetadata]]:
        """What is known of the files of each release, and what of it is new."""
        files = {file: key for file in _to_read(wanted, others) if (key := _key(file)) is not None}
        known = dict(self._stored(set(files.values())))
        missing = {key: file for file, key in files.items() if key not in known}
        bodies = await asyncio.gather(*(self._document(before, file) for file in missing.values()))
        fetched = {
            key: parse_core_metadata(body)
            for key, body in zip(missing, bodies, strict=True)
            if body is not None
        }
        known |= fetched
        return {file: known[key] for file, key in files.items() if key in known}, fetched

    async def _to_build(
        self, before: Before, wanted: Mapping[Release, Wanted]
    ) -> tuple[Mapping[RemoteFile, CoreMetadata], dict[bytes, CoreMetadata]]:
        """What building the source archives that are here requires, and what of it is new."""
        archives = [file for each in wanted.values() for file in each.archives]
        keys = {file: key for file in archives if (key := _build_key(file)) is not None}
        known = dict(self._stored(set(keys.values())))
        read: dict[bytes, CoreMetadata] = {}
        for file, key in keys.items():
            if key in known or (path := self._place(before, file)) is None:
                continue
            # The disk may have lost what the ledger knows; the batch downloads it again.
            with suppress(FileNotFoundError):
                files = await asyncio.to_thread(sdist_files, path, READ, max_bytes=MAX_BYTES)
                known[key] = read[key] = parse_build_system(files)
        return {file: known[key] for file, key in keys.items() if key in known}, read

    async def _document(self, before: Before, file: RemoteFile) -> bytes | None:
        """The core metadata of ``file``: upstream's, or that in the file, if it is here or a wheel; None
        without any.
        """
        if file.core_metadata is not None:
            try:
                return await self._sidecars.download(file, dict(file.core_metadata))
            except UpstreamUnavailable:
                raise
            except UpstreamError:
                # It is not what upstream's page says; nobody can use it.
                return None
        is_wheel = file.filename.endswith(WHEEL)
        if (path := self._place(before, file)) is not None:
            read = wheel_metadata if is_wheel else sdist_metadata
            # The disk may have lost what the ledger knows; the batch downloads it again.
            with suppress(FileNotFoundError):
                return await asyncio.to_thread(read, path, file.filename, max_bytes=_MAX_DOCUMENT)
        return await self._sidecars.from_tail(file) if is_wheel else None

    def _place(self, before: Before, file: RemoteFile) -> str | None:
        """Where the file is, as far as the ledger knows."""
        if (known := before.files.get(file.filename)) is not None:
            return str(self._web / known.path)
        held = before.held_file(file.filename)
        return None if held is None else str(self._web / HELD / held.path)


def _key(file: RemoteFile) -> bytes | None:
    """What tells its core metadata from others'."""
    stated = dict(file.core_metadata or ()).get("sha256") or file.sha256
    return None if stated is None else bytes.fromhex(stated)


def _build_key(file: RemoteFile) -> bytes | None:
    """What tells what building it requires from its core metadata, and from others'."""
    return None if file.sha256 is None else hashlib.sha256(f"build {file.sha256}".encode()).digest()


def _others(page: ProjectPage, wanted: Mapping[Release, Wanted]) -> Mapping[Release, Sequence[RemoteFile]]:
    """Of each release of which no served machine has a wheel that says what it requires, one that does."""
    silent = {
        release
        for release, each in wanted.items()
        if each.override is None and not any(file.core_metadata is not None for file in each.files)
    }
    found: defaultdict[Release, list[RemoteFile]] = defaultdict(list)
    for file in page.files if silent else ():
        release = release_in(page.name, file.filename)
        if release in silent and file.core_metadata is not None:
            found[release].append(file)
            silent.discard(release)
    return found


def _to_read(
    wanted: Mapping[Release, Wanted], others: Mapping[Release, Sequence[RemoteFile]]
) -> Iterator[RemoteFile]:
    for release, each in wanted.items():
        yield from each.files if each.override is None else ()
        yield from others.get(release, ())


def _described(project: NormalizedName, demands: Sequence[ReleaseDemand]) -> list[str]:
    return sorted({f"{project}{demand.specifier}" for demand in demands})


def _unmet(
    page: ProjectPage,
    decision: Decision,
    kept: Sequence[RemoteFile],
    demands: Sequence[ReleaseDemand],
) -> Iterator[Lack]:
    """The demands that no file here meets."""
    dropped = {each.file.filename: each.reason for each in decision.dropped}
    for specifier in sorted({demand.specifier for demand in demands}):
        if any(_meets(page.name, file, specifier) for file in kept):
            continue
        reasons = [
            dropped.get(file.filename, "") for file in page.files if _meets(page.name, file, specifier)
        ]
        reason = next(filter(None, reasons), "upstream has no such release")
        yield Lack(f"{page.name}{specifier}", reason)


def _meets(project: NormalizedName, file: RemoteFile, specifier: str) -> bool:
    version = version_in(project, file.filename)
    return version is not None and admits(specifier, version, is_yanked=file.yanked is not None)


def _some(versions: Sequence[str]) -> str:
    named = ", ".join(versions[:_NAMED])
    return f"{named} and {count(len(versions) - _NAMED, 'other')}" if len(versions) > _NAMED else named


def _said_of(project: NormalizedName, found: Required) -> Iterator[Lack]:
    for doubt, versions in found.doubts.items():
        yield Lack(f"{project} {_some(versions)}", doubt)
    for remark in found.remarks:
        text, _, reason = remark.rpartition(": ")
        yield Lack(text, reason)
