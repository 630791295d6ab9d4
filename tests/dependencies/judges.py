"""Resolvers that judge: through the mirror they find what they find upstream."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from pypi_mirror.model import RunState
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.settings.values import Site
from tests.dependencies.graphs import Graph, make_graph
from tests.nginx_process import NginxProcess
from tests.runs.bench import Bench, make_bench
from tests.webserver.sites import free_port

_PATIENCE: Final = 120
# The one that pip runs on, as ``_SERVED`` has it.
_THIS_MACHINE: Final = ("3.11", "x86_64-manylinux_2_28")
# The pre-releases that uv takes where nobody asks for others.
_USUAL: Final = "if-necessary-or-explicit"
# The platform of who locks for all of them.
EVERYWHERE: Final = "all platforms"
# What of the unmet is so because of the mirror: by a filter, or since nothing is built here.
_OURS: Final = re.compile(r"\[[a-z]+\] |nobody can tell")
_NAMES: Final = re.compile(r"\bp\d{3}-x\b")
# What is served, and the machines of it, as uv names them.
_SERVED: Final[tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...]] = (
    (
        ("linux x86_64, CPython 3.11 to 3.12, glibc 2.28",),
        (("3.11", "x86_64-manylinux_2_28"), ("3.12", "x86_64-manylinux_2_28")),
    ),
    (
        ("linux x86_64, CPython 3.12, musl 1.2", "windows amd64, CPython 3.11"),
        (("3.12", "x86_64-unknown-linux-musl"), ("3.11", "x86_64-pc-windows-msvc")),
    ),
    (("macos arm64, CPython 3.11, macOS 14.0",), (("3.11", "aarch64-apple-darwin"),)),
    (
        (),
        (
            ("3.11", "x86_64-manylinux_2_28"),
            ("3.12", "x86_64-pc-windows-msvc"),
            ("3.9", "aarch64-apple-darwin"),
            ("3.11", EVERYWHERE),
            ("3.12", EVERYWHERE),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A resolution to ask for."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    resolution: str = "highest"
    prerelease: str = _USUAL
    python: str
    platform: str

    def options(self) -> list[str]:
        where = ["--universal"] if self.platform == EVERYWHERE else ["--python-platform", self.platform]
        return [
            *where,
            f"--python-version={self.python}",
            f"--resolution={self.resolution}",
            f"--prerelease={self.prerelease}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a resolver said; ``found`` are the pinned requirements, None where there is no solution."""

    found: tuple[str, ...] | None
    said: str

    @property
    def concerns(self) -> set[str]:
        """The projects of the solution, or those by which there is none."""
        return set(_NAMES.findall(self.said if self.found is None else " ".join(self.found)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A question with two answers, which nothing explains."""

    seed: int
    question: Question
    upstream: Answer
    mirror: Answer
    unmet: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.question}\nupstream: {self.upstream.found or self.upstream.said}\n"
            f"mirror: {self.mirror.found or self.mirror.said}\nunmet: {'; '.join(self.unmet)}"
        )


@dataclass(slots=True, kw_only=True)
class Judged:
    """How many questions were asked, how many had a solution, how many answers differed as the mirror had
    announced, and which otherwise.
    """

    asked: int = 0
    solved: int = 0
    explained: int = 0
    differences: list[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A graph, what of it is mirrored, and the machines that are served."""

    seed: int
    graph: Graph
    policy: Policy
    machines: tuple[tuple[str, str], ...]

    @property
    def has_prereleases(self) -> bool:
        """Whether who asks for pre-releases finds them."""
        return self.policy.of(Dependencies).prerelease == "all"


def make_case(seed: int, projects: int, *, markers: str = "environments", prerelease: str = "all") -> Case:
    """A case by ``seed``; with the ``markers`` any, others lock for all platforms."""
    chance = random.Random(seed)
    graph = make_graph(chance, projects)
    environments, machines = chance.choice(_SERVED)
    if markers == "any":
        machines += tuple((python, EVERYWHERE) for python in sorted({python for python, _ in machines}))
    policy = Policy(
        AllowedPackages(packages=tuple(map(parse_package, graph.roots))),
        Dependencies(follow="yes", markers=markers, prerelease=prerelease),
        ServedEnvironments(environments=tuple(map(parse_environment, environments))),
    )
    return Case(seed=seed, graph=graph, policy=policy, machines=machines)


def questions(case: Case, number: int) -> Iterator[Question]:
    """Questions about roots that the mirror has to answer."""
    chance = random.Random(case.seed + 1)
    roots = case.graph.roots
    for _ in range(number):
        python, platform = chance.choice(case.machines)
        constraints = tuple(
            f"{name}{chance.choice('<>')}{chance.choice(('=', ''))}{chance.choice(('1', '2', '1.1'))}"
            for name in chance.sample(case.graph.names, min(2, len(case.graph.names)))
        )
        yield Question(
            requirements=tuple(chance.sample(roots, chance.randint(1, len(roots)))),
            constraints=constraints if chance.random() < 0.3 else (),
            resolution=chance.choice(("highest", "highest", "lowest", "lowest-direct")),
            prerelease=chance.choice((_USUAL, _USUAL, "allow")) if case.has_prereleases else _USUAL,
            python=python,
            platform=platform,
        )


@contextmanager
def mirrored(directory: Path, case: Case) -> Iterator[Bench]:
    """The case's index, mirrored and served."""
    port = free_port()
    site = Site(port=port, prefix="", public_url=f"http://127.0.0.1:{port}")
    with make_bench(directory, *case.graph.events, policy=case.policy, site=site) as made:
        assert made.sync().state is RunState.SUCCESS
        with NginxProcess(made.settings):
            yield made


def judge(
    directory: Path,
    seed: int,
    *,
    projects: int,
    number: int,
    judges: Sequence["MakeResolver"] | None = None,
    **options: str,
) -> Judged:
    """Ask ``number`` questions about a graph of ``projects``, upstream and the mirror, which ``options`` of
    ``make_case`` make; each of ``judges``, by default uv, is asked those that it can answer.
    """
    case = make_case(seed, projects, **options)
    judged = Judged(differences=[])
    with mirrored(directory / "mirror", case) as made, ThreadPoolExecutor(2) as both:
        with made.open() as mirror:
            found = dependencies(mirror)
        assert found is not None
        unmet = tuple(map(str, found.unmet))
        cut = {each.project for each in found.cut}
        cut |= {each.project for each in found.unmet if _OURS.match(each.reason)}
        indexes = f"{made.server.url}/simple/", f"{made.settings.site.public_url}/simple/"
        for make in judges or (Uv,):
            pair = [make(index=index, home=directory / f"home-{n}") for n, index in enumerate(indexes)]
            for question in filter(pair[0].answers, questions(case, number)):
                upstream, here = both.map(lambda one, question=question: one(question), pair)
                judged.asked += 1
                judged.solved += upstream.found is not None
                if upstream.found == here.found:
                    continue
                if cut & (upstream.concerns | here.concerns):
                    judged.explained += 1
                else:
                    judged.differences.append(
                        Difference(seed=seed, question=question, upstream=upstream, mirror=here, unmet=unmet)
                    )
    return judged


class Judge(Protocol):
    """A resolver over one index, with caches of its own."""

    def answers(self, question: Question) -> bool:
        """Whether it can be asked that on this machine."""

    def __call__(self, question: Question) -> Answer: ...


class MakeResolver(Protocol):
    def __call__(self, *, index: str, home: Path) -> Judge: ...


class Uv:
    def __init__(self, *, index: str, home: Path) -> None:
        found = shutil.which("uv", path=Path(sys.executable).parent)
        assert found is not None, "uv is one of requirements-dev.txt"
        self._uv = found
        self._index = index
        self._home = home
        home.mkdir(parents=True, exist_ok=True)

    def answers(self, _question: Question) -> bool:
        return True

    def __call__(self, question: Question) -> Answer:
        wanted, limits = self._home / "requirements.in", self._home / "constraints.txt"
        wanted.write_text("\n".join(question.requirements))
        limits.write_text("\n".join(question.constraints))
        done = _run(
            self._home,
            *(self._uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"),
            *("--no-python-downloads", "--default-index", self._index, *question.options()),
            *("--constraint", limits, wanted),
        )
        return Answer(found=tuple(done.stdout.split()) if done.returncode == 0 else None, said=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """pip, which resolves for the machine that it runs on, and the newest that a requirement admits."""

    python: Path
    index: str
    home: Path

    def answers(self, question: Question) -> bool:
        return (question.python, question.platform) == _THIS_MACHINE and question.resolution == "highest"

    def __call__(self, question: Question) -> Answer:
        self.home.mkdir(parents=True, exist_ok=True)
        limits, report = self.home / "constraints.txt", self.home / "report.json"
        limits.write_text("\n".join(question.constraints))
        host = urlsplit(self.index).hostname or ""
        done = _run(
            self.home,
            *(self.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"),
            *("--dry-run", "--ignore-installed", "--report", report, "--only-binary", ":all:"),
            *("--index-url", self.index, "--trusted-host", host, "--constraint", limits),
            *(["--pre"] if question.prerelease == "allow" else []),
            *question.requirements,
        )
        if done.returncode != 0:
            return Answer(found=None, said=done.stderr)
        chosen = [each["metadata"] for each in json.loads(report.read_text())["install"]]
        found = sorted(f"{canonicalize_name(each['name'])}=={each['version']}" for each in chosen)
        return Answer(found=tuple(found), said=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poetry:
    """Poetry, which locks for all platforms."""

    python: Path
    index: str
    home: Path

    def answers(self, question: Question) -> bool:
        is_plain = question.resolution == "highest" and not question.constraints
        return question.platform == EVERYWHERE and is_plain

    def __call__(self, question: Question) -> Answer:
        project = self.home / "project"
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        needs = ", ".join(f'"{each}"' for each in question.requirements)
        (project / "pyproject.toml").write_text(
            f'[project]\nname = "judge"\nversion = "1"\nrequires-python = ">={question.python},<4"\n'
            f"dependencies = [{needs}]\n[tool.poetry]\npackage-mode = false\n"
            f'[[tool.poetry.source]]\nname = "mirror"\nurl = "{self.index}"\npriority = "primary"\n'
        )
        done = _run(
            self.home,
            *(self.python, "-m", "poetry", "--no-interaction", "--no-ansi", "lock"),
            *("--directory", project),
        )
        if done.returncode != 0:
            return Answer(found=None, said=done.stdout + done.stderr)
        locked = tomllib.loads((project / "poetry.lock").read_text())["package"]
        found = sorted(f"{each['name']}=={each['version']} {each.get('markers', '')}" for each in locked)
        return Answer(found=tuple(found), said="")


def _run(home: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={
            "PATH": os.defpath,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        },
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
