"""``pypi-mirror plan --add``: what projects would bring before [allowlist] names them."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.cli.label import new_label
from pypi_mirror.cli.progress import show_following
from pypi_mirror.demands.mistyped import is_several
from pypi_mirror.mirror import open_to_plan
from pypi_mirror.observing.dependencies import Unmet
from pypi_mirror.options.packages import ReleaseRule, format_package, parse_package
from pypi_mirror.options.parsers import BadValue
from pypi_mirror.runs.preview_roots import Brought, Preview, allowing, preview_roots
from pypi_mirror.settings.values import Settings
from pypi_mirror.wording import count, size, some_of

# What is shown of each list; --json has all.
_SHOWN = 20


def package(text: str) -> ReleaseRule:
    """A line of ``[allowlist] packages`` for one project, for argparse."""
    if is_several(text):
        raise argparse.ArgumentTypeError(f"{text!r} is more than one project; write --add for each")
    try:
        rule = parse_package(text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if rule.is_pattern:
        raise argparse.ArgumentTypeError(f"{text!r} is a pattern; name one project at a time")
    return rule


def preview(settings: Settings, rules: Sequence[ReleaseRule], *, as_json: bool) -> int:
    """Print what ``rules`` would bring; 1 where upstream did not answer for a project."""
    with (
        open_to_plan(allowing(settings, rules)) as mirror,
        show_following(mirror.ledger.dependencies.progress) as show,
    ):
        found = preview_roots(mirror, new_label(), on_followed=lambda _: show())
    if as_json:
        document = msgspec.json.encode(_document(found, rules))
        sys.stdout.write(msgspec.json.format(document, indent=2).decode() + "\n")
    else:
        _print(found, rules, _why_here(settings, found))
    for each in found.failed:
        print(f"failed: {each.planned.project}: {each.reason}", file=sys.stderr)
    return 1 if found.failed else 0


def _document(found: Preview, rules: Sequence[ReleaseRule]) -> dict[str, Any]:
    return {
        "added": [format_package(rule) for rule in rules],
        "follows": found.follows,
        "totals": {
            "projects": len(found.projects),
            "new_projects": sum(not each.here for each in found.projects),
            "new_files": sum(each.new_files for each in found.projects),
            "new_bytes": sum(each.new_bytes for each in found.projects),
            "unsized_files": sum(each.unsized_files for each in found.projects),
        },
        "projects": found.projects,
        "unmet": found.unmet,
        "failed": [{"project": each.planned.project, "reason": each.reason} for each in found.failed],
    }


def _why_here(settings: Settings, found: Preview) -> dict[NormalizedName, str]:
    """Why those are mirrored already of which all is here that was asked for."""
    whole = [each.project for each in found.projects if each.named and each.here and not each.new_files]
    with open_to_plan(settings) as mirror:
        return {name: mirror.policy.reason_for(name) for name in whole}


def _print(found: Preview, rules: Sequence[ReleaseRule], here: Mapping[NormalizedName, str]) -> None:
    coming = sorted(
        (each for each in found.projects if each.new_files or not each.here),
        key=lambda each: (-each.new_bytes, each.project),
    )
    for each in coming[:_SHOWN]:
        print(_line(each))
    _print_more(len(coming))
    new = sum(not each.here for each in found.projects)
    files = sum(each.new_files for each in found.projects)
    bytes_ = sum(each.new_bytes for each in found.projects)
    unsized = sum(each.unsized_files for each in found.projects)
    whole = f"{count(len(found.projects), 'project')}, {new:,} of them new"
    print(f"{', '.join(map(format_package, rules))}: {whole}.")
    unknown = f" ({unsized:,} of unknown size)" if unsized else ""
    what = f"{count(files, 'file')}{unknown}, {size(bytes_)} without metadata" if files else "nothing"
    print(f"To download: {what}.")
    for name, why in here.items():
        print(f"All of {name} that this asks for is here already: {why}.")
    if empty := [each.project for each in found.projects if each.named and not (each.here or each.new_files)]:
        print(f"The filters leave out every file of {some_of(empty)}.")
    if not found.follows:
        print("What they require is not counted: [dependencies] follow is no.")
    _print_unmet(found.unmet)
    print("Nothing was changed." + (" To add them, write them to [allowlist] packages." if coming else ""))


def _line(each: Brought) -> str:
    verb = "more of" if each.here else "new"
    return f"{verb} {each.project} ({count(each.new_files, 'file')}, {size(each.new_bytes)})"


def _print_unmet(unmet: Sequence[Unmet]) -> None:
    if unmet:
        print(f"{count(len(unmet), 'requirement')} would not be met here:")
        for each in unmet[:_SHOWN]:
            print(f"  {each}")
        _print_more(len(unmet), indent="  ")


def _print_more(number: int, indent: str = "") -> None:
    if (more := number - _SHOWN) > 0:
        print(f"{indent}and {more:,} more; --json has all")
