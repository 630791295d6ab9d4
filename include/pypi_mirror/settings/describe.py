"""Settings for people: every option with the value in force, as it would be written in the file."""

from pypi_mirror.settings.options import OPTIONS
from pypi_mirror.settings.values import Settings


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """(section, key, value) of every option, in the order of ``mirror.conf``.

    A list has an item a line; an option without a value has the empty text. Passwords are hidden.
    Percent signs are single, so a value with one must be escaped (``%%``) before it goes into a file.
    """
    described = []
    for option in OPTIONS:
        value = option.value_in(settings)
        items = value if option.many else (value,)
        described.append((option.section, option.key, "\n".join(option.format(item) for item in items)))
    return described
