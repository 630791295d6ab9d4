"""What a case may have cost, and whether that is named."""

import json
from collections.abc import Iterable, Mapping

from tests.torture.hostile import changes, indexes, projects
from tests.torture.hostile.ground import Ground
from tests.torture.hostile.projects import Cost
from tests.torture.hostile.run import Came

_ALLOWED: Mapping[Cost, frozenset[Cost]] = {
    Cost.PAGE: frozenset({Cost.PAGE}),
    Cost.FILE: frozenset({Cost.FILE}),
    Cost.VALUE: frozenset({Cost.VALUE}),
    Cost.NOTHING: frozenset({Cost.NOTHING}),
    Cost.AT_MOST_VALUE: frozenset({Cost.VALUE, Cost.NOTHING}),
    Cost.AT_MOST_FILE: frozenset({Cost.FILE, Cost.VALUE, Cost.NOTHING}),
    Cost.ANYTHING: frozenset({Cost.PAGE, Cost.FILE, Cost.VALUE, Cost.NOTHING, Cost.ANYTHING}),
}


def judge_project(ground: Ground, came: Came, name: str, case: projects.Case, had: bytes | None) -> None:
    """It costs what it may, the good file is yanked unless the page cannot be read, and what is missing is
    named. ``had`` is the page of the run before.
    """
    said = _said(came, name)
    page = ground.pages(name).get(name)
    what = f"{case.name} ({name})"
    costs, follows = _cost(page, had, name, said, came.left_out.get(name, []))
    if costs not in _ALLOWED[case.costs]:
        detail = f"{what}: costs {costs.value}, not {case.costs.value}: {said}"
        ground.found.add("costs too much or too little", detail)
    elif not follows and not case.alone:
        ground.found.add("not followed", f"{what}: the good file is not as upstream says: {said}")
    elif case.reason not in " ".join(said):
        ground.found.add("not named", f"{what}: not for being what it is: {said}")
    if costs is Cost.PAGE and name not in came.failures:
        ground.found.add("not named", f"{what}: no failure: {said}")


def _said(came: Came, name: str) -> list[str]:
    failure = came.failures.get(name)
    return [*([failure] if failure else []), *(reason for *_, reason in came.left_out.get(name, []))]


def _cost(
    page: bytes | None,
    had: bytes | None,
    name: str,
    said: list[str],
    left_out: Iterable[tuple[str | None, str | None, str]],
) -> tuple[Cost, bool]:
    """What the case has cost, and whether the page follows upstream in all else."""
    if page is None or page == had:
        return Cost.PAGE, page == had
    files = {file["filename"]: file for file in json.loads(page)["files"]}
    good = files.pop(projects.good_file(name), {})
    follows = good.get("yanked") == projects.YANKED
    if not files:
        # What is missing and not named is no cost that any case may have.
        return (Cost.FILE if said else Cost.ANYTHING), follows
    return (Cost.VALUE if left_out else Cost.NOTHING), follows


def judge_change(ground: Ground, came: Came, name: str, case: changes.Case, had: Mapping[str, bytes]) -> None:
    """After the last step: what is served, and what is said. ``had`` are the pages of the run before."""
    what = f"{case.name} ({name})"
    for project, wanted in case.files(name).items():
        files = ground.files(project)
        if files != wanted:
            kept = sorted(files or ())
            ground.found.add("wrong bytes", f"{what}: {project} serves {kept}: {_said(came, project)}")
        if case.is_kept and ground.pages(project).get(project) != had.get(project):
            ground.found.add("not refused", f"{what}: {project} has another page: {_said(came, project)}")
        failure = came.failures.get(project, "")
        if case.reason is not None and (bool(failure) != bool(case.reason) or case.reason not in failure):
            wanted_reason = case.reason or "no failure"
            ground.found.add("not named", f"{what}: {failure or 'nothing is said'}, not {wanted_reason!r}")


def judge_index(ground: Ground, came: Came, case: indexes.Case, before: Mapping[str, bytes]) -> None:
    said = " ".join([came.error, *came.failures.values(), *came.warnings])
    if case.believed is not None and (came.state == "success") != case.believed:
        kind = "refused" if case.believed else "not refused"
        ground.found.add(kind, f"{case.name}: {came.state}, {came.failures}: {said[:500]}")
    elif case.reason not in said or (came.state != "success" and not said.strip()):
        ground.found.add("not named", f"{case.name}: {came.state}: {said[:500]!r}, not {case.reason!r}")
    if ground.pages() != before:
        ground.found.add("another project affected", f"{case.name}: pages changed")
