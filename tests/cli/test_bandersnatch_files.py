"""Files as bandersnatch came with them, of 2017 and of 8.2.0, run as they are but for two values."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from tests.settings.test_bandersnatch import DEFAULTS, EXAMPLE, OF_2017, file_of
from tests.warehouse import Server, running, small

FILES = {
    "2017": OF_2017,
    "defaults": file_of(DEFAULTS),
    "example": file_of({key: DEFAULTS[key] for key in EXAMPLE}),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with running(small().build()) as found:
        yield found


def test_a_mistake_withholds_nothing_that_is_said_of_the_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "bandersnatch.conf"
    conf.write_text(
        "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\nverifiers = 3\njson = ture\n"
    )
    assert main(["config", "check", "-c", str(conf)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"4  \[mirror\] verifiers +no effect +audits check", err)
    assert f"{conf}:5: [mirror] json: 'ture' is not a boolean" in err


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_it_is_synced_by(
    tmp_path: Path, server: Server, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "pypi"
    for key, value in (("directory", directory), ("master", server.master)):
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    conf = tmp_path / "bandersnatch.conf"
    conf.write_text(text)

    assert main(["config", "check", "-c", str(conf)]) == 0
    assert main(["sync", "-c", str(conf)]) == 0

    assert "warning" not in capsys.readouterr().err
    assert (directory / "web/simple/alpha/index.html").exists()
    assert list((directory / "web/packages").rglob("alpha-1.0.tar.gz"))
