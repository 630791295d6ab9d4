"""What the page shows of dependencies: sums, branches, what is not met, who requires whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.settings.read import read_settings
from tests.plugins.conftest import PAGE, Client
from tests.runs.bench import Bench
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = pytest.mark.airflow

CONF = """\
[mirror]
directory = data
master = {master}

[allowlist]
packages = app

[dependencies]
follow = {follow}

[site]
enabled = false
"""


def wheel(name: str, *requires: str, version: str = "1.0", size: int = 2000) -> Upload:
    return Upload(distribution=Wheel(name=name, version=version, requires_dist=requires, size=size))


UPLOADS = (
    wheel("app", "lib", "tool>=9", "big; python_version >= '3'"),
    wheel("app", "lib<5", version="1.1"),
    wheel("lib", "deep"),
    wheel("big", "deep", "only", size=50_000),
    wheel("only", size=3000),
    wheel("deep"),
    wheel("tool"),
)


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    conf = tmp_path / "mirror.conf"
    with running(Warehouse(*UPLOADS)) as server:
        conf.write_text(CONF.format(master=server.url, follow="yes"))
        bench = Bench(server=server, settings=read_settings(conf))
        server.follow(bench.clock)
        bench.sync()
        monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
        yield bench


@pytest.fixture
def get(client: Client, followed: Bench) -> Any:
    viewer = client("viewer")

    def ask(path: str) -> Any:
        answer = viewer.get(f"{PAGE}/api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def test_how_much_is_required_and_what_costs_most(get: Any) -> None:
    assert get("me")["follows"] is True
    shown = get("dependencies")
    assert shown["counts"] == {
        "named": 1,
        "required": 5,
        "complete": True,
        "unmet": 1,
        "no_longer_required": 0,
        "leaves_at": None,
    }
    assert get("overview")["dependencies"] == shown["counts"]
    branches = {each["project"]: each for each in shown["branches"]}
    assert next(iter(branches)) == "app"
    assert branches["app"]["named"]
    assert [branches[name]["projects"] for name in ("app", "big", "lib", "only")] == [6, 2, 1, 1]
    own = {name: each["own_bytes"] for name, each in branches.items()}
    assert branches["big"]["bytes"] == own["big"] + own["only"]
    assert branches["app"]["bytes"] == sum(own.values())


def test_what_is_not_met(get: Any) -> None:
    shown = get("dependencies/unmet")
    assert [(each["project"], each["what"]) for each in shown["items"]] == [("tool", "tool>=9")]
    assert shown["next"] is None


def test_who_requires_whom_a_page_at_a_time(get: Any) -> None:
    assert get("projects/deep")["chain"] == ["app", "big", "deep"]
    first = get("projects/deep/required-by?limit=1")
    assert [[each["project"] for each in item] for item in first["items"]] == [["big"]]
    rest = get(f"projects/deep/required-by?limit=1&after={first['next']}")
    assert ([[each["text"] for each in item] for item in rest["items"]], rest["next"]) == ([["deep"]], None)
    requires = get("projects/app/requires")["items"]
    assert [[each["requires"] for each in item] for item in requires] == [["big"], ["lib", "lib"], ["tool"]]


def test_what_a_run_finds_is_shown_without_a_restart(get: Any, followed: Bench) -> None:
    assert get("projects/new")["selected"] is False
    followed.server.apply(wheel("new"), wheel("app", "new", version="2.0"))
    followed.sync()
    assert get("projects/new")["selected"] is True


def test_without_it_there_is_nothing(client: Client, followed: Bench, tmp_path: Path) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(CONF.format(master=followed.server.url, follow="no"))
    viewer = client("viewer")
    assert viewer.get(f"{PAGE}/api/me").json()["follows"] is False
    for path, shown in (
        ("dependencies", None),
        ("dependencies/unmet", {"items": [], "next": None}),
        ("projects/deep/required-by", {"items": [], "next": None}),
        ("projects/app/requires", {"items": [], "next": None}),
    ):
        assert viewer.get(f"{PAGE}/api/{path}").json() == shown
    assert viewer.get(f"{PAGE}/api/dependencies/unmet?after=x").status_code == 422
