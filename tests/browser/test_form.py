"""The form that starts a run, as Airflow shows it."""

import pytest

from tests.browser.browser import Browser
from tests.dags.real_airflow import DAG_ID

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.servers,
    pytest.mark.database("sqlite"),
    pytest.mark.usefixtures("scene"),
]


def test_no_field_is_marked_as_if_it_needed_a_value(logged_in: Browser) -> None:
    logged_in.driver.get(f"{logged_in.origin}/dags/{DAG_ID}")
    logged_in.button("Trigger").click()
    logged_in.reads("Projects to sync now", "body")
    logged_in.screenshot("form", whole=False)
    assert not logged_in.all('[class*="equiredIndicator"]')
