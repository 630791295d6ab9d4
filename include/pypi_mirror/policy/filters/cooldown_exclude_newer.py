"""``[cooldown]``: new files wait for a time before pages list them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.exclude_newer import ExcludeNewer, format_exclude_newer, parse_exclude_newer
from pypi_mirror.options.packages import ReleaseRule, format_package, only_releases, parse_blocked_package
from pypi_mirror.policy.filter import COOLDOWN, Context, Filter, Hold, Stage
from pypi_mirror.policy.roots import Roots
from pypi_mirror.wording import moment_of


@dataclass(frozen=True, kw_only=True)
class Cooldown(Filter):
    """Holds files back until they are old enough, or, with a date, leaves out what is newer.

    A file's age counts from the later of its upload and the last page of upstream's that had no such file, so
    that a file of an invented upload time waits too. One without an upload time counts from when it was first
    seen. What a page lists already stays. Cutoffs are those of uv and pip: a file uploaded at that very
    moment is not before it.
    """

    section: ClassVar = COOLDOWN
    stage: ClassVar = Stage.TIMES

    exclude_newer: ExcludeNewer | None = option(
        parse_exclude_newer,
        "How long new files wait before pages list them (7 days, 36 hours), or a date; empty: not at all.",
        "Held files are downloaded and verified at once, out of readers' reach, and listed when they are "
        "due, by upstream's clock. With a date (2026-11-01, the whole day in UTC) or a moment "
        "(2026-11-01T12:00:00Z), files uploaded later are not mirrored. What pages list already stays.",
        format=format_exclude_newer,
        empty=True,
        example=("7 days",),
    )
    exclude_newer_package: tuple[ReleaseRule, ...] = option(
        parse_blocked_package,
        "Projects, or releases of them, that never wait, one a line.",
        "As in [blocklist] packages: example, example-*, example>=2.8.",
        format=format_package,
        many=True,
        empty=True,
        example=("example-internal-*", "example>=2.8"),
        decides_files=only_releases,
    )

    @cached_property
    def _exempt(self) -> Roots:
        return Roots(self.exclude_newer_package)

    def hold(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, Hold]:
        limit = self.exclude_newer
        if limit is None or self._exempt.whole(project) is not None:
            return {}
        held: dict[str, Hold] = {}
        for file in files:
            name = file.filename
            if name in context.listed or name in context.lifted:
                continue
            since = since_of(file, context)
            due = None if limit.seconds is None else since + limit.seconds
            if since <= (limit.before or 0) if due is None else due <= context.as_of:
                continue
            if next(self._exempt.admitting(project, file), None) is None:
                held[name] = Hold(since=since, due=due, reason=self._reason(since, due))
        return held

    def sentences(self) -> Iterator[str]:
        if self.exclude_newer is None:
            return
        said = format_exclude_newer(self.exclude_newer)
        if self.exclude_newer.seconds is None:
            yield f"No files uploaded after {said}."
        else:
            yield f"New files are listed {said} after their upload."

    def _reason(self, since: int, due: int | None) -> str:
        option = f"[cooldown] exclude-newer = {format_exclude_newer(self.exclude_newer)}"
        if due is None:
            return f"{option}, the file counts from {moment_of(since)}"
        return f"{option}, the file is listed from {moment_of(due)} on"


def since_of(file: RemoteFile, context: Context) -> int:
    """The second after the moment from which ``file``'s age counts."""
    uploaded = uploaded_at(file.upload_time)
    seen = context.seen.get(file.filename)
    if uploaded is None:
        return context.as_of if seen is None else seen
    return uploaded if seen is None else max(uploaded, seen)


@lru_cache(maxsize=65_536)
def uploaded_at(text: str | None) -> int | None:
    """The first whole second after an upload time (RFC 3339); None where there is none."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return math.floor(moment.timestamp()) + 1
