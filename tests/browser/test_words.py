"""What the page says of a mirror's state, and of what goes wrong: its own modules, in a real browser."""

from typing import Any

import msgspec
import pytest

from tests.browser.browser import Browser
from tests.observing.figures import PROGRESS

pytestmark = [pytest.mark.airflow, pytest.mark.servers, pytest.mark.database("sqlite")]

MINUTE, HOUR, DAY = 60, 3600, 86400
CURRENT: dict[str, Any] = {
    "cursor": 100,
    "upstream_serial": 100,
    "behind": 0,
    "lag_seconds": 0,
    "upstream_silent_since": None,
    "updated_at": None,
    "checked_at": None,
    "waiting": None,
    "running": None,
}
WAITING = {"plan": "abc", "run": "r", "projects": 1, "files": 1, "bytes": 1, "exceeded": []}
LONG_AGO = "2020-01-01T00:00:00Z"

# Overrides, and the headline with its tone where a mirror may be behind for a day.
STATES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({}, "good", "Current"),
    ({"behind": 37, "lag_seconds": 12 * MINUTE}, "warn", "37 events behind, for 12 minutes"),
    ({"behind": 1, "lag_seconds": 61}, "warn", "1 event behind, for 1 minute"),
    ({"behind": None, "lag_seconds": 90 * MINUTE}, "warn", "Some events behind, for 1 hour 30 minutes"),
    ({"behind": 5, "lag_seconds": DAY}, "warn", "5 events behind, for 24 hours"),
    ({"behind": 5, "lag_seconds": DAY + 1}, "bad", "Stale: 5 events behind, for 24 hours"),
    ({"behind": 5, "lag_seconds": 3 * DAY, "running": "r"}, "bad", "Stale: 5 events behind, for 3 days"),
    ({"waiting": WAITING, "lag_seconds": 3 * DAY}, "warn", "A run is waiting for approval"),
    ({"cursor": None, "lag_seconds": None}, "warn", "Nothing is published yet"),
    ({"cursor": None, "lag_seconds": None, "running": "r"}, "info", "The first sync is under way"),
    ({"lag_seconds": None}, "warn", "How far behind the mirror is cannot be told"),
    ({"upstream_silent_since": LONG_AGO}, "warn", "Upstream does not answer"),
    ({"checked_at": LONG_AGO}, "warn", "Not compared with upstream for "),
)

SAY = """
    const [overviews, staleAfter, done] = arguments;
    import(new URL("static/freshness.js", document.baseURI)).then(
        ({ freshness }) => done(overviews.map((overview) => freshness(overview, staleAfter))),
        (error) => done(String(error)));
"""
SIZES = """
    const [numbers, done] = arguments;
    import(new URL("static/wording.js", document.baseURI)).then(({ size }) => done(numbers.map(size)));
"""
# As the server answers while its database is away.
BREAK = """
    window.working = window.fetch;
    const [status, body] = arguments;
    window.fetch = async () => new Response(JSON.stringify(body), { status });
"""
MEND = "window.fetch = window.working;"


def test_each_state_has_a_line_of_its_own(browser: Browser) -> None:
    browser.open("clients")
    said = browser.run_async(SAY, [CURRENT | changes for changes, _, _ in STATES], DAY)
    for (changes, tone, headline), line in zip(STATES, said, strict=True):
        assert (changes, line["tone"]) == (changes, tone)
        assert line["headline"].startswith(headline), changes
    (unbounded,) = browser.run_async(SAY, [CURRENT | {"behind": 5, "lag_seconds": 9 * DAY}], None)
    assert unbounded["headline"] == "5 events behind, for 9 days", "stale-after = 0 is no limit"


def test_sizes_read_as_they_do_on_the_sites_front_page(browser: Browser) -> None:
    from pypi_mirror.wording import size

    numbers = [0, 1, 999, 1000, 9994, 9996, 99_949, 99_951, 999_499, 999_500, 10**9, 41_234_567_890_123]
    browser.open("clients")
    assert browser.run_async(SIZES, numbers) == [size(number) for number in numbers]


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
    browser.reads("Reading pages: 40 %, 1 minute left")
    assert browser.one('[role="progressbar"]').get_attribute("aria-label") == "Pages read"
    browser.run(MEND)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            503,
            {"title": "The ledger cannot be reached", "detail": "the server refused: <b>start</b> it"},
            "The ledger cannot be reached. the server refused: <b>start</b> it",
        ),
        (403, {"title": "Forbidden", "detail": "Forbidden"}, "You may not do this. Forbidden"),
        (401, {"title": "Unauthorized"}, "You are not logged in any more. Log in to Airflow again"),
        (502, "<html>", "The mirror's page is broken. Airflow's API server answered 502"),
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
