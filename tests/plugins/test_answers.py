"""What the page's JavaScript gets: the engine's dataclasses as JSON, lists a page at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pypi_mirror.observing.cooldown import HeldFile
from pypi_mirror.observing.coverage import Coverage
from pypi_mirror.observing.explain import Explanation, FileExplained
from pypi_mirror.observing.history import Forecast, History, PastRun
from pypi_mirror.observing.overview import Disk, Overview, PlannedRemoval, Waiting
from pypi_mirror.observing.progress import RunProgress
from pypi_mirror.observing.projects import Behind, FileShown, ProjectShown, ProjectWhole
from pypi_mirror.observing.tombstones import Tombstone
from pypi_mirror.observing.verdict import Finding
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import fail_run
from pypi_mirror.settings.options import OPTIONS
from tests.plugins.conftest import HELD, PAGE, WAITING, Client, dag, problem
from tests.runs.bench import Bench

pytestmark = pytest.mark.airflow


@pytest.fixture
def get(client: Client, mirror: Bench) -> Any:
    """``get("overview")`` as a viewer, the document."""
    viewer = client("viewer")

    def ask(path: str) -> Any:
        answer = viewer.get(f"{PAGE}/api/{path}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    return ask


def names(kind: type) -> set[str]:
    return set(kind.__struct_fields__)


def is_recent(text: str) -> bool:
    """RFC 3339 in UTC, and not a time of another epoch."""
    at = datetime.fromisoformat(text)
    return at.tzinfo == UTC and at.year >= 2024


def test_overview(get: Any, mirror: Bench) -> None:
    shown = get("overview")
    assert set(shown) == {*names(Overview), "exists", "verdict"}
    assert is_recent(shown["at"])
    assert is_recent(shown["updated_at"])
    assert (shown["cursor"], shown["backlog"], shown["projects"]) == (mirror.cursor, 1, 4)
    assert shown["dropped_files"] == 1
    assert shown["tombstones"]["count"] == 1
    assert set(shown["disk"]) == names(Disk)
    assert set(shown["waiting"]) == names(Waiting)
    assert (shown["waiting"]["run"], shown["waiting"]["projects"]) == (WAITING, 1)
    assert [each["project"] for each in shown["waiting"]["examples"]] == ["good-3"]
    assert set(shown["verdict"]["worst"]) == names(Finding)
    told = [shown["verdict"]["worst"], *shown["verdict"]["others"]]
    assert [each["state"] for each in told] == ["awaiting-approval", "switched-off", "backlog"]


def test_a_dag_that_is_switched_on_is_no_trouble(get: Any) -> None:
    with dag(is_paused=False):
        shown = get("overview")["verdict"]
    assert [each["state"] for each in shown["others"]] == ["backlog"]


def test_progress_is_null_between_runs_and_a_run_during_one(own_mirror: Bench, client: Client) -> None:
    viewer = client("viewer")
    assert viewer.get(f"{PAGE}/api/progress").json() is None
    with own_mirror.open() as mirror:
        request = own_mirror.request(recheck=True)
        run = fetch_changelog(mirror, request).run_id
        partition_projects(mirror, run)
        shown = viewer.get(f"{PAGE}/api/progress").json()
        fail_run(mirror, request.label, "the test is over")
    assert set(shown) == names(RunProgress)
    assert (shown["label"], shown["done"]) == (request.label, 0)
    assert shown["planned"] == sum(batch["projects"] for batch in shown["batch_list"])


def test_history(get: Any) -> None:
    shown = get("history?days=2")
    assert set(shown) == names(History)
    assert set(shown["forecast"]) == names(Forecast)
    assert [run["label"] for run in shown["runs"]] == [WAITING, "run 2", "run 1"]
    assert all(set(run) == names(PastRun) and is_recent(run["started_at"]) for run in shown["runs"])


def test_history_since_some_days(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("pypi_mirror_page.routes.state.history", lambda _mirror, since: asked.append(since))
    get("history?days=2.5")
    get("history")
    now = datetime.now(UTC)
    assert [round((now - since) / timedelta(hours=1)) for since in asked] == [60, 720]


def test_backlog(get: Any) -> None:
    shown = get("backlog")
    (behind,) = shown["items"]
    assert set(behind) == names(Behind)
    assert (behind["project"], behind["error"], shown["next"]) == ("bad", "DigestMismatch", None)
    assert "sha256" in behind["reason"]
    assert [len(get(f"backlog?parked={parked}")["items"]) for parked in ("true", "false")] == [0, 1]


def test_tombstones(get: Any) -> None:
    (tombstone,) = get("tombstones")["items"]
    assert set(tombstone) == names(Tombstone)
    assert (tombstone["project"], tombstone["filename"]) == ("gone", "gone-1.0-py3-none-any.whl")
    assert is_recent(tombstone["deleted_at"])


def test_files_in_cooldown(get: Any) -> None:
    (file,) = get("cooldown")["items"]
    assert set(file) == names(HeldFile)
    assert (file["project"], file["filename"], file["lifted_by"]) == ("good-1", HELD, None)
    assert is_recent(file["due_at"])
    assert file["size"] > 0
    assert get("cooldown?query=good_1")["items"] == [file]
    assert get("cooldown?query=good-2")["items"] == []
    assert get("overview")["cooldown"] == {"files": 1, "projects": 1, "next_due_at": file["due_at"]}
    assert get("projects/good-1")["cooldown"] == [file]
    explained = {each["filename"]: each["state"] for each in get("projects/good-1/explanation")["files"]}
    assert explained[HELD] == "held"


def test_audit(get: Any) -> None:
    shown = get("audit")
    assert set(shown) == names(Coverage)
    assert shown["never"] is True
    assert shown["audits"] == []


def test_projects(get: Any) -> None:
    found = get("projects?query=GOOD")["items"]
    assert [project["project"] for project in found] == [f"good-{number}" for number in range(4)]
    assert set(found[0]) == names(ProjectShown)
    assert [p["project"] for p in get("projects?query=ood_1")["items"]] == ["good-1"]


def test_one_project_in_any_spelling(get: Any) -> None:
    shown = get("projects/Good_0")
    assert set(shown) == names(ProjectWhole)
    (file,) = shown["files"]["items"]
    assert set(file) == names(FileShown)
    assert (shown["project"], file["filename"]) == ("good-0", "good_0-1.0-py3-none-any.whl")
    assert get("projects/bad")["backlog"]["error"] == "DigestMismatch"


def test_a_project_that_the_mirror_knows_nothing_of_is_an_answer_too(get: Any) -> None:
    """An error would stand in the browser's console, where nothing is wrong."""
    shown = get("projects/god-1")
    assert (shown["known"], shown["held"], shown["files"]["items"]) == (False, None, [])
    assert shown["selected"] is True
    assert shown["similar"][0] == "good-1"


def test_a_search_without_a_result_suggests_names(get: Any) -> None:
    assert (get("projects?query=god-1")["items"], get("projects?query=god-1")["similar"][0]) == ([], "good-1")
    assert get("projects?query=good")["similar"] == []


def test_why_files_are_here_or_not_without_asking_upstream(get: Any, mirror: Bench) -> None:
    before = len(mirror.server.requests.of())
    shown = get("projects/good-0/explanation")
    assert len(mirror.server.requests.of()) == before
    assert set(shown) == names(Explanation)
    assert is_recent(shown["read_at"])
    kept, dropped = sorted(shown["files"], key=lambda file: not file["mirrored"])
    assert set(kept) == names(FileExplained)
    assert (kept["state"], dropped["state"]) == ("listed", "absent")
    assert [refusal["setting"] for refusal in dropped["refusals"]] == ["[platform] exclude-filename"]


def test_which_rule_of_the_file_as_it_is_now_decides(get: Any, mirror: Bench) -> None:
    """As an administrator edits it and looks, before any sync."""
    conf = mirror.settings.path
    assert conf is not None
    before = conf.read_text()
    asked = conf.with_name("requirements.txt")
    asked.write_text("good-0\ngood-1==1.0\n")
    limit = "exclude-filename = macosx\nmax-file-size = 10 B\nsdists = none"
    try:
        conf.write_text(
            before.replace("exclude-filename = macosx", limit) + f"[allowlist]\nrequirements = {asked}\n"
        )
        asked_for, other = (get(f"projects/{name}/explanation") for name in ("good-0", "good-2"))
        pinned = get("projects/good-1/explanation")
    finally:
        conf.write_text(before)
    assert (asked_for["selected"], other["selected"]) == (True, False)
    assert "requirements.txt" in asked_for["why"]
    wheel, mac = sorted(asked_for["files"], key=lambda file: len(file["refusals"]))
    assert [each["setting"] for each in wheel["refusals"]] == ["[platform] max-file-size"]
    assert [each["setting"] for each in mac["refusals"]] == [
        "[platform] exclude-filename",
        "[platform] max-file-size",
    ]
    (newer,) = (file for file in pinned["files"] if file["filename"] == HELD)
    assert newer["refusals"][0]["setting"] == "[allowlist] requirements"


def test_of_a_page_that_was_not_read_the_command_that_reads_it_is_named(get: Any, mirror: Bench) -> None:
    shown = get("projects/Unheard_of/explanation")
    assert (shown["found"], shown["read_at"], shown["files"]) == (None, None, [])
    assert f"`pypi-mirror explain -c {mirror.settings.path} unheard-of --online`" in shown["trouble"]


@pytest.mark.parametrize(
    ("path", "key"), [("projects?query=good", "project"), ("projects?query=", "project")]
)
def test_a_list_comes_a_page_at_a_time_and_whole(path: str, key: str, get: Any) -> None:
    whole = [item[key] for item in get(f"{path}&limit=200")["items"]]
    assert len(whole) >= 4
    pieces, after = [], None
    while True:
        page = get(f"{path}&limit=1" + (f"&after={after}" if after else ""))
        pieces += [item[key] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
        assert len(page["items"]) == 1
    assert pieces == whole


@pytest.mark.parametrize(
    "path", ["backlog", "cooldown", "removals", "tombstones", "projects", "projects/good-0"]
)
@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_no_list_is_longer_than_two_hundred(path: str, limit: str, client: Client, mirror: Bench) -> None:
    answer = client("viewer").get(f"{PAGE}/api/{path}?limit={limit}")
    assert problem(answer, 422, "not-valid").startswith("query.limit: ")


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("projects/-none-", 422, "not-valid"),
        ("projects/-none-/explanation", 422, "not-valid"),
        ("history?days=0", 422, "not-valid"),
        ("history?days=nan", 422, "not-valid"),
        ("tombstones?after=nonsense", 422, "bad-key"),
        ("cooldown?after=nonsense", 422, "bad-key"),
        ("cooldown?query=a%00", 422, "not-valid"),
        ("backlog?parked=perhaps", 422, "not-valid"),
        # PostgreSQL takes no NUL in a text.
        ("backlog?after=%00", 422, "not-valid"),
        ("projects?query=a%00", 422, "not-valid"),
    ],
)
def test_what_is_not_there_or_not_valid(
    path: str, status: int, kind: str, client: Client, mirror: Bench
) -> None:
    problem(client("viewer").get(f"{PAGE}/api/{path}"), status, kind)


def test_configuration_has_every_option_and_no_password(
    get: Any, mirror: Bench, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = get("configuration")
    assert shown["path"] == str(mirror.settings.path)
    found = {(s["name"], o["key"]): o for s in shown["sections"] for o in s["settings"]}
    assert list(found) == [(option.section.name, option.key) for option in OPTIONS]
    assert found["mirror", "workers"]["value"] == "2"
    assert all(setting["doc"] for setting in found.values())

    conf = tmp_path / "mirror.conf"
    conf.write_text("[mirror]\ndirectory = data\nmaster = https://index.example\n")
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    monkeypatch.setenv("PYPI_MIRROR_LEDGER_URL", "postgresql+psycopg://pypi:geheim@db.example/pypi")
    monkeypatch.setenv("PYPI_MIRROR_PROXY", "http://me:geheim@proxy.example:3128")
    answer = client("viewer").get(f"{PAGE}/api/configuration")
    assert "db.example" in answer.text
    assert "proxy.example" in answer.text
    assert "geheim" not in answer.text


@pytest.mark.parametrize(
    ("text", "differing"),
    [
        ("master = https://index.example", {"directory", "master"}),
        ("master = pypi\nworkers = 128\n[site]\nhost = a.example\nport = 80", {"directory", "host", "port"}),
        (
            "master = pypi\n[site]\npublic-url = https://a.example/pypi\nconfig = /etc/nginx/pypi.conf",
            {"directory", "public-url", "config"},
        ),
    ],
)
def test_what_differs_from_a_default_be_that_made_from_other_options(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, differing: set[str]
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(f"[mirror]\ndirectory = data\n{text}\n")
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    shown = client("viewer").get(f"{PAGE}/api/configuration").json()
    found = {o["key"] for section in shown["sections"] for o in section["settings"] if o["differs"]}
    assert found == differing


def test_before_the_first_sync_there_is_a_verdict_and_no_error(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text("[mirror]\ndirectory = data\nmaster = https://index.example\n")
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    viewer = client("viewer")
    shown = viewer.get(f"{PAGE}/api/overview").json()
    assert (shown["exists"], shown["running"], shown["verdict"]["others"]) == (False, None, [])
    assert shown["verdict"]["worst"]["headline"] == "Nothing is mirrored yet"
    assert f"There is no ledger at {tmp_path}/data/ledger.sqlite: " in shown["verdict"]["worst"]["advice"]
    assert f"`pypi-mirror ledger rebuild -c {conf}`" in shown["verdict"]["worst"]["advice"]
    assert viewer.get(f"{PAGE}/api/progress").json() is None
    problem(viewer.get(f"{PAGE}/api/history"), 503, "no-mirror-yet")
    assert not (tmp_path / "data").exists()


def test_clients(get: Any, mirror: Bench) -> None:
    shown = get("clients")
    assert shown["index_url"] == f"{mirror.settings.site.public_url}/simple/"
    assert shown["served"] is False
    assert [snippet["name"] for snippet in shown["snippets"]] == [
        *("pip", "uv", "Poetry", "PDM", "Pipenv"),
        *("Dockerfile", "GitHub Actions", "GitLab CI", "Shell", "Just once"),
    ]
    assert all(shown["index_url"] in snippet["text"] for snippet in shown["snippets"])


def test_metrics_for_prometheus(client: Client, mirror: Bench) -> None:
    answer = client("viewer").get(f"{PAGE}/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert found["pypi_mirror_projects"].samples[0].value == 4


def test_a_broken_configuration_is_told_everywhere(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text("[mirror]\nworkers = 0\n")
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    viewer = client("viewer")
    for path in ("api/overview", "api/configuration", "api/backlog", "metrics"):
        answer = viewer.get(f"{PAGE}/{path}")
        assert f"{conf}:2: [mirror] workers" in problem(answer, 503, "configuration-error")
        assert {mistake["key"] for mistake in answer.json()["mistakes"]} >= {"[mirror] workers"}
    # Who looks, and the page itself, need no mirror.
    assert viewer.get(f"{PAGE}/api/me").status_code == 200
    assert viewer.get(f"{PAGE}/").status_code == 200


def test_removals_and_no_question_of_airflow(get: Any) -> None:
    """A run of the command line waits for nobody in Airflow."""
    shown = get("removals")
    (removal,) = shown["items"]
    assert set(removal) == names(PlannedRemoval)
    assert (removal["project"], removal["whole"]) == ("good-3", True)
    assert (shown["waiting"]["run"], shown["approval"]) == (WAITING, None)


@pytest.fixture
def asking_run(client: Client, mirror: Bench) -> Iterator[str]:
    """Airflow has a run of that name, which asks whether it may remove."""
    from airflow.models import DagRun, TaskInstance
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    body = {"dag_run_id": WAITING, "logical_date": None}
    started = client("user").post("/api/v2/dags/pypi_mirror/dagRuns", json=body)
    assert started.status_code == 200, started.text
    wanted = (TaskInstance.run_id == WAITING, TaskInstance.task_id == "approve_removals")
    with create_session() as session:
        task = session.scalar(select(TaskInstance).where(*wanted))
        assert task is not None
        task.state = "awaiting_input"
        session.add(
            HITLDetail(
                ti_id=task.id,
                options=["Approve", "Reject"],
                subject="Remove 1 project?",
                body="",
                multiple=False,
                params={},
                assignees=None,
            )
        )
    yield WAITING
    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.run_id == WAITING))


def test_removals_say_where_airflow_takes_the_answer(asking_run: str, get: Any, client: Client) -> None:
    approval = get("removals")["approval"]
    answer = "api/v2/dags/pypi_mirror/dagRuns/manual__third/taskInstances/approve_removals/-1/hitlDetails"
    assert approval == {
        "dag_id": "pypi_mirror",
        "run_id": asking_run,
        "task_id": "approve_removals",
        "map_index": -1,
        "subject": "Remove 1 project?",
        "options": ["Approve", "Reject"],
        "answer": answer,
        "link": "dags/pypi_mirror/runs/manual__third",
    }
    body = {"chosen_options": ["Approve"]}
    assert client("viewer").patch(f"/{answer}", json=body).status_code == 403
    assert client("user").patch(f"/{answer}", json=body).status_code == 200
    assert get("removals")["approval"] is None


def test_a_question_that_nobody_answered_in_time_is_none(asking_run: str, get: Any) -> None:
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.run_id == asking_run, TaskInstance.task_id == "approve_removals")
            .values(state="failed")
        )
    assert get("removals")["approval"] is None


def test_runs_of_the_dags(asking_run: str, get: Any) -> None:
    dags = get("runs")["dags"]
    assert [dag["dag_id"] for dag in dags] == ["pypi_mirror", "pypi_mirror_audit", "pypi_mirror_watch"], (
        "that of the cooldown has no schedule without one"
    )
    sync = dags[0]
    assert (sync["paused"], sync["link"]) == (True, "dags/pypi_mirror")
    newest = sync["runs"][0]
    assert (newest["run_id"], newest["state"], newest["type"]) == (asking_run, "queued", "manual")
    assert (newest["started_by"], newest["link"]) == ("the user", "dags/pypi_mirror/runs/manual__third")
    assert is_recent(newest["queued_at"])
    assert set(newest["did"]) == names(PastRun)
    assert (newest["did"]["label"], newest["did"]["state"]) == (asking_run, "failed")


@contextmanager
def run_of_airflow(client: Client, run_id: str, state: str) -> Iterator[None]:
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    body = {"dag_run_id": run_id, "logical_date": None}
    started = client("user").post("/api/v2/dags/pypi_mirror/dagRuns", json=body)
    assert started.status_code == 200, started.text
    try:
        with create_session() as session:
            session.execute(update(DagRun).where(DagRun.run_id == run_id).values(state=state))
        yield
    finally:
        with create_session() as session:
            session.execute(delete(DagRun).where(DagRun.run_id == run_id))


@pytest.mark.parametrize("knows", ["a ledger", "no mirror yet", "no configuration"])
@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("queued", {"unknown": False}),
        ("running", {"unknown": False}),
        ("failed", {"unknown": True}),
        ("success", None),
    ],
)
def test_a_run_of_another_mirror_is_not_shown_as_this_ones(
    knows: str,
    state: str,
    shown: dict[str, bool] | None,
    client: Client,
    get: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if knows == "no mirror yet":
        (tmp_path / "other.conf").write_text("[mirror]\ndirectory = nothing-here\n")
    if knows != "a ledger":
        monkeypatch.setenv("PYPI_MIRROR_CONF", str(tmp_path / "other.conf"))
    if knows == "no configuration":
        # Nobody can tell whose it is.
        shown = {"unknown": False}
    # Tests before this one leave runs of theirs.
    before = get("runs")["dags"][0]["left_out"]
    with run_of_airflow(client, "manual__of_another_mirror", state):
        sync = get("runs")["dags"][0]
    found = [run for run in sync["runs"] if run["run_id"] == "manual__of_another_mirror"]
    assert [{"unknown": run["unknown"]} for run in found] == ([] if shown is None else [shown])
    assert sync["left_out"] - before == int(shown is None)


def test_a_run_of_this_mirror_is_shown_with_what_it_did(mirror: Bench, client: Client, get: Any) -> None:
    with run_of_airflow(client, WAITING, "success"):
        sync = get("runs")["dags"][0]
    (run,) = (run for run in sync["runs"] if run["run_id"] == WAITING)
    assert (run["did"]["label"], run["unknown"]) == (WAITING, False)


def test_a_run_of_the_watch_is_not_the_sync_of_the_same_id(asking_run: str, get: Any, client: Client) -> None:
    body = {"dag_run_id": asking_run, "logical_date": None}
    started = client("user").post("/api/v2/dags/pypi_mirror_watch/dagRuns", json=body)
    assert started.status_code == 200, started.text
    newest = next(dag["runs"][0] for dag in get("runs")["dags"] if dag["dag_id"] == "pypi_mirror_watch")
    assert (newest["run_id"], newest["did"]) == (asking_run, None)


def test_runs_of_the_dags_are_there_without_a_mirror(
    asking_run: str, get: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(tmp_path / "missing.conf"))
    newest = get("runs")["dags"][0]["runs"][0]
    assert (newest["run_id"], newest["did"]) == (asking_run, None)
