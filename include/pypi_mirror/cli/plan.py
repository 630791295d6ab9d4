"""``pypi-mirror plan``: what a sync would do, without doing it; nothing is made or changed."""

import argparse
import sys
from typing import Any

from pypi_mirror.cli.configuration_warnings import print_warnings
from pypi_mirror.cli.plan_report import report_plan
from pypi_mirror.cli.preview import package, preview
from pypi_mirror.cli.sync import make_request, project_name
from pypi_mirror.disk.writable import why_not_writable
from pypi_mirror.mirror import open_to_plan
from pypi_mirror.observing.asked_for_names import require_upstream
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.settings.read import read_settings


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "plan",
        parents=[common],
        examples=(
            "pypi-mirror plan            # from what was read before, without asking for pages",
            "pypi-mirror plan --json     # for programs",
            "pypi-mirror plan --add jupyterlab --add 'torch>=2.8'     # what these would bring",
        ),
    )
    parser.add_argument("--recheck", action="store_true", help="as if every selected project had changed")
    parser.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    parser.add_argument(
        "--add",
        action="append",
        type=package,
        metavar="PACKAGE",
        help="ask upstream what this line of [allowlist] packages would bring, with what it requires under "
        "[dependencies]; write --add for each of several, which count together",
    )
    parser.add_argument("projects", nargs="*", type=project_name, metavar="PROJECT", help="plan only these")
    parser.set_defaults(run=run, usage_error=parser.error)


def run(arguments: argparse.Namespace) -> int:
    request = make_request(arguments)
    if arguments.add and arguments.projects:
        arguments.usage_error(f"--add takes one package; write --add {arguments.projects[0]}, too")
    if arguments.add and arguments.recheck:
        arguments.usage_error("--add asks upstream in any case; leave out --recheck")
    settings = read_settings(arguments.config)
    print_warnings(settings)
    if arguments.add:
        return preview(settings, arguments.add, as_json=arguments.json)
    with open_to_plan(settings) as mirror:
        fetched = fetch_changelog(mirror, request)
        require_upstream(mirror, arguments.projects)
        partition = partition_projects(mirror, fetched.run_id, read=False)
        report_plan(mirror, fetched, partition, as_json=arguments.json)
    # A plan writes nothing itself; often another user runs the syncs.
    if (trouble := why_not_writable(settings)) is not None:
        print(f"warning: as this user a sync would fail: [mirror] directory: {trouble}", file=sys.stderr)
    return 0
