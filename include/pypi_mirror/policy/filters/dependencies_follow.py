"""``[dependencies]``: what projects of the allowlist require is mirrored too."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.options import option
from pypi_mirror.options.packages import ReleaseRule, format_package, parse_project_pattern
from pypi_mirror.options.parsers import choice
from pypi_mirror.policy.filter import DEPENDENCIES, Filter, Stage
from pypi_mirror.policy.roots import Roots


@dataclass(frozen=True, kw_only=True)
class Dependencies(Filter):
    """Says how dependencies are followed; ``AllowedPackages`` lets in what is found so.

    ``ceilings`` are what the constraints files say, None where nobody read them yet.
    """

    section: ClassVar = DEPENDENCIES
    stage: ClassVar = Stage.RELEASES

    follow: str = option(
        choice("no", "yes"),
        "Whether everything that [allowlist] requires is mirrored too: yes or no.",
        "Of each project that is required, all releases that a requirement admits, and what these require in "
        "turn, for the machines of [platform] environments; so installers find the same solutions as "
        "upstream. Cut it by keep-latest, constraints or stop-at. `pypi-mirror explain PROJECT` says who "
        "requires it.",
        default="no",
    )
    extras: str = option(
        choice("demanded", "all"),
        "Whose optional dependencies are followed: those of demanded extras (example[tests]), or of all.",
        default="demanded",
        decides=False,
    )
    stop_at: tuple[ReleaseRule, ...] = option(
        parse_project_pattern,
        "Projects that are not mirrored only because others require them, one a line; * as in [allowlist].",
        "What [allowlist] names itself stays.",
        format=format_package,
        many=True,
        empty=True,
        example=("torch", "nvidia-*"),
    )
    whole: tuple[ReleaseRule, ...] = option(
        parse_project_pattern,
        "Projects of which all releases are mirrored once they are required, one a line.",
        format=format_package,
        many=True,
        empty=True,
        example=("setuptools", "wheel"),
    )

    @property
    def follows(self) -> bool:
        return self.follow == "yes"

    def stops_at(self, project: NormalizedName) -> bool:
        """Whether ``project`` is not mirrored for others alone."""
        return self._stops.whole(project) is not None

    def is_whole(self, project: NormalizedName) -> bool:
        return self._whole.whole(project) is not None

    def sentences(self) -> Iterator[str]:
        if self.follows:
            yield "With what these require."

    @property
    def takes_part(self) -> bool:
        return self.follows

    @cached_property
    def _stops(self) -> Roots:
        return Roots(self.stop_at)

    @cached_property
    def _whole(self) -> Roots:
        return Roots(self.whole)
