"""The addresses below ``/pypi-mirror``, a subject a module."""

from pypi_mirror_page.routes import (
    audit,
    backlog,
    metrics,
    page,
    projects,
    removals,
    runs,
    setup,
    state,
    tombstones,
)

ROUTERS = (
    page.router,
    state.router,
    backlog.router,
    backlog.actions,
    removals.router,
    tombstones.router,
    audit.router,
    projects.router,
    projects.actions,
    runs.router,
    runs.actions,
    setup.router,
    metrics.router,
)
