"""Which tasks Airflow starts first, in which pool, and how long they may run.

``make up`` and the compose file create the pool and name it in the environment; its number of slots can be
changed in Airflow's UI at any time, and 0 stops further batches from starting. Where the variable is not set,
batches are in Airflow's default pool: in one that does not exist they would wait for ever.
"""

import os
from datetime import timedelta
from typing import Final

POOL_VARIABLE: Final = "PYPI_MIRROR_POOL"
POOL: Final = "pypi_mirror"
DEFAULT_POOL: Final = "default_pool"

# In Airflow's list of DAGs.
OWNER: Final = "pypi-mirror"

# Weights under the rule "absolute". The watch comes before all others.
PUBLISHING: Final = 1_000
PLANNING: Final = 100
DOWNLOADING: Final = 10
AUDITING: Final = 1

# How long a task may run: the last resort against one that hangs, for each request to upstream has a deadline
# of its own. A batch of a first sync over a slow line takes days, an audit of a large mirror one or two.
LONGEST_TASK: Final = timedelta(days=2)
LONGEST_BATCH: Final = timedelta(days=14)
LONGEST_AUDIT: Final = timedelta(days=7)


def batch_pool() -> str:
    """The pool of the tasks that download."""
    return os.environ.get(POOL_VARIABLE) or DEFAULT_POOL
