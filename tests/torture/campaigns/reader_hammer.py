"""Readers who never pause, in front of a real nginx, while a mirror is synced again and again.

Upstream uploads, removes, yanks and quarantines between the runs; a day passes from one to the next, so that
tombstones are swept on the way. What a page links must be there when somebody asks right after reading it,
and what the root index lists must have a page.
"""

import random
from pathlib import Path

from pypi_mirror.runs.reload_nginx import reload_nginx
from pypi_mirror.settings.values import RemovalGuard, Site
from tests.nginx_process import NginxProcess
from tests.runs.bench import Bench, make_bench
from tests.torture.campaign import Campaign, Outcome
from tests.torture.changes import change, first_uploads
from tests.torture.readers import Hammer
from tests.torture.truth import check_tree
from tests.webserver.sites import free_port

_READS = 50_000
_RUNS = 20
_READERS = 4
_PROJECTS = 150
_CHANGES = 60
_DAY = 24 * 60


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    runs = max(3, round(_RUNS * goal / _READS))
    port = free_port()
    site = Site(port=port, public_url=f"http://localhost:{port}/pypi")
    with make_bench(
        directory,
        *first_uploads(_PROJECTS, chance),
        exclude=None,
        site=site,
        workers=16,
        # Each run removes what it can: this is about readers, and the guard has tests of its own.
        guard=RemovalGuard(max_percent=100, max_projects=_PROJECTS * 100, weekly_percent=100),
    ) as bench:
        bench.sync()
        with NginxProcess(bench.settings):
            hammer = Hammer(port, site.prefix, _READERS, chance.getrandbits(32))
            hammer.start()
            done = 0
            try:
                while done < runs or hammer.reads < goal:
                    change(bench.server.warehouse, chance, _CHANGES)
                    bench.sync(clock_step=_DAY)
                    with bench.open() as mirror:
                        reload_nginx(mirror)
                    done += 1
            finally:
                findings = hammer.stop()
        wrong = [*findings.wrong, *check_tree(bench.web, bench.server.warehouse, ())]
        swept = _swept(bench)
    return Outcome(
        done=sum(findings.reads.values()),
        wrong=tuple(wrong),
        notes=(
            f"{done} runs, {_CHANGES} changes before each, over some {_PROJECTS} projects",
            f"reads: {', '.join(f'{kind} {number:,}' for kind, number in findings.reads.most_common())}",
            f"{swept} of {len(bench.server.warehouse.files)} files that there have been were swept",
        ),
    )


def _swept(bench: Bench) -> int:
    return sum(not (bench.web / path).exists() for path in bench.server.warehouse.files)


CAMPAIGN = Campaign(
    name="reader-hammer",
    what=f"reader hammering nginx during {_RUNS} syncs with uploads and removals",
    wrong="dangling link, truncated page, 5xx",
    at_least=_READS,
    unit="reads",
    run=run,
)
