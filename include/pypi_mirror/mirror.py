"""A mirror, put together: settings, ledger, pages, filters, and the ways to reach upstream.

The one place that chooses real parts; steps take a :class:`Mirror` and never build their own.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from pypi_mirror.clock import Clock, SystemClock
from pypi_mirror.disk.bandersnatch_tree import claim, require_stopped
from pypi_mirror.disk.faults import named_disk_faults
from pypi_mirror.disk.files import is_disk_fault, make_directories, make_path_readable
from pypi_mirror.disk.identity import identity_files, mark_disk, require_own_disk
from pypi_mirror.disk.room import RoomGuard
from pypi_mirror.disk.writing import flush_filesystem
from pypi_mirror.errors import MirrorError, WindowClosed
from pypi_mirror.facts.facts import Facts
from pypi_mirror.fetching.deciding import Decider
from pypi_mirror.fetching.dependency_reader import DependencyReader
from pypi_mirror.fetching.failure_limit import FailureLimit
from pypi_mirror.fetching.our_page import files_on_our_page
from pypi_mirror.fetching.page_reader import PageReader
from pypi_mirror.fetching.project_sync import ProjectSync
from pypi_mirror.ledger.page_reads import PageReads
from pypi_mirror.ledger.results import Results
from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import PlanState, RunKind
from pypi_mirror.options.max_failures import format_max_failures
from pypi_mirror.pages.links import PoolLinks, UpstreamLinks
from pypi_mirror.pages.page_store import PageStore
from pypi_mirror.policy import Policy
from pypi_mirror.pool import Pool
from pypi_mirror.pool.held import HELD
from pypi_mirror.pool.sidecars import Sidecars
from pypi_mirror.pool.sources import Sources
from pypi_mirror.settings.fingerprint import page_fingerprint, rendering_fingerprint, selection_fingerprint
from pypi_mirror.settings.requirements import with_requirements
from pypi_mirror.settings.values import Settings
from pypi_mirror.transport.bandwidth import Bandwidth
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.login import Logins, netrc_logins
from pypi_mirror.transport.messages import Transport
from pypi_mirror.transport.patience import Patience
from pypi_mirror.transport.retries import Retries
from pypi_mirror.transport.zones import AddressGuard
from pypi_mirror.upstream.changelog import Changelog
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.project_pages import ProjectPages
from pypi_mirror.upstream.simple_root import standard_root
from pypi_mirror.wording import moment_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """One mirror, open. Made by :func:`open_mirror`; belongs to one process."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    patience: Patience = field(default_factory=Patience)
    # Where a plan that leaves no trace keeps upstream's index.
    scratch: Path | None = None

    @property
    def state(self) -> Path:
        """Where a run keeps what its steps hand on."""
        return self.scratch or self.settings.directory

    @cached_property
    def resolved(self) -> Settings:
        """The settings with what requirement files ask for; raises ConfigurationError for a bad file."""
        return with_requirements(self.settings)

    @cached_property
    def policy(self) -> Policy:
        policy = self.resolved.policy
        return policy.with_demands(self.ledger.dependencies.demanded()) if policy.follows else policy

    def reload_demands(self) -> None:
        """Decide from now on by what the ledger has of dependencies."""
        for cached in ("policy", "decider"):
            self.__dict__.pop(cached, None)

    @cached_property
    def selection(self) -> str:
        """Names what decides over projects, files and pages."""
        return selection_fingerprint(self.resolved)

    @cached_property
    def page_selection(self) -> str:
        """Names what decides over files and pages; a page made under another one is made again."""
        return page_fingerprint(self.resolved)

    @cached_property
    def pages(self) -> PageStore:
        return page_store(self.settings)

    @cached_property
    def disks(self) -> tuple[Path, ...]:
        """The directories that may lie on disks of their own: the mirror's, its pool, an SQLite ledger's."""
        s = self.settings
        database = self.ledger.engine.url.database if self.ledger.engine.dialect.name == "sqlite" else None
        ledger = () if database is None else (Path(database).parent,)
        return (s.directory, s.web / "packages", *ledger)

    @cached_property
    def room(self) -> RoomGuard:
        return RoomGuard(self.disks, self.settings.disk_reserve)

    def require_own_tree(self) -> None:
        """Raises MirrorError where bandersnatch is at work in the directory, or was handed it."""
        directory, handed_over = self.settings.directory, self.ledger.facts.handed_over
        if handed_over is not None:
            raise MirrorError(
                f"{directory} was handed over to bandersnatch at {moment_of(handed_over)}. To take it back, "
                "stop bandersnatch and run `pypi-mirror ledger rebuild --force`"
            )
        if self.scratch is None:
            require_stopped(directory)

    def claim_tree(self) -> None:
        """Keep bandersnatch out of the directory, before anything in it changes; raises MirrorError as
        ``require_own_tree`` does: an approval can take hours.
        """
        self.require_own_tree()
        claim(self.settings.directory)

    def flush(self) -> None:
        """Bring onto their devices what was written and removed; the pool may be on a disk of its own."""
        for place in (self.settings.web, self.settings.web / "packages"):
            if place == self.settings.web or place.is_symlink() or place.is_mount():
                flush_filesystem(place)

    @cached_property
    def logins(self) -> Logins:
        return Logins(self.settings.master, self.settings.login, netrc_logins())

    @contextmanager
    def control(self) -> Iterator[Control]:
        """For the few calls that find out what changed."""
        s = self.settings
        control = Control(
            timeout=s.timeout,
            global_timeout=s.global_timeout,
            proxy=s.proxy,
            allow_non_https=s.allow_non_https,
            patience=self.patience,
            address_guard=AddressGuard(
                s.master, named=() if s.download_mirror is None else (s.download_mirror,)
            ),
            logins=self.logins,
            now=self.clock,
        )
        try:
            yield control
        finally:
            control.close()

    @property
    def simple_root(self) -> str:
        """Where upstream's pages begin, as far as it is known; ends with a slash."""
        master, root = self.ledger.facts.simple_root or ("", "")
        return root if master == self.settings.master else standard_root(self.settings.master)

    def note_simple_root(self, root: str) -> None:
        """Remember where upstream's pages were found."""
        if root != self.simple_root:
            log.info("upstream's pages are below %s", root)
            self.ledger.facts.put(Facts.simple_root.to((self.settings.master, root)))

    def changelog(self, control: Control) -> Changelog:
        """Upstream's changelog, which only an index with its pages at ``/simple/`` can have."""
        master = self.settings.master
        return Changelog(master, control, beside=self.simple_root == standard_root(master))

    def transport(self, *, sharers: int = 1) -> CurlTransport:
        """For bulk requests; to be entered inside an event loop.

        ``sharers`` is the number of transports at work at once in this run: each has an equal part of what
        the settings allow the run as a whole.
        """
        s = self.settings
        limit = s.bandwidth_limit
        return CurlTransport(
            workers=share(s.workers, sharers),
            bandwidth=None if limit is None else Bandwidth(limit / sharers),
            timeout=s.timeout,
            global_timeout=s.global_timeout,
            proxy=s.proxy,
            allow_non_https=s.allow_non_https,
            address_guard=AddressGuard(
                s.master, named=() if s.download_mirror is None else (s.download_mirror,)
            ),
            logins=self.logins,
        )

    @cached_property
    def decider(self) -> Decider:
        s = self.settings
        return Decider(
            self.policy,
            lambda project: files_on_our_page(self.pages.directory_of(project), project),
            rendering=rendering_fingerprint(s),
            web=s.web if s.release_files else None,
        )

    def page_reader(self, transport: Transport, run: Run) -> PageReader:
        """For the pages that ``run`` needs."""
        return PageReader(
            self.project_pages(transport),
            self.ledger.catalogue.body,
            now=self.clock,
            confirmed_at=run.started_at,
            highest=run.cursor_to,
            # What a person asks for by name follows upstream, back too.
            only_forward=run.request.kind is not RunKind.SELECTED,
            as_of=self.ledger.facts.as_of or int(self.clock()) if self.policy.holds else None,
            serials_at=self.ledger.facts.serials_at or (),
        )

    def project_sync(self, transport: Transport, run: Run, *, downloads: bool = True) -> ProjectSync:
        """Without ``downloads``, projects that need a file that is not here raise WindowClosed."""
        s = self.settings
        retries = Retries(transport, self.patience, index=self.simple_root)

        def pool(root: Path) -> Pool:
            return Pool(
                root,
                transport,
                retries,
                compare_method=s.compare_method,
                core_metadata=s.core_metadata,
                replaced_files=s.replaced_files,
                sources=self._sources,
                before_download=self.room.before if downloads else _refuse_download,
                before_write=self.room.before,
            )

        return ProjectSync(
            web=s.web,
            upstream=self.project_pages(transport),
            reader=self.page_reader(transport, run),
            decider=self.decider,
            pool=pool(s.web) if s.release_files else None,
            held_pool=pool(s.web / HELD) if s.release_files else None,
            pages=self.pages,
            fingerprint=self.page_selection,
            legacy_json=s.json,
            before_write=self.room.before,
        )

    def dependency_reader(self, transport: Transport, run: Run) -> DependencyReader:
        """For the dependencies that ``run`` follows."""
        return DependencyReader(
            self.page_reader(transport, run),
            self.decider,
            self.policy,
            Sidecars(
                transport,
                Retries(transport, self.patience, index=self.simple_root),
                self._sources,
                core_metadata=True,
            ),
            self.ledger.dependencies.metadata,
            web=self.settings.web,
        )

    @property
    def _sources(self) -> Sources:
        s = self.settings
        return Sources(s.download_mirror, fallback=not s.download_mirror_no_fallback)

    def project_pages(self, transport: Transport) -> ProjectPages:
        root = self.simple_root
        retries = Retries(transport, self.patience, index=root)
        return ProjectPages(self.settings.master, transport, retries, root=root)

    def page_reads(self, run: Run) -> PageReads:
        return PageReads(self.ledger.engine, self.clock, run.id, dry_run=run.request.dry_run)

    def results(self, run_id: int) -> Results:
        return Results(self.ledger.engine, self.clock, run_id)

    def failure_limit(self, run_id: int) -> FailureLimit:
        """The limit of stop-on-error or max-failures, over all that has failed in run ``run_id``."""
        plan, most = self.ledger.plan, self.settings.max_failures

        def in_ledger() -> int:
            return plan.count(run_id, PlanState.FAILED)

        if self.settings.stop_on_error:
            return FailureLimit(0, in_ledger)
        if most is None:
            return FailureLimit(None, in_ledger)
        option = f"max-failures = {format_max_failures(most)}"
        return FailureLimit(most.of(plan.count(run_id)), in_ledger, option=option)


def _refuse_download(_size: int) -> None:
    raise WindowClosed("it needs a file, and [schedule] download-window is closed")


def share(workers: int, sharers: int) -> int:
    """The part of ``workers`` that each of ``sharers`` has; one at least."""
    return max(1, workers // sharers)


def has_mirror(settings: Settings) -> bool:
    """Whether there is one already: its tree, or a ledger elsewhere that knows one whose disk is not mounted.

    Raises LedgerError.
    """
    return settings.web.is_dir() or (
        not _has_ledger_on_its_disk(settings) and Ledger.knows_mirror(settings.ledger)
    )


def _has_ledger_on_its_disk(settings: Settings) -> bool:
    return settings.ledger_path is not None and settings.ledger_path.is_relative_to(settings.directory)


def page_store(settings: Settings) -> PageStore:
    """The project pages of the mirror that ``settings`` describe."""
    links = (
        UpstreamLinks()
        if settings.links_upstream
        else PoolLinks(public_url=settings.site.public_url, root_uri=settings.root_uri)
    )
    return PageStore(
        settings.web, hash_index=settings.hash_index, simple_format=settings.simple_format, links=links
    )


@contextmanager
def open_mirror(
    settings: Settings,
    *,
    must_exist: bool = False,
    clock: Clock | None = None,
    patience: Patience | None = None,
) -> Iterator[Mirror]:
    """The mirror that ``settings`` describes; its directories and its ledger are made when missing.

    Who does not sync sets ``must_exist``, so that a mistyped directory does not become an empty mirror, and a
    ledger of an older program is OldLedger; whoever syncs upgrades it. Raises LedgerError, MirrorBusy for an
    older ledger that a run is at work with, and MirrorError when the directory is missing or cannot be
    written. What the disk refuses while the mirror is open comes out of the ``with`` block as DiskFault.
    """
    clock = clock or SystemClock()
    if must_exist and not has_mirror(settings):
        raise MirrorError(f"{settings.directory}: no mirror is here yet; `pypi-mirror sync` makes it")
    if _has_ledger_on_its_disk(settings):
        # Where the ledger is on the mirror's own disk, it is missing with the disk.
        with named_disk_faults((settings.directory,)):
            _make_directories(settings, is_ours=not must_exist)
    with Ledger.open(settings.ledger, clock, upgrade=not must_exist) as ledger:
        mirror = Mirror(settings=settings, ledger=ledger, clock=clock, patience=patience or Patience())
        ours = ledger.facts.identity
        require_own_disk(settings, ours, has_projects=lambda: ledger.projects.totals().projects)
        with named_disk_faults((settings.directory,)):
            _make_directories(settings, is_ours=not must_exist)
        with named_disk_faults(mirror.disks):
            if not must_exist and ours is None:
                ledger.facts.put(Facts.identity.to(mark_disk(settings)))
            yield mirror


@contextmanager
def open_to_plan(settings: Settings) -> Iterator[Mirror]:
    """The mirror for a plan: nothing of it is made or changed, and whatever run is at work goes on.

    Raises OldLedger for a ledger of an older program, and LedgerError.
    """
    clock = SystemClock()
    with (
        TemporaryDirectory(prefix="pypi-mirror-plan-") as folder,
        Ledger.to_plan_with(settings.ledger, clock, Path(folder)) as ledger,
    ):
        mirror = Mirror(settings=settings, ledger=ledger, clock=clock, scratch=Path(folder))
        with named_disk_faults((settings.directory,)):
            yield mirror


def _make_directories(settings: Settings, *, is_ours: bool) -> None:
    """Make the directories that are missing. Where all of it ``is_ours``, the web server may enter them, and
    read what belongs to no project.
    """
    try:
        for place in (settings.web / "simple", settings.web / "packages"):
            make_directories(str(place))
            if not place.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        if is_ours:
            # They may have been made under a narrow umask.
            index = (settings.web / "simple").glob("index.*")
            for place in (
                settings.directory,
                settings.web,
                *settings.web.glob("*"),
                *index,
                *identity_files(settings),
            ):
                make_path_readable(place)
    except OSError as error:
        if is_disk_fault(error):
            raise
        raise MirrorError(
            f"{error.filename}: cannot be made ({error.strerror}); see [mirror] directory"
        ) from error
