"""``pypi-mirror lock rewrite``: addresses of a lock become the mirror's, or what it lacks is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from tests.warehouse import Server, Upload, Warehouse, Wheel, running

LINUX, WINDOWS = (Wheel(name="alpha", tags=f"cp311-cp311-{tag}") for tag in ("linux_x86_64", "win_amd64"))
BETA = Wheel(name="beta")
SITE = "http://inside.example:8080/pypi"


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Warehouse(*(Upload(distribution=each) for each in (LINUX, WINDOWS, BETA)))) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> Path:
    """A directory with a lock and a mirror of it for Linux."""
    (tmp_path / "uv.lock").write_text(lock(server, LINUX, WINDOWS, BETA))
    (tmp_path / "mirror.conf").write_text(
        f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = {server.master}\n"
        "[allowlist]\nrequirements = uv.lock\n[blocklist]\nplatforms = windows\n"
        f"[site]\nenabled = false\npublic-url = {SITE}\n"
    )
    assert main(["sync", "-c", f"{tmp_path}/mirror.conf", "--processes", "1"]) == 0
    capsys.readouterr()
    return tmp_path


def lock(server: Server, *wheels: Wheel) -> str:
    """A uv.lock, as made with an index whose files are on another host."""
    text = "version = 1\nrequires-python = '>=3.11'   # kept as it is\n"
    for name in dict.fromkeys(wheel.name for wheel in wheels):
        files = [server.warehouse.file(wheel.file_name) for wheel in wheels if wheel.name == name]
        listed = "".join(
            f'    {{ url = "https://files.example/{file.path}", hash = "sha256:{file.sha256}" }},\n'
            for file in files
        )
        text += (
            f'\n[[package]]\nname = "{name}"\nversion = "1.0"\n'
            f'source = {{ registry = "https://index.example/simple" }}\nwheels = [\n{listed}]\n'
        )
    return text


def rewrite(home: Path, *words: str) -> int:
    return main(["lock", "rewrite", "-c", f"{home}/mirror.conf", f"{home}/uv.lock", *words])


def test_in_place_with_what_filters_leave_out_unchanged(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (home / "uv.lock").read_text()
    assert rewrite(home) == 0
    after = (home / "uv.lock").read_text()
    windows = f"https://files.example/{server.warehouse.file(WINDOWS.file_name).path}"
    expected = before.replace("https://index.example/simple", f"{SITE}/simple/")
    expected = expected.replace("https://files.example", SITE)
    assert after == expected.replace(windows.replace("https://files.example", SITE), windows)
    output = capsys.readouterr()
    assert f"1 index and 2 files now lead to {SITE}." in output.out
    assert "unchanged: 1 file, left out by [blocklist] platforms (-v names each)" in output.out
    assert windows not in output.out
    (home / "uv.lock").write_text(before)
    assert rewrite(home, "-v") == 0
    assert f"unchanged: {windows}: [blocklist] platforms" in capsys.readouterr().out


def test_into_another_file_and_again(home: Path) -> None:
    before = (home / "uv.lock").read_bytes()
    assert rewrite(home, "-o", f"{home}/inside.uv.lock") == 0
    assert (home / "uv.lock").read_bytes() == before
    rewritten = (home / "inside.uv.lock").read_bytes()
    (home / "uv.lock").write_bytes(rewritten)
    assert rewrite(home) == 0
    assert (home / "uv.lock").read_bytes() == rewritten


def test_it_needs_no_ledger_and_no_upstream(home: Path, server: Server) -> None:
    server.stop()
    for left in (home / "mirror").glob("ledger.sqlite*"):
        left.unlink()
    assert rewrite(home) == 0
    assert SITE in (home / "uv.lock").read_text()


def test_what_the_mirror_lacks_is_named_and_nothing_is_written(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = Wheel(name="beta", version="2.0")
    server.apply(Upload(distribution=newer))
    file = server.warehouse.file(newer.file_name)
    path = home / "newer.uv.lock"
    path.write_text(lock(server, LINUX, newer))
    before = path.read_bytes()
    assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"{path} is unchanged: the mirror does not serve 1 file of it" in said
    assert f"https://files.example/{file.path}: " in said
    assert path.read_bytes() == before


def test_a_file_that_is_lost_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for page in (home / "mirror/web/simple/beta").iterdir():
        page.unlink()
    assert rewrite(home) == 1
    assert "beta-1.0-py3-none-any.whl: no page of the mirror lists it" in capsys.readouterr().err


def test_other_bytes_of_that_name_are_another_file(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = server.warehouse.file(BETA.file_name).sha256
    path = home / "uv.lock"
    path.write_text(path.read_text().replace(digest, "0" * 64))
    assert rewrite(home) == 1
    assert BETA.file_name in capsys.readouterr().err


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_what_has_no_addresses_is_refused(home: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (home / name).write_text("" if name.endswith("txt") else "[project]\nname = 'a'\nversion = '1'\n")
    assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", f"{home}/{name}"]) == 1
    assert "is no lock file whose addresses can be changed" in capsys.readouterr().err


def test_poetry_names_files_without_addresses(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = server.warehouse.file(BETA.file_name).sha256
    text = (
        '[[package]]\nname = "beta"\nversion = "1.0"\n'
        f'files = [{{file = "{BETA.file_name}", hash = "sha256:{sha256}"}}]\n'
        '{source}\n[metadata]\nlock-version = "2.1"\n'
    )
    source = '[package.source]\ntype = "legacy"\nurl = "https://index.example/simple"\nreference = "team"\n'
    path = home / "poetry.lock"
    path.write_text(text.replace("{source}", source))
    assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", str(path)]) == 0
    assert path.read_text() == text.replace("{source}", source.replace("https://index.example", SITE))
    path.write_text(text.replace("{source}", ""))
    capsys.readouterr()
    assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", str(path)]) == 0
    assert path.read_text() == text.replace("{source}", "")
    assert "It names no index" in capsys.readouterr().out


def test_links_are_followed_and_a_missing_file_is_an_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "uv.lock").rename(home / "real.uv.lock")
    (home / "uv.lock").symlink_to("real.uv.lock")
    assert rewrite(home) == 0
    assert (home / "uv.lock").is_symlink()
    assert SITE in (home / "real.uv.lock").read_text()
    (home / "mirror.conf").write_text((home / "mirror.conf").read_text().replace("= uv.lock", "= *.lock"))
    assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", f"{home}/none.uv.lock"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_packages_of_another_index_keep_their_addresses(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project can have two indexes, and a mirror of each."""
    other = lock(server, Wheel(name="beta")).partition("[[package]]")[2]
    other = other.replace("index.example", "other.example").replace('"beta"', '"gamma"')
    text = lock(server, LINUX).replace("https://index.example", server.master) + "[[package]]" + other
    path = home / "two.uv.lock"
    path.write_text(text)
    for _ in range(2):
        assert main(["lock", "rewrite", "-c", f"{home}/mirror.conf", str(path)]) == 0
        said = capsys.readouterr().out
        assert "unchanged: https://other.example/simple: it is not [mirror] master" in said
        rewritten = path.read_text()
        assert rewritten.endswith(other)
        assert f'"{SITE}/simple/"' in rewritten
        assert f"{SITE}/packages/" in rewritten


def test_files_are_where_pages_say(home: Path) -> None:
    conf = home / "mirror.conf"
    conf.write_text(conf.read_text().replace("[allowlist]", "root_uri = https://cdn.example\n[allowlist]"))
    assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
    assert rewrite(home) == 0
    assert "https://cdn.example/packages/" in (home / "uv.lock").read_text()
    assert f"{SITE}/packages" not in (home / "uv.lock").read_text()
