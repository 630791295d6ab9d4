"""Opens the mirror for one task."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context

from mirror_airflow.task_errors import last_words
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_settings

if TYPE_CHECKING:
    from pypi_mirror.mirror import Mirror


@contextmanager
def task_mirror() -> Iterator["Mirror"]:
    """The mirror as the configuration says now; the error that ends the task is kept for the message."""
    # The engine brings SQLAlchemy and libcurl along; parsing a DAG file needs neither.
    from pypi_mirror.mirror import open_mirror

    with last_words(get_current_context()["ti"]), open_mirror(read_settings(configuration_path())) as mirror:
        yield mirror
