"""Forgetting where upstream was: its serials mean nothing any more."""

from sqlalchemy import Engine, delete, update

from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.facts import put_facts
from pypi_mirror.ledger.scratch import keep_apart
from pypi_mirror.ledger.tables import backlog, catalogue, catalogue_bodies, events, projects, to_do

# What the facts say of upstream's serials, or of a plan that was made by them.
_FACTS = (
    Facts.catalogued,
    Facts.cursor,
    Facts.read_serial,
    Facts.index_etag,
    Facts.upstream,
    Facts.upstream_identity,
    Facts.another_upstream,
)


def reset_upstream(engine: Engine) -> None:
    """The next sync compares every project with upstream's root index. Pages and files stay as they are."""
    with engine.begin() as connection:
        keep_apart(connection, copied=(projects,), emptied=(catalogue_bodies, catalogue, to_do))
        connection.execute(update(projects).values(serial=None, seen_serial=None, made_entry=None))
        connection.execute(update(backlog).values(serial=None, announced=None, exact=False))
        for table in (events, catalogue_bodies, catalogue, to_do):
            connection.execute(delete(table))
        put_facts(connection, [(fact.name, None) for fact in _FACTS])
