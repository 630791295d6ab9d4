"""Where Airflow has the mirror's page: apart from ``links``, which imports Airflow."""

from typing import Final

PAGE: Final = "/plugin/pypi-mirror"
