"""Reading projects: streams, spellings, samples, and what was uploaded when."""

import pytest
from sqlalchemy import text

from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import NOON, Hands, begin, name, planned, pooled, removed, synced


def test_what_the_root_index_lists(ledger: Ledger) -> None:
    _, results = begin(ledger)
    spelled = {"a-b": "A.b", "plain": "plain", "hidden": "Hidden", "gone": "Gone"}
    for project, display_name in spelled.items():
        status = "quarantined" if project == "hidden" else "active"
        results.record([synced(ledger, planned(project, display_name=display_name), status=status)])
    results.record([removed(ledger, planned("gone"))])
    assert [(entry.name, entry.project) for entry in ledger.projects.listed()] == [
        ("A.b", "a-b"),
        ("plain", "plain"),
    ]


def test_what_was_uploaded_in_an_interval(ledger: Ledger) -> None:
    _, results = begin(ledger)
    at = "1970-01-01T00:00:{:02}Z".format
    for project, seconds in (("c", (9, 10)), ("a", (19, 30)), ("b", (20,)), ("d", (9,))):
        files = (pooled(f"{s}.whl", upload_time=at(s)) for s in seconds)
        results.record([synced(ledger, planned(project), *files)])
    assert ledger.projects.names_uploaded_during(10, 20) == ["a", "c"]


def test_a_sample_shows_as_much_as_there_is(ledger: Ledger) -> None:
    assert ledger.projects.sample() is None
    _, results = begin(ledger)
    results.record([synced(ledger, planned("empty", display_name="Empty"))])
    sample = ledger.projects.sample()
    assert sample is not None
    assert (sample[0].project, sample[1]) == ("empty", None)
    files = (pooled("large.whl", size=9, metadata=True), pooled("small.whl", size=8, metadata=True))
    results.record([synced(ledger, planned("plain"), pooled("1.whl"))])
    results.record([synced(ledger, planned("best", display_name="Best"), *files, pooled("tiny.zip", size=1))])
    results.record([synced(ledger, planned("worst", display_name="Worst"), *files, status="quarantined")])
    sample = ledger.projects.sample()
    assert sample is not None
    assert sample[1] is not None
    assert (sample[0].project, sample[1].filename) == ("best", "small.whl")


def test_a_file_knows_its_path(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), pooled("a-1.whl"))])
    [row] = ledger.projects.known([name("a"), name("b")]).values()
    file = ledger.projects.files_of([row.id])[row.id]["a-1.whl"]
    digest = file.location.hex()
    assert file.path == f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/a-1.whl"


def test_places_that_a_page_still_lists(ledger: Ledger) -> None:
    _, results = begin(ledger)
    shared, own, twice = pooled("shared.whl"), pooled("own.whl"), pooled("twice.whl")
    for project in ("gone", "gone-too"):
        results.record([synced(ledger, planned(project), shared, own, twice)])
    # Another content under the same name does not keep the first one.
    results.record([synced(ledger, planned("other"), own, location="elsewhere")])
    results.record([synced(ledger, planned("here"), shared, pooled("unrelated.whl"))])
    for project in ("gone", "gone-too"):
        results.record([removed(ledger, planned(project))])
    tombstones = [file for _, file in ledger.projects.tombstones(NOON + 1, 100)]
    assert len(tombstones) == 6
    assert ledger.projects.still_listed([]) == set()
    assert {filename for _, filename in ledger.projects.still_listed(tombstones)} == {"shared.whl"}
    assert ledger.projects.still_listed(tombstones) < {(f.location, f.filename) for f in tombstones}


@pytest.mark.servers
def test_postgresql_keeps_the_rows_until_they_are_read(empty_postgres: str) -> None:
    """Memory is bounded: a million projects are not sent at once."""
    with Ledger.open(empty_postgres, Hands()) as ledger:
        _, results = begin(ledger)
        results.record([synced(ledger, planned(n)) for n in "ab"])
        rows = ledger.projects.all()
        next(rows)
        with ledger.engine.connect() as connection:
            found = connection.scalar(
                text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD%'")
            )
        assert found == 1
        rows.close()  # type: ignore[attr-defined]  # it is a generator
