"""``bandwidth-limit``: a rate in bytes a second, or in bits, as it stands in a contract with a carrier."""

import re
from typing import Final

from pypi_mirror.options.parsers import BadValue

_UNITS: Final = {
    **{f"{letter}B/s": 1000.0**power for power, letter in enumerate(["", "k", "M", "G"])},
    **{f"{letter}iB/s": 1024.0**power for power, letter in enumerate("KMG", start=1)},
    **{f"{letter}bit/s": 1000.0**power / 8 for power, letter in enumerate(["", "k", "M", "G"])},
}
# Upper and lower case are the same but for the b: MB and Mb are not, and which was meant is not guessed.
_BY_LOWER: Final = {unit.lower(): factor for unit, factor in _UNITS.items()}
_FORM: Final = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]+/s)")
_LEAST: Final = 10_000.0


def parse_bandwidth(text: str) -> float:
    """Bytes a second."""
    found = _FORM.fullmatch(text)
    unit = found["unit"] if found is not None else ""
    if found is None or unit.lower() not in _BY_LOWER or re.fullmatch(r"[kKMG]?i?b/s", unit):
        raise BadValue(f"{text!r} is not a rate; write one like 20MB/s or 100Mbit/s")
    rate = float(found["number"]) * _BY_LOWER[unit.lower()]
    if rate < _LEAST:
        raise BadValue(f"{text!r} is out of range; it begins at 10kB/s")
    return rate


def format_bandwidth(rate: float | None) -> str:
    """As it is written in the file."""
    if rate is None:
        return ""
    for unit in ("GB/s", "MB/s", "kB/s"):
        text = f"{rate / _UNITS[unit]:.6f}".rstrip("0").rstrip(".")
        if float(text) * _UNITS[unit] == rate and rate >= _UNITS[unit]:
            return f"{text}{unit}"
    return f"{rate:.6f}".rstrip("0").rstrip(".") + "B/s"
