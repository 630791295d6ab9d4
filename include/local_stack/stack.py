"""Airflow, nginx and the stand-in upstream as one thing that is started and stopped."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local_stack import airflow_server
from local_stack.airflow_api import UNFINISHED, AirflowApi
from local_stack.airflow_server import (
    ADMINISTRATOR,
    API_SERVER,
    BEFORE_TASKS,
    KEPT_FREE,
    SCHEDULER,
)
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.ports import LOOPBACK
from local_stack.services import Service, Services
from mirror_airflow.scheduling import POOL

# A machine that does much else needs minutes for what takes fifteen seconds.
START_PATIENCE = 600.0
STOP_PATIENCE = 20.0
LOOK_AGAIN = 0.2


class Stack:
    """The running parts of one checkout; a later command finds what is on record."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.services = Services(run=layout.run, logs=layout.logs)

    def running(self) -> tuple[str, ...]:
        """The names of the running parts."""
        return tuple(record.name for record in self.services.running())

    def start_airflow(
        self,
        *,
        port: int,
        mirror_conf: Path,
        dag_id: str,
        database: str | None = None,
        extra_env: Mapping[str, str] | None = None,
        on_interrupted: Callable[[str], None],
    ) -> AirflowApi:
        """Start Airflow and return its API once it is healthy and knows the DAG.

        A task that runs before the API server answers fails for good, so the scheduler comes last.
        A run that was cut off with the stack before would wait for its dead tasks for minutes and
        keep the next one waiting: it is ended first, and ``on_interrupted`` hears of its run id.
        """
        keys = airflow_server.read_or_make_keys(self.layout.airflow_home)
        env = airflow_server.environment(
            self.layout, keys=keys, port=port, mirror_conf=mirror_conf, database=database, extra=extra_env
        )
        airflow_server.migrate(self.layout, env)
        api = AirflowApi(f"http://{LOOPBACK}:{port}", user=ADMINISTRATOR, password=keys.password)
        for name in BEFORE_TASKS:
            self.services.start(airflow_server.service(name, self.layout, env))
        self._await(
            lambda: "api-server" not in api.unhealthy(), (API_SERVER,), "Airflow's API server does not answer"
        )
        for run_id in self.end_runs(api, dag_id):
            on_interrupted(run_id)
        # Before the scheduler: tasks of a pool that does not exist wait for ever, and only a warning says so.
        api.make_pool(
            POOL,
            slots=int(env["AIRFLOW__CORE__PARALLELISM"]) - KEPT_FREE,
            description="Batches of the mirror that download at once; 0 holds back what has not begun",
        )
        self.services.start(airflow_server.service(SCHEDULER, self.layout, env))
        everything = (*BEFORE_TASKS, SCHEDULER)
        self._await(lambda: not api.unhealthy(), everything, "Airflow does not become healthy")
        self.await_dag(api, dag_id)
        return api

    def await_dag(self, api: AirflowApi, dag_id: str) -> None:
        """Wait until Airflow knows the DAG; raises StackError when its file cannot be read."""
        everything = (*BEFORE_TASKS, SCHEDULER)
        self._await(lambda: self._knows(api, dag_id), everything, f"Airflow does not find the DAG {dag_id}")

    def end_runs(self, api: AirflowApi, dag_id: str) -> tuple[str, ...]:
        """End the unfinished runs of a DAG as failed; their run ids."""
        ended = tuple(str(run["dag_run_id"]) for run in api.runs(dag_id, states=UNFINISHED))
        for run_id in ended:
            api.fail_run(dag_id, run_id)
        return ended

    def require_alive(self) -> None:
        """Raise StackError when a part of Airflow stopped unexpectedly."""
        self.services.require_alive((*BEFORE_TASKS, SCHEDULER))

    def start(self, service: Service, *, ready: Callable[[], bool]) -> None:
        """Start another part and wait until ``ready``."""
        self.services.start(service)
        self._await(ready, (service.name,), f"{service.name} does not become ready")

    def stop(self, *, patience: float = STOP_PATIENCE) -> tuple[str, ...]:
        """Stop all that is on record, Airflow's scheduler first; return the names of what was running.

        What has not ended after ``patience`` seconds is killed.
        """
        running = self.running()
        self.services.stop((SCHEDULER,), patience=patience)
        # What is on record and not running has a record to clear away all the same.
        others = {*BEFORE_TASKS, *running} - {SCHEDULER}
        self.services.stop(tuple(others), patience=patience)
        return running

    def _knows(self, api: AirflowApi, dag_id: str) -> bool:
        if api.has_dag(dag_id):
            return True
        if errors := api.import_errors():
            raise StackError(f"Airflow cannot read a DAG file: {errors[0]}", log=self.layout.logs / "dags")
        return False

    def _await(self, ready: Callable[[], bool], names: tuple[str, ...], otherwise: str) -> None:
        end = time.monotonic() + START_PATIENCE
        while not ready():
            self.services.require_alive(names)
            if time.monotonic() > end:
                raise StackError(
                    f"{otherwise} after {START_PATIENCE / 60:.0f} minutes; try again",
                    log=self.services.log(names[-1]),
                )
            time.sleep(LOOK_AGAIN)
