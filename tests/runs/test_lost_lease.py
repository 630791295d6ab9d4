"""A run that another one has taken the mirror over from goes no further, whatever its next step is."""

from collections.abc import Callable

import pytest

from pypi_mirror.errors import LeaseLost
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.reload_nginx import reload_nginx
from pypi_mirror.runs.report import report
from tests.runs.bench import MakeBench
from tests.warehouse import small


def download(mirror: Mirror, run_id: int) -> None:
    for batch in mirror.ledger.listings.batch_counts(run_id):
        download_projects(mirror, run_id, batch.number)


STEPS: tuple[Callable[[Mirror, int], object], ...] = (
    read_pages,
    partition_projects,
    approve_removals,
    download,
    rebuild_index,
    reload_nginx,
    report,
)


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_no_step_goes_on_once_another_run_has_the_mirror(bench: MakeBench, number: int) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        for step in STEPS[:number]:
            step(mirror, run_id)
        made.clock.advance(days=1)
        other = RunRequest(label="another run")
        mirror.ledger.lease.take(other.label)
        mirror.ledger.runs.begin(other)
        with pytest.raises(LeaseLost, match="another run"):
            STEPS[number](mirror, run_id)
        assert mirror.ledger.runs.get(run_id).state is RunState.FAILED
        holder = mirror.ledger.lease.holder()
        assert holder is not None
        assert holder.owner == "another run"
