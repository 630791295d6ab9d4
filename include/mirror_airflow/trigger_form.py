"""The form that opens when a person starts a run by hand."""

from airflow.sdk import Param

# PEP 508: letters, digits, and dots, hyphens and underscores in between.
PROJECT_NAME = "^([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$"
LARGEST_BATCH = 100_000
# Airflow marks a field as required unless its value may be null.


def trigger_form(batch_size: int) -> dict[str, Param]:
    """The parameters of a run; ``batch_size`` is the default from the configuration."""
    return {
        "projects": Param(
            [],
            type=["null", "array"],
            items={"type": "string", "pattern": PROJECT_NAME},
            title="Projects to sync now",
            description="One name a line. Only these are synced, whether upstream changed them or not, and "
            "the mirror's cursor stays where it is. Empty: everything that changed since the last run.",
        ),
        "recheck": Param(
            False,
            type=["null", "boolean"],
            title="Full re-check",
            description="Read the page of every selected project, also those that upstream's changelog does "
            "not name: finds changes without an event. Takes long on a large mirror. Projects that are named "
            "above are read and verified in any case.",
        ),
        "now": Param(
            False,
            type=["null", "boolean"],
            title="At any hour",
            description="Download outside of [schedule] download-window, too. Projects that are named above "
            "always are.",
        ),
        "all": Param(
            False,
            type=["null", "boolean"],
            title="All at once",
            description="Ignore [schedule] projects-per-run and gigabytes-per-run. They never apply to "
            "projects that are named above, nor to backfills.",
        ),
        "dry_run": Param(
            False,
            type=["null", "boolean"],
            title="Dry run",
            description="Make the plan, list it in the log of the task partition_projects, and stop.",
        ),
        "batch_size": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=LARGEST_BATCH,
            title="Batch size",
            description=f"The most projects in a batch. Empty: {batch_size}, from [schedule] batch-size.",
        ),
    }
