"""``pypi-mirror plan``: what a sync would do, without doing it."""

import argparse
from typing import Any

from pypi_mirror.commands.sync import make_request
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import Action
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.fetch_changelog import fetch_changelog
from pypi_mirror.steps.partition_projects import partition_projects
from pypi_mirror.steps.report import end_dry_run, fail_run
from pypi_mirror.webserver.wording import count


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("plan", parents=[common], help="say what a sync would do")
    parser.add_argument("--recheck", action="store_true", help="as for sync")
    parser.add_argument("projects", nargs="*", metavar="PROJECT", help="as for sync")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    request = make_request(arguments.projects, recheck=arguments.recheck)
    with open_mirror(read_settings(arguments.config)) as mirror:
        try:
            fetched = fetch_changelog(mirror, request)
            partition = partition_projects(mirror, fetched.run_id)
            for planned in mirror.ledger.plan.projects(fetched.run_id):
                verb = "remove" if planned.action is Action.REMOVE else "sync"
                print(f"{verb} {planned.project}: {planned.reason}")
            end_dry_run(mirror, fetched.run_id)
        except BaseException as error:
            fail_run(mirror, request.label, str(error) or type(error).__name__)
            raise
    print(
        f"{count(partition.projects, 'project')}, {partition.removals} of them to remove; "
        f"found by the {fetched.source}, "
        f"serial {fetched.cursor_from} to {fetched.cursor_to}."
    )
    return 0
