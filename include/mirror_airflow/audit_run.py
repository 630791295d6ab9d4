"""An audit as a run of Airflow: its name in the ledger, its form, its page, and what it says in the end."""

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, Param
from packaging.utils import canonicalize_name

from mirror_airflow.configuration import Configuration
from mirror_airflow.run_label import audit_label
from mirror_airflow.task_errors import RunFailed
from mirror_airflow.trigger_form import PROJECT_NAME

if TYPE_CHECKING:
    from pypi_mirror.audit.report import AuditReport
    from pypi_mirror.runs.audit import AuditRequest

log = logging.getLogger(__name__)

PAGE = """\
Looks for damage in ledger and tree, a part of the mirror a run, and repairs it; asks upstream for pages that
changed without an event.

- configuration: `{path}`
- schedule: {cron}
- within {days} days every file is read and every page compared; a run reads {gigabytes} GB and asks for
  {pages} pages at most

An audit and a run of `pypi_mirror` wait for each other. What is damaged and cannot be downloaded again is
taken off its page, and its project goes on the backlog; then the run fails. So does a dry run that finds
anything. What lies in the pool and nothing accounts for is deleted after the grace period.

Mistakes in the configuration; with any, every run fails until they are mended:

{mistakes}
"""


def audit_form() -> dict[str, Param]:
    """The parameters of an audit that is started by hand."""
    return {
        "projects": Param(
            [],
            type=["null", "array"],
            items={"type": "string", "pattern": PROJECT_NAME},
            title="Projects to audit now",
            description="One name a line. Only these are looked at, whole, and asked for upstream. "
            "Empty: those whose turn it is.",
        ),
        "everything": Param(
            False,
            type=["null", "boolean"],
            title="The whole mirror",
            description="Read every file, whenever that was done last. It can take hours a terabyte, and the "
            "mirror is not synced meanwhile.",
        ),
        "dry_run": Param(
            False,
            type=["null", "boolean"],
            title="Dry run",
            description="Say in the log of audit what is wrong, and change nothing.",
        ),
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
    """The audit in figures; raises RunFailed, which no retry follows, while something is wrong."""
    for finding in report.examples:
        log.error("found: %s", finding)
    coverage = report.coverage
    log.info(
        "%d projects, %d files, %d bytes read; within %g days: %.1f %% of the bytes",
        report.projects, report.files, report.bytes, coverage.days, 100 * coverage.share_of_bytes,
    )  # fmt: skip
    if coverage.suffices is False:
        log.warning("gigabytes-per-run is not enough: it takes %.3g", (coverage.needed_bytes or 0) / 1e9)
    found = sum(report.found.values())
    if not report.is_clean:
        raise RunFailed(
            report.reason
            or f"{report.unrepaired} of {found} faults were not repaired; the log of audit names them"
        )
    return {"found": found, "repaired": report.repaired, "rechecked": report.rechecked}


def notify_failed_audit(context: Context) -> None:
    """The DAG's ``on_failure_callback``."""
    from mirror_airflow.alerts.failed_run import notify_failed_run
    from pypi_mirror.alerts.conditions import LastAuditFailed

    notify_failed_run(context, label=audit_label(context["run_id"]), alert=LastAuditFailed.key)
