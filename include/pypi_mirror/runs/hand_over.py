"""The way back: the tree becomes bandersnatch's again."""

from collections.abc import Callable

from msgspec import Struct

from pypi_mirror.disk import bandersnatch_tree
from pypi_mirror.errors import MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import Mirror
from pypi_mirror.planning.removals import require_none_waits
from pypi_mirror.publishing.site import is_tidy
from pypi_mirror.runs.whole_mirror import whole_mirror
from pypi_mirror.webserver.site_page import remove_site_files


class HandedOver(Struct, frozen=True, kw_only=True):
    """``removed`` counts the files that bandersnatch would not have renewed, ``left`` the projects that it
    takes first; it goes on from ``serial``, from the beginning where that is None.
    """

    pages: int
    removed: int
    left: int
    serial: int | None


def hand_over(mirror: Mirror, owner: str, *, is_dead: Callable[[str], bool]) -> HandedOver:
    """Leave the tree as bandersnatch has it, and let bandersnatch start; runs of this mirror refuse to.

    After a crash it can be called again: bandersnatch is let in last. Raises MirrorBusy while a run is under
    way or awaits approval, and MirrorError where there is nothing to hand over.
    """
    require_none_waits(mirror)
    with whole_mirror(mirror, owner, is_dead=is_dead):
        return _hand_over(mirror, owner)


def _hand_over(mirror: Mirror, owner: str) -> HandedOver:
    if not is_tidy(mirror):
        raise MirrorError(
            "pages are in two layouts since hash-index was changed; run `pypi-mirror sync`, reload nginx, "
            "then hand over"
        )
    mirror.ledger.facts.put(Facts.handed_over.to(int(mirror.clock())))
    pages = removed = 0
    for project in mirror.ledger.projects.all():
        if pages % 1000 == 0:
            mirror.ledger.lease.renew(owner)
        if project.present:
            pages += 1
            removed += mirror.pages.hand_over(project.project)
    removed += mirror.pages.hand_over_index()
    remove_site_files(mirror.settings)
    mirror.flush()
    # bandersnatch asks for what came after the serial alone, and would forget what failed before.
    left = [
        (each.display_name, each.serial or 0)
        for each in mirror.ledger.backlog.all()
        if not each.gone and mirror.policy.rejection_reason(each.project) is None
    ]
    serial = mirror.ledger.facts.cursor
    bandersnatch_tree.hand_over(mirror.settings.directory, serial=serial, left=left)
    return HandedOver(pages=pages, removed=removed, left=len(left) if serial else 0, serial=serial)
