"""Upstream's pages that a run has to read: few at once, many in a task of their own."""

from typing import Final

from pypi_mirror.mirror import Mirror
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.runs.read_pages import read_pages

# Up to so many are read faster than another task starts.
SHORT: Final = 200


def read_short_list(mirror: Mirror, run: int) -> list[int]:
    """Make the list of ``run``, and read it if it is short.

    Returns, for each task that has to read, how many pages: one for a long list, none for a short one.
    """
    pages = list_projects(mirror, run)
    if pages > SHORT:
        return [pages]
    read_pages(mirror, run)
    return []
