"""Single values the ledger keeps: the cursor, upstream's ETag, what was last published."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, delete, select

from pypi_mirror.ledger.tables import facts
from pypi_mirror.ledger.writing import upsert


class Facts:
    """A table of names and values. The names in use:

    ``cursor``: the serial up to which the mirror is complete. ``read``: the one up to which all is done or in
    ``to_do``, absent while that is the cursor. ``index_etag``: of upstream's root index that was last
    compared with the ledger. ``selection``: the settings' fingerprint under which that was done, absent once
    a run began to write under another one.
    ``unpublished``: present while the root index on the disk is older than the projects.
    ``layout``: where pages are that the web server serves.
    ``index_serial``: of the root index on the disk, empty where it has none.
    ``audit_pool``, ``audit_resume``: where the audit goes on. ``audit_findings``: what the last ones found.
    ``upstream``: at which serial upstream was last seen, and what the mirror lacked then.
    ``simple_root``: of which ``master`` the pages were found where.
    ``unknown_names``: what the allowlist asks for and upstream did not list.
    ``turns``: what leaves a part of the last plan to later runs. ``paused``: the run that download-window
    stopped, and until when.
    ``clock_ahead``: by how many seconds this machine's clock ran ahead of upstream's, if it did.
    ``removals``: what the last plan removes, and whether a person has to approve it.
    ``alerts``: what people were told, and what could not be sent yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, key: str) -> str | None:
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(select(facts.c.value).where(facts.c.key == key)).scalar()

    def put(self, values: Mapping[str, str | None]) -> None:
        """Set each key; None removes it."""
        with self._engine.begin() as connection:
            put_facts(connection, values)

    def change(self, key: str, changed: Callable[[str | None], str | None]) -> None:
        """Set ``key`` to what ``changed`` makes of its value, None for none; nobody writes in between."""
        with self._engine.begin() as connection:
            # There has to be a row to lock; here an empty value stands for none.
            upsert(connection, facts, [{"key": key, "value": ""}], keep_existing=True)
            row = select(facts.c.value).where(facts.c.key == key).with_for_update()
            put_facts(connection, {key: changed(connection.execute(row).scalar() or None)})

    @property
    def cursor(self) -> int | None:
        value = self.get("cursor")
        return None if value is None else int(value)

    @property
    def read(self) -> int | None:
        """The serial up to which all is done or in ``to_do``."""
        value = self.get("read")
        return self.cursor if value is None else int(value)

    @property
    def index_serial(self) -> int | None:
        """The serial that our root index states; None where it states none, or there is no index yet."""
        value = self.get("index_serial")
        return int(value) if value else None


def put_facts(connection: Connection, values: Mapping[str, str | None]) -> None:
    """Within another subject's transaction: set each key; None removes it."""
    gone = [key for key, value in values.items() if value is None]
    if gone:
        connection.execute(delete(facts).where(facts.c.key.in_(gone)))
    kept = [{"key": key, "value": value} for key, value in values.items() if value is not None]
    if kept:
        upsert(connection, facts, kept)
