"""Compare text with a golden file; ``PYPI_MIRROR_RERECORD=1 pytest tests/webserver`` writes it anew."""

import os
from pathlib import Path

_DIRECTORY = Path(__file__).with_name("golden")


def assert_golden(name: str, actual: str) -> None:
    path = _DIRECTORY / name
    if os.environ.get("PYPI_MIRROR_RERECORD") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(actual)
    assert actual == path.read_text(), f"{name} differs; look, then re-record with PYPI_MIRROR_RERECORD=1"
