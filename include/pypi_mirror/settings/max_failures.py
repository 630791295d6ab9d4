"""``max-failures``: how many projects of a run may fail, as a number or as a share of the plan."""

import re
from typing import Final

from pypi_mirror.settings.texts import BadValue
from pypi_mirror.settings.values import MaxFailures

_FORM: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?)(?P<percent> ?%)?")


def parse_max_failures(text: str) -> MaxFailures:
    found = _FORM.fullmatch(text)
    if found is None or ("." in found["number"] and not found["percent"]):
        raise BadValue(f"{text!r} is no number of projects and no share of them; write one like 50 or 2%")
    if not found["percent"]:
        return MaxFailures(projects=int(found["number"]))
    if float(found["number"]) > 100:
        raise BadValue(f"{text!r} is out of range; a share goes from 0% to 100%")
    return MaxFailures(percent=float(found["number"]))


def format_max_failures(limit: MaxFailures | None) -> str:
    if limit is None:
        return ""
    if limit.percent is None:
        return str(limit.projects)
    return f"{limit.percent:.6f}".rstrip("0").rstrip(".") + "%"
