"""What the page says of a mirror's state, and of what goes wrong: its own modules, in a real browser."""

import msgspec
import pytest

from pypi_mirror.observing.verdict import no_mirror_yet
from tests.browser.browser import Browser
from tests.observing.figures import PROGRESS

pytestmark = [pytest.mark.airflow, pytest.mark.servers, pytest.mark.database("sqlite")]

# As the server answers while its database is away.
BREAK = """
    window.working = window.fetch;
    const [status, body] = arguments;
    window.fetch = async () => new Response(JSON.stringify(body), { status });
"""
MEND = "window.fetch = window.working;"


READING = """
    window.working = window.fetch;
    const run = arguments[0];
    window.fetch = async (url, ...more) =>
        String(url).endsWith("/progress") ? new Response(JSON.stringify(run)) : window.working(url, ...more);
"""


def test_while_pages_are_read_the_overview_says_how_many(browser: Browser) -> None:
    browser.open("clients")
    browser.run(READING, msgspec.to_builtins(PROGRESS))
    browser.follow("overview")
    browser.reads("812 of 2,000 pages read, 2 could not be read")
    browser.reads("Reading pages: 40%, 1 minute left")
    assert browser.one('[role="progressbar"]').get_attribute("aria-label") == "Pages read"
    assert browser.text(".phases [aria-current]") == "Reading"
    browser.screenshot("reading")
    browser.run(MEND)


PHASES = (
    ({"phase": "reading", "pages": 0}, "Finding out what has changed upstream", "Reading"),
    (
        {"phase": "following", "known": 812, "to_follow": 90},
        "Following dependencies: 812 projects known, 90 left",
        "Following dependencies",
    ),
    ({"phase": "deciding"}, "The filters are applied to 50 projects", "Deciding"),
    (
        {"phase": "fetching", "planned_files": 180, "planned_bytes": 18_000},
        "60 of 180 files, 6.00 kB of about 18.0 kB downloaded, 100 bytes/s; 1 of 2 batches done",
        "Fetching",
    ),
    (
        {"phase": "fetching", "planned_files": 180, "planned_bytes": 18_000, "unsized_files": 3},
        "6.00 kB of at least 18.0 kB downloaded",
        "Fetching",
    ),
    ({"phase": "publishing"}, "Publishing the index of all projects", "Publishing"),
)


@pytest.mark.parametrize(("changes", "words", "current"), PHASES)
def test_each_phase_says_what_is_done_and_what_is_left(
    browser: Browser, changes: dict[str, object], words: str, current: str
) -> None:
    browser.open("clients")
    browser.run(READING, {**msgspec.to_builtins(PROGRESS), "pages": 0, **changes})
    browser.follow("overview")
    browser.reads(words)
    assert browser.text(".phases [aria-current]") == current
    browser.run(MEND)


ONE_BREAKS = """
    window.working = window.fetch;
    const [path, status, body] = arguments;
    window.fetch = async (url, ...more) => String(url).endsWith(path)
        ? new Response(JSON.stringify(body), { status }) : window.working(url, ...more);
"""


def test_before_the_first_sync_nothing_is_wrong_and_sync_now_starts_it(browser: Browser) -> None:
    verdict = msgspec.to_builtins(no_mirror_yet("there is no ledger"))
    nothing = {
        "exists": False,
        "verdict": verdict,
        "running": None,
        "waiting": None,
        "backlog": 0,
        "parked": 0,
    }
    browser.open("clients")
    browser.run(ONE_BREAKS, "/overview", 200, nothing)
    browser.follow("overview")
    browser.reads("Nothing is mirrored yet", ".headline")
    browser.reads("There is no ledger.", ".fresh")
    assert not browser.all("main [role=alert], .figures > div, .notes > li")
    assert browser.button("Sync now").is_enabled()
    browser.screenshot("empty")
    browser.run(MEND)


NO_AUDIT = """
    window.working = window.fetch;
    const [changes] = arguments;
    window.fetch = async (url, ...more) => {
        const response = await window.working(url, ...more);
        const answer = async (change) => new Response(JSON.stringify(change(await response.json())));
        if (String(url).endsWith("/audit")) return answer((coverage) => ({ ...coverage, audits: [] }));
        if (String(url).endsWith("/runs")) return answer(({ dags }) => ({
            dags: dags.map((dag) => dag.dag_id === "pypi_mirror_audit" ? { ...dag, ...changes } : dag) }));
        return response;
    };
"""
RUN = {"state": "running", "link": "dags/pypi_mirror_audit/runs/first"}
OFF = "It is switched off: switch it on in Airflow."


@pytest.mark.parametrize(
    ("dag", "words"),
    [
        ({"paused": True, "runs": []}, OFF),
        ({"paused": False, "runs": [RUN]}, "The first audit is running."),
        ({"paused": True, "runs": [RUN]}, "The first audit is running."),
        ({"paused": False, "runs": [{**RUN, "state": "queued"}]}, "The first audit is queued."),
        ({"paused": False, "runs": [], "next_run_at": "2126-11-22T12:00:00Z"}, "The first audit is due in "),
        ({"paused": False, "runs": [], "next_run_at": None}, "repairs what it can."),
    ],
)
def test_before_the_first_audit_the_page_says_why_there_is_none(
    browser: Browser, dag: dict[str, object], words: str
) -> None:
    browser.open("clients")
    browser.run(NO_AUDIT, dag)
    browser.follow("audit")
    browser.reads("No audit has finished yet.")
    browser.reads(words)
    assert (OFF in browser.text("main")) == (words == OFF)
    browser.run(MEND)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            503,
            {"title": "The ledger is unreachable", "detail": "the server refused: <b>start</b> it"},
            "The ledger is unreachable. the server refused: <b>start</b> it",
        ),
        (403, {"title": "Forbidden", "detail": "Forbidden"}, "Permission denied. Forbidden"),
        (401, {"title": "Unauthorized"}, "You are no longer logged in. Log in to Airflow again"),
        (502, "<html>", "The mirror's page has an error. Airflow's API server answered 502"),
    ],
)
def test_what_goes_wrong_is_said_in_words_and_can_be_tried_again(
    browser: Browser, status: int, body: object, words: str
) -> None:
    browser.open("clients")
    browser.run(BREAK, status, body)
    browser.follow("configuration")
    assert browser.text("main [role=alert]").startswith(words)
    browser.run(MEND)
    browser.button("Try again").click()
    browser.reads("stale-after")
    assert not browser.all("main [role=alert]")
