"""``[size_project_metadata]``: no project that is larger in all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage
from pypi_mirror.options import BadValue, Section, option
from pypi_mirror.options.packages import parse_project_name
from pypi_mirror.policy.filter import Filter, Stage
from pypi_mirror.wording import size

_UNITS: Final = "kmgtp"
_FORM: Final = re.compile(
    rf"(?P<number>[0-9]{{1,15}}(?:\.[0-9]{{1,6}})?) ?(?P<unit>[{_UNITS}]?)(?:i?b|bytes?)?"
)


def parse_binary_size(text: str) -> int:
    """Return the bytes; every unit counts in steps of 1024, as in bandersnatch: 1 GB is 1 GiB."""
    found = _FORM.fullmatch(text.lower())
    if found is None:
        raise BadValue(f"{text!r} is not a size; write one like 500 MB or 1.5 GB")
    power = _UNITS.index(found["unit"]) + 1 if found["unit"] else 0
    return round(float(found["number"]) * (1 << 10 * power))


def format_binary_size(number: int) -> str:
    """Return it as it is written in the file, in the largest unit that says it without a fraction."""
    power = max(power for power in range(len(_UNITS) + 1) if number % 1024**power == 0)
    return f"{number // 1024**power}{_UNITS[power - 1].upper()}iB" if number and power else str(number)


@dataclass(frozen=True, kw_only=True)
class LargestProject(Filter):
    """Leaves out projects whose files have more bytes in all, whatever other filters leave of them.

    Files without a stated size count as nothing.
    """

    section: ClassVar = Section(
        name="size_project_metadata",
        doc="No projects that are too large.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )
    stage: ClassVar = Stage.RELEASES

    max_package_size: int = option(
        parse_binary_size,
        "The largest project to mirror, in bytes of all its files (500 MB, 1.5 GB); 0: any size.",
        "Units are binary: 1 GB is 1 GiB. A project that grows larger leaves the pages with its next event.",
        key="max_package_size",
        format=format_binary_size,
        default="0",
        example=("1GiB",),
    )
    exempt_packages: tuple[NormalizedName, ...] = option(
        parse_project_name,
        "Projects that are mirrored at any size, one a line.",
        key="exempt_packages",
        many=True,
        empty=True,
        example=("certifi",),
    )

    @property
    def takes_part(self) -> bool:
        return self.max_package_size > 0

    def reject_page(self, page: ProjectPage) -> str | None:
        total = sum(file.size or 0 for file in page.files)
        if total <= self.max_package_size or page.name in self.exempt_packages:
            return None
        return (
            f"[size_project_metadata] max_package_size is {size(self.max_package_size)}, "
            f"the files of {page.name} have {size(total)}"
        )

    def sentences(self) -> Iterator[str]:
        yield f"No project of more than {size(self.max_package_size)}."
