"""Real packages through a mirror that follows dependencies: the roots of `make mirror` and what they require.

pip, uv and Poetry find what they find upstream, on every Python that is served, and install it.
"""

import json
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from local_stack.bring_up import write_sample_conf
from local_stack.layout import CHECKOUT, Layout
from local_stack.samples import plan_downloads, read_samples
from pypi_mirror.settings.read import read_settings
from tests.clients.client import Client
from tests.clients.commands import Pip, Poetry, Uv
from tests.clients.site import Site, serving
from tests.dependencies import resolvers
from tests.dependencies.resolvers import EVERYWHERE, MakeResolver, Question
from tests.real_files import real_files
from tests.warehouse import Artifact, Upload

pytestmark = pytest.mark.servers

_SERVED: Final = ("3.11", "3.12", "3.13")
_MACHINE: Final = platform.machine()
_CONF: Final = "[allowlist]\npackages =\n  {roots}\n[dependencies]\nfollow = yes\nmarkers = {markers}\n"
_PROJECT: Final = """\
[project]
name = "till"
version = "1"
requires-python = ">=3.11,<3.14"
dependencies = {needs}

[tool.poetry]
package-mode = false

"""
_LIST: Final = (
    "import importlib.metadata, json; "
    "print(json.dumps({each.name: each.version for each in importlib.metadata.distributions()}))"
)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What the demo's mirror names."""
    layout = Layout(CHECKOUT, var=tmp_path_factory.mktemp("demo"))
    conf = write_sample_conf(layout, upstream_port=1, site_port=2)
    return tuple(sorted(read_settings(conf, {}).policy.allowed.projects))


@pytest.fixture(scope="module")
def uploads() -> list[Upload]:
    """The demo's files, but for those of other machines than this one."""
    others = {"x86_64": "aarch64", "aarch64": "x86_64"}[_MACHINE], "Windows", "macOS"
    plan = [each for each in plan_downloads(read_samples()) if not any(word in each.label for word in others)]
    return [Upload(distribution=Artifact.of(path)) for path in real_files(*plan)]


@pytest.fixture(scope="module", params=["environments", "any"])
def sample_site(
    request: pytest.FixtureRequest,
    roots: tuple[str, ...],
    uploads: list[Upload],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    with serving(
        tmp_path_factory.mktemp("site"),
        platform=f"environments = linux {_MACHINE}, CPython 3.11 to 3.13, glibc 2.28",
        site=_CONF.format(roots="\n  ".join(roots), markers=request.param),
        events=uploads,
    ) as site:
        yield site


for_machines = pytest.mark.parametrize("sample_site", ["environments"], indirect=True)
for_locks = pytest.mark.parametrize("sample_site", ["any"], indirect=True)


def asked(site: Site, home: Path, make: MakeResolver, *questions: Question) -> list[set[str]]:
    """The solutions, which are the same upstream and through the mirror."""
    indexes = f"{site.upstream.url}/simple/", site.index_url
    pair = [make(index=index, home=home / name) for index, name in zip(indexes, ("up", "here"), strict=True)]
    answers = []
    with ThreadPoolExecutor(2) as both:
        for question in questions:
            upstream, here = both.map(lambda one, question=question: one(question), pair)
            assert here.found == upstream.found, f"{question}\n{upstream.said}\n{here.said}"
            assert here.found, f"{question}\n{here.said}"
            answers.append(set(here.found))
    return answers


def about(roots: tuple[str, ...], python: str, machine: str = f"{_MACHINE}-manylinux_2_28") -> list[Question]:
    """A question for all roots, and one for each."""
    every = (roots, *((root,) for root in roots))
    return [Question(requirements=each, python=python, platform=machine) for each in every]


def in_environment(client: Client, python: Path, roots: tuple[str, ...]) -> set[str]:
    """What is installed, as resolvers write it; the roots work."""
    client.succeed([python, "-c", f"import {', '.join(roots)}"])
    found = json.loads(client.succeed([python, "-c", _LIST]).out)
    return {f"{canonicalize_name(name)}=={version}" for name, version in found.items()}


@for_machines
@pytest.mark.parametrize("python", _SERVED)
def test_uv_finds_the_same_and_installs_it(
    sample_site: Site, roots: tuple[str, ...], client: Client, uv: Uv, python: str
) -> None:
    questions = about(roots, python)
    found = asked(sample_site, client.home, resolvers.Uv, *questions)[0]
    folder = client.home / "installed"
    machine = ("--python-version", python, "--python-platform", questions[0].platform)
    command = uv.at(
        sample_site, "pip install", "--target", folder, *machine, "--only-binary", ":all:", *roots
    )
    client.succeed(command)
    names = (path.name.removesuffix(".dist-info").rpartition("-") for path in folder.glob("*.dist-info"))
    assert {f"{canonicalize_name(name)}=={version}" for name, _, version in names} == found


@for_machines
def test_pip_finds_the_same_and_installs_it(
    sample_site: Site, roots: tuple[str, ...], client: Client, newest_pip: Pip
) -> None:
    make = partial(resolvers.Pip, python=newest_pip.python)
    found = asked(sample_site, client.home, make, *about(roots, "3.11"))[0]
    python = client.new_environment()
    client.succeed(newest_pip.at(sample_site, "install", *roots, into=python))
    assert in_environment(client, python, roots) == found


@for_locks
def test_poetry_locks_the_same_and_installs_it(
    sample_site: Site, roots: tuple[str, ...], client: Client, poetry: Poetry
) -> None:
    every = Question(requirements=roots, python="3.11", platform=EVERYWHERE)
    asked(sample_site, client.home, partial(resolvers.Poetry, python=poetry.python), every)
    project = client.home / "project"
    project.mkdir()
    _, source = sample_site.get("/poetry.toml")
    (project / "pyproject.toml").write_text(_PROJECT.format(needs=json.dumps(roots)) + source.decode())
    client.succeed(poetry("lock"), cwd=project)
    client.succeed(poetry("install"), cwd=project)
    found = asked(sample_site, client.home, resolvers.Uv, about(roots, "3.11")[0])[0]
    assert in_environment(client, project / ".venv" / "bin" / "python", roots) == found


@for_locks
def test_uv_locks_the_same_for_all_platforms(
    sample_site: Site, roots: tuple[str, ...], client: Client
) -> None:
    asked(sample_site, client.home, resolvers.Uv, *about(roots, "3.11", EVERYWHERE))


@for_machines
def test_only_what_the_roots_require_is_mirrored(sample_site: Site, roots: tuple[str, ...]) -> None:
    pages = {path.name for path in (sample_site.settings.web / "simple").iterdir() if path.is_dir()}
    assert pages > {*roots, "werkzeug", "idna", "pydantic-core", "multidict"}
    assert pages.isdisjoint({"msgpack", "wrapt", "tqdm", "pyyaml"})
