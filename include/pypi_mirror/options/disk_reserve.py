"""``disk-reserve``: how much room a sync leaves free, as a share of the disk or as a size."""

import re
from dataclasses import dataclass
from typing import Final

from pypi_mirror.options.parsers import BadValue


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskReserve:
    """Room that a sync leaves free: ``percent`` of each disk's bytes and inodes, or a number of ``bytes``."""

    percent: float = 0.0
    bytes: int = 0


_UNITS: Final = {
    "": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
}
_BY_LOWER: Final = {unit.lower(): factor for unit, factor in _UNITS.items()}
_FORM: Final = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]*|%)")
_MOST: Final = 90.0


def parse_disk_reserve(text: str) -> DiskReserve:
    found = _FORM.fullmatch(text)
    if found is None or (found["unit"] != "%" and found["unit"].lower() not in _BY_LOWER):
        raise BadValue(f"{text!r} is no share and no size; write one like 5%, 50GB or 0")
    number = float(found["number"])
    if found["unit"] == "%":
        if number > _MOST:
            raise BadValue(f"{text!r} is out of range; a share goes from 0% to {_MOST:g}%")
        return DiskReserve(percent=number)
    return DiskReserve(bytes=round(number * _BY_LOWER[found["unit"].lower()]))


def format_disk_reserve(reserve: DiskReserve) -> str:
    """As it is written in the file, in the largest unit that says it without a fraction."""
    if reserve.percent:
        return f"{reserve.percent:.6f}".rstrip("0").rstrip(".") + "%"
    if not reserve.bytes:
        return "0"
    unit, factor = max(
        ((unit, factor) for unit, factor in _UNITS.items() if reserve.bytes % factor == 0),
        key=lambda pair: pair[1],
    )
    return f"{reserve.bytes // factor}{unit}"
