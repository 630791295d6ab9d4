"""What a list of processes shows of a program and of all that it starts: anybody on the machine may look.

Python processes write down what they start. The list itself is looked at, too, for those that set a title.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# Imported by each Python process whose PYTHONPATH has its folder.
_RECORDER = """
import os, sys

def _note(line):
    with open(os.path.join({folder!r}, str(os.getpid())), "a", errors="replace") as log:
        log.write(line + "\\n")

def _look(event, args):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        _note(" ".join(map(os.fsdecode, [args[0] or "", *args[1]])))
    elif event == "os.system":
        _note(os.fsdecode(args[0]))

_note(" ".join(sys.orig_argv))
sys.addaudithook(_look)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLines:
    """``path`` belongs into PYTHONPATH of what is looked at; ``seen`` was in the list of processes."""

    path: str
    folder: Path
    seen: set[str] = field(default_factory=set)

    def all(self) -> list[str]:
        written = (path.read_text().splitlines() for path in sorted(self.folder.iterdir()))
        return [*(line for lines in written for line in lines), *sorted(self.seen)]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """With an eye on the list of processes."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                self._look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _look(self) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:
                    continue  # it has ended
                self.seen.add(os.fsdecode(line).replace("\0", " ").strip())


def record(home: Path) -> CommandLines:
    """Of all that is started from here on; ``home`` is a directory that is not there yet."""
    (module := home / "module").mkdir(parents=True)
    (folder := home / "lines").mkdir()
    (module / "sitecustomize.py").write_text(_RECORDER.format(folder=str(folder)))
    return CommandLines(path=str(module), folder=folder)
