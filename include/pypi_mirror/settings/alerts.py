"""``[alerts]``: who is notified when the mirror needs a person, and of what."""

from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.options import Section, option, parsers
from pypi_mirror.options.packages import parse_project_name

ALERTS = Section(
    name="alerts",
    doc="Who is notified, and when.",
    see="[Monitoring and alerts](monitoring.md#messages)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Secrets stay in the named Airflow connections.

    ``stale_after``, ``run_deadline`` and ``repeat_after`` are hours, ``disk_days`` days; 0 means never.
    ``watch_cron`` is in the time zone of the schedule; None means by hand only.
    """

    email_to: tuple[str, ...] = option(
        parsers.parse_mail,
        "Who gets a mail when a run fails or the mirror needs a person.",
        "Separate addresses with spaces or commas, or write one a line. The DAG pypi_mirror_watch can send "
        "a test message.",
        many=True,
        words=True,
        empty=True,
    )
    email_from: str | None = option(
        parsers.parse_mail,
        "The sender of that mail; by default the one that the connection names.",
        empty=True,
    )
    smtp_connection: str = option(
        parsers.parse_connection,
        "The Airflow connection with the mail server and its password.",
        default="smtp_default",
    )
    slack_connection: str | None = option(
        parsers.parse_connection,
        "The Airflow connection with an incoming webhook of Slack, its password the webhook's URL.",
        "Its type is HTTP.",
        empty=True,
    )
    webhook_connection: str | None = option(
        parsers.parse_connection,
        "The Airflow connection with any other webhook; it gets the message as JSON.",
        "Its type is HTTP.",
        empty=True,
    )
    watch_cron: str | None = option(
        parsers.parse_cron,
        "When Airflow checks whether a person is needed, in [schedule] timezone; none: by hand only.",
        default="*/15 * * * *",
        format=parsers.format_cron,
    )
    stale_after: float = option(
        parsers.number(0, 8760, "hours"),
        "Hours behind upstream before people are alerted, 0 to 8760 (a year); 0: never.",
        "It counts whether runs happen or not.",
        default="24",
    )
    run_deadline: float = option(
        parsers.number(0, 8760, "hours"),
        "Hours that a run of Airflow takes before people are alerted, 0 to 8760 (a year); 0: never.",
        default="24",
    )
    disk_days: float = option(
        parsers.number(0, 3650, "days"),
        "Alert when the disk is expected to be full within so many days, 0 to 3650; 0: never.",
        "Full means down to [mirror] disk-reserve.",
        default="14",
    )
    repeat_after: float = option(
        parsers.number(0, 8760, "hours"),
        "Hours between reminders of a problem that lasts, 0 to 8760 (a year); 0: no reminders.",
        default="24",
    )
    silenced: tuple[NormalizedName, ...] = option(
        parse_project_name,
        "Projects whose failures are not reported, without wildcards; they stay in the backlog.",
        "Separate names with spaces or commas, or write one a line. Projects that are parked (failed ten "
        "times) are reported once, and again only if they fail for another reason; they need not be named "
        "here.",
        many=True,
        words=True,
        empty=True,
    )
