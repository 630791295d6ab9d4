"""What a verb imports is most of the time that it takes: what few runs need is imported where it is used."""

import subprocess
import sys

import pytest

from pypi_mirror.cli import _VERBS

RARE = {"rich", "sqlalchemy.dialects.postgresql", "jinja2", "pypi_simple", "alembic"}


@pytest.mark.parametrize("verb", _VERBS)
def test_no_verb_imports_what_few_runs_need(verb: str) -> None:
    code = f"import sys, pypi_mirror.cli.{verb}; print(*({RARE!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
