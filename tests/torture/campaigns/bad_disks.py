"""The disk is full, has no inodes or turns read-only in mid-run, with and without the ledger on it.

nginx serves the mirror from that very disk all the while: what was there before must be there in every
moment. When the disk is well again the next run goes on with what there is.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import requests

from pypi_mirror.settings.values import Site
from pypi_mirror.webserver.render import Runtime
from tests.cli.process import Said
from tests.nginx_process import NginxProcess
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.changes import change, first_uploads
from tests.torture.disks import SmallDisk, small_disk
from tests.torture.kills import Kept, bench_of, command_line, completed, crashed, end, spoken, wait_for
from tests.warehouse import Delay, Fault, Scenario, Server, Upload, Wheel, running
from tests.webserver.sites import free_port

_KINDS = ("full", "no inodes", "read-only")
_PROJECTS = 30
_CHANGES = 12
_FAULTS = (Fault(path="/packages/*", effect=Delay(seconds=0.02), times=None),)
_JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
# What a person must find in the error, besides the disk's place.
_SAID = {
    "full": ("make room on that disk", "see that the disk has room"),
    "no inodes": ("inodes",),
    "read-only": ("writable",),
}
# So many moments in vain are more than bad luck.
_TRIES = 60


class _Mirror:
    """A mirror on a disk that goes wrong in one way, again and again."""

    def __init__(self, disk: SmallDisk, server: Server, kind: str, ledger: Path | None) -> None:
        self._disk = disk
        self._server = server
        self._kind = kind
        self._ledger_apart = ledger is not None
        sections = () if ledger is None else ("[ledger]", f"url = sqlite:///{ledger}")
        self._line = command_line(disk.place, server, *sections)
        self._bench = bench_of(self._line, server)
        self._site: str | None = None
        self.wrong: list[Wrong] = []

    def serve(self, stack: ExitStack, logs: Path) -> None:
        """From the same disk; its logs too, but where an open log would keep the disk writable."""
        settings, port = self._bench.settings, free_port()
        site = Site(
            port=port,
            public_url=f"http://localhost:{port}/pypi",
            config=settings.directory / "nginx/pypi-mirror.conf",
        )
        runtime = Runtime(folder=logs) if self._kind == "read-only" else None
        stack.enter_context(NginxProcess(replace(settings, site=site), runtime=runtime))
        self._site = f"http://127.0.0.1:{port}/pypi/"

    def moment(self, chance: random.Random) -> bool:
        """One run on a bad disk, and one on a good one; whether the first met the fault."""
        served = dict(self._read())
        kept = self._begin()
        if self._kind == "read-only":
            said = self._turned_read_only(chance)
        else:
            room = {"bytes_free": chance.randrange(4096, 400_000)}
            if self._kind == "no inodes":
                room = {"inodes_free": chance.randrange(1, 90)}
            self._disk.leave(**room)
            said = self._sync()
        self.wrong += kept.wasted(self._server.requests.of("file"))
        met = said.code != 0
        if met:
            self.wrong += self._judged(said)
            self.wrong += self._still(served)
        self._disk.leave()
        if met:
            self.wrong += crashed(self._bench)
            self.wrong += (
                Wrong(kind="lost file", detail=f"{project} was blamed for the disk: {reason}")
                for project, reason in self._bench.backlog().items()
            )
        kept = self._begin()
        self.wrong += completed(self._bench, self._sync())
        self.wrong += kept.wasted(self._server.requests.of("file"))
        return met

    def _begin(self) -> Kept:
        self._server.requests.reset()
        return Kept.of(self._bench)

    def _sync(self) -> Said:
        with self._line.start("sync", "--processes", "2") as process:
            return end(process)

    def _turned_read_only(self, chance: random.Random) -> Said:
        """With the ledger apart in the middle of the run; SQLite keeps its file open, so with it before."""
        if not self._ledger_apart:
            if not self._disk.forbid_writing():
                raise RuntimeError(f"{self._disk.place} cannot be made read-only: who writes there?")
            return self._sync()
        with self._line.start("sync", "--processes", "2") as process:
            wait_for(self._server, process, chance.randrange(1, 60), 0)
            # Not while a file is open for writing, and most of the time one is.
            while process.poll() is None and not self._disk.forbid_writing():
                time.sleep(0.001)
            return end(process)

    def _judged(self, said: Said) -> Iterator[Wrong]:
        """The error says in a sentence what is wrong, where, and what to do."""
        yield from spoken(said)
        named = str(self._disk.place) in said.err
        if said.code != 1 or not named or not any(words in said.err for words in _SAID[self._kind]):
            yield Wrong(
                kind="unclear error", detail=f"{self._kind}, exit code {said.code}: {said.err[-600:]}"
            )

    def _read(self) -> Iterator[tuple[str, str]]:
        """Every page that is served and every file it links, by address: its digest, or the file's size."""
        if self._site is None:
            return
        with requests.Session() as session:
            for name in sorted(self._server.warehouse.projects):
                url = f"{self._site}simple/{name}/"
                page = session.get(url, headers=_JSON, timeout=30)
                if page.status_code == 404:
                    continue
                yield url, str(page.status_code)
                for file in page.json()["files"] if page.ok else ():
                    found = session.head(urljoin(url, file["url"]), timeout=30)
                    yield found.url, f"{found.status_code}, {found.headers.get('Content-Length')} bytes"

    def _still(self, served: dict[str, str]) -> Iterator[Wrong]:
        """Nothing that was served has gone; no run removes files before their grace period is over."""
        with requests.Session() as session:
            for url, before in served.items():
                answer = session.get(url, headers=_JSON, timeout=30)
                length = f"{answer.status_code}, {len(answer.content)} bytes"
                if before not in (length, str(answer.status_code)):
                    yield Wrong(kind="not serving", detail=f"{url} was {before} and is {length}")


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    wrong: list[Wrong] = []
    met: Counter[str] = Counter()
    each = -(-goal // len(_KINDS))
    for kind in _KINDS:
        for apart in (False, True):
            wanted = each // 2 + (each % 2 if apart else 0)
            if wanted:
                met[kind] += _on_one_disk(directory, kind, wanted, chance, wrong, apart=apart)
    return Outcome(
        done=met.total(),
        wrong=tuple(wrong),
        notes=(
            f"moments: {', '.join(f'{kind} {number}' for kind, number in met.items())}",
            "half of them with the ledger on that disk, nginx always on it",
        ),
    )


def _on_one_disk(
    directory: Path, kind: str, goal: int, chance: random.Random, wrong: list[Wrong], *, apart: bool
) -> int:
    name = f"{kind.replace(' ', '-')}-{'ledger-apart' if apart else 'ledger-on-it'}"
    scenario = Scenario(events=tuple(first_uploads(_PROJECTS, chance)))
    met = 0
    with (
        small_disk(directory / name) as disk,
        running(scenario.build(), faults=_FAULTS) as server,
        ExitStack() as stack,
    ):
        mirror = _Mirror(disk, server, kind, directory / f"{name}.sqlite" if apart else None)
        for number in range(_TRIES):
            if number:
                change(server.warehouse, chance, _CHANGES)
                server.apply(Upload(distribution=Wheel(name="bulk", version=f"{number}.0", size=300_000)))
            met += mirror.moment(chance)
            if met >= goal or len(wrong) >= _TRIES:
                break
            if not number:
                mirror.serve(stack, directory / f"{name}-logs")
    wrong += mirror.wrong
    return met


CAMPAIGN = Campaign(
    name="bad-disks",
    what="disk full / read-only / no inodes",
    wrong="lost or wrong file, unclear error, mirror not serving",
    at_least=10 * len(_KINDS),
    unit="moments",
    run=run,
)
