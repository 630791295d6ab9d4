"""deploy/helm: values for Airflow's chart and what stands beside it, consistent and confined."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from mirror_airflow.scheduling import POOL
from tests.deploy.airflow_options import unknown_options
from tests.deploy.compose import ROOT, example, services

FOLDER = ROOT / "deploy/helm"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
POD = yaml.safe_load((FOLDER / "pod-template.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((FOLDER / "mirror.yaml").read_text()))
PODS = [POD, *(each["spec"]["template"] for each in OBJECTS if each["kind"] in {"Job", "Deployment"})]
every_pod = pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["metadata"]["labels"]["component"])


def walk(value: Any) -> Iterator[Any]:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(each)


def named(kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in OBJECTS if each["kind"] == kind}


def test_every_name_is_one_that_airflow_knows() -> None:
    variables = {each["name"] for part in (VALUES, *PODS) for each in _environment(part)}
    variables |= {each["envName"] for each in VALUES["secret"]}
    assert any(name.startswith("AIRFLOW__") for name in variables)
    assert unknown_options(variables) == []


def _environment(document: Any) -> Iterator[dict[str, Any]]:
    for value in walk(document):
        if isinstance(value, dict):
            yield from value.get("env") or ()


def test_no_secret_stands_in_the_files() -> None:
    for document in (VALUES, *PODS):
        for each in _environment(document):
            secret = any(word in each["name"] for word in ("PASSWORD", "FERNET", "SECRET", "LEDGER_URL"))
            # The file that passwords are written to is none itself.
            if secret and not each["name"].endswith("_FILE"):
                assert "secretKeyRef" in each["valueFrom"], each["name"]
    for key in ("fernetKey", "jwtSecret", "apiSecretKey", "webserverSecretKey"):
        assert key not in VALUES


def test_the_volumes_that_are_mounted_are_claimed() -> None:
    claims = {
        value["claimName"]
        for value in walk([VALUES, *PODS])
        if isinstance(value, dict) and "claimName" in value
    }
    assert claims | {VALUES["logs"]["persistence"]["existingClaim"]} == named("PersistentVolumeClaim")
    for each in OBJECTS:
        if each["kind"] == "PersistentVolumeClaim":
            assert each["spec"]["accessModes"] == ["ReadWriteMany"], "pods are on any node"


def test_every_part_reaches_the_mirror_and_its_configuration() -> None:
    """By the volumes that all parts have: one of a part's own at the same place would be refused."""
    mounts = {mount["name"]: mount["mountPath"] for mount in VALUES["volumeMounts"]}
    assert mounts == {"mirror": "/srv/pypi", "configuration": "/etc/pypi-mirror"}
    assert {volume["name"] for volume in VALUES["volumes"]} == set(mounts)
    for pod in PODS:
        for container in pod["spec"]["containers"]:
            its = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounts.items() <= its.items()


@every_pod
def test_each_pod_is_confined(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert not container["image"].endswith(":latest")
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_nginx_is_another_user_who_only_reads() -> None:
    [nginx] = [pod for pod in PODS if pod["metadata"]["labels"]["component"] == "nginx"]
    [mount] = [m for m in nginx["spec"]["containers"][0]["volumeMounts"] if m["name"] == "mirror"]
    assert mount["readOnly"] is True
    users = {pod["spec"]["securityContext"]["runAsUser"] for pod in PODS if pod is not nginx}
    assert users == {10001} == {VALUES["uid"]}
    assert nginx["spec"]["securityContext"]["runAsUser"] not in users


def test_its_service_is_where_the_configuration_looks_for_it() -> None:
    [service] = [each for each in OBJECTS if each["kind"] == "Service"]
    [port] = service["spec"]["ports"]
    address = f"http://{service['metadata']['name']}:{port['port']}/"
    assert f"probe-url = {address}" in (ROOT / "deploy/mirror.conf").read_text()


def test_the_users_are_those_of_the_image() -> None:
    compose = services(example())
    assert compose["scheduler"]["user"] == f"{VALUES['uid']}:{VALUES['gid']}"


def test_a_task_is_the_container_that_airflow_looks_for() -> None:
    assert [container["name"] for container in POD["spec"]["containers"]] == ["base"]
    assert POD["spec"]["restartPolicy"] == "Never"


def test_tasks_write_their_logs_where_the_api_server_reads_them() -> None:
    here, there = (
        {each["name"]: each.get("value") for each in _environment(document)} for document in (VALUES, POD)
    )
    folder = here["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    assert folder == there["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    [mount] = [m for m in POD["spec"]["containers"][0]["volumeMounts"] if m["name"] == "logs"]
    assert mount["mountPath"] == folder


def test_the_tasks_that_download_have_a_pool_and_it_is_made() -> None:
    for document in (VALUES, POD):
        values = {each["name"]: each.get("value") for each in _environment(document)}
        assert values["PYPI_MIRROR_POOL"] == POOL
    [command] = VALUES["migrateDatabaseJob"]["args"]
    script = command.partition("exec /opt/pypi-mirror/")[2]
    assert command.startswith("airflow db migrate && ")
    assert (ROOT / script).is_file()
