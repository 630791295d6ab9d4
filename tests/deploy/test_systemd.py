"""deploy/systemd: units that systemd takes, held to what they need."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mirror_airflow.scheduling import POOL
from tests.deploy.airflow_options import unknown_options
from tests.deploy.compose import ROOT, example, services
from tests.requirements_present import require

FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
ENVIRONMENT = dict(
    re.findall(r"^([A-Z_]+)=(.*)$", (FOLDER / "environment.example").read_text(), re.MULTILINE)
)

every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)


def service(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section = unit.read_text().partition("[Service]\n")[2].partition("\n[Install]")[0]
    for key, value in re.findall(r"^(\w+)=(.*)$", section, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_there_is_one_for_each_part_of_the_compose_file() -> None:
    ours = {unit.stem.removeprefix("pypi-mirror-").rstrip("@") for unit in UNITS}
    assert ours == set(services(example())) - {"postgres", "redis", "init"} | {"upgrade"}


def test_systemd_takes_them(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    require(program, "systemd-analyze")
    for unit in UNITS:
        # It looks whether the programs are there, and they are in /opt.
        text = re.sub(r"/opt/pypi-mirror/\.venv/bin/[\w-]+", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [str(program), "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "pypi-mirror" in line]
    assert (done.returncode, said) == (0, [])


@every_unit
def test_each_is_confined(unit: Path) -> None:
    found = service(unit)
    assert found["User"][0] not in {"root", ""}
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID"):
        assert found[key] == ["yes"], key


@every_unit
def test_each_begins_with_a_program_of_ours(unit: Path) -> None:
    for command in service(unit)["ExecStart"]:
        assert command.startswith(
            ("/opt/pypi-mirror/.venv/bin/airflow ", "/opt/pypi-mirror/.venv/bin/pypi-mirror ")
        )


def test_nginx_only_reads_the_mirror_and_has_none_of_the_secrets() -> None:
    found = service(FOLDER / "pypi-mirror-nginx.service")
    assert found["ReadOnlyPaths"] == ["/srv/pypi"]
    assert "EnvironmentFile" not in found
    assert found["User"] != service(FOLDER / "pypi-mirror-scheduler.service")["User"]


def test_what_writes_to_the_mirror_opens_it_to_its_group() -> None:
    for unit in UNITS:
        found = service(unit)
        if "/srv/pypi" in " ".join(found.get("ReadWritePaths", ())):
            assert found["UMask"] == ["0002"], unit.name


def test_the_environment_is_that_of_the_containers_in_names_airflow_knows() -> None:
    assert unknown_options(ENVIRONMENT) == []
    containers = set(services(example())["scheduler"]["environment"])
    assert containers <= set(ENVIRONMENT)


def test_every_secret_has_to_be_changed() -> None:
    for name, value in ENVIRONMENT.items():
        if re.search(r"SECRET|FERNET|SQL_ALCHEMY|BROKER_URL|LEDGER_URL", name):
            assert "CHANGE-ME" in value, name


def test_units_are_of_the_form_that_systemd_reads() -> None:
    for unit in UNITS:
        parser = configparser.RawConfigParser(strict=False, interpolation=None)
        parser.read_string(unit.read_text())
        assert parser.sections() == ["Unit", "Service", "Install"], unit.name


def test_the_tasks_that_download_have_a_pool_and_it_is_made() -> None:
    assert ENVIRONMENT["PYPI_MIRROR_POOL"] == POOL
    [made] = service(FOLDER / "pypi-mirror-upgrade.service")["ExecStartPost"]
    script = ROOT / made.removeprefix("/bin/sh /opt/pypi-mirror/")
    assert script.is_file()
