"""The addresses in lock files of the real tools, and their replacement in the text."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.demands import BadDemands, read_demands
from pypi_mirror.demands.lock_addresses import lock_addresses, with_addresses

LOCKS = Path(__file__).parent / "locks"
FORMATS = ["pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "urls.pdm.lock", "Pipfile.lock"]
# Of these, files have addresses.
WITH_ADDRESSES = {"pylock.toml", "uv.lock", "urls.pdm.lock"}
WITH_INDEX = {"pylock.toml", "uv.lock", "Pipfile.lock"}


def parsed(name: str, text: str) -> Any:
    return json.loads(text) if name == "Pipfile.lock" else tomllib.loads(text)


@pytest.mark.parametrize("name", FORMATS)
def test_all_files_of_a_real_lock_are_found(name: str) -> None:
    found = lock_addresses(name, (LOCKS / name).read_text())
    assert found is not None
    hashes = {digest for demand in read_demands(LOCKS / name).demands for digest in demand.hashes}
    assert {f"sha256:{file.sha256}" for file in found.files} == hashes
    assert {file.url is not None for file in found.files} == {name in WITH_ADDRESSES}
    assert found.indexes == (("https://index.example/simple",) if name in WITH_INDEX else ())
    if name != "Pipfile.lock":
        assert all(file.filename and re.search(r"\.(whl|tar\.gz)$", file.filename) for file in found.files)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_only_addresses_change(name: str, line_end: str) -> None:
    text = (LOCKS / name).read_text().replace("\n", line_end)
    found = lock_addresses(name, text)
    assert found is not None
    old = [*found.indexes, *(file.url for file in found.files if file.url)]
    new = {url: re.sub(r"https://(index|files)\.example", "http://inside.example/pypi", url) for url in old}
    rewritten = with_addresses(name, text, new)
    assert rewritten.replace("http://inside.example/pypi", "") == re.sub(
        r"https://(index|files)\.example", "", text
    )
    again = lock_addresses(name, rewritten)
    assert again is not None
    assert [(file.project, file.filename, file.sha256) for file in again.files] == [
        (file.project, file.filename, file.sha256) for file in found.files
    ]
    assert with_addresses(name, rewritten, new) == rewritten


def test_what_is_written_otherwise_is_an_error_and_no_half_done_file() -> None:
    text = 'version = 1\nurl = "https:\\u002f\\u002findex.example/simple"\n'
    with pytest.raises(BadDemands, match="written with escapes"):
        with_addresses("uv.lock", text, {"https://index.example/simple": "http://inside.example/simple"})


def test_an_address_in_other_words_stays() -> None:
    text = 'a = "https://index.example/simple"\nb = "see https://index.example/simple"\nc = \'https://index.example/simple\'\n'
    assert with_addresses("uv.lock", text, {"https://index.example/simple": "x"}) == (
        'a = "x"\nb = "see https://index.example/simple"\nc = \'x\'\n'
    )


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "constraints.in"])
def test_other_files_have_none(name: str) -> None:
    assert lock_addresses(name, "") is None


def test_poetry_before_2_and_pdm_before_4_3_have_their_files_at_the_end() -> None:
    digest = "sha256:" + "a" * 64
    files = f'[{{file = "foo-1.tar.gz", hash = "{digest}"}}]'
    package = '[[package]]\nname = "foo"\nversion = "1"\n[metadata]\n'
    poetry = f'{package}lock-version = "1.1"\n[metadata.files]\nfoo = {files}\n'
    pdm = f'{package}lock_version = "4.2"\n[metadata.files]\n"foo 1" = {files}\n'
    for name, text in (("poetry.lock", poetry), ("pdm.lock", pdm)):
        found = lock_addresses(name, text)
        assert found is not None
        (file,) = found.files
        assert (file.filename, file.url, f"sha256:{file.sha256}") == ("foo-1.tar.gz", None, digest)
