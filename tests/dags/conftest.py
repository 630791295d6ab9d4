"""One running Airflow for all tests of the DAG: starting it takes longer than a run."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local_stack.layout import Layout, checkout_of_this_package
from local_stack.stack import Stack
from tests.dags.real_airflow import DAG_ID, PATIENCE, RealAirflow, free_port
from tests.dags.receivers import MailServer, Webhook, serving
from tests.warehouse import Upload, Warehouse, Wheel, running


@pytest.fixture(scope="session")
def prepared_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """Everything but the start, which the first run's test does: it needs a configuration before."""
    var = tmp_path_factory.mktemp("airflow")
    checkout = checkout_of_this_package()
    stack = Stack(Layout(checkout=checkout, var=var, dags=checkout / "dags"))
    with ExitStack() as servers:
        mail = servers.enter_context(serving(MailServer()))
        webhook = servers.enter_context(serving(Webhook()))
        try:
            yield RealAirflow(
                stack=stack, conf=var / "mirror.conf", port=free_port(), mail=mail, webhook=webhook
            )
        finally:
            stack.stop()


@pytest.fixture(scope="session")
def airflow(prepared_airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> RealAirflow:
    """The running Airflow. The run that the schedule starts first is over."""
    with running(Warehouse(Upload(distribution=Wheel(name="first")))) as upstream:
        prepared_airflow.configure(tmp_path_factory.mktemp("first"), upstream.url)
        prepared_airflow.start()
        end = time.monotonic() + PATIENCE
        while not (runs := prepared_airflow.api.runs(DAG_ID)):
            assert time.monotonic() < end, "the schedule started no run"
            time.sleep(0.3)
        assert prepared_airflow.wait(runs[0]["dag_run_id"]) == "success"
    return prepared_airflow
