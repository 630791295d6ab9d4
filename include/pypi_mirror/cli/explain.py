"""``pypi-mirror explain``: which files of a project are mirrored, and which setting leaves the others out."""

import argparse
import sys
from collections import Counter
from typing import Any, Final

import msgspec

from pypi_mirror.cli.output import say, warn
from pypi_mirror.cli.sync import project_name
from pypi_mirror.mirror import open_mirror, open_to_plan
from pypi_mirror.observing.asked_for_names import did_you_mean
from pypi_mirror.observing.explain import Explanation, FileExplained, FileState, explain
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count, size

# Requirements of others that are shown.
_REQUIREMENTS: Final = 20
# What is here of a file. The page in Airflow uses the same words.
_STATES: Final = {
    FileState.LISTED: "listed",
    FileState.HELD: "",
    FileState.TOMBSTONE: "removed, on disk",
    FileState.MISSING: "not downloaded yet",
    FileState.ABSENT: "",
}


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "explain",
        parents=[common],
        examples=(
            "pypi-mirror explain flask              # by upstream's page as last read",
            "pypi-mirror explain flask --online     # by upstream's page of now",
        ),
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument(
        "--online",
        action="store_true",
        help="ask upstream for its current page, not the one last read",
    )
    parser.add_argument("project", type=project_name, metavar="PROJECT", help="a project, in any spelling")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with (
        open_mirror(settings, must_exist=True) if settings.web.is_dir() else open_to_plan(settings) as mirror
    ):
        ask_for = mirror.settings.timeout if arguments.online else None
        explained = explain(mirror, arguments.project, ask_for=ask_for)
        # What [allowlist] names may be mistyped only where upstream says that it has no such project.
        is_named = explained.found is None and explained.project in mirror.policy.named_projects
        is_known = explained.found or is_named or mirror.ledger.projects.known([explained.project])
        hint = "" if is_known else did_you_mean(mirror, explained.project)
    if arguments.json:
        document = msgspec.json.format(msgspec.json.encode(explained), indent=2)
        sys.stdout.write(document.decode() + "\n")
    else:
        _print(explained, online=arguments.online, hint=hint)
    # What no sync has read is no failure: why the project is selected or left out was said all the same.
    return 0 if explained.found or (explained.found is None and not arguments.online) else 1


def _print(explained: Explanation, *, online: bool, hint: str) -> None:
    _print_verdict(explained)
    if explained.trouble is not None:
        warn(f"{explained.trouble}{hint}")
    elif not explained.found:
        warn(f"upstream has no project {explained.project}{hint}")
    elif explained.read_at is not None and not online:
        print(f"Upstream's page as of {explained.read_at:%Y-%m-%d %H:%M} UTC.")
    if explained.found and explained.status not in (None, "active"):
        print(f"Its status upstream is {explained.status}.")
    if None not in (theirs := explained.upstream_serial, ours := explained.serial) and theirs != ours:
        print(f"Our page is of serial {ours} (upstream's event number), upstream's of {theirs}.")
    for file in explained.files:
        print(_line(file, explained))
    refused = (f"refused   {part}" for part in explained.refused)
    for line in (
        *refused,
        *(f"missing   {rule}, and nothing upstream matches it" for rule in explained.unmet),
    ):
        print(line)
    if explained.files:
        print(_summary(explained))
    _print_requirements(explained)
    if explained.backlog is not None:
        print(f"In the backlog: {explained.backlog}.")


def _print_verdict(explained: Explanation) -> None:
    verdict = "selected" if explained.selected else "not known yet" if explained.undecided else "left out"
    print(f"{explained.project}: {verdict} ({explained.why}).")
    if explained.undecided:
        say("`pypi-mirror sync --dry-run` follows them and downloads nothing.")


def _print_requirements(explained: Explanation) -> None:
    if len(explained.chain) > 1:
        print(f"Required by what [allowlist] names: {' > '.join(explained.chain)}.")
    for each in explained.required_by[:_REQUIREMENTS]:
        print(f"  {each}")
    if (more := len(explained.required_by) - _REQUIREMENTS) > 0:
        print(f"  and {more:,} more; --json has all")


def _line(file: FileExplained, explained: Explanation) -> str:
    """``mirrored  NAME (1.2 MB, listed): why``; in no columns, since many names fill a terminal."""
    is_gone = not file.upstream and file.trouble is None
    others = "gone" if is_gone else "held" if file.state is FileState.HELD else "left out"
    verdict = "mirrored" if file.mirrored else "open" if _is_open(file, explained) else others
    bytes_ = "size unknown" if file.size is None else size(file.size)
    state = f"{bytes_}, {_STATES[file.state]}".removesuffix(", ")
    reason = _reason(file, is_gone=is_gone, judged=explained.selected or explained.undecided)
    return f"{verdict:8}  {file.filename} ({state})" + (f": {reason}" if reason else "")


def _is_open(file: FileExplained, explained: Explanation) -> bool:
    """Whether it depends on what requires the project, of which it is not known yet what does."""
    return explained.undecided and file.upstream and not file.refusals


def _reason(file: FileExplained, *, is_gone: bool, judged: bool) -> str:
    if file.locked_by is not None:
        return f"upstream has removed it; the file stays because {file.locked_by} names it"
    if is_gone:
        return "upstream does not list it"
    if file.trouble is not None:
        return f"{'could not be downloaded' if file.upstream else 'refused'}: {file.trouble}"
    if file.mirrored and file.admitted_by is not None:
        return f"{file.asked_by} asks for {file.admitted_by}"
    return "; ".join(refusal.reason for refusal in file.refusals) if judged else ""


def _summary(explained: Explanation) -> str:
    """``2 of 3 files are mirrored, 20 kB; left out: 1 by [blocklist] platforms, 1.2 MB.``"""
    listed = [file for file in explained.files if file.upstream]
    kept = [file for file in listed if file.mirrored]
    held = [file for file in listed if file.state is FileState.HELD]
    dropped = [file for file in listed if file.refusals and file.state is not FileState.HELD]
    text = f"{len(kept):,} of {count(len(listed), 'file')} mirrored, {_sum(kept)}"
    if opened := [file for file in listed if _is_open(file, explained)]:
        text += f"; open: {len(opened):,}, {_sum(opened)}"
    if held:
        text += f"; in cooldown: {len(held):,}, {_sum(held)}"
    if dropped and (explained.selected or explained.undecided):
        # Of several settings that speak against a file the first is the one that decides.
        by = Counter(file.refusals[0].setting for file in dropped)
        reasons = ", ".join(f"{number:,} by {setting}" for setting, number in by.most_common())
        text += f"; left out: {reasons}, {_sum(dropped)}"
    return f"{text}."


def _sum(files: list[FileExplained]) -> str:
    return size(sum(file.size or 0 for file in files))
