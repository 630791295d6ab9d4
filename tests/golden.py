"""Compare bytes with a golden file; ``PYPI_MIRROR_RERECORD=1 pytest TESTS`` records it again."""

import os
from pathlib import Path


def assert_golden(path: Path, actual: bytes) -> None:
    """Fail unless ``actual`` is what the file at ``path`` holds."""
    if os.environ.get("PYPI_MIRROR_RERECORD"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(actual)
    assert actual == path.read_bytes(), f"{path} differs; look, then re-record with PYPI_MIRROR_RERECORD=1"
