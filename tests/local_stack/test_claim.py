import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.commands import claim
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT

HOLD = """
import sys, time
from pathlib import Path
from local_stack.commands import claim
with claim(Path(sys.argv[1]), "up"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_commands_never_work_in_one_checkout(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(CHECKOUT / "include")},
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StackError) as caught, claim(tmp_path, "mirror"):
            pytest.fail("two commands at once")
        assert f"'make up' (process {holder.pid})" in str(caught.value)
    finally:
        holder.kill()
        holder.communicate()
    with claim(tmp_path, "mirror"):
        pass
