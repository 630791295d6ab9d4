import os
import re
import subprocess
from pathlib import Path

from local_stack.layout import CHECKOUT


def make(*arguments: str, directory: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run make as a person would, also where the tests were started by make themselves."""
    return subprocess.run(
        ["make", *arguments],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    listed = set(re.findall(r"^  make ([a-z-]+) ", make("help").stdout, re.MULTILINE))
    assert listed == targets
    assert listed >= {"setup", "mirror", "up", "down", "test", "lint", "help"}


def test_make_alone_helps() -> None:
    assert make().stdout == make("help").stdout


def test_variables_reach_the_stack() -> None:
    ports = ("AIRFLOW_PORT=9001", "UPSTREAM_PORT=9002", "NGINX_PORT=9003")
    shown = make("-n", "mirror", "CONF=my.conf", *ports, "INSTALL=six").stdout
    for words in (
        "local_stack mirror",
        "--conf 'my.conf'",
        "--airflow-port '9001'",
        "--upstream-port '9002'",
        "--nginx-port '9003'",
        "--install 'six'",
    ):
        assert words in shown


def test_a_machine_without_a_fitting_python_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((CHECKOUT / "Makefile").read_text())
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", directory=tmp_path)
    assert done.returncode == 2
    assert "no Python 3.11 to 3.14 with its venv module" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
