"""The page's files: right types, seen at once after an upgrade, and nothing else of the disk."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.airflow_home import CHECKOUT
from tests.plugins.conftest import PAGE, Client, problem

if TYPE_CHECKING:
    from starlette.testclient import TestClient

pytestmark = pytest.mark.airflow

FOLDER = CHECKOUT / "plugins" / "pypi_mirror_page" / "static"


@pytest.fixture
def viewer(client: Client) -> "TestClient":
    return client("viewer")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("static/main.js", "text/javascript; charset=utf-8"),
        ("static/sections/audit.js", "text/javascript; charset=utf-8"),
        ("static/page.css", "text/css; charset=utf-8"),
        ("static/icon.svg", "image/svg+xml"),
    ],
)
def test_types(path: str, kind: str, viewer: "TestClient") -> None:
    answer = viewer.get(f"{PAGE}/{path}")
    # Python 3.11 and some systems give JavaScript its older name.
    assert answer.headers["content-type"].replace("application/javascript", "text/javascript") in (
        kind,
        kind.partition(";")[0],
    )
    assert answer.content == (FOLDER / (path.removeprefix("static/") or "index.html")).read_bytes()


def test_a_browser_keeps_what_has_not_changed_and_asks_each_time(viewer: "TestClient") -> None:
    address = f"{PAGE}/static/main.js"
    first = viewer.get(address)
    assert first.headers["cache-control"] == "private, no-cache"
    for sent in (first.headers["etag"], f"W/{first.headers['etag']}", f'"other", {first.headers["etag"]}'):
        again = viewer.get(address, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "private, no-cache"
    assert viewer.get(address, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *("", "missing.js", "sections", "a%00b.js", f"{'long' * 1000}.js"),
        *("..%2Fapp.py", "sections/..%2F..%2Fapp.py", "%2Fetc%2Fpasswd"),
    ],
)
def test_nothing_but_the_pages_files_is_served(name: str, viewer: "TestClient") -> None:
    problem(viewer.get(f"{PAGE}/static/{name}"), 404, "not-found")


@pytest.mark.parametrize("file", ["run_words.js", "sections/run_progress.js"])
def test_every_kind_of_run_has_a_word(file: str) -> None:
    from pypi_mirror.model import RunKind

    (line,) = [line for line in (FOLDER / file).read_text().splitlines() if "const KINDS" in line]
    assert set(re.findall(r"(\w+): \"", line)) == {kind.value for kind in RunKind}
