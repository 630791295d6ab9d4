"""Commands in messages can be copied: they name the configuration that was given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main, output


@pytest.fixture(autouse=True)
def _no_file() -> Iterator[None]:
    yield
    output.use_file(None)


@pytest.mark.parametrize(
    ("said", "complete"),
    [
        ("`pypi-mirror sync` makes it", "`pypi-mirror sync -c a.conf` makes it"),
        ("`pypi-mirror sync --approve 1f` runs it", "`pypi-mirror sync -c a.conf --approve 1f` runs it"),
        ("`pypi-mirror sync six` follows", "`pypi-mirror sync -c a.conf six` follows"),
        ("`pypi-mirror ledger rebuild` and on", "`pypi-mirror ledger rebuild -c a.conf` and on"),
        ("`pypi-mirror backlog retry`, `pypi-mirror plan`",
         "`pypi-mirror backlog retry -c a.conf`, `pypi-mirror plan -c a.conf`"),
        ("`pypi-mirror ledger adopt-disk`", "`pypi-mirror ledger adopt-disk -c a.conf`"),
        ("`pypi-mirror ledger reset-cursor 5`", "`pypi-mirror ledger reset-cursor -c a.conf 5`"),
        ("`pypi-mirror config check` reads it", "`pypi-mirror config check -c a.conf` reads it"),
        ("`pypi-mirror backlog` lists", "`pypi-mirror backlog -c a.conf` lists"),
        ("`pypi-mirror backlog retry six`", "`pypi-mirror backlog retry -c a.conf six`"),
        ("`pypi-mirror plan -c a.conf` has one", "`pypi-mirror plan -c a.conf` has one"),
        ("pypi-mirror: mirror.conf:3: no such key", "pypi-mirror: mirror.conf:3: no such key"),
        ("`plan` is no command of a shell", "`plan` is no command of a shell"),
    ],
)  # fmt: skip
def test_the_file_stands_behind_the_verb_and_its_action(said: str, complete: str) -> None:
    output.use_file(Path("a.conf"))
    assert output.complete(said) == complete


def test_a_name_with_a_space_is_quoted() -> None:
    output.use_file(Path("my mirror.conf"))
    assert output.complete("`pypi-mirror sync`") == "`pypi-mirror sync -c 'my mirror.conf'`"


def test_without_a_file_nothing_is_added() -> None:
    output.use_file(None)
    assert output.complete("`pypi-mirror sync`") == "`pypi-mirror sync`"


def test_a_file_that_is_found_anyway_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(f"[mirror]\ndirectory = {tmp_path}/none\nmaster = https://index.example\n")
    assert main(["status", "-c", str(conf)]) == 1
    assert f"`pypi-mirror sync -c {conf}` makes it" in capsys.readouterr().err
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    assert main(["status"]) == 1
    assert "`pypi-mirror sync` makes it" in capsys.readouterr().err
