"""docker-compose.yaml: what every service has to have, and what none may."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from mirror_airflow.healthy import CHECKS
from pypi_mirror.settings.read import read_settings
from tests.deploy.airflow_options import unknown_options
from tests.deploy.compose import COMPOSE, EXAMPLE, ROOT, MissingVariable, example, secrets, services
from tests.requirements_present import require

SERVICES = services(example())
BUILT = [name for name, service in SERVICES.items() if "pypi-mirror" in service["image"]]
AIRFLOW = [name for name in BUILT if name != "nginx"]
NAMES = list(SERVICES)

every_service = pytest.mark.parametrize("name", NAMES)


def test_the_parts_are_there() -> None:
    assert set(NAMES) == {
        *("postgres", "redis", "init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"),
        "nginx",
    }
    assert {name for name in NAMES if "celery" in SERVICES[name].get("profiles", ())} == {"redis", "worker"}


def test_a_real_parser_takes_it(tmp_path: Path) -> None:
    """Its schema and its variables, by docker-compose or the plugin of docker, whichever there is."""
    program = shutil.which("docker-compose")
    require(program, "docker-compose")
    environment = tmp_path / "env"
    environment.write_text("".join(f"{name}={value}\n" for name, value in example().items()))
    command = [str(program), "--file", str(COMPOSE), "--env-file", str(environment)]
    done = subprocess.run(
        [*command, "--profile", "celery", "config", "--services"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(NAMES)


@every_service
def test_each_has_a_check_of_its_health_and_what_it_needs_to_have_one(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert check["interval"]
    if "mirror_airflow.healthy" in check["test"]:
        assert check["test"][-1] == name
        assert name in CHECKS


@every_service
def test_each_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].partition(":")[0] not in {"", "0", "root"}
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))


@every_service
def test_each_has_limits_and_logs_that_are_rotated(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service["logging"]["options"]["max-file"]


@every_service
def test_nothing_is_published_beyond_this_host(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:"), port


@every_service
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert tag == "local" if name in BUILT else re.match(r"\d+\.\d+", tag), tag


def test_only_airflow_and_the_site_are_published_and_the_databases_have_no_way_out() -> None:
    assert [name for name in NAMES if SERVICES[name].get("ports")] == ["api-server", "nginx"]
    document = yaml.safe_load(COMPOSE.read_text())
    assert document["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]


@pytest.mark.parametrize("name", secrets())
def test_a_secret_that_is_missing_is_named_and_none_has_a_default(name: str) -> None:
    for missing in ({name: ""}, None):
        given = {k: v for k, v in example().items() if k != name} | (missing or {})
        with pytest.raises(MissingVariable, match=rf"{name} is not set - make env"):
            services(given)


def test_the_example_has_every_variable_without_a_default_and_the_services_use_all_of_it() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    assert set(example()) <= used
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE.read_text()))
    assert demanded == set(secrets())


def test_what_airflows_parts_must_have_in_common_they_have() -> None:
    kept = [
        {k: v for k, v in SERVICES[name]["environment"].items() if not k.endswith("_PASSWORD")}
        for name in AIRFLOW
    ]
    assert all(each == kept[0] for each in kept)
    assert kept[0].keys() >= {
        *("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"),
        *("PYTHONPATH", "PYPI_MIRROR_CONF", "PYPI_MIRROR_LEDGER_URL"),
    }


def test_every_name_is_one_that_airflow_knows() -> None:
    names = {key for name in AIRFLOW for key in SERVICES[name]["environment"]}
    assert unknown_options(names) == []
    assert unknown_options({"AIRFLOW__CORE__FERNET_KAY"}) == ["AIRFLOW__CORE__FERNET_KAY"]


def test_the_executor_is_one_variable() -> None:
    for executor in ("LocalExecutor", "CeleryExecutor"):
        scheduler = services(example() | {"EXECUTOR": executor})["scheduler"]
        assert scheduler["environment"]["AIRFLOW__CORE__EXECUTOR"] == executor


def test_the_passwords_of_people_are_only_where_they_are_checked() -> None:
    having = [name for name in NAMES if "ADMIN_PASSWORD" in SERVICES[name].get("environment", {})]
    assert having == ["api-server"]
    assert not any("PASSWORD" in key or "SECRET" in key for key in SERVICES["nginx"]["environment"])


def test_all_parts_reach_the_mirror_and_nginx_only_reads_it() -> None:
    for name in BUILT:
        [mount] = [v for v in SERVICES[name]["volumes"] if v.startswith("mirror:")]
        assert mount == ("mirror:/srv/pypi:ro" if name == "nginx" else "mirror:/srv/pypi")
    users = {name: SERVICES[name]["user"] for name in BUILT}
    assert len({user for name, user in users.items() if name != "nginx"}) == 1
    assert users["nginx"] not in {users[name] for name in AIRFLOW}


def test_nothing_starts_before_the_databases_are_up_to_date() -> None:
    for name in {*BUILT} - {"init"}:
        assert SERVICES[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}
    assert SERVICES["worker"]["depends_on"]["redis"] == {"condition": "service_healthy"}


def test_the_configuration_for_containers_is_right_for_them() -> None:
    settings = read_settings(ROOT / "deploy/mirror.conf", {})
    assert str(settings.directory) == "/srv/pypi"
    assert settings.site.reload == "watch"
    assert settings.site.probe_url == f"http://nginx:{settings.site.port}{settings.site.prefix}"
    [published] = SERVICES["nginx"]["ports"]
    assert published.endswith(f":{settings.site.port}")
    assert settings.policy.named_projects, "a first try must not mirror everything"


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def test_no_secret_is_an_argument() -> None:
    """Arguments are everybody's to read on the host: ps shows them."""
    for name, service in SERVICES.items():
        for value in (service.get("command", ""), service["healthcheck"]["test"]):
            assert not any(secret.lower() in _words(value) for secret in secrets()), name


class TestMakeEnv:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        (tmp_path / "deploy").mkdir()
        for name in ("deploy/make-env.sh", ".env.example"):
            shutil.copy(ROOT / name, tmp_path / name)
        return tmp_path

    def make(self, checkout: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(checkout / "deploy/make-env.sh")], capture_output=True, text=True, check=False, cwd="/"
        )

    def test_writes_what_the_services_need_readable_by_its_owner_alone(self, checkout: Path) -> None:
        done = self.make(checkout)
        assert done.returncode == 0, done.stderr
        written = checkout / ".env"
        assert written.stat().st_mode & 0o777 == 0o600
        values = dict(re.findall(r"^([A-Z_]+)=(.*)$", written.read_text(), re.MULTILINE))
        random = [values[name] for name in secrets()]
        assert len(set(random)) == len(random)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}=?", value) for value in random)
        assert not any(value in done.stdout for value in random)
        environment = services(values)["scheduler"]["environment"]
        from cryptography.fernet import Fernet

        Fernet(environment["AIRFLOW__CORE__FERNET_KEY"])

    def test_leaves_one_that_is_there(self, checkout: Path) -> None:
        (checkout / ".env").write_text("MINE=1\n")
        done = self.make(checkout)
        assert done.returncode == 1
        assert "stays as it is" in done.stderr
        assert (checkout / ".env").read_text() == "MINE=1\n"
        assert sorted(path.name for path in checkout.glob(".env*")) == [".env", ".env.example"]

    def test_the_private_file_is_kept_out_of_git(self) -> None:
        assert "/.env" in (ROOT / ".gitignore").read_text().split()
        assert not any(EXAMPLE.read_text().count(f"{name}=x") for name in secrets())
