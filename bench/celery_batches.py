"""The batches of a run as Celery tasks: what an Airflow worker does with them, without Airflow around it.

Imported by ``celery --app bench.celery_batches worker``, whose packages ``bench.tools`` installs.
"""

import os
from pathlib import Path

from celery import Celery  # type: ignore[import-untyped]

from pypi_mirror.mirror import open_mirror
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.settings.read import read_settings

BROKER = "PYPI_MIRROR_BENCH_BROKER"

app = Celery("bench", broker=os.environ[BROKER], backend=os.environ[BROKER])
# A worker that held batches back while another one idles would be measured for that.
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)


def download(configuration: str, run_id: int, batch: int) -> int:
    """The number of projects that failed in ``batch``; opens the mirror anew, as every Airflow task does."""
    with open_mirror(read_settings(Path(configuration))) as mirror:
        return len(download_projects(mirror, run_id, batch).failures)


download_task = app.task(download, name="download")
