"""Airflow's REST API, as far as the stack uses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from local_stack.errors import StackError

TIMEOUT = 30
# A busy server may leave a question without an answer; one that changes nothing is asked again.
_ASKED_AGAIN = Retry(total=2, connect=0, status=0)
UNFINISHED = ("queued", "running")
_WAITS = {
    "up_for_reschedule": "waiting for another run",
    "awaiting_input": "awaiting approval, see Required Actions in Airflow's UI",
}


class AirflowSilent(StackError):
    """The API server cannot be reached or broke off; it may be busy, or dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task instance; ``map_index`` is -1 for a task that is not mapped, ``state`` None before it is due."""

    task_id: str
    map_index: int
    state: str | None
    name: str | None
    try_number: int
    pid: int | None = None

    def described(self) -> str:
        """For people: the task, and what it is waiting for."""
        waits = _WAITS.get(self.state or "")
        return f"{self.task_id} ({waits})" if waits else self.task_id


class AirflowApi:
    """Talks to the API server at ``address`` as its administrator."""

    def __init__(self, address: str, *, user: str, password: str) -> None:
        self._address = address
        self._login = {"username": user, "password": password}
        self._http = requests.Session()
        # A proxy of the environment is for the outside; this server is on the loopback.
        self._http.trust_env = False
        self._http.mount(address, HTTPAdapter(max_retries=_ASKED_AGAIN))

    def close(self) -> None:
        self._http.close()

    def unhealthy(self) -> tuple[str, ...]:
        """The parts that are not healthy yet; ``api-server`` when it does not answer at all."""
        try:
            answer = self._http.get(f"{self._address}/api/v2/monitor/health", timeout=TIMEOUT)
            answer.raise_for_status()
            parts = answer.json()
        except requests.RequestException:
            return ("api-server",)
        return tuple(sorted(name for name, part in parts.items() if part["status"] != "healthy"))

    def has_dag(self, dag_id: str) -> bool:
        return self.request("GET", f"/dags/{dag_id}", missing_ok=True) is not None

    def import_errors(self) -> tuple[str, ...]:
        """A sentence for each DAG file that Airflow could not read."""
        answer = self.request("GET", "/importErrors")
        return tuple(
            f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in answer["import_errors"]
        )

    def pause(self, dag_id: str, *, paused: bool) -> None:
        self.request("PATCH", f"/dags/{dag_id}", body={"is_paused": paused})

    def make_pool(self, name: str, *, slots: int, description: str) -> None:
        """Make a pool where there is none of that name; one that is there keeps its number of slots."""
        if self.request("GET", f"/pools/{name}", missing_ok=True) is None:
            body = {"name": name, "slots": slots, "description": description}
            self.request("POST", "/pools", body=body)

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run by hand and return its run id."""
        answer = self.request(
            "POST", f"/dags/{dag_id}/dagRuns", body={"logical_date": None, "conf": dict(conf)}
        )
        return str(answer["dag_run_id"])

    def runs(self, dag_id: str, *, states: Sequence[str] = ()) -> tuple[Mapping[str, Any], ...]:
        """Runs of the DAG, newest first, as Airflow describes them."""
        query = [("limit", "100"), ("order_by", "-run_after"), *(("state", s) for s in states)]
        answer = self.request("GET", f"/dags/{dag_id}/dagRuns", query=query, missing_ok=True)
        return () if answer is None else tuple(answer["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.request("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")["state"])

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """Make Airflow end a run: its running tasks are killed, the others skipped."""
        self.request("PATCH", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}", body={"state": "failed"})

    def tasks(self, dag_id: str, run_id: str, *, states: Sequence[str] = ()) -> tuple[Task, ...]:
        """The task instances of a run, all or those in some states, all pages of them."""
        found: list[Task] = []
        while True:
            query = [("limit", "100"), ("offset", str(len(found))), ("order_by", "id")]
            query += [("state", state) for state in states]
            path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
            answer = self.request("GET", path, query=query)
            found += [
                Task(
                    task_id=t["task_id"],
                    map_index=t["map_index"],
                    state=t["state"],
                    name=t["rendered_map_index"],
                    try_number=t["try_number"],
                    pid=t["pid"],
                )
                for t in answer["task_instances"]
            ]
            if not answer["task_instances"] or len(found) >= answer["total_entries"]:
                return tuple(found)

    def xcom(self, dag_id: str, run_id: str, task: Task, key: str) -> Any:
        """What a task has left under ``key``; None when it left nothing."""
        path = (
            f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task.task_id}/xcomEntries/{key}"
        )
        query = [("map_index", str(task.map_index))]
        answer = self.request("GET", path, query=query, missing_ok=True)
        return None if answer is None else answer["value"]

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        missing_ok: bool = False,
    ) -> Any:
        """What is answered to ``path`` below ``/api/v2``; None for 404 where that is no error."""
        try:
            answer = self._send(method, path, query, body)
            if answer.status_code == requests.codes.unauthorized:
                # Not logged in yet, or the token is a day old: a first sync can take longer than that.
                self._log_in()
                answer = self._send(method, path, query, body)
            if answer.status_code == requests.codes.not_found and missing_ok:
                return None
            if answer.status_code >= requests.codes.bad_request:
                raise StackError(
                    f"Airflow refused {method} {path}: {answer.status_code} {answer.text.strip()[:500]}"
                )
            return answer.json() if answer.content else {}
        except requests.RequestException as error:
            raise AirflowSilent(f"Airflow's API at {self._address} does not answer: {error}") from error

    def _send(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None
    ) -> requests.Response:
        return self._http.request(
            method, f"{self._address}/api/v2{path}", params=list(query), json=body, timeout=TIMEOUT
        )

    def _log_in(self) -> None:
        answer = self._http.post(f"{self._address}/auth/token", json=self._login, timeout=TIMEOUT)
        if answer.status_code != requests.codes.created:
            raise StackError(f"Airflow refused the login: {answer.status_code} {answer.text.strip()[:200]}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
