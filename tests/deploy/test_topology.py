"""Acceptance: the topology of docker-compose.yaml with Celery, from its start to ``pip install``.

Two workers are different users over shared storage, nginx a third one who only reads; one of the workers dies
in the middle of a batch. One test, because the parts take half a minute to start.
"""

import re
import stat
from functools import partial
from pathlib import Path

import psycopg
import pytest

from local_stack.airflow_api import AirflowApi
from local_stack.mirror_once import install
from tests.deploy.compose import ROOT
from tests.deploy.topology import AIRFLOW, OTHER, STORAGE, WEB, Topology, topology
from tests.warehouse import Delay, Fault, Server, Upload, Warehouse, Wheel, running

pytestmark = [pytest.mark.airflow, pytest.mark.servers]

DAG_ID = "pypi_mirror"
QUICK = ("alpha", "beta", "delta", "gamma")
# Each is in a batch of its own, at the end of the alphabet.
SLOW = ("yankee", "zulu")
# A dead worker is missed after seconds here, not after minutes.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
}


def write_conf(parts: Topology, upstream: Server) -> None:
    """deploy/mirror.conf for this machine, and for this upstream."""
    text = parts.here((ROOT / "deploy/mirror.conf").read_text(), who="")
    text = re.sub(r"^\[allowlist\]\n.*?(?=^\[site\])", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in (
        f"master = {upstream.url}",
        "listen = 127.0.0.1",
        f"port = {parts.site}",
        f"public-url = {parts.site_url}",
    ):
        key = line.partition(" ")[0]
        text, found = re.subn(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
        assert found == 1, key
    text = text.replace("[mirror]\n", "[mirror]\nworkers = 4\n")
    text += "\n[schedule]\ncron = none\nbatch-size = 1\nbatches-at-once = 2\nretry-delay = 1\n"
    text += "\n[audit]\ncron = none\n"
    parts.conf.write_text(text)


def start(parts: Topology) -> AirflowApi:
    parts.start("redis", AIRFLOW)
    parts.healthy("redis", AIRFLOW)
    parts.healthy("postgres", AIRFLOW)
    parts.run("init", AIRFLOW)
    parts.start("nginx", WEB)
    for service in ("api-server", "dag-processor", "triggerer"):
        parts.start(service, AIRFLOW)
    parts.healthy("api-server", AIRFLOW)
    parts.start("worker", AIRFLOW)
    parts.start("worker", OTHER)
    parts.start("scheduler", AIRFLOW)
    api = AirflowApi(parts.airflow_url, user="admin", password=parts.values["ADMIN_PASSWORD"])
    for service, user in (
        ("nginx", WEB),
        ("dag-processor", AIRFLOW),
        ("triggerer", AIRFLOW),
        ("scheduler", AIRFLOW),
    ):
        parts.healthy(service, user)
    for user in (AIRFLOW, OTHER):
        # This check takes seconds of CPU, so it is not what is waited with.
        parts.until(partial(says_ready, parts.log(f"worker-{user.name}")), "a worker does not become ready")
        assert parts.check("worker", user).returncode == 0, parts.tails()
    parts.until(lambda: api.has_dag(DAG_ID), f"Airflow does not find the DAG: {api.import_errors()}")
    return api


def says_ready(log: Path) -> bool:
    return " ready." in log.read_text()


def both_are_at_work(upstream: Server) -> bool:
    """Each worker has one batch at a time: with both files asked for, and not answered, each has one."""
    asked = {request.path.rpartition("/")[2] for request in upstream.requests.of("file")}
    return {f"{name}-1.0-py3-none-any.whl" for name in SLOW} <= asked


def owners(folder: Path) -> set[int]:
    return {path.stat().st_uid for path in folder.rglob("*") if path.is_file()}


def test_a_run_over_two_workers_of_which_one_dies(tmp_path: Path) -> None:
    warehouse = Warehouse(
        Upload(distribution=Wheel(name="alpha", requires_dist=("zulu",))),
        *(Upload(distribution=Wheel(name=name)) for name in (*QUICK[1:], *SLOW)),
    )
    slowly = (Fault(path=f"/packages/*/{name}-*.whl", effect=Delay(seconds=10), times=None) for name in SLOW)
    with running(warehouse, faults=tuple(slowly)) as upstream, topology(**IMPATIENT) as parts:
        write_conf(parts, upstream)
        api = start(parts)
        try:
            api.pause(DAG_ID, paused=False)
            run_id = api.trigger(DAG_ID, {})
            parts.until(lambda: both_are_at_work(upstream), "the workers do not get to the last batches")
            before = owners(parts.mirror / "web" / "packages")
            OTHER.kill()
            upstream.faults.clear()
            dead = parts.check("worker", OTHER)
            parts.until(
                lambda: api.run_state(DAG_ID, run_id) in {"success", "failed"}, "the run does not end"
            )
            state = api.run_state(DAG_ID, run_id)
            tasks = api.tasks(DAG_ID, run_id)
        finally:
            api.close()
        assert state == "success", [(t.task_id, t.map_index, t.state, parts.tails()) for t in tasks]
        assert before == {AIRFLOW.uid, OTHER.uid}, "not both workers have done batches"
        assert dead.returncode != 0, "the health check of a dead worker finds it well"
        batches = [task for task in tasks if task.task_id == "download_projects"]
        assert len(batches) > len(SLOW)
        assert sorted(task.try_number for task in batches)[-2:] == [1, 2], "one batch was taken up, once"

        installed = install(
            "alpha",
            index_url=f"{parts.site_url}/simple/",
            folder=tmp_path / "trial",
            log=tmp_path / "pip.log",
        )
        assert installed.packages == ("alpha 1.0", "zulu 1.0")
        assert_shared(parts.mirror)
        assert_databases_apart(parts)


def assert_shared(mirror: Path) -> None:
    """What either worker made the other one can change, and the web server's user can read."""
    for path in (mirror, *mirror.rglob("*")):
        found = path.stat()
        assert found.st_gid == STORAGE, path
        wanted = stat.S_IWGRP | stat.S_IRGRP | stat.S_IROTH
        wanted |= stat.S_ISGID | stat.S_IXGRP | stat.S_IXOTH if path.is_dir() else 0
        assert found.st_mode & wanted == wanted, (path, stat.filemode(found.st_mode))


def assert_databases_apart(parts: Topology) -> None:
    """The mirror's role does not get into Airflow's database, nor Airflow's into the mirror's."""
    port = parts.postgres.rpartition(":")[2].partition("/")[0]
    for role, database in (("mirror", "airflow"), ("airflow", "mirror")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"host=127.0.0.1 port={port} user={role} dbname={database} password=any")
