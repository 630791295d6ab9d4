"""Upstream's root index of one run, kept on the mirror's disk between two steps.

Tasks of one run may be on different hosts; what they share is the ledger and the mirror's directory.
"""

from pathlib import Path

import msgspec

from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import MirrorError
from pypi_mirror.upstream.root_index import RootIndex


def save_snapshot(directory: Path, run_id: int, index: RootIndex) -> None:
    """Keep ``index`` for ``run_id``; the snapshots of other runs go, one run at a time is at work."""
    remove_snapshots(directory)
    home = directory / "state"
    head = msgspec.json.encode((index.url, index.serial, index.etag, index.content_type, index.highest))
    # The ledger is about to say that it is there.
    write_atomically(home / _name(run_id), head + b"\n" + index.body, durable=True)


def load_snapshot(directory: Path, run_id: int) -> RootIndex:
    """Raises MirrorError when there is none."""
    path = directory / "state" / _name(run_id)
    try:
        with path.open("rb") as file:
            url, serial, etag, content_type, highest = msgspec.json.decode(
                file.readline(), type=tuple[str, int | None, str | None, str, int | None]
            )
            body = file.read()
    except FileNotFoundError as error:
        raise MirrorError(
            f"{path}: missing; the run's first step, fetch_changelog, has to be run again"
        ) from error
    return RootIndex(url=url, serial=serial, etag=etag, content_type=content_type, body=body, highest=highest)


def has_snapshot(directory: Path, run_id: int) -> bool:
    return (directory / "state" / _name(run_id)).exists()


def remove_snapshots(directory: Path) -> None:
    """Remove what runs left behind."""
    for path in (directory / "state").glob("index-of-run-*"):
        path.unlink(missing_ok=True)


def _name(run_id: int) -> str:
    return f"index-of-run-{run_id}"
