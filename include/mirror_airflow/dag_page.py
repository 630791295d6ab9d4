"""The text on the DAG's page in Airflow's UI, and the form that opens when a person starts a run by hand."""

from airflow.sdk import Param

from mirror_airflow.configuration import Configuration
from pypi_mirror.options.download_window import format_download_window
from pypi_mirror.settings.values import Schedule, Settings

STEPS = """
| task | what it does |
| --- | --- |
| fetch_changelog | takes the mirror's lease, asks upstream what changed, reads the pages if they are few |
| read_pages | reads upstream's pages and follows dependencies if they are many; otherwise skipped |
| partition_projects | decides which files to download and to remove, and divides the plan into batches |
| approve_removals | if the plan removes too much, waits for approval under Required Actions |
| download_projects | for each batch: downloads and verifies files, writes the pages of its projects |
| rebuild_index | writes the root index, then moves the cursor |
| reload_nginx | reloads nginx, then requests the site as a client would; updates the asset of the pages |
| report | writes the status; fails if projects failed, known failures apart |

The asset `pypi_mirror_pages` is updated when pages changed, and only then, with the mirror's `serial` in its
`extra`: schedule DAGs of your own on it.

Only transient errors are retried. A cleared task continues where it stopped. A backfill syncs and verifies
the projects that changed in its intervals, and leaves the cursor as it is.
"""

# PEP 508: letters, digits, and dots, hyphens and underscores in between.
PROJECT_NAME = "^([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$"
LARGEST_BATCH = 100_000


def dag_page(configuration: Configuration) -> str:
    """Markdown: what this DAG does, and how it is configured or why it cannot run."""
    intro = "Keeps the mirror up to date with upstream, and has nginx serve it."
    return "\n".join((intro, "", *_state(configuration), STEPS))


def _state(configuration: Configuration) -> tuple[str, ...]:
    if configuration.settings is None:
        return (
            f"**The configuration `{configuration.path}` cannot be used; runs fail until it is fixed:**",
            "",
            "```",
            *configuration.mistakes,
            "```",
        )
    return (
        *_facts(configuration, configuration.settings),
        "",
        _stop_on_error(configuration.settings),
    )


def _facts(configuration: Configuration, settings: Settings) -> tuple[str, ...]:
    schedule = configuration.schedule
    cron = f"`{schedule.cron}` ({schedule.timezone})" if schedule.cron else "by hand only"
    return (
        f"- configuration: `{configuration.path}`",
        f"- upstream: {settings.master}",
        f"- directory: `{settings.directory}`",
        f"- site: {settings.site.public_url}/",
        f"- schedule: {cron}, at most {schedule.retries} retries",
        *_window(schedule),
    )


def _window(schedule: Schedule) -> tuple[str, ...]:
    if not schedule.download_window:
        return ()
    hours = format_download_window(schedule.download_window)
    return (f"- downloads: only `{hours}` ({schedule.timezone}); outside, a run ends as paused",)


def _stop_on_error(settings: Settings) -> str:
    if settings.stop_on_error:
        return "`stop-on-error` is on: the first project that fails stops the run, and nothing is published."
    return (
        "`stop-on-error` is off: a project that fails goes to the backlog, everything else is published, "
        "and the run fails if the failure is new."
    )


def trigger_form(batch_size: int) -> dict[str, Param]:
    """The parameters of a run; ``batch_size`` is the default from the configuration."""
    return {
        "projects": names_field(
            "Projects to sync now",
            "One name a line. Only these are synced, whether upstream changed them or not, and "
            "other changes wait for the next run. Empty: everything that changed since the last run.",
        ),
        "recheck": switch(
            "Full re-check",
            "Read the page of every selected project, also those that upstream's changelog does "
            "not name: finds changes without an event. Takes long on a large mirror. Projects that are named "
            "above are read and verified in any case.",
        ),
        "now": switch(
            "At any hour",
            "Download outside of [schedule] download-window, too. Projects that are named above always are.",
        ),
        "all": switch(
            "All at once",
            "Ignore [schedule] projects-per-run and gigabytes-per-run. They never apply to "
            "projects that are named above, nor to backfills.",
        ),
        "dry_run": switch(
            "Dry run", "Make the plan, list it in the log of the task partition_projects, and stop."
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


# Airflow marks a field as required unless its value may be null.


def switch(title: str, description: str) -> Param:
    """A field of a form: yes or no."""
    return Param(False, type=["null", "boolean"], title=title, description=description)


def names_field(title: str, description: str) -> Param:
    """A field of a form: names of projects, one a line."""
    items = {"type": "string", "pattern": PROJECT_NAME}
    return Param([], type=["null", "array"], items=items, title=title, description=description)
