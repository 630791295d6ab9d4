"""Names that the allowlist asks for and upstream does not have are kept for people to see."""

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.planning.unknown_names import described, unknown_names
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import end_dry_run
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import PYPI, STATIC, Behaviour, Corrupt, Fault, RemoveProject, Upload, Wheel, small


def unknown(made: Bench) -> tuple[str, ...]:
    with made.open() as mirror:
        return unknown_names(mirror)


@pytest.mark.parametrize("behaviour", [PYPI, STATIC], ids=["pypi", "static"])
def test_a_mistyped_name_is_known_after_a_comparison(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(scenario=small(), behaviour=behaviour)
    made.allow("alpha", "alhpa", "betalib")
    made.sync()
    assert unknown(made) == ("alhpa", "betalib")
    made.sync()
    assert unknown(made) == ("alhpa", "betalib")


def test_a_dry_run_tells_it_too(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "alhpa")
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run_id)
        assert unknown_names(mirror) == ("alhpa",)
        end_dry_run(mirror, run_id)


def test_without_an_allowlist_nothing_is_unknown(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    assert unknown(made) == ()
    assert made.fact("unknown_names") is None


def test_a_name_that_is_corrected_is_gone_from_the_list_at_once(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "alhpa")
    made.sync()
    made.allow("alpha")
    assert unknown(made) == ()
    made.allow("alpha", "beta-lib")
    made.sync()
    assert unknown(made) == ()


def test_what_the_blocklist_takes_out_again_is_not_missed(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "alhpa")
    made.select(blocked_projects=frozenset({"alhpa"}))
    made.sync()
    assert unknown(made) == ()


def test_a_project_that_comes_later_is_unknown_no_more(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "newcomer")
    made.sync()
    assert unknown(made) == ("newcomer",)
    made.server.apply(Upload(distribution=Wheel(name="newcomer")))
    assert made.sync().source == "changelog"
    assert unknown(made) == ()


def test_a_project_that_upstream_removes_becomes_unknown(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "beta-lib")
    made.sync()
    made.server.apply(RemoveProject(project="alpha"))
    assert made.sync().source == "changelog"
    assert unknown(made) == ("alpha",)


def test_a_project_that_fails_is_known(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "alhpa")
    made.server.inject(Fault(path="/packages/*/alpha-*", effect=Corrupt(), times=None))
    made.sync()
    assert "alpha" in made.backlog()
    assert unknown(made) == ("alhpa",)


def test_of_many_names_the_first_are_said_and_where_they_stand(bench: MakeBench) -> None:
    made = bench(scenario=small())
    many = [canonicalize_name(f"name-{number:02}") for number in range(25)]
    made.allow(*many)
    with made.open() as mirror:
        assert described(mirror, many[:1]).startswith(
            "upstream does not list name-00 ([allowlist] packages): "
        )
        assert "name-19 ([allowlist] packages) and 5 more: " in described(mirror, many)
        assert "name-20" not in described(mirror, many)
