"""``[schedule] first``: names and files of names, and what is wrong about others."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.options.first import read_first
from pypi_mirror.settings.read import read_settings

HEAD = "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n[schedule]\n"


def first(tmp_path: Path, lines: str) -> tuple[str, ...]:
    path = tmp_path / "mirror.conf"
    path.write_text(f"{HEAD}first =\n" + "".join(f"    {line}\n" for line in lines.splitlines()))
    settings = read_settings(path, {})
    return read_first(settings.schedule.first, settings.path)


def test_names_in_their_order_each_once(tmp_path: Path) -> None:
    assert first(tmp_path, "NumPy\nzope.interface\nnumpy\nboto3  # the largest") == (
        "numpy",
        "zope-interface",
        "boto3",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("top.txt", "# the most wanted\nRequests\n\nnumpy # and this\n"),
        ("top.json", '["Requests", "numpy"]'),
        ("top.json", '{"rows": [{"project": "Requests", "download_count": 5}, {"project": "numpy"}]}'),
        ("top.json", '\ufeff{"projects": [{"name": "Requests"}, {"name": "numpy"}]}'),
    ],
)
def test_files_of_names(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert first(tmp_path, f"zlib\n{name}\nother") == ("zlib", "requests", "numpy", "other")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.txt", None, r"none\.txt: cannot be read \(No such file"),
        ("top.txt", "fine\nnot fine\n", r"top\.txt: line 2: 'not fine' is not a project name"),
        ("top.json", "[", r"top\.json: is not valid JSON"),
        ("top.json", "5", r"top\.json: is neither a list"),
        ("top.json", '["a", {"downloads": 5}]', r"top\.json: item 2 is neither a name"),
        ("top.json", '["a", "b/c"]', r"top\.json: item 2: 'b/c' is not a project name"),
        ("top.txt", b"\xff\xfe", r"top\.txt: is not UTF-8"),
    ],
)
def test_what_is_wrong_about_a_file(tmp_path: Path, name: str, text: str | bytes | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError, match=rf"mirror\.conf: \[schedule\] first: .*{said}"):
        first(tmp_path, name)


def test_mistakes_in_the_list_itself_have_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mirror\.conf:6: \[schedule\] first: 'no name'") as raised:
        first(tmp_path, "no name\nlists/top.csv\nfine")
    assert "mirror.conf:7: [schedule] first: 'lists/top.csv' is not a file of names" in str(raised.value)


@pytest.mark.parametrize("line", ["projects-per-run = 0", "gigabytes-per-run = none"])
def test_bounds_out_of_range(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text(f"{HEAD}{line}\n")
    with pytest.raises(ConfigurationError, match=line.partition(" ")[0]):
        read_settings(path, {})


def test_no_bounds_by_default(tmp_path: Path) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text(f"{HEAD}projects-per-run =\n")
    schedule = read_settings(path, {}).schedule
    assert (schedule.projects_per_run, schedule.bytes_per_run, schedule.first) == (None, None, ())
