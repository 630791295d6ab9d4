"""``[audit]``: how much of the mirror is verified, and when."""

from dataclasses import dataclass

from pypi_mirror.options import Section, option, parsers

AUDIT = Section(name="audit", doc="How often everything is verified.", see="[Syncing](syncing.md#audits)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """``cron`` None means by hand only; it is in the time zone of the schedule."""

    cron: str | None = option(
        parsers.parse_cron,
        "When audits start, in the time zone of [schedule]; none: by hand only.",
        "Each audit verifies a part of the mirror, repairs what is damaged, and asks upstream for pages "
        "that changed without an event. An audit and a run wait for each other.",
        default="30 * * * *",
        format=parsers.format_cron,
    )
    within_days: float = option(
        parsers.number(0.1, 3650, "days"),
        "Days in which every file is read once and every page compared with upstream's, 0.1 to 3650.",
        "What was read in the first half of that time is left alone.",
        default="30",
    )
    gigabytes_per_run: float = option(
        parsers.number(0.001, 1_000_000, "gigabytes"),
        "Gigabytes that an audit reads at most, 0.001 to 1000000.",
        "Each audit says whether that is enough for within-days, and what would be: a mirror of 100 TB with "
        "an audit an hour needs 140.",
        default="100",
    )
    pages_per_run: int = option(
        parsers.integer(0, 1_000_000),
        "Project pages that an audit asks upstream for at most, 0 to 1000000.",
        "Most of these requests cost next to nothing. 730,000 projects with an audit an hour need 1000.",
        default="1000",
    )

    @property
    def bytes_per_run(self) -> int:
        return round(self.gigabytes_per_run * 1e9)
