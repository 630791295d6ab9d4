"""Legacy JSON lists what the page lists, wherever upstream's own document stands."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pypi_mirror.settings.values import Site
from tests.policies import policy
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Fault, Instead, RemoveFile, RemoveRelease, Sdist, Upload, Wheel, Yank

ONE = Wheel(name="alpha", version="1.0", summary="the first")
SOURCE = Sdist(name="alpha", version="1.0", summary="the first")
TWO = Wheel(name="alpha", version="2.0", summary="the second")
NEXT = Wheel(name="alpha", version="3.0rc1", summary="the next")
OTHER = Wheel(name="beta", version="1.0")
EVENTS = tuple(Upload(distribution=each) for each in (ONE, SOURCE, TWO, NEXT, OTHER))


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(*EVENTS, json=True, site=Site(enabled=False, public_url="https://mirror.example/pypi"))
    made.sync()
    made.server.requests.reset()
    return made


def document(made: Bench, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.web / "pypi" / path / "json").read_bytes())
    return found


def documents(made: Bench, project: str) -> set[str]:
    """The releases that there are documents of, and ``""`` for the project's own."""
    directory = made.web / "pypi" / project
    return {"" if path.parent == directory else path.parent.name for path in directory.rglob("json")}


def asked(made: Bench) -> list[str]:
    """The documents upstream was asked for since the last look."""
    paths = sorted(each.path.removeprefix("/pypi/") for each in made.server.requests.of("json"))
    made.server.requests.reset()
    return paths


def check(made: Bench, project: str) -> None:
    """Every document lists what the page lists, at addresses where it is."""
    page = {file["filename"]: file for file in made.page(project)["files"]}
    whole = document(made, project)
    listed = [entry for entries in whole["releases"].values() for entry in entries]
    assert {entry["filename"] for entry in listed} == set(page)
    assert documents(made, project) == {"", *whole["releases"]}
    described = whole["info"]["version"]
    for version, entries in whole["releases"].items():
        release = document(made, f"{project}/{version}")
        assert release["info"]["version"] == version
        assert release["urls"] == entries
        assert "releases" not in release
        if version == described:
            assert (whole["urls"], whole["info"]) == (entries, release["info"])
    assert described in whole["releases"]
    base = f"{made.settings.root_uri or made.settings.site.public_url}/"
    for entry in listed:
        assert entry["url"].startswith(f"{base}packages/")
        if made.settings.release_files:
            assert (made.web / entry["url"].removeprefix(base)).stat().st_size == entry["size"]
        on_page = page[entry["filename"]]
        assert entry["digests"]["sha256"] == on_page["hashes"]["sha256"]
        assert entry["yanked"] == bool(on_page["yanked"])
        assert entry["core-metadata"] == on_page["core-metadata"]
        assert "127.0.0.1" not in entry["url"]


def test_documents_of_the_project_and_of_each_release(synced: Bench) -> None:
    check(synced, "alpha")
    check(synced, "beta")
    whole = document(synced, "alpha")
    assert set(whole["releases"]) == {"1.0", "2.0", "3.0rc1"}
    assert (whole["info"]["version"], whole["info"]["summary"]) == ("2.0", "the second")
    assert document(synced, "alpha/1.0")["info"]["summary"] == "the first"
    assert "vulnerabilities" in whole


def test_only_releases_that_changed_are_asked_for_again(synced: Bench) -> None:
    synced.server.apply(Upload(distribution=Wheel(name="alpha", version="4.0")))
    synced.sync()
    assert asked(synced) == ["alpha/4.0/json", "alpha/json"]
    synced.server.apply(Yank(project="alpha", version="2.0", reason="broken"))
    synced.sync()
    assert asked(synced) == ["alpha/2.0/json", "alpha/json"]
    assert document(synced, "alpha/2.0")["info"]["yanked_reason"] == "broken"
    check(synced, "alpha")


def test_what_upstream_removed_goes(synced: Bench) -> None:
    synced.server.apply(
        RemoveFile(project="alpha", filename=SOURCE.file_name), RemoveRelease(project="alpha", version="2.0")
    )
    synced.sync()
    assert documents(synced, "alpha") == {"", "1.0", "3.0rc1"}
    assert asked(synced) == ["alpha/1.0/json", "alpha/json"]
    check(synced, "alpha")


@pytest.mark.parametrize(
    ("selection", "releases", "described"),
    [
        ({"exclude_filename": r"\.tar\.gz$"}, {"1.0", "2.0", "3.0rc1"}, "2.0"),
        ({"exclude_filename": r"-2\.0"}, {"1.0", "3.0rc1"}, "1.0"),
        ({"exclude_filename": r"-[12]\.0"}, {"3.0rc1"}, "3.0rc1"),
    ],
    ids=["a file", "the newest release", "all but a pre-release"],
)
def test_what_filters_leave_out_is_not_listed(
    synced: Bench, selection: dict[str, Any], releases: set[str], described: str
) -> None:
    synced.select(**selection)
    synced.sync()
    whole = document(synced, "alpha")
    assert (set(whole["releases"]), whole["info"]["version"]) == (releases, described)
    check(synced, "alpha")
    synced.change(policy=policy())
    synced.sync()
    assert documents(synced, "alpha") == {"", "1.0", "2.0", "3.0rc1"}
    check(synced, "alpha")


def test_a_project_of_which_nothing_is_left_has_no_document(synced: Bench) -> None:
    synced.select(exclude_filename="^alpha")
    synced.sync()
    assert not (synced.web / "pypi" / "alpha").exists()
    check(synced, "beta")


def test_another_address_needs_no_document_of_a_release(synced: Bench) -> None:
    synced.change(site=replace(synced.settings.site, public_url="http://other.example"))
    synced.sync()
    assert asked(synced) == ["alpha/json", "beta/json"]
    check(synced, "alpha")
    synced.change(root_uri="https://files.example")
    synced.sync()
    assert asked(synced) == ["alpha/json", "beta/json"]
    check(synced, "alpha")


def test_switched_off_they_go(synced: Bench) -> None:
    synced.change(json=False)
    synced.sync()
    assert not (synced.web / "pypi" / "alpha").exists()


@pytest.mark.parametrize("body", ["<html>", '{"info": 1}', '{"info": {"name": "beta"}}', ""])
def test_a_document_that_is_none_costs_nobody_the_page(synced: Bench, body: str) -> None:
    synced.server.inject(Fault(path="/pypi/alpha/*", effect=Instead(body=body), times=None))
    synced.server.apply(
        RemoveRelease(project="alpha", version="2.0"),
        Upload(distribution=Wheel(name="alpha", version="4.0")),
    )
    synced.sync()
    assert "alpha-4.0-py3-none-any.whl" in synced.listed("alpha")
    whole = document(synced, "alpha")
    assert set(whole["releases"]) == {"1.0", "3.0rc1"}
    assert whole["info"]["version"] == "1.0"
    assert documents(synced, "alpha") == {"", "1.0", "3.0rc1"}


def test_a_file_in_place_of_upstreams_version_is_no_directory(bench: MakeBench) -> None:
    made = bench(*EVENTS, json=True)
    victim = made.web / "pypi" / "alpha"
    victim.mkdir(parents=True)
    (victim / "notes").write_text("somebody's")
    made.sync()
    assert (victim / "notes").read_text() == "somebody's"
    assert set(document(made, "alpha")["releases"]) == {"1.0", "2.0", "3.0rc1"}
