"""Indexes whose pages are somewhere else than below ``/simple/``, and such as have no list of projects."""

from dataclasses import replace
from pathlib import Path

import pytest

from pypi_mirror.errors import NoProjectList, UpstreamError
from pypi_mirror.model import RunKind, RunState
from tests.runs.audit import audit, compare, compare_page
from tests.runs.bench import MakeBench
from tests.runs.test_upstreams import served
from tests.warehouse import (
    HTML_ONLY,
    SERIAL_LESS,
    STATIC,
    Behaviour,
    Fault,
    Instead,
    RemoveProject,
    Status,
    Upload,
    Wheel,
    Yank,
    small,
)

BASES = [
    "/root/dev/+simple/",
    "/index/",
    "/whl/cu1/",
    "/",
    "/api/v4/projects/1/packages/pypi/simple/",
    "/api/pypi/x/simple/",
]
KINDS = {"static": STATIC, "serial-less": SERIAL_LESS, "html-only": HTML_ONLY}


@pytest.mark.parametrize("base", BASES)
def test_any_base_is_found_and_remembered(bench: MakeBench, base: str) -> None:
    made = bench(scenario=small(), behaviour=replace(STATIC, base=base))
    assert made.sync().state is RunState.SUCCESS
    assert made.listed("alpha")
    audit(made)
    compare(made)
    made.server.requests.reset()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")), RemoveProject(project="old"))
    made.sync()
    assert [each.path for each in made.server.requests.of("index")] == [base]
    assert {each.path for each in made.server.requests.of("page")} == {f"{base}alpha/", f"{base}old/"}
    assert made.server.requests.count("xmlrpc") == 0
    assert made.downloads() == ["alpha-2.0-py3-none-any.whl"]
    audit(made)
    compare(made)


@pytest.mark.parametrize("behaviour", KINDS.values(), ids=KINDS)
def test_every_kind_of_index_may_be_elsewhere(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(scenario=small(), behaviour=replace(behaviour, base="/whl/cu1/"))
    assert made.sync().state is RunState.SUCCESS
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    compare(made)


def test_a_master_that_ends_in_simple(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=STATIC)
    made.change(master=f"{made.server.url}/simple")
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    compare(made)


def test_an_index_that_moved_its_pages_is_found_again(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=STATIC)
    made.sync()
    made.change(master=f"{made.server.url}/index")
    made.server.routes.behaviour = replace(STATIC, base="/index/simple/")
    assert made.sync().state is RunState.SUCCESS
    made.server.routes.behaviour = replace(STATIC, base="/index/")
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads()[-1:] != []
    assert "alpha-2.0-py3-none-any.whl" in made.listed("alpha")
    audit(made)


def test_a_named_project_before_any_sync(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, base="/whl/cu1/"))
    assert made.sync(kind=RunKind.SELECTED, projects=("alpha",)).state is RunState.SUCCESS
    assert made.listed("alpha")


def test_legacy_json_is_asked_for_beside_simple_alone(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=replace(STATIC, base="/whl/cu1/"), json=True)
    assert made.sync().state is RunState.SUCCESS
    assert made.server.requests.count("json") == 0
    assert made.server.requests.unexpected == ()


def test_a_web_sites_front_page_is_no_list_of_projects(bench: MakeBench) -> None:
    """An index that is 404 for a moment must not become a mirror of Help and Sponsors."""
    front = (
        '<html><a href="#content">Skip</a><a href="/help/">Help</a><a href="/sponsors/">Sponsors</a>'
        '<a href="/account/login/">In</a></html>'
    )
    made = bench(scenario=small(), behaviour=SERIAL_LESS)
    made.sync()
    made.server.inject(
        Fault(path="/simple/", effect=Status(code=404), times=None),
        Fault(path="/", effect=Instead(body=front), times=None),
    )
    with pytest.raises(UpstreamError, match="404"):
        made.sync()
    audit(made)
    assert made.listed("alpha")


ROOTLESS = [404, 403, 405, 410]


@pytest.mark.parametrize("status", ROOTLESS)
@pytest.mark.parametrize("base", ["/simple/", "/whl/cu1/"])
def test_without_a_list_of_upstreams_ours_is_asked_for(bench: MakeBench, status: int, base: str) -> None:
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, base=base, root_list=status))
    made.allow("alpha", "beta-lib", "nosuch")
    first = made.sync()
    assert (first.state, first.source, made.cursor) == (RunState.SUCCESS, "index", None)
    for name in ("alpha", "beta-lib"):
        compare_page(made, name)
    assert not made.page_directory("nosuch").exists()
    audit(made)
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    pages = [each for each in made.server.requests.of("page") if "if-none-match" in each.headers]
    assert {each.status for each in pages} == {304}
    made.server.apply(
        Upload(distribution=Wheel(name="alpha", version="2.0")),
        Yank(project="Beta.Lib", version="1.0", reason="no"),
    )
    made.server.requests.reset()
    made.sync()
    assert made.downloads() == ["alpha-2.0-py3-none-any.whl"]
    for name in ("alpha", "beta-lib"):
        compare_page(made, name)
    made.allow("alpha")
    made.sync()
    assert not made.page_directory("beta-lib").exists()
    audit(made)


@pytest.mark.parametrize("status", ROOTLESS)
def test_without_any_list_the_error_says_what_to_do(bench: MakeBench, status: int) -> None:
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, root_list=status))
    with pytest.raises(NoProjectList, match=rf"{status}.*\[allowlist\] packages.*master"):
        made.sync()
    made.allow("nosuch")
    with pytest.raises(
        NoProjectList, match=r"nor a page of those in \[allowlist\] packages or requirements \(nosuch\)"
    ):
        made.sync()


def test_a_web_servers_own_listing(bench: MakeBench, tmp_path: Path) -> None:
    """What nginx and Apache make of a folder: slashes, cut names, links to the parent and to sort by."""
    tree = tmp_path / "tree" / "whl"
    names = {"alpha": "alpha", "a-project-of-a-very-long-name-that-is-cut": "a-project-of-a-very-lon..&gt;"}
    lines = ["<a href='../'>../</a>", "<a href='?C=M;O=A'>Last modified</a>"]
    for name, text in names.items():
        wheel = Wheel(name=name)
        (tree / name).mkdir(parents=True)
        (tree / name / wheel.file_name).write_bytes(wheel.content())  # type: ignore[arg-type]
        (tree / name / "index.html").write_text(
            "<html><h1>Index of</h1><a href='../'>../</a>"
            f"<a href='{wheel.file_name}'>{wheel.file_name}</a></html>"
        )
        lines.append(f"<a href='{name}/'>{text}/</a>" if "&" not in text else f"<a href='{name}/'>{text}</a>")
    (tree / "index.html").write_text(f"<html><h1>Index of /whl/</h1>{''.join(lines)}</html>")
    made = bench()
    with served(tmp_path / "tree") as url:
        made.change(master=f"{url}/whl")
        assert made.sync().state is RunState.SUCCESS
        for name in names:
            (listed,) = made.page(name)["files"]
            assert listed["hashes"]["sha256"]
            assert listed["core-metadata"]
