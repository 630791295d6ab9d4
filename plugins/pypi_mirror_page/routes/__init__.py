"""The addresses below ``/pypi-mirror``, a subject a module."""

from pypi_mirror_page.routes import (
    backlog,
    cooldown,
    dependencies,
    page,
    projects,
    removals,
    runs,
    setup,
    state,
)

ROUTERS = (
    page.router,
    state.router,
    state.metrics_router,
    backlog.router,
    backlog.actions,
    cooldown.router,
    cooldown.actions,
    dependencies.router,
    removals.router,
    projects.router,
    projects.actions,
    runs.router,
    runs.actions,
    setup.router,
)
