"""The mirror's page in Airflow's UI: wiring only, the page is the package ``pypi_mirror_page`` beside it.

Airflow loads this file in each of its processes and at the start of each task, so the page is imported when
the API server asks for it.
"""

from functools import cached_property
from importlib.util import find_spec
from typing import Any

from airflow.plugins_manager import AirflowPlugin

if find_spec("pypi_mirror") is None:
    # Airflow shows this among its plugins' import errors; later it would keep the API server from starting.
    raise ImportError("the package pypi_mirror is not found: add the project's include/ to PYTHONPATH")


class PypiMirrorPlugin(AirflowPlugin):
    """A navigation entry, and the application that answers below it."""

    name = "pypi_mirror"

    # Addresses are relative: Airflow's UI resolves them against its own root, whatever path that has.
    external_views = [  # noqa: RUF012 (Airflow's form)
        {
            "name": "PyPI mirror",
            "href": "pypi-mirror/",
            "url_route": "pypi-mirror",
            "destination": "nav",
            "category": "browse",
            "icon": "pypi-mirror/static/icon.svg",
            "icon_dark_mode": "pypi-mirror/static/icon-dark.svg",
        }
    ]

    @cached_property
    def global_operator_extra_links(self) -> list[Any]:  # type: ignore[override]
        """The button that leads from a task to the page."""
        from mirror_airflow.links import MirrorPage

        return [MirrorPage()]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What the API server mounts."""
        from pypi_mirror_page.app import create_app

        return [{"app": create_app(), "url_prefix": "/pypi-mirror", "name": "PyPI mirror"}]
