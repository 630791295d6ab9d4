"""``make bench``: run the cases, write the results, the table and the plots."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bench.cases import sync_cases
from bench.document import verdict_line, write_documents, write_results
from bench.measure import ProgramFailed
from bench.run_sync import run_sync
from bench.serving import CLIENTS, run_serving
from bench.serving import GOALS as SERVING_GOALS
from bench.steps import GOALS as STEPS_GOALS
from bench.steps import run_steps
from bench.summary import Summary, summarize
from bench.tools import Bandersnatch, Curl, Ours, Tool, install_bandersnatch

_ROOT = Path(__file__).parent.parent
_HOME = _ROOT / "var" / "bench"
_MEMORY = Path("/dev/shm")  # noqa: S108 - only for a directory of our own
# The largest case at full size holds upstream's copy and all mirrors at once, and room to spare.
_ROOM = 10 * 1024**3
_LETTERS = "ABCDEFGHJ"


def main() -> int:
    arguments = _parse()
    signal.signal(signal.SIGTERM, _interrupt)
    environment = install_bandersnatch(_HOME)
    tools: dict[str, Tool] = {tool.name: tool for tool in (Ours(), Bandersnatch(environment), Curl())}
    summaries: list[Summary] = []
    home = Path(tempfile.mkdtemp(prefix="pypi-mirror-bench-", dir=_workplace()))
    home.chmod(0o755)  # an nginx that root started reads it as another user
    try:
        for summary in _run(arguments, tools, home):
            summaries.append(summary)
            for verdict in summary.verdicts:
                _say(f"  {verdict_line(verdict)}")
            write_results(arguments.results, summaries, machine=_machine(), scale=arguments.scale)
            if arguments.docs is not None:
                write_documents(arguments.docs, summaries, machine=_machine())
    except ProgramFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the cases before this one are written", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _run(arguments: argparse.Namespace, tools: dict[str, Tool], home: Path) -> Iterator[Summary]:
    scale, repeat = arguments.scale, arguments.repeat
    for case in sync_cases(scale):
        if case.letter in arguments.cases:
            _say(f"{case.letter}. {case.title}")
            rounds = run_sync(case, tools, home=home / case.letter, repeat=repeat, say=_say)
            yield summarize(case.letter, case.title, case.goals, rounds)
    if "H" in arguments.cases:
        _say("H. plan and publish")
        title, rounds = run_steps(home=home / "H", scale=scale, repeat=repeat, say=_say)
        yield summarize("H", title, STEPS_GOALS, rounds)
    if "J" in arguments.cases:
        for client in CLIENTS:
            _say(f"J. serving {client}")
            title, rounds = run_serving(
                tools, client=client, home=home / "J", scale=scale, repeat=repeat, say=_say
            )
            yield summarize("J", title, SERVING_GOALS, rounds)


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
