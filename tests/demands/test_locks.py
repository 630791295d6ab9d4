"""Lock files, as the real tools wrote them of one small project, and the parts of them that go wrong."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.demands import BadDemands, Demands, read_demands
from pypi_mirror.demands.read import reader_of

LOCKS = Path(__file__).parent / "locks"
DIGEST = "sha256:" + "a" * 64
FORMATS = ["pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "urls.pdm.lock", "Pipfile.lock"]
RELEASES = {
    "colorama": "==0.4.6",
    "docopt": "==0.6.2",
    "iniconfig": "==2.3.1",
    "linkify-it-py": "==2.2.0",
    "markdown-it-py": "==3.0.0",
    "mdurl": "==0.1.2",
    "psutil": "==7.2.2",
    "python-dateutil": "==4.0.0",
    "tzdata": "==2026.6",
}
PSUTIL_FILES = 21


def read(name: str, text: str) -> Demands:
    reader = reader_of(name)
    assert reader is not None
    return reader(text, name)


def mistakes(name: str, text: str) -> str:
    with pytest.raises(BadDemands) as caught:
        read(name, text)
    return str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_what_real_tools_write(name: str) -> None:
    found = read_demands(LOCKS / name)
    expected = dict(RELEASES)
    if name == "Pipfile.lock":
        # Pipenv has no extras of the project itself, and did not resolve what is for Windows alone.
        del expected["docopt"]
        expected["colorama"] = ""
    assert {demand.project: demand.specifier for demand in found.demands} == expected
    assert all(demand.locked for demand in found.demands)
    files = {demand.project: len(demand.hashes) for demand in found.demands}
    assert files["psutil"] == PSUTIL_FILES
    assert {remark.text for remark in found.unserved} <= {"app", "local-lib"}
    assert "local-lib: it comes from a local path, which no index serves" in str(found.unserved[-1])


def test_all_tools_lock_the_same_files() -> None:
    def files(name: str) -> dict[str, tuple[str, ...]]:
        return {demand.project: demand.hashes for demand in read_demands(LOCKS / name).demands}

    everything = files("uv.lock")
    for name in ["pylock.toml", "poetry.lock", "pdm.lock", "urls.pdm.lock"]:
        assert files(name) == everything
    assert {project: hashes for project, hashes in files("Pipfile.lock").items() if hashes}.items() <= (
        everything.items()
    )


@pytest.mark.parametrize("name", ["pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"])
def test_markers_of_packages(name: str) -> None:
    markers = {demand.project: demand.marker for demand in read_demands(LOCKS / name).demands}
    assert markers["colorama"] == 'sys_platform == "win32"'


def test_indexes() -> None:
    assert {demand.index for demand in read_demands(LOCKS / "uv.lock").demands} == {
        "https://index.example/simple"
    }
    assert {demand.index for demand in read_demands(LOCKS / "poetry.lock").demands} == {None}


UV = 'version = 1\n[[package]]\nname = "a"\nversion = "1.0"\n'


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('{ git = "https://git.example/a?rev=1#1" }', "version control"),
        ('{ url = "https://files.example/a-1.0.tar.gz" }', "direct URL"),
        ('{ path = "a-1.0.tar.gz" }', "local path"),
        ('{ editable = "." }', "local path"),
        ('{ virtual = "." }', "local path"),
        ('{ directory = "../a" }', "local path"),
        ('{ registry = "../wheels" }', "local path"),
    ],
)
def test_uv_sources_that_no_index_serves(source: str, reason: str) -> None:
    found = read("uv.lock", f"{UV}source = {source}\n")
    assert found.demands == ()
    assert [(remark.text, reason in remark.reason) for remark in found.unserved] == [("a", True)]


def test_uv_forks_hold_where_one_of_their_markers_does() -> None:
    found = read(
        "uv.lock",
        f"{UV}source = {{ registry = 'https://index.example/simple' }}\n"
        "resolution-markers = [\"sys_platform == 'win32'\", \"sys_platform == 'darwin'\"]\n",
    )
    assert found.demands[0].marker == 'sys_platform == "win32" or sys_platform == "darwin"'


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('type = "git"\nurl = "https://git.example/a"', "version control"),
        ('type = "url"\nurl = "https://files.example/a.zip"', "direct URL"),
        ('type = "file"\nurl = "a.whl"', "local path"),
        ('type = "directory"\nurl = "../a"', "local path"),
        ('type = "new"\nurl = "?"', "unknown source type new"),
    ],
)
def test_poetry_sources_that_no_index_serves(source: str, reason: str) -> None:
    found = read(
        "poetry.lock",
        '[[package]]\nname = "a"\nversion = "1.0"\nfiles = []\n'
        f'[package.source]\n{source}\n[metadata]\nlock-version = "2.1"\n',
    )
    assert (found.demands, len(found.unserved)) == ((), 1)
    assert reason in found.unserved[0].reason


def test_poetry_of_another_index_and_of_old_versions() -> None:
    found = read(
        "poetry.lock",
        '[[package]]\nname = "a"\nversion = "1.0"\nmarker = "x"\n'
        '[package.source]\ntype = "legacy"\nurl = "https://other.example/simple"\nreference = "other"\n'
        f'[metadata]\nlock-version = "1.1"\n[metadata.files]\na = [{{file = "a.whl", hash = "{DIGEST}"}}]\n',
    )
    assert [(demand.index, demand.hashes) for demand in found.demands] == [
        ("https://other.example/simple", (DIGEST,))
    ]


def test_poetry_markers_by_group() -> None:
    def marker(groups: str, markers: str) -> str:
        text = (
            f'[[package]]\nname = "a"\nversion = "1.0"\nfiles = []\ngroups = {groups}\nmarkers = {markers}\n'
            '[metadata]\nlock-version = "2.1"\n'
        )
        return read("poetry.lock", text).demands[0].marker

    assert marker('["main"]', "{ main = \"os_name == 'nt'\" }") == 'os_name == "nt"'
    assert marker('["main", "dev"]', "{ main = \"os_name == 'nt'\" }") == ""


def test_pdm_files_of_old_versions_and_other_sources() -> None:
    found = read(
        "pdm.lock",
        '[metadata]\nlock_version = "4.2"\n'
        f'[metadata.files]\n"a 1.0" = [{{url = "https://files.example/a.whl", hash = "{DIGEST}"}}]\n'
        '[[package]]\nname = "a"\nversion = "1.0"\n'
        '[[package]]\nname = "b"\nversion = "1.0"\ngit = "https://git.example/b"\nrevision = "1"\n',
    )
    assert [(demand.specifier, demand.hashes) for demand in found.demands] == [("==1.0", (DIGEST,))]
    assert [remark.text for remark in found.unserved] == ["b"]


def test_pipenv_categories_sources_and_what_no_index_serves() -> None:
    text = """{
      "_meta": {"pipfile-spec": 6, "sources": [{"name": "own", "url": "https://own.example/simple"}]},
      "default": {"a": {"git": "https://git.example/a", "ref": "1"}, "f": {"file": "https://files.example/f.zip"}},
      "docs": {"b": {"version": "==1.0", "index": "own", "markers": "os_name == 'nt'"}}
    }"""
    found = read("Pipfile.lock", text)
    assert [(d.project, d.specifier, d.index, d.marker) for d in found.demands] == [
        ("b", "==1.0", "https://own.example/simple", 'os_name == "nt"')
    ]
    assert [remark.text for remark in found.unserved] == ["a", "f"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("uv.lock", "version = 2\n", "is a uv.lock of version 2; version 1 can be read"),
        ("uv.lock", "version = \n", "uv.lock: is not TOML: Invalid value (at line 1, column 11); correct"),
        ("uv.lock", f"{UV}source = 3\n", "source is not a table; correct the file, or make it again"),
        (
            "uv.lock",
            UV.replace('"a"', '"?"') + "source = {registry = 'https://a'}",
            "has a package called '?'",
        ),
        (
            "uv.lock",
            f"{UV}source = {{registry = 'https://a'}}\nsdist = {{hash = 'sha256:no'}}",
            "'sha256:no' is not a digest of a file of a, like sha256:…; lock again",
        ),
        (
            "poetry.lock",
            '[metadata]\nlock-version = "3.0"',
            "is a poetry.lock of version 3.0; 1 and 2 can be read",
        ),
        ("pdm.lock", '[metadata]\nlock_version = "5.0"', "is a pdm.lock of version 5.0; versions up to 4"),
        ("pdm.lock", "", "is a pdm.lock of version none"),
        (
            "Pipfile.lock",
            '{"_meta": {"pipfile-spec": 7}}',
            "is a Pipfile.lock of pipfile-spec 7; 6 can be read",
        ),
        ("Pipfile.lock", "{\n1", "Pipfile.lock:2: is not JSON"),
        ("Pipfile.lock", "[]", "the file is not a table"),
        (
            "pylock.toml",
            'lock-version = "1.0"',
            "is not a lock file as PEP 751 has it: Missing required value",
        ),
        (
            "pylock.toml",
            'lock-version = "2.0"\ncreated-by = "a"\npackages = []',
            "version 2.0 is not supported",
        ),
    ],
)
def test_bad_locks(name: str, text: str, message: str) -> None:
    assert message in mistakes(name, text)


def test_a_version_outside_pep_440_is_compared_as_text() -> None:
    found = read(
        "poetry.lock",
        '[[package]]\nname = "a"\nversion = "2004d-old"\nfiles = []\n[metadata]\nlock-version = "2.1"\n',
    )
    assert found.demands[0].specifier == "===2004d-old"


@given(name=st.sampled_from([*FORMATS, "pyproject.toml"]), text=st.text(max_size=200))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    with suppress(BadDemands):
        read(name, text)


@given(
    name=st.sampled_from(FORMATS),
    cut=st.integers(0, 13_000),
    length=st.integers(1, 60),
    put=st.sampled_from(["", '"', "1", "[]", "{}", "true", "=", "\n", "[[package]]\n", "\x00"]),
)
def test_a_damaged_lock_is_read_or_refused(name: str, cut: int, length: int, put: str) -> None:
    text = (LOCKS / name).read_text(encoding="utf-8")
    with suppress(BadDemands):
        read(name, text[:cut] + put + text[cut + length :])
