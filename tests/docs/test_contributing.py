"""CONTRIBUTING.md's filter and option, added to a copy of the project: they work, and touch what it says."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.fenced_blocks import ROOT, Block, blocks_of

GENERATED = {"include/mirror.conf", "docs/options.md"}
RECORDING = ("tests/settings/test_default_file.py", "tests/docs/test_options_page.py")
TRY = """
import sys
from pathlib import Path
from packaging.utils import canonicalize_name
from pypi_mirror.errors import ConfigurationError
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.settings.fingerprint import page_fingerprint
from pypi_mirror.settings.options import describe
from pypi_mirror.settings.read import read_settings

def read(text):
    path = Path("mirror.conf")
    path.write_text("[mirror]\\ndirectory = /srv/pypi\\nmaster = https://index.example\\n" + text)
    try:
        return read_settings(path, {})
    except ConfigurationError as error:
        return str(error)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project without what is made from it."""
    for name in ("include", "tests", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.svg", "*.png")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(copy: Path, *words: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'include'}:{copy / 'plugins'}:{copy}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYPI_MIRROR_RERECORD": "1",
    }
    done = subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def record(copy: Path, *tests: str) -> None:
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *RECORDING, *tests)


def digests(copy: Path) -> dict[str, str]:
    return {
        str(path.relative_to(copy)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in copy.rglob("*")
        if path.is_file() and ".hypothesis" not in path.parts
    }


def changed(copy: Path, before: dict[str, str]) -> set[str]:
    return {path for path, digest in digests(copy).items() if before.get(path) != digest}


def python_blocks(section: str) -> list[Block]:
    blocks = [block for block in blocks_of(ROOT / "CONTRIBUTING.md") if block.section == section]
    assert blocks, section
    return blocks


@pytest.mark.slow
def test_a_filter_is_one_file_and_its_test(copy: Path) -> None:
    before = digests(copy)
    for block in python_blocks("A new filter"):
        place, _, text = block.text.partition("\n")
        (copy / place.removeprefix("# ")).write_text(text)
    written = changed(copy, before)
    record(copy, "tests/policy/test_largest_megabytes.py")

    assert len(written) == 2
    assert changed(copy, before) - written == GENERATED
    assert ";largest-megabytes =" in (copy / "include/mirror.conf").read_text()
    printed = run(copy, "-c", TRY + """
files = tuple(RemoteFile(filename=f"a-{n}.zip", url="", size=n * 1_000_000) for n in (1, 3))
page = ProjectPage(name=canonicalize_name("a"), serial=1, etag=None, files=files)
limited, free = read("[platform]\\nlargest-megabytes = 2\\n"), read("")
print([each.reason for each in limited.policy.decide(page).dropped], *limited.policy.sentences())
print(page_fingerprint(limited) != page_fingerprint(free))
print(("platform", "largest-megabytes", "2") in describe(limited))
print(read("[platform]\\nlargest-megabyte = 2\\n"))
""")  # fmt: skip
    decided, *others, mistake = printed.strip().split("\n", 3)
    assert decided == ("['[platform] largest-megabytes is 2, the file has 3 MB'] No files over 2 MB.")
    assert others == ["True", "True"]
    assert "mirror.conf:5: [platform] largest-megabyte: unknown key (did you mean" in mistake
    assert "largest-megabytes" in mistake.partition("did you mean")[2]


@pytest.mark.slow
def test_an_option_is_one_field(copy: Path) -> None:
    before = digests(copy)
    (block,) = python_blocks("A new option")
    place, _, text = block.text.partition("\n")
    module = copy / place.removeprefix("# ").partition(",")[0]
    source = module.read_text()
    assert source.count("\n\n    @property\n") == 1
    module.write_text(source.replace("\n\n    @property\n", f"\n{text}\n    @property\n"))
    written = changed(copy, before)
    record(copy)

    assert len(written) == 1
    assert changed(copy, before) - written == GENERATED
    printed = run(copy, "-c", TRY + """
named, plain = read("[site]\\ncontact = mirrors@example.com\\n"), read("")
print(named.site.contact, plain.site.contact, sep="; ")
print(page_fingerprint(named) == page_fingerprint(plain))
""")  # fmt: skip
    assert printed.splitlines() == ["mirrors@example.com; the administrator", "True"]
