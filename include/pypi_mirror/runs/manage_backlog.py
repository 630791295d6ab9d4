"""What a person does about the backlog: have projects tried again now, or forgotten."""

from collections.abc import Sequence

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import Mirror
from pypi_mirror.wording import some_of


class Forgotten(Struct, frozen=True, kw_only=True):
    """A project taken off the backlog. ``selected`` says that the filters still ask for it; ``serial`` and
    ``files`` are those of the page that the mirror goes on serving, both None where it has none.
    """

    project: NormalizedName
    selected: bool
    serial: int | None
    files: int | None


def retry_backlog(mirror: Mirror, projects: Sequence[NormalizedName] | None) -> list[BacklogEntry]:
    """Make ``projects`` (None: all) due, so that the next run tries them, and return what was waiting.

    Raises MirrorError for a name that is not on the backlog, before anything is changed.
    """
    entries = chosen(mirror, projects)
    mirror.ledger.backlog.retry([entry.project for entry in entries])
    return entries


def forget_backlog(
    mirror: Mirror, projects: Sequence[NormalizedName] | None, *, force: bool
) -> list[Forgotten]:
    """Take ``projects`` (None: all) off the backlog and say what the mirror has of them.

    A project that the filters select is behind upstream, and the backlog alone knows that once the cursor has
    passed its event: forgotten, it stays as it is until upstream changes it again or a run re-checks every
    project. So it takes ``force``. Raises MirrorError, before anything is changed, where that is missing and
    for a name that is not on the backlog.
    """
    entries = chosen(mirror, projects)
    selected = {e.project for e in entries if mirror.policy.rejection_reason(e.project) is None}
    if selected and not force:
        raise MirrorError(
            f"{some_of(sorted(selected))}: selected by the filters and behind upstream; forgotten, it stays "
            "so until upstream changes it again or `pypi-mirror sync --recheck` looks. Use --force if that "
            "is meant, [blocklist] packages if it is not wanted, or `pypi-mirror backlog retry`"
        )
    known = mirror.ledger.projects.known([entry.project for entry in entries])
    mirror.ledger.backlog.forget([entry.project for entry in entries])
    forgotten = []
    for entry in entries:
        have = known.get(entry.project)
        held = have if have is not None and have.present else None
        forgotten.append(
            Forgotten(
                project=entry.project,
                selected=entry.project in selected,
                serial=None if held is None else held.serial,
                files=None if held is None else held.files,
            )
        )
    return forgotten


def chosen(mirror: Mirror, projects: Sequence[NormalizedName] | None) -> list[BacklogEntry]:
    """The entries of ``projects`` (None: all); raises MirrorError for a name that is not on the backlog."""
    entries = mirror.ledger.backlog.all()
    if projects is None:
        return entries
    by_name = {entry.project: entry for entry in entries}
    missing = [name for name in projects if name not in by_name]
    if missing:
        raise MirrorError(f"{some_of(missing)}: not on the backlog; `pypi-mirror backlog` lists what is")
    return [by_name[name] for name in dict.fromkeys(projects)]
