"""The ledger's tables. A change here needs a migration in ``migrations/versions`` and a test that upgrades.

Times are whole seconds since 1970 in UTC, digests are raw bytes (half the size of hexadecimal in a table
of 15 million files), names are normalized unless they are called display names.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    event,
    false,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Sorted by byte on every database, as Python sorts: plans compare streams that both sides sort.
_Name: Final = String(255).with_variant(String(255, collation="C"), "postgresql")

# SQLite only counts up a column that is declared INTEGER.
_Id: Final = BigInteger().with_variant(Integer, "sqlite")


def _part_of(table: Table) -> Column[int]:
    """The part of a primary key that says to which row of ``table`` this one belongs, and goes with."""
    key = ForeignKey(table.c.id, ondelete="CASCADE")
    return Column(f"{table.name.removesuffix('s')}_id", _Id, key, primary_key=True, autoincrement=False)


facts: Final = Table(
    "facts",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

projects: Final = Table(
    "projects",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", _Name, nullable=False, unique=True),
    Column("display_name", String(255), nullable=False),
    # The serial of the page we hold, and the highest that upstream's root index showed for it.
    Column("serial", BigInteger),
    Column("seen_serial", BigInteger),
    # The digests of the catalogue's entry and of the decision that the page was made from; NULL where
    # something of it could not be downloaded, or is not as it should be.
    Column("made_entry", LargeBinary(16)),
    Column("made_decision", LargeBinary(16)),
    Column("status", String(32), nullable=False),
    # What settings.page_fingerprint was when it was last decided over the page.
    Column("selection", String(64), nullable=False),
    # When the time alone takes the next file off the page; NULL for never.
    Column("changes_at", BigInteger),
    Column("files", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("dropped_files", Integer, nullable=False),
    Column("dropped_bytes", BigInteger, nullable=False),
    Column("synced_at", BigInteger, nullable=False),
    # SHA-256 over the files of its page as we wrote them (pages.page_digest); NULL while nobody noted it.
    Column("page_digest", LargeBinary(32)),
    # When the audit last went through all of its files and its page; 0 before the first time.
    Column("audited_at", BigInteger, nullable=False, server_default="0"),
    Index(None, "audited_at", "id"),
    # Not partial on PostgreSQL: to say so here would import its dialect where these tables are, which takes
    # a twentieth of a run without news.
    Index("ix_projects_changes_at", "changes_at", sqlite_where=Column("changes_at").is_not(None)),
)

files: Final = Table(
    "files",
    metadata,
    _part_of(projects),
    Column("filename", String(255), primary_key=True),
    # The digest in the path: packages/<2>/<2>/<60>/<filename>.
    Column("location", LargeBinary(32), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("metadata_sha256", LargeBinary(32)),
    Column("provenance", Boolean, nullable=False),
    Column("provenance_sha256", LargeBinary(32)),
    Column("uploaded_at", BigInteger),
    Column("verified_at", BigInteger, nullable=False),
    # digests.remembered of what upstream states beside SHA-256; the bytes were compared with it.
    Column("stated", LargeBinary(16)),
    # When the last page stopped listing it (a tombstone); NULL while a page lists it.
    Column("removed_at", BigInteger),
    Index(None, "uploaded_at"),
    # With the size, so that a million tombstones are added up without looking at each.
    Index("ix_files_tombstones", "removed_at", "size", sqlite_where=Column("removed_at").is_not(None)),
    sqlite_with_rowid=False,
)

# Upstream's project pages as last read; what each column means is in catalogue.Entry.
catalogue: Final = Table(
    "catalogue",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("state", String(8), nullable=False),
    Column("serial", BigInteger),
    Column("announced", BigInteger),
    Column("checked_at", BigInteger, nullable=False),
    Column("etag", Text),
    Column("digest", LargeBinary(16), nullable=False),
    Column("encoding", SmallInteger, nullable=False),
    Column("as_of", BigInteger),
    # Since when no rule selects the project; NULL while one does.
    Column("unselected_since", BigInteger),
    Index(
        "ix_catalogue_unselected",
        "unselected_since",
        sqlite_where=Column("unselected_since").is_not(None),
    ),
    sqlite_with_rowid=False,
)

# Apart, since what is asked of many entries at once is not their bodies, and a backup can do without.
catalogue_bodies: Final = Table(
    "catalogue_bodies",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# Files that were deleted after their grace period: their names mean these bytes for ever. By name, not by
# row: a project that upstream removed and somebody registered again has another row.
past_files: Final = Table(
    "past_files",
    metadata,
    Column("project", _Name, primary_key=True),
    Column("filename", String(255), primary_key=True),
    Column("sha256", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

# Files of upstream's pages that wait before ours list them ([cooldown]), in the pool's ``.held``. By name:
# a project can wait as a whole.
held_files: Final = Table(
    "held_files",
    metadata,
    Column("project", _Name, primary_key=True),
    Column("filename", String(255), primary_key=True),
    # When upstream's page had no such file yet, or when its time began.
    Column("since", BigInteger, nullable=False),
    # NULL until it was decided.
    Column("due_at", BigInteger),
    # As in ``files``; NULL until it was downloaded.
    Column("location", LargeBinary(32)),
    Column("sha256", LargeBinary(32)),
    Column("size", BigInteger),
    Column("metadata_sha256", LargeBinary(32)),
    Column("provenance_sha256", LargeBinary(32)),
    Column("stated", LargeBinary(16)),
    # A person has released it.
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
    Column("lifted_why", Text),
    Index(None, "due_at"),
    sqlite_with_rowid=False,
)

# What a file's core metadata says, by the digest of that, or of the file where upstream states none. Most
# releases of a project require the same.
core_metadata: Final = Table(
    "core_metadata",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("requires", LargeBinary(16), nullable=False),
    sqlite_with_rowid=False,
)
requires: Final = Table(
    "requires",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    # JSON of demands.core_metadata.CoreMetadata.
    Column("body", LargeBinary, nullable=False),
)

# Projects that the allowlist names, or that others require ([dependencies]).
demands: Final = Table(
    "demands",
    metadata,
    Column("project", _Name, primary_key=True),
    # JSON of what is demanded: dependencies._Demand.
    Column("demands", LargeBinary, nullable=False),
    # The allowlist names it, by rules of this digest.
    Column("named", Boolean, nullable=False),
    Column("rules", LargeBinary(16)),
    # Found since following began again; else it goes after a time.
    Column("reached", Boolean, nullable=False),
    # How often the demands have grown, and how often they had when they were followed last.
    Column("grown", Integer, nullable=False),
    Column("followed", Integer),
    # The digest of the catalogue's entry that was followed.
    Column("made_entry", LargeBinary(16)),
    # It has to be decided again.
    Column("changed", Boolean, nullable=False),
    # JSON of what nothing here meets, and of what its metadata does not say.
    Column("lacks", LargeBinary),
    # When it was followed, where files that are not here yet may say more of what it requires.
    Column("unknown_at", BigInteger),
    Index(None, "reached", "changed"),
)

# Which project requires which: JSON of policy.required.Edge.
requirements: Final = Table(
    "requirements",
    metadata,
    Column("source", _Name, primary_key=True),
    Column("target", _Name, primary_key=True),
    Column("edges", LargeBinary, nullable=False),
    Index(None, "target"),
    sqlite_with_rowid=False,
)

# Parts of upstream's page that ours lacks: files that could not be downloaded, and what was refused.
left_out: Final = Table(
    "left_out",
    metadata,
    _part_of(projects),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # The run that found it; runs are forgotten earlier.
    Column("run_id", BigInteger, nullable=False),
    # NULL for a part of the page itself.
    Column("filename", Text),
    # The key of which the value is dropped, NULL for a whole file.
    Column("field", Text),
    # The error's class where it could not be downloaded and is tried again, NULL where it is refused.
    Column("error", String(64)),
    Column("reason", Text, nullable=False),
    Index(None, "run_id"),
)

# What lies in web/ and no row or setting accounts for; it goes when it was so for the grace period.
orphans: Final = Table(
    "orphans",
    metadata,
    # Relative to web/.
    Column("path", Text, primary_key=True),
    Column("found_at", BigInteger, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("serial", _Id, primary_key=True, autoincrement=False),
    Column("project", _Name, nullable=False),
    Column("display_name", String(255), nullable=False),
    Column("version", Text),
    Column("timestamp", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Index(None, "timestamp"),
    Index(None, "project", "serial"),
)

runs: Final = Table(
    "runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("label", String(255), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # How the changes were found: "changelog", "index" or "ledger".
    Column("source", String(16)),
    Column("cursor_from", BigInteger),
    Column("cursor_to", BigInteger),
    # What settings.selection_fingerprint was when the plan was made.
    Column("policy", String(64)),
    # What was asked for and what came of it, as JSON of runs.Request and runs.Outcome.
    Column("request", Text, nullable=False),
    Column("outcome", Text),
    Index(None, "started_at"),
)

plan: Final = Table(
    "plan",
    metadata,
    _part_of(runs),
    Column("project", _Name, primary_key=True),
    Column("batch", SmallInteger, nullable=False),
    Column("display_name", String(255), nullable=False),
    Column("action", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("serial", BigInteger),
    Column("exact", Boolean, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("verify", Boolean, nullable=False),
    # Upstream's page has to be asked for first; until then nothing below is known.
    Column("unread", Boolean, nullable=False, server_default=true()),
    # Files that are not here yet: how many, their bytes as far as stated, and how many state none.
    Column("new_files", Integer, nullable=False, server_default="0"),
    Column("new_bytes", BigInteger, nullable=False, server_default="0"),
    Column("unsized_files", Integer, nullable=False, server_default="0"),
    # What leaves the pages by it, as far as the ledger can tell; the guard weighs it.
    Column("loses_project", Boolean, nullable=False, server_default=false()),
    Column("loses_files", Integer, nullable=False, server_default="0"),
    Column("loses_bytes", BigInteger, nullable=False, server_default="0"),
    # What upstream's page has lost unannounced; ``losses`` weighs it, and what it withholds.
    Column("lost_project", Boolean, nullable=False, server_default=false()),
    Column("lost_files", Integer, nullable=False, server_default="0"),
    Column("lost_bytes", BigInteger, nullable=False, server_default="0"),
    Column("state", String(8), nullable=False),
    Column("files_downloaded", Integer, nullable=False),
    Column("bytes_downloaded", BigInteger, nullable=False),
    Column("files_kept", Integer, nullable=False),
    Column("files_dropped", Integer, nullable=False),
    Column("bytes_dropped", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    # With what a run's progress adds up: of a plan of 800,000 projects in 0.2 s, while somebody watches.
    Index("ix_plan_progress", "run_id", "batch", "state", "files_downloaded", "bytes_downloaded"),
    sqlite_with_rowid=False,
)

# What syncs have still to do, as their plans had it; a row goes when a run has done it.
to_do: Final = Table(
    "to_do",
    metadata,
    Column("project", _Name, primary_key=True),
    Column("display_name", String(255), nullable=False),
    Column("action", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("serial", BigInteger),
    Column("exact", Boolean, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("unread", Boolean, nullable=False),
    Column("new_bytes", BigInteger, nullable=False, server_default="0"),
    Column("unsized_files", Integer, nullable=False, server_default="0"),
    Column("loses_project", Boolean, nullable=False),
    Column("loses_files", Integer, nullable=False),
    Column("loses_bytes", BigInteger, nullable=False),
    # The run in which a person has allowed that; NULL where nobody had to, or has.
    Column("approved_in", BigInteger),
    sqlite_with_rowid=False,
)

backlog: Final = Table(
    "backlog",
    metadata,
    Column("project", _Name, primary_key=True),
    Column("display_name", String(255), nullable=False),
    Column("error", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("serial", BigInteger),
    Column("exact", Boolean, nullable=False),
    # A higher serial that upstream's root index has announced, where ``serial`` is an event's.
    Column("announced", BigInteger),
    # What upstream said last: that there is no such project any more.
    Column("gone", Boolean, nullable=False, server_default=false()),
    Column("attempts", Integer, nullable=False),
    Column("first_run_id", BigInteger, nullable=False),
    Column("first_failed_at", BigInteger, nullable=False),
    Column("last_failed_at", BigInteger, nullable=False),
    Column("next_try_at", BigInteger, nullable=False),
    Column("parked", Boolean, nullable=False),
    # It did not fail: its page contradicts what upstream announced.
    Column("lagging", Boolean, nullable=False),
    Index(None, "next_try_at"),
)

# The mirror at one moment, for charts and for the forecast of its disk.
samples: Final = Table(
    "samples",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("projects", Integer, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    # Of the pool's file system, whoever fills it.
    Column("disk_used", BigInteger, nullable=False),
    Column("disk_free", BigInteger, nullable=False),
    # NULL where it could not be told.
    Column("lag_seconds", BigInteger),
    Column("backlog", Integer, nullable=False),
    # How far the run was that was under way; NULL without one.
    Column("run_id", BigInteger),
    Column("run_projects", Integer),
    Column("run_bytes", BigInteger),
)

lease: Final = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(255), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)


@event.listens_for(metadata, "before_create")
def _state_partial_indexes(_metadata: MetaData, connection: Connection, **_others: Any) -> None:
    """Have indexes that are partial on SQLite partial on any database.

    An index that states it for PostgreSQL imports that dialect, which takes a tenth of SQLite's commands.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options[connection.dialect.name]["where"] = where
