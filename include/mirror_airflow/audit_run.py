"""An audit as a run of Airflow: its form, its page, its request, and its log."""

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, Param
from packaging.utils import canonicalize_name

from mirror_airflow.configuration import Configuration
from mirror_airflow.dag_page import names_field, switch
from mirror_airflow.task_errors import RunFailed
from pypi_mirror.run_label import audit_label
from pypi_mirror.wording import count, size

if TYPE_CHECKING:
    from pypi_mirror.audit.findings import AuditReport
    from pypi_mirror.runs.audit import AuditRequest

log = logging.getLogger(__name__)

PAGE = """\
Verifies a part of the mirror in each run, and repairs damage; finds pages that upstream changed without an
event.

- configuration: `{path}`
- schedule: {cron}
- goal: every file and page is verified within {days} days
- limits of a run: {gigabytes} GB read, {pages} pages requested from upstream

An audit and a run of `pypi_mirror` wait for each other. A damaged file that cannot be downloaded again is
taken off its page, its project goes to the backlog, and the run fails. A dry run fails if it finds anything.
Files that no page lists are deleted after the grace period.

Mistakes in the configuration; runs fail until they are fixed:

{mistakes}
"""


def audit_form() -> dict[str, Param]:
    """The parameters of an audit that is started by hand."""
    return {
        "projects": names_field(
            "Projects to audit now",
            "One name a line. Only these are verified, completely, and compared with upstream. "
            "Empty: those that were verified longest ago.",
        ),
        "everything": switch(
            "The whole mirror",
            "Read every file, however recently it was verified. This can take hours per "
            "terabyte, and the mirror is not synced meanwhile.",
        ),
        "dry_run": switch("Dry run", "List what is wrong in the log of the task audit, and change nothing."),
    }


def audit_page(configuration: Configuration) -> str:
    """Markdown: what this DAG does, and how it is configured or why it cannot run."""
    audit = configuration.audit
    cron = f"`{audit.cron}` ({configuration.schedule.timezone})" if audit.cron else "by hand only"
    return PAGE.format(
        path=configuration.path,
        cron=cron,
        days=f"{audit.within_days:g}",
        gigabytes=f"{audit.gigabytes_per_run:g}",
        pages=audit.pages_per_run,
        mistakes="\n".join(f"    {mistake}" for mistake in configuration.mistakes) or "    none",
    )


def audit_request(run_id: str, params: dict[str, Any]) -> "AuditRequest":
    """What the engine is asked to do; ``params`` are those of ``audit_form``."""
    from pypi_mirror.runs.audit import AuditRequest

    return AuditRequest(
        label=audit_label(run_id),
        projects=tuple(dict.fromkeys(canonicalize_name(name) for name in params["projects"] or ())),
        everything=bool(params["everything"]),
        dry_run=bool(params["dry_run"]),
    )


def require_clean(report: "AuditReport") -> dict[str, int]:
    """Log the audit and return its figures; raise RunFailed, which is not retried, if something is wrong."""
    coverage, found = report.coverage, sum(report.found.values())
    log.info(
        "%s, %s, %s verified; %s found, %d repaired",
        count(report.projects, "project"), count(report.files, "file"), size(report.bytes),
        count(found, "fault"), report.repaired,
    )  # fmt: skip
    for finding in report.examples:
        log.error("found: %s", finding)
    log.info("%.1f %% of all bytes verified within %g days", 100 * coverage.share_of_bytes, coverage.days)
    if coverage.suffices is False:
        log.warning(
            "[audit] gigabytes-per-run is too small for within-days: each audit has to read %s",
            size(coverage.needed_bytes or 0),
        )
    if not report.is_clean:
        raise RunFailed(
            report.reason
            or f"{report.unrepaired} of {count(found, 'fault')} not repaired; see the log of audit"
        )
    return {"found": found, "repaired": report.repaired, "rechecked": report.rechecked}


def notify_failed_audit(context: Context) -> None:
    """The DAG's ``on_failure_callback``."""
    from mirror_airflow.alerts.failed_run import notify_failed_run
    from pypi_mirror.alerts.conditions import AUDIT_FAILED

    notify_failed_run(context, label=audit_label(context["run_id"]), alert=AUDIT_FAILED)
