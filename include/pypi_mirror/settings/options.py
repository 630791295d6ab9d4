"""All options of ``mirror.conf``, gathered from the dataclasses that declare them."""

from itertools import chain
from typing import Any

from pypi_mirror.options import Option, options_of
from pypi_mirror.policy import FILTERS
from pypi_mirror.policy.filter import COOLDOWN
from pypi_mirror.settings.alerts import ALERTS, Alerts
from pypi_mirror.settings.audit import AUDIT, Audit
from pypi_mirror.settings.cooldown import CooldownSchedule
from pypi_mirror.settings.removal import REMOVAL, RemovalGuard
from pypi_mirror.settings.schedule import SCHEDULE, Schedule
from pypi_mirror.settings.site import SITE, Site
from pypi_mirror.settings.values import LEDGER, MIRROR, Settings

PARTS = {
    "guard": RemovalGuard,
    "site": Site,
    "schedule": Schedule,
    "audit": Audit,
    "alerts": Alerts,
    "cooldown": CooldownSchedule,
}
"""The parts of Settings by field."""

_FIELDS: dict[type | None, str] = {part: field for field, part in PARTS.items()}

SECTIONS = tuple(
    dict.fromkeys(
        [MIRROR, *(each.section for each in FILTERS), LEDGER, REMOVAL, SITE, SCHEDULE, AUDIT, ALERTS]
    )
)
"""In the order of ``mirror.conf``."""

OPTIONS: tuple[Option, ...] = tuple(
    sorted(
        chain(
            options_of(Settings, MIRROR),
            *(each.options() for each in FILTERS),
            options_of(CooldownSchedule, COOLDOWN),
            options_of(RemovalGuard, REMOVAL),
            options_of(Site, SITE),
            options_of(Schedule, SCHEDULE),
            options_of(Audit, AUDIT),
            options_of(Alerts, ALERTS),
        ),
        key=lambda option: SECTIONS.index(option.section),
    )
)
"""In the order of ``mirror.conf``."""

BY_PLACE: dict[tuple[str, str], Option] = {
    (option.section.name, key): option for option in OPTIONS for key in (option.key, *option.aliases)
}

KEYED: dict[str, Option] = {option.section.name: option for option in OPTIONS if option.keyed}
"""What takes the other keys of a section."""


def value_in(settings: Settings, option: Option) -> Any:
    """Return the value of ``option``."""
    if option.owner in FILTERS:
        return getattr(settings.policy.of(option.owner), option.name)
    part = settings if option.owner is Settings else getattr(settings, _FIELDS[option.owner])
    return getattr(part, option.name)


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (section, key, value) of every option, in the order of ``mirror.conf``.

    A list has an item a line; an option without a value has the empty text. Passwords are hidden.
    Percent signs are single, so a value with one must be escaped (``%%``) before it goes into a file.
    """
    return [
        (option.section.name, option.key, "\n".join(option.texts(value_in(settings, option))))
        for option in OPTIONS
    ]
