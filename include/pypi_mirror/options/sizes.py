"""Sizes in bytes, as people write them: ``50GB``, ``1.5 GiB``, ``1G``, ``300``."""

import re
from typing import Final

from pypi_mirror.options.parsers import BadValue

_UNITS: Final[dict[str, int]] = {
    "": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
}
_BY_LOWER: Final[dict[str, int]] = {
    **{unit.lower(): factor for unit, factor in _UNITS.items()},
    **{unit[0].lower(): factor for unit, factor in _UNITS.items() if len(unit) == 2},
    "b": 1,
}
_FORM: Final = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]*)")


def parse_size(text: str) -> int:
    """Return the bytes; a letter alone is a decimal unit, as in ``1G``."""
    found = _FORM.fullmatch(text)
    if found is None or found["unit"].lower() not in _BY_LOWER:
        raise BadValue(f"{text!r} is not a size; write one like 500 MB or 2 GB")
    return round(float(found["number"]) * _BY_LOWER[found["unit"].lower()])


def parse_size_with_unit(text: str) -> int:
    """The same, where a number alone would most likely be meant in another unit than bytes."""
    size = parse_size(text)
    if size and text.strip().replace(".", "").isdigit():
        raise BadValue(f"{text!r} has no unit; write {text.strip()} MB, or {text.strip()} B for bytes")
    return size


def format_size(size: int) -> str:
    """Return it as it is written in the file, in the largest unit that says it without a fraction."""
    if not size:
        return "0"
    factor, unit = max((factor, unit) for unit, factor in _UNITS.items() if size % factor == 0)
    return f"{size // factor}{unit}"
