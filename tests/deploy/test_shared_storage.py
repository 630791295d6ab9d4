"""What a worker of one user began a worker of another one goes on with: deploy/README.md, "Several users"."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT
from tests.deploy.topology import AIRFLOW, OTHER, STORAGE, User, anybody_can_run_us
from tests.requirements_present import require

# Half of a file of 4 MB by each, as a download that is cut off and taken up does it.
BEGIN = """
import os, sys
from pypi_mirror.model import RemoteFile
from pypi_mirror.pool.part import Part
import hashlib
os.umask(int(sys.argv[2], 8))
data = b"0123456789abcdef" * (4 << 16)
file = RemoteFile(filename="a.whl", url="https://files.example/a.whl",
                  hashes=(("sha256", hashlib.sha256(data).hexdigest()),), size=len(data))
final = sys.argv[1] + "/ab/cd/a.whl"
part = Part(final.replace("a.whl", ".tmp-a.whl.part"), file)
"""
FIRST = BEGIN + "part.start(200); part.write(data[: len(data) // 2]); part.flush(); part.close()"
SECOND = (
    BEGIN
    + "part.take_up(); part.start(206); part.write(data[part.size :]); part.check(); part.publish(final)"
)
REPLACE = """
import os, sys
from pypi_mirror.disk.files import remove_file
from pypi_mirror.disk.writing import write_atomically
os.umask(int(sys.argv[2], 8))
write_atomically(sys.argv[1] + "/pages/index.html", os.urandom(9))
"""
SWEEP = REPLACE + "remove_file(sys.argv[1] + '/pages/index.html'); os.rmdir(sys.argv[1] + '/pages')"


@pytest.fixture
def shared() -> Iterator[Path]:
    require(os.geteuid() == 0, "root (to be two users)")
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-shared-") as name:
        folder = Path(name)
        os.chown(folder, AIRFLOW.uid, STORAGE)
        folder.chmod(0o2775)
        yield folder


def as_user(user: User, program: str, folder: Path, umask: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            *user.become(reads_anything=not anybody_can_run_us()),
            *(sys.executable, "-c", program, str(folder), umask),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "include"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_download_goes_on(shared: Path) -> None:
    begun = as_user(AIRFLOW, FIRST, shared, "002")
    assert begun.returncode == 0, begun.stderr
    done = as_user(OTHER, SECOND, shared, "002")
    assert done.returncode == 0, done.stderr
    assert (shared / "ab/cd/a.whl").stat().st_size == 4 << 20


def test_without_the_umask_it_is_refused(shared: Path) -> None:
    """The group may not write then; so it is the umask that lets the test above pass."""
    as_user(AIRFLOW, FIRST, shared, "022")
    refused = as_user(OTHER, SECOND, shared, "022")
    assert "Permission denied" in refused.stderr


def test_pages_are_replaced_and_removed(shared: Path) -> None:
    for user, program in ((AIRFLOW, REPLACE), (OTHER, REPLACE), (AIRFLOW, SWEEP)):
        done = as_user(user, program, shared, "002")
        assert done.returncode == 0, done.stderr
    assert not (shared / "pages").exists()
