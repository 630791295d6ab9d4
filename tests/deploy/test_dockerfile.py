"""Dockerfile, .dockerignore and the scripts of the image."""

import json
import os
import re
import shlex
import stat
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
SCRIPTS = sorted((ROOT / "deploy").rglob("*.sh"))


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, its words), lines that go on joined and comments left out."""
    lines = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", lines)
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    last = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def test_every_instruction_is_one() -> None:
    known = {
        *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER"),
        *("VOLUME", "WORKDIR"),
    }
    assert {word for word, _ in instructions()} <= known
    for word, rest in instructions():
        if word in {"CMD", "ENTRYPOINT", "VOLUME"}:
            assert json.loads(rest)


def test_the_base_is_pinned_and_the_same_in_both_stages() -> None:
    image = next(rest.partition("=")[2] for word, rest in instructions() if word == "ARG")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", image)
    assert [rest.split()[0] for word, rest in instructions() if word == "FROM"] == ["${PYTHON_IMAGE}"] * 2


def test_packages_are_wheels_checked_by_their_hashes_from_files_that_are_there() -> None:
    [install] = [rest for word, rest in instructions() if word == "RUN" and "requirements.txt" in rest]
    words = shlex.split(install.replace("${WITH_KUBERNETES:+", "").replace("}", ""))
    assert "--require-hashes" in words
    assert words[words.index("--only-binary") + 1] == ":all:"
    files = [words[at + 1] for at, word in enumerate(words) if word == "-r"]
    assert files == ["requirements.txt", "requirements-celery.txt", "requirements-kubernetes.txt"]
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source


def test_the_final_stage_is_not_root_and_builds_nothing() -> None:
    stage = final_stage()
    [user] = [rest for word, rest in stage if word == "USER"]
    assert user.partition(":")[0] not in {"root", "0"}
    commands = " ".join(rest for word, rest in stage if word == "RUN")
    assert not re.search(r"\b(gcc|build-essential|make|pip|curl|git)\b", commands)
    last_run = max(number for number, (word, _) in enumerate(stage) if word == "RUN")
    assert [word for word, _ in stage].index("USER") > last_run
    assert [word for word, _ in stage].count("HEALTHCHECK") == 1


def _same_depth(path: str, pattern: str) -> bool:
    """A star of a rule does not match a slash; one of fnmatch does."""
    return path.count("/") == pattern.count("/")


def test_what_is_private_stays_out_of_the_image() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"

    def is_sent(path: str) -> bool:
        sent = True
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            parts = path.split("/")
            below = ["/".join(parts[: n + 1]) for n in range(len(parts))]
            anywhere = rule.startswith("**/") and any(fnmatch(part, pattern) for part in parts)
            if anywhere or any(fnmatch(each, pattern) and _same_depth(each, pattern) for each in below):
                sent = rule.startswith("!")
        return sent

    for private in (".env", ".git/config", "var/mirror/status", ".venv/bin/python", "tests/conftest.py"):
        assert not is_sent(private), private
    for needed in (
        *("requirements.txt", "requirements-celery.txt", "pyproject.toml", "dags/pypi_mirror_dag.py"),
        *("include/pypi_mirror/errors.py", "deploy/container/run.sh", "deploy/mirror.conf"),
    ):
        assert is_sent(needed), needed


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_posix_and_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text().startswith("#!/bin/sh\n")
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class TestRun:
    """The entry point, with programs in the place of Airflow's that say what they were started as."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        for name in ("airflow", "pypi-mirror", "python"):
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(
                '#!/bin/sh\necho "$(basename "$0") $* umask=$(umask) admin=${ADMIN_PASSWORD-}"\n'
            )
            program.chmod(0o755)
        return tmp_path / "bin"

    def run(self, path: Path, *words: str, **environment: str) -> list[str]:
        done = subprocess.run(
            [str(ROOT / "deploy/container/run.sh"), *words],
            env={
                "PATH": f"{path}:{os.environ['PATH']}",
                "AIRFLOW_HOME": str(path.parent / "home"),
                "WORKER_NAME": "one",
                "ADMIN_PASSWORD": "secret",
                **environment,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    def test_the_databases_come_before_nginxs_configuration(self, path: Path) -> None:
        said = [line.partition(" umask")[0] for line in self.run(path, "init")]
        assert said == ["airflow db migrate", "pypi-mirror ledger upgrade --wait"]

    def test_the_pool_is_made_where_there_is_none(self, path: Path) -> None:
        there = '[ "$1 $2" != "pools get" ] || exit 0\n'
        airflow = path / "airflow"
        said = airflow.read_text()
        for answer, made in ((there, []), (there.replace("exit 0", "exit 1"), ["airflow pools set mine 15"])):
            airflow.write_text(said.replace("#!/bin/sh\n", f"#!/bin/sh\n{answer}"))
            lines = self.run(path, "init", PYPI_MIRROR_POOL="mine", AIRFLOW__CORE__PARALLELISM="16")
            assert [line.partition(" Batches")[0] for line in lines if " pools " in line] == made

    @pytest.mark.parametrize(
        ("part", "command"),
        [
            ("scheduler", "airflow scheduler --skip-serve-logs"),
            ("triggerer", "airflow triggerer --skip-serve-logs"),
            ("dag-processor", "airflow dag-processor"),
            ("worker", "airflow celery worker --celery-hostname one --skip-serve-logs"),
            ("nginx", "pypi-mirror nginx serve --runtime /tmp/nginx --access-log /dev/stdout"),
        ],
    )
    def test_each_part_is_its_program_and_opens_what_it_makes_to_its_group(
        self, path: Path, part: str, command: str
    ) -> None:
        assert self.run(path, part) == [f"{command} umask=0002 admin=secret"]

    def test_the_api_server_keeps_no_password_in_its_environment(self, path: Path) -> None:
        write, serve = self.run(path, "api-server")
        assert write.startswith("python -m mirror_airflow.write_passwords")
        assert serve == "airflow api-server umask=0002 admin="

    def test_airflows_home_is_for_nobody_else(self, path: Path) -> None:
        self.run(path, "scheduler")
        assert stat.S_IMODE((path.parent / "home").stat().st_mode) == 0o700

    def test_other_words_are_a_command(self, path: Path) -> None:
        assert self.run(path, "echo", "a  b") == ["a  b"]
