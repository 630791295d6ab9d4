"""Real wheels and source archives, which pip downloads once as `make mirror` has it do, and which are kept.

``PYPI_MIRROR_TEST_CLIENTS`` names the folder to keep them in, as for ``tests/clients/environment.py``.
"""

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from local_stack.samples import Download, fill
from tests.requirements_present import require

_REPOSITORY = Path(__file__).resolve().parents[1]


def real_wheels(*requirements: str) -> Sequence[Path]:
    """The newest wheels of these projects that fit every machine, without what they require."""
    options = ("--only-binary", ":all:", "--implementation", "py", "--abi", "none", "--platform", "any")
    return real_files(Download(label="wheels", options=options, requirements=requirements))


def real_files(*plan: Download) -> Sequence[Path]:
    """The files of the plan; where pip cannot bring them, the test is skipped, or fails with
    ``CI_REQUIRE_ALL`` set.
    """
    root = Path(os.environ.get("PYPI_MIRROR_TEST_CLIENTS") or _REPOSITORY / "var" / "clients")
    root.mkdir(parents=True, exist_ok=True)
    key = "\n".join(each.key for each in plan)
    folder = root / f"files-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    # Parallel test processes find them, or wait for the one that brings them.
    with (root / "files.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failures = fill(folder, plan, say=lambda _: None)
    require(not failures, f"files that pip downloads ({'; '.join(failures)})")
    return sorted(path for path in folder.iterdir() if path.is_file())
