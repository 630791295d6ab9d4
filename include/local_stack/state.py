"""What is known of a running stack to the command that comes after: which it is, and where."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``command`` is who started it; ``conf`` the configuration it runs with."""

    command: str
    airflow_port: int
    conf: str


def write_state(run: Path, state: State) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / "stack.json").write_text(json.dumps(asdict(state)) + "\n")


def read_state(run: Path) -> State | None:
    """None when nothing is on record, or a crash left half a record."""
    try:
        return State(**json.loads((run / "stack.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget_state(run: Path) -> None:
    (run / "stack.json").unlink(missing_ok=True)
