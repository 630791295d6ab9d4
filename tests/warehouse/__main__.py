"""The stand-in upstream as a process: it prints its URL and serves until it is ended."""

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.warehouse.behaviour import KINDS, Behaviour
from tests.warehouse.eventlog import EventLog
from tests.warehouse.faults import Delay, Fault
from tests.warehouse.scenarios import SCENARIOS, Scenario, many, uploads_of
from tests.warehouse.server import Server
from tests.warehouse.state import Warehouse


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    # The default action of SIGTERM would end the process with an error once uvicorn has shut down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    scenario: Scenario = given.many or SCENARIOS[given.scenario]()
    faults = scenario.faults
    if given.latency:
        faults += (Fault(path="*", effect=Delay(seconds=given.latency / 1000), times=None),)
    try:
        warehouse = _warehouse(scenario, given.folder, given.state)
        behaviour = KINDS[given.kind] if given.kind else scenario.behaviour
        server = _server(warehouse, behaviour, faults, given.port or None, given.port_file)
    except (LookupError, ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    if given.port_file is not None:
        given.port_file.write_text(f"{server.port}\n")
    print(server.url, flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.warehouse", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--port-file",
        type=Path,
        help="write the port here; with --port 0 take the port that stands here already, if it is free, "
        "because pages hold the server's address and so change with it",
    )
    parser.add_argument("--folder", type=Path, help="serve the wheels and sdists that lie here")
    parser.add_argument("--state", type=Path, help="keep the events here and replay them at the next start")
    filling = parser.add_mutually_exclusive_group()
    filling.add_argument("--scenario", choices=sorted(SCENARIOS), default="empty")
    filling.add_argument("--many", type=_many, metavar="PROJECTSxWHEELSxBYTES", help="such as 2000x5x20000")
    parser.add_argument("--kind", choices=sorted(KINDS), help="what kind of index it is")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="before every answer")
    return parser


def _many(text: str) -> Scenario:
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not of the form PROJECTSxWHEELSxBYTES")
    return many(*(int(number) for number in found.groups()))


def _warehouse(scenario: Scenario, folder: Path | None, state: Path | None) -> Warehouse:
    """What the log says, or else the scenario; then the folder's files that are not there yet."""
    warehouse = Warehouse()
    if state is not None:
        EventLog(state).resume(warehouse)
    if not warehouse.journal:
        warehouse.apply(*scenario.events)
    if folder is not None:
        new = (each for each in uploads_of(folder) if each.distribution.file_name not in warehouse.filenames)
        warehouse.apply(*new)
    return warehouse


def _server(
    warehouse: Warehouse, behaviour: Behaviour, faults: tuple[Fault, ...], port: int | None, file: Path | None
) -> Server:
    """Listens on ``port``, else on the port the last run left in ``file``, else on any."""
    if port is None and file is not None and file.exists():
        try:
            return Server(warehouse, behaviour=behaviour, faults=faults, port=int(file.read_text()))
        except OSError:
            # Somebody else has the port now; a free one serves as well, only the pages' addresses change.
            pass
    return Server(warehouse, behaviour=behaviour, faults=faults, port=port or 0)


if __name__ == "__main__":
    sys.exit(main())
