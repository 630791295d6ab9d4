"""``make bench``: run the cases, write the results, the table and the plots."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from bench.airflow_runs import GOALS as AIRFLOW_GOALS
from bench.airflow_runs import run_airflow
from bench.capacity import write_capacity
from bench.cases import Goal, sync_cases
from bench.closure import GOALS as CLOSURE_GOALS
from bench.closure import run_closure
from bench.compare import worse
from bench.deciding import DUE_GOALS, FILTER_GOALS, run_due, run_filter_change
from bench.document import verdict_line, write_documents
from bench.flames import flame_graph
from bench.ledger_size import GOALS as LEDGER_GOALS
from bench.ledger_size import run_ledger
from bench.machines import ProgramMissing, run_machines
from bench.measure import ProgramFailed
from bench.profiling import PROFILED, Profile, profile
from bench.readme import figures, headline, write_block
from bench.results import Results, read_results, write_results
from bench.run_sync import Round, run_sync
from bench.serving import CLIENTS, run_serving
from bench.serving import GOALS as SERVING_GOALS
from bench.startup import COMMANDS, run_startup, startup_goals
from bench.steps import GOALS as STEPS_GOALS
from bench.steps import run_steps
from bench.summary import Summary, summarize
from bench.tools import (
    Bandersnatch,
    Floor,
    Ours,
    Tool,
    install_bandersnatch,
    install_celery,
    install_py_spy,
)

_ROOT = Path(__file__).parent.parent
_HOME = _ROOT / "var" / "bench"
_MEMORY = Path("/dev/shm")  # noqa: S108 - only for a directory of our own
# The largest case at full size holds upstream's copy and all mirrors at once, and room to spare.
_ROOM = 10 * 1024**3
_LETTERS = "ABCDEFGHIJKLMNOQ"
# Of those, the ones in which bandersnatch takes its turn.
_COMPARED = "ABCDEFGJ"

_Runner = Callable[..., tuple[str, list[Round]]]


def main() -> int:
    arguments = _parse()
    if arguments.documents_only:
        _write_documents(arguments, read_results(arguments.results))
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    # Ours runs from this checkout: compiled once, as what is installed is.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home = Path(tempfile.mkdtemp(prefix="pypi-mirror-bench-", dir=_workplace()))
    home.chmod(0o755)  # an nginx that root started reads it as another user
    try:
        _measure(arguments, home)
    except ProgramFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the cases before this one are written", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _measure(arguments: argparse.Namespace, home: Path) -> None:
    """Run what was asked for; what is measured is written after each case."""
    before = None if arguments.compare is None else read_results(arguments.compare)
    compares = any(letter in arguments.cases for letter in _COMPARED)
    others = (Bandersnatch(install_bandersnatch(_HOME)), Floor()) if compares else ()
    tools: dict[str, Tool] = {tool.name: tool for tool in (Ours(), *others)}
    results = Results(machine=_machine(), scale=arguments.scale, cases=())
    for summary in _run(arguments, tools, home):
        for verdict in summary.verdicts:
            _say(f"  {verdict_line(verdict)}")
        results = replace(results, cases=(*results.cases, summary))
        _write(arguments, results)
    if before is not None:
        _say("\n".join(worse(results, before)) or "nothing got worse by more than the noise")
    for profiled in _profiles(arguments, home):
        results = replace(results, profiles=(*results.profiles, profiled))
        _write(arguments, results)


def _write(arguments: argparse.Namespace, results: Results) -> None:
    write_results(arguments.results, results)
    _write_documents(arguments, results)


def _write_documents(arguments: argparse.Namespace, results: Results) -> None:
    if arguments.docs is not None:
        write_documents(arguments.docs, results)
        write_capacity(arguments.docs, results)
    if arguments.readme is not None:
        write_block(arguments.readme, headline(results))
    if arguments.figures is not None:
        write_block(arguments.figures, figures(results))


def _run(arguments: argparse.Namespace, tools: dict[str, Tool], home: Path) -> Iterator[Summary]:
    scale, repeat = arguments.scale, arguments.repeat
    for case in sync_cases(scale):
        if case.letter in arguments.cases:
            _say(f"{case.letter}. {case.title}")
            rounds = run_sync(case, tools, home=home / case.letter, repeat=repeat, say=_say)
            yield summarize(case.letter, case.title, case.goals, rounds)
    for letter, what, run, goals in _others(tools):
        if letter in arguments.cases:
            _say(f"{letter}. {what}")
            try:
                title, rounds = run(home=home / letter, scale=scale, repeat=repeat, say=_say)
            except ProgramMissing as missing:
                _say(f"  left out: it needs {missing}, which this machine has not")
            else:
                yield summarize(letter, title, goals, rounds)


def _others(tools: dict[str, Tool]) -> Iterator[tuple[str, str, "_Runner", tuple[Goal, ...]]]:
    """The cases that are no sync of several tools: letter, what it is, what runs it, what is hoped for."""
    yield "H", "plan and publish", run_steps, STEPS_GOALS
    yield "I", "a large ledger", run_ledger, LEDGER_GOALS
    for client in CLIENTS:
        yield "J", f"serving {client}", partial(run_serving, tools, client=client), SERVING_GOALS
    yield "K", "many machines", partial(run_machines, partial(install_celery, _HOME)), ()
    yield "L", "a run without work in Airflow", run_airflow, AIRFLOW_GOALS
    yield "M", "dependencies", run_closure, CLOSURE_GOALS
    yield "N", "a filter changes", run_filter_change, FILTER_GOALS
    yield "O", "files end their cooldown", run_due, DUE_GOALS
    for command in COMMANDS:
        yield "Q", f"the start of {command}", partial(run_startup, command=command), startup_goals(command)


def _profiles(arguments: argparse.Namespace, home: Path) -> Iterator[Profile]:
    """The profiles of those cases that were run, their flame graphs drawn."""
    # Of two cases of one letter the first.
    for case in {case.letter: case for case in reversed(sync_cases(arguments.scale))}.values():
        if case.letter in arguments.cases and case.letter in PROFILED:
            _say(f"{case.letter}. where time goes")
            profiled, stacks = profile(case, install_py_spy(_HOME), home=home / "profile")
            if arguments.docs is not None:
                arguments.docs.mkdir(parents=True, exist_ok=True)
                graph = flame_graph(stacks, f"{case.letter}. {case.title}: our processes")
                (arguments.docs / f"flame-{case.letter}.svg").write_text(graph)
            yield profiled


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Use it through make.")
    parser.add_argument(
        "--cases", type=_letters, default=_LETTERS, metavar="A,C", help=f"of {_LETTERS}; default: all"
    )
    parser.add_argument("--repeat", type=_count, default=3, metavar="N", help="rounds of each case")
    parser.add_argument("--scale", type=_share, default=1.0, metavar="X", help="of the cases' full size")
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results.json", metavar="FILE"
    )
    parser.add_argument(
        "--documents-only", action="store_true", help="make them again from the results that are there"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="results; what got worse since is printed"
    )
    parser.add_argument("--readme", type=Path, metavar="FILE", help="where one line is put between marks")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="where its figures are put")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="where benchmark.md and its plots go")
    return parser.parse_args()


def _letters(text: str) -> str:
    letters = text.upper().replace(",", "").replace(" ", "")
    if not letters or set(letters) - set(_LETTERS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of letters among {_LETTERS}")
    return letters


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds, 1 or more")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, up to 10")
    return share


def _workplace() -> Path:
    """Memory where there is enough of it, so that no disk is measured; else below ``var``."""
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        return _MEMORY
    _HOME.mkdir(parents=True, exist_ok=True)
    return _HOME


def _machine() -> str:
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {python}."


def _say(line: str) -> None:
    print(line, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
