"""The audit with a ledger on PostgreSQL: each kind of damage, one after the other, in one mirror."""

from collections.abc import Iterator

import pytest

from tests.ledger.postgres import running_postgres
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_audit import ALPHA, DAMAGES, EVENTS, audited, flip, pooled, state

pytestmark = pytest.mark.servers

# The last of those that are told by the same kinds.
EACH_KIND = {damage.kinds: name for name, damage in DAMAGES.items()}


@pytest.fixture
def synced(bench: MakeBench) -> Iterator[Bench]:
    with running_postgres() as url:
        made = bench(*EVENTS, json=True, ledger_url=url)
        made.sync()
        yield made


def test_every_kind_of_damage_is_found_and_repaired(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    before = state(synced)
    assert not audited(synced, dry_run=True).is_clean
    assert state(synced) == before
    assert audited(synced).is_clean
    for name in (*EACH_KIND.values(), "a row of another place", "a row that calls a file removed"):
        DAMAGES[name].plant(synced)
        report = audited(synced)
        assert set(report.found) & set(DAMAGES[name].kinds), (name, report.found)
        assert report.is_clean, (name, report.examples, report.failures)
    audit(synced)
    compare(synced)
    assert audited(synced).found == {}
