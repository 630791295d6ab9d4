"""What a person reads when a command of the stack could not do its work."""

from pathlib import Path


class StackError(Exception):
    """One sentence that says what failed and what to do; ``log`` is the file with the details."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        self.log = log
        super().__init__(message if log is None else f"{message}\nMore in {log}")
