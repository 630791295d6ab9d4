"""``max-failures``: how many projects of a run may fail, as a number or as a share of the plan."""

import re
from math import ceil
from typing import Final

from msgspec import Struct

from pypi_mirror.options.parsers import BadValue


class MaxFailures(Struct, frozen=True, kw_only=True):
    """How many projects of a run may fail: ``projects``, or ``percent`` of those planned."""

    projects: int = 0
    percent: float | None = None

    def of(self, planned: int) -> int:
        """The number for a plan of so many projects.

        A share is rounded up: in a small plan one project alone must not stop the run.
        """
        return self.projects if self.percent is None else ceil(planned * self.percent / 100)


_FORM: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?)(?P<percent> ?%)?")


def parse_max_failures(text: str) -> MaxFailures:
    found = _FORM.fullmatch(text)
    if found is None or ("." in found["number"] and not found["percent"]):
        raise BadValue(f"{text!r} is neither a number of projects nor a share; write one like 50 or 2%")
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
