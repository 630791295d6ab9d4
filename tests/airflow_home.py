"""Importing airflow makes it a home, and settles its database; tests give it ones that go away with them.

To be imported before airflow is: a home of the person who runs the tests must not be touched.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# Of Airflow's simple auth manager; each may do what those before it may.
ROLES = ("viewer", "user", "op", "admin")

if "airflow" not in sys.modules:
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    HOME = Path(tempfile.mkdtemp(prefix="airflow-of-tests-"))
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        # A person without a role may do nothing at all.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{role}:{role}" for role in ROLES),
        "AIRFLOW__API__BASE_URL": "http://airflow.example",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests, " * 5,
        "AIRFLOW__API__SECRET_KEY": "of the tests",
    }
