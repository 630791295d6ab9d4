"""The asset that stands for the mirror's pages: it is updated when pages changed, and only then.

A task updates each asset among its outlets whenever it succeeds; by an alias it updates what it names itself.
"""

import logging
from typing import TYPE_CHECKING, Final

from airflow.sdk import Asset, AssetAlias, Context

if TYPE_CHECKING:
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

PAGES: Final = Asset("pypi_mirror_pages")
CHANGES: Final = AssetAlias("pypi_mirror_page_changes")


def update_pages_asset(mirror: "Mirror", context: Context) -> None:
    """Update the asset, with the mirror's serial, if pages changed since it was updated last.

    The task of ``context`` has ``CHANGES`` among its outlets. What another run or the command line changed
    counts, too. Airflow updates the asset once the task has succeeded; until ``forget_changes``, in the task
    after it, the change is remembered, so that one that is killed in between is repeated.
    """
    facts = mirror.ledger.facts
    if facts.changed_pages is None:
        return
    context["outlet_events"][CHANGES].add(PAGES, extra={"serial": facts.cursor})
    log.info("pages have changed: the asset %s is updated, serial %s", PAGES.name, facts.cursor)


def forget_changes(mirror: "Mirror", run_id: int) -> None:
    """Forget the changes up to run ``run_id``, for which the asset was updated; later runs may have begun."""
    from pypi_mirror.facts.facts import Facts

    mirror.ledger.facts.change(
        Facts.changed_pages, lambda changed: None if changed is None or changed <= run_id else changed
    )
