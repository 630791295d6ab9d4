"""After a change of ``hash-index``: the pages of the other layout stay until nobody is served them."""

from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import Mirror


def note_layout(mirror: Mirror) -> None:
    """Once, when the first pages are published: which layout the web server will be told of."""
    if mirror.ledger.facts.layout is None:
        mirror.ledger.facts.put(Facts.layout.to(_layout(mirror)))


def note_found_layout(mirror: Mirror, *, hashed: bool) -> None:
    """Pages were found in this layout, which the web server may serve."""
    mirror.ledger.facts.put(Facts.layout.to("hashed" if hashed else "flat"))


def tidy_layout(mirror: Mirror) -> None:
    """Remove the other layout's pages; to be called when the web server serves the settings' layout."""
    before = mirror.ledger.facts.layout
    if before == _layout(mirror):
        return
    if before is not None:
        for project in mirror.ledger.projects.all():
            mirror.pages.remove_other_layout(project.project)
    mirror.ledger.facts.put(Facts.layout.to(_layout(mirror)))


def is_tidy(mirror: Mirror) -> bool:
    """Whether nobody is served the other layout's pages any more."""
    return mirror.ledger.facts.layout == _layout(mirror)


def _layout(mirror: Mirror) -> str:
    return "hashed" if mirror.settings.hash_index else "flat"
