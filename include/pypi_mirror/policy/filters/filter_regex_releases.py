"""``[filter_regex] releases``: releases that are not mirrored, by regular expressions over their versions."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.parsers import parse_regex
from pypi_mirror.policy.filter import FILTER_REGEX, Filter, Stage
from pypi_mirror.policy.releases import spellings
from pypi_mirror.release_files import version_in


@dataclass(frozen=True, kw_only=True)
class ExcludedReleasePatterns(Filter):
    """Leaves out files whose version a pattern matches from its beginning.

    A version is compared as the file's name spells it and in its normal form (PEP 440). A file of unknown
    version is kept, since nothing shows that it is meant.
    """

    section: ClassVar = FILTER_REGEX
    stage: ClassVar = Stage.RELEASES

    releases: tuple[str, ...] = option(
        parse_regex,
        "Regular expressions, one a line; releases whose version one of them matches are not mirrored.",
        "A pattern must match from the beginning of the version. A file of unknown version is kept.",
        many=True,
        empty=True,
        verbatim=True,
        example=(r".+\.dev\d+$",),
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        version = version_in(project, file.filename)
        return None if version is None else self._reason(version)

    def sentences(self) -> Iterator[str]:
        yield f"No releases whose version matches {' or '.join(self.releases)}."

    @cached_property
    def _reason(self) -> Callable[[str], str | None]:
        patterns = tuple(map(re.compile, self.releases))

        def reason(version: str) -> str | None:
            for spelling in spellings(version):
                found = next((each.pattern for each in patterns if each.match(spelling)), None)
                if found is not None:
                    return f"[filter_regex] releases lists {found}, which matches version {spelling}"
            return None

        return lru_cache(maxsize=16_384)(reason)
