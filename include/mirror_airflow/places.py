"""Which tasks come first where Airflow has fewer places than tasks, and the pool that leaves it some.

``make up`` and the compose file make the pool and name it in the environment; its number of places can be
changed in Airflow's UI at any time, 0 holds back what has not begun. Where the variable is not set, batches
are in Airflow's own pool: in one that does not exist they would wait for ever.
"""

import os
from datetime import timedelta
from typing import Final

POOL_VARIABLE: Final = "PYPI_MIRROR_POOL"
POOL: Final = "pypi_mirror"
DEFAULT_POOL: Final = "default_pool"

# With the rule "absolute" this is what holds, whatever comes after a task. The watch goes before all others.
PUBLISHING: Final = 1_000
PLANNING: Final = 100
DOWNLOADING: Final = 10
AUDITING: Final = 1

# How long a task may run, the last resort against one that hangs: each call to upstream has its own deadline
# long before. A batch of a first sync over a slow line takes days, an audit of a large mirror one or two.
LONGEST_TASK: Final = timedelta(days=2)
LONGEST_BATCH: Final = timedelta(days=14)
LONGEST_AUDIT: Final = timedelta(days=7)


def batch_pool() -> str:
    """The pool of the tasks that download."""
    return os.environ.get(POOL_VARIABLE) or DEFAULT_POOL
