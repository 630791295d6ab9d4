"""These tests import airflow."""

import tests.airflow_home  # noqa: F401
