"""``results.json``: all that a benchmark measured; what the documents say comes from there alone."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from bench.profiling import Profile
from bench.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """``scale`` is the share of the cases' full size that was run."""

    machine: str
    scale: float
    cases: tuple[Summary, ...]
    profiles: tuple[Profile, ...] = ()


def write_results(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(results), indent=1) + "\n")


def read_results(path: Path) -> Results:
    """SystemExit when ``path`` is not there or was written by another version of the benchmark."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.MsgspecError) as error:
        raise SystemExit(f"bench: {path} cannot be read ({error}); `make bench` makes it") from error
