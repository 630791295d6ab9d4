"""A mirror to experiment with: a stand-in upstream, settings in a temporary directory, and whole runs.

A run happens in this process, with retries that do not wait and a clock that moves when it is told to.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName

from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind
from pypi_mirror.policy import Policy
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, fail_run, report
from pypi_mirror.settings.requirements import with_requirements
from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.transport.patience import Patience
from tests.policies import changed, policy
from tests.warehouse import Behaviour, Fault, Scenario, Server, Warehouse, running
from tests.warehouse.behaviour import PYPI

DEFAULT_FILTER = "macosx|win32|win_amd64"


async def no_wait(_seconds: float, /) -> None:
    """For retries: the time between two tries is over at once."""


PATIENCE = Patience(
    attempts=3,
    first_delay=0.001,
    longest_delay=0.002,
    stale_wait=0.004,
    missing_wait=0.004,
    outage_wait=0.004,
    sleep=no_wait,
)


class ManualClock:
    """Seconds since 1970, from now on moved by hand."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def advance(self, *, minutes: float = 0, days: float = 0) -> None:
        self.now += minutes * 60 + days * 24 * 3600


@dataclass
class Bench:
    """``settings`` may be exchanged between two runs, as an administrator edits the file."""

    server: Server
    settings: Settings
    clock: ManualClock = field(default_factory=ManualClock)
    patience: Patience = PATIENCE
    runs: int = 0

    @property
    def web(self) -> Path:
        return self.settings.web

    @property
    def policy(self) -> Policy:
        return with_requirements(self.settings).policy

    def change(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    def select(self, **changes: Any) -> None:
        self.change(policy=changed(self.settings.policy, **changes))

    def allow(self, *names: str) -> None:
        self.select(allowed_projects=frozenset(NormalizedName(name) for name in names))

    def open(self) -> AbstractContextManager[Mirror]:
        return open_mirror(self.settings, clock=self.clock, patience=self.patience)

    def request(self, kind: RunKind = RunKind.SYNC, **changes: Any) -> RunRequest:
        """A request with a label of its own."""
        self.runs += 1
        return RunRequest(label=f"run {self.runs}", kind=kind, **changes)

    def sync(
        self,
        request: RunRequest | None = None,
        *,
        batch_size: int = 500,
        clock_step: float = 1,
        approved: str | None = None,
        **changes: Any,
    ) -> Report:
        """A whole run, a minute after the one before; as the command line does it."""
        request = request or self.request(**changes)
        self.clock.advance(minutes=clock_step)
        with self.open() as mirror:
            try:
                run_id = fetch_changelog(mirror, request).run_id
                batches = partition_projects(mirror, run_id, batch_size=batch_size).batches
                approve_removals(mirror, run_id, approved=approved)
                for batch in batches:
                    download_projects(mirror, run_id, batch.number)
                rebuild_index(mirror, run_id)
                return report(mirror, run_id)
            except BaseException as error:
                fail_run(mirror, request.label, str(error) or type(error).__name__)
                raise

    def selected(self, *names: str) -> Report:
        return self.sync(kind=RunKind.SELECTED, projects=names)

    def fact(self, key: str) -> str | None:
        with self.open() as mirror:
            return mirror.ledger.facts.table.get(key)

    @property
    def cursor(self) -> int | None:
        with self.open() as mirror:
            return mirror.ledger.facts.cursor

    def backlog(self) -> dict[str, str]:
        """The reasons by project."""
        with self.open() as mirror:
            return {entry.project: entry.reason for entry in mirror.ledger.backlog.failed()}

    def page(self, name: str) -> dict[str, Any]:
        """Our JSON page of a project."""
        path = self.page_directory(name) / "index.v1_json"
        document: dict[str, Any] = json.loads(path.read_bytes())
        return document

    def page_directory(self, name: str) -> Path:
        simple = self.web / "simple"
        return simple / name[0] / name if self.settings.hash_index else simple / name

    def listed(self, name: str) -> list[str]:
        """The names of the files on our page."""
        return [file["filename"] for file in self.page(name)["files"]]

    def pooled(self, filename: str) -> Path | None:
        """Where the pool has a file of this name."""
        return next((self.web / "packages").rglob(filename), None)

    def downloads(self) -> list[str]:
        """The names of the files upstream was asked for since the last ``server.requests.reset()``."""
        return sorted(each.path.rpartition("/")[2] for each in self.server.requests.of("file"))


MakeBench = Callable[..., Bench]


@contextmanager
def make_bench(
    directory: Path,
    *events: Any,
    behaviour: Behaviour = PYPI,
    faults: Sequence[Fault] = (),
    scenario: Scenario | None = None,
    exclude: str | None = DEFAULT_FILTER,
    **settings: Any,
) -> Iterator[Bench]:
    """A stand-in upstream to which ``events`` happened, and a mirror of it in ``directory``, still empty."""
    warehouse = Warehouse(*events) if scenario is None else scenario.build()
    with running(warehouse, behaviour=behaviour, faults=tuple(faults)) as server:
        bench = Bench(
            server=server,
            settings=Settings(
                directory=directory,
                master=server.master,
                allow_non_https=True,
                workers=settings.pop("workers", 8),
                policy=settings.pop("policy", policy(exclude_filename=exclude)),
                site=settings.pop("site", Site(enabled=False)),
                **settings,
            ),
        )
        server.follow(bench.clock)
        yield bench
