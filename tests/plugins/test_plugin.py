"""How Airflow gets the page: one plugin, nothing that fails, and nothing heavy in its other processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow_home import CHECKOUT
from tests.plugins.conftest import HOST, Client

pytestmark = pytest.mark.airflow

# As a task does it.
LOAD = """
import json, sys
from airflow.sdk import plugins_manager
before = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
print(json.dumps({
    "plugins": [plugin.name for plugin in plugins],
    "errors": errors,
    "new": sorted(set(sys.modules) - before),
}))
"""


def load(folder: Path, home: Path, **environment: str) -> dict[str, object]:
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
        **environment,
    }
    done = subprocess.run([sys.executable, "-c", LOAD], env=env, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_airflow_has_one_plugin_and_none_that_fails(client: Client) -> None:
    admin = client("admin")
    (plugin,) = admin.get(f"{HOST}/api/v2/plugins").json()["plugins"]
    assert plugin["name"] == "pypi_mirror"
    assert plugin["source"] == "$PLUGINS_FOLDER/pypi_mirror_plugin.py"
    (view,) = plugin["external_views"]
    assert (view["name"], view["destination"], view["category"]) == ("PyPI mirror", "nav", "browse")
    # Relative: Airflow's UI may live below a path of its own.
    assert (view["href"], view["url_route"]) == ("pypi-mirror/", "pypi-mirror")
    assert admin.get(f"{HOST}/api/v2/plugins/importErrors").json()["import_errors"] == []


def test_a_task_loads_the_plugin_and_nothing_of_the_page(tmp_path: Path) -> None:
    found = load(CHECKOUT / "plugins", tmp_path, PYTHONPATH=str(CHECKOUT / "include"))
    assert (found["plugins"], found["errors"]) == (["pypi_mirror"], {})
    heavy = {"pypi_mirror_page", "pypi_mirror.mirror", "fastapi", "httpx"}
    assert heavy.isdisjoint(found["new"])  # type: ignore[arg-type]
