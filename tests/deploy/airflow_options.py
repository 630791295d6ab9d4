"""Which of some environment variables Airflow would ignore without a word."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable

# In a process of its own: importing airflow configures a whole process, and writes to its home.
_LIST = """
import json
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
described = [conf.configuration_description, *(each for _, each in ProvidersManager().provider_configs)]
print(json.dumps([[s, k] for each in described for s in each for k in each[s]["options"]]))
"""


def unknown_options(names: Iterable[str]) -> list[str]:
    """The ``AIRFLOW__SECTION__KEY`` among ``names`` that neither Airflow nor a provider has an option for."""
    return sorted(name for name in names if name.startswith("AIRFLOW__") and name not in _known())


@functools.cache
def _known() -> frozenset[str]:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", _LIST],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "AIRFLOW_HOME": home},
        )
    return frozenset(
        f"AIRFLOW__{section}__{key}".upper() for section, key in json.loads(done.stdout.splitlines()[-1])
    )
