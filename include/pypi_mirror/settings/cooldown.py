"""``[cooldown]``: when files that are due are listed; how long they wait is the policy's."""

from dataclasses import dataclass

from pypi_mirror.options import option, parsers


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownSchedule:
    """``cron`` None means with syncs only; it is in the time zone of the schedule."""

    cron: str | None = option(
        parsers.parse_cron,
        "When files whose time is over are listed, in the time zone of [schedule]; none: with syncs only.",
        "Such a run takes seconds, and asks upstream only for the time.",
        default="*/5 * * * *",
        format=parsers.format_cron,
    )
