"""``[filter_regex] packages``: projects that are not mirrored, by regular expressions over their names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.options import option
from pypi_mirror.options.parsers import parse_regex
from pypi_mirror.policy.filter import FILTER_REGEX, Filter, Stage


@dataclass(frozen=True, kw_only=True)
class ExcludedProjectPatterns(Filter):
    """Leaves out projects whose normalized name (PEP 503) a pattern matches from its beginning.

    Upper and lower case are alike: bandersnatch compares names as upstream displays them.
    """

    section: ClassVar = FILTER_REGEX
    stage: ClassVar = Stage.RELEASES

    packages: tuple[str, ...] = option(
        parse_regex,
        "Regular expressions, one a line; projects whose name one of them matches are not mirrored.",
        "A pattern must match from the beginning of the name; end it with $ where it must match all of it. "
        "Names are compared in lower case with single dashes: Foo_Bar is foo-bar.",
        many=True,
        empty=True,
        verbatim=True,
        example=(".+-nightly$",),
        decides_files=lambda _: (),
    )

    def reject_project(self, project: NormalizedName) -> str | None:
        pattern = next((each.pattern for each in self._patterns if each.match(project)), None)
        return f"[filter_regex] packages lists {pattern}, which matches {project}" if pattern else None

    def sentences(self) -> Iterator[str]:
        yield f"No projects whose name matches {' or '.join(self.packages)}."

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(each, re.IGNORECASE) for each in self.packages)
