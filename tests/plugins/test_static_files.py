"""The page's files: right types, seen at once after an upgrade, and nothing else of the disk."""

from pathlib import Path

import pytest
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from pypi_mirror_page.static_files import FOLDER, static_file


def ask(folder: Path, name: str, etag: str = "") -> Response:
    headers = [(b"if-none-match", etag.encode())] if etag else []
    return static_file(Request({"type": "http", "headers": headers}), name, folder)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("deep/down/page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_types(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("content")
    answer = ask(tmp_path, name)
    assert answer.headers["content-type"] == kind
    assert answer.body == b"content"


def test_a_browser_keeps_what_has_not_changed_and_asks_each_time(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("old")
    first = ask(tmp_path, "app.js")
    assert first.headers["cache-control"] == "private, no-cache"
    for sent in (first.headers["etag"], f"W/{first.headers['etag']}", f'"other", {first.headers["etag"]}'):
        again = ask(tmp_path, "app.js", sent)
        assert (again.status_code, again.body) == (304, b"")
    (tmp_path / "app.js").write_text("new")
    upgraded = ask(tmp_path, "app.js", first.headers["etag"])
    assert (upgraded.status_code, upgraded.body) == (200, b"new")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "missing.js", "../secret.js", "folder", "folder/../../secret.js", "link.js", "page.py"),
        *("a\0b.js", f"{'long' * 1000}.js"),
    ],
)
def test_nothing_but_the_pages_files_is_served(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("secret")
    folder = tmp_path / "static"
    (folder / "folder").mkdir(parents=True)
    (folder / "page.py").write_text("")
    (folder / "link.js").symlink_to(tmp_path / "secret.js")
    with pytest.raises(HTTPException) as refused:
        ask(folder, name)
    assert refused.value.status_code == 404


def test_an_absolute_name_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("secret")
    with pytest.raises(HTTPException):
        ask(FOLDER, str(tmp_path / "secret.js"))
