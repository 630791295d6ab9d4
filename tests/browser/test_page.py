"""The mirror's page in Airflow's interface, as people use it: a real Airflow, a real browser."""

import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.browser import Browser
from tests.browser.scene import MORE, WINDOWS_WHEEL, Scene
from tests.dags.real_airflow import DAG_ID, VIEWER, VIEWERS_PASSWORD, RealAirflow
from tests.warehouse import Fault, RemoveProject, Upload, Wheel
from tests.warehouse.faults import Delay

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.servers,
    pytest.mark.database("sqlite"),
    pytest.mark.usefixtures("scene"),
]

# What a browser does to a page in a tab that is not the one in front.
HIDE = """
    const hidden = arguments[0];
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
"""
# By hand only: no run of the schedule is to come into the test.
COOLDOWN = """
[cooldown]
exclude-newer = 7 days
cron = none
"""
BAR = '[role="progressbar"]'
TABS = (
    "overview",
    "history",
    "backlog",
    "cooldown",
    "removals",
    "audit",
    "projects",
    "configuration",
    "clients",
)


def test_a_stranger_is_asked_to_log_in_and_finds_the_page_in_the_navigation(
    stranger: Browser, airflow: RealAirflow
) -> None:
    stranger.driver.get(f"{airflow.address}/pypi-mirror/")
    assert "Not authenticated" in stranger.text("body")
    assert not stranger.all("[role=tab]")
    stranger.log_in(VIEWER, VIEWERS_PASSWORD)
    stranger.open_from_navigation()
    assert stranger.text("h1") == "PyPI mirror"
    stranger.reads("Upstream was asked")


def test_the_state_is_clear_at_a_glance(browser: Browser) -> None:
    browser.open()
    assert browser.text(".headline") == "The last run failed"
    assert "2 of 12 projects failed" in browser.text(".fresh")
    assert not browser.all(".notes li"), "nothing else is wrong, and nothing said twice"
    figures = {e.text.splitlines()[0]: e.text.splitlines()[1:] for e in browser.all(".figures > div")}
    assert figures["Projects"] == ["10"]
    assert figures["Backlog"][0] == "2 projects"
    assert figures["Behind upstream"][0] == "up to date"
    assert figures["Left out by filters"][0] == "1 file"
    assert browser.one("#tab-backlog .badge").text == "2"
    row = browser.text("main table tbody tr")
    assert row.split()[-5:] == ["2", "failed", "12", "5.02", "MB"]


def test_each_part_has_an_address_and_the_keyboard_reaches_it(browser: Browser) -> None:
    browser.open()
    browser.run("document.getElementById('tab-overview').focus()")
    for name in TABS[1:]:
        browser.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        focused = browser.driver.switch_to.active_element
        assert focused.get_attribute("id") == f"tab-{name}"
        focused.send_keys(Keys.ENTER)
        browser.settle()
        assert focused.get_attribute("aria-selected") == "true"
        assert browser.one("[role=tabpanel]").get_attribute("aria-labelledby") == f"tab-{name}"
    browser.driver.switch_to.default_content()
    assert browser.driver.current_url.endswith("/plugin/pypi-mirror/pypi-mirror/#clients")
    browser.driver.refresh()
    browser.enter()
    browser.reads("The index is at")


def test_a_link_to_a_run_leads_out_of_the_frame(browser: Browser) -> None:
    browser.open()
    link = browser.one("main table tbody th a")
    address, run_id = link.get_attribute("href"), str(link.get_attribute("title"))
    link.click()
    browser.driver.switch_to.default_content()
    browser.until(lambda: browser.driver.current_url == address or None, "the run's page")
    browser.until(lambda: run_id in browser.text("body") or None, "the run in Airflow's page")


def test_charts_are_drawn_and_read_by_keyboard(browser: Browser) -> None:
    browser.open("history")
    titles = [heading.text for heading in browser.all("figure h3")]
    assert titles == [
        "Behind upstream",
        "Size of the mirror",
        "Disk",
        "Backlog",
        "Downloaded by each run",
        "Throughput of each run",
    ]
    for drawing in browser.all("figure svg"):
        assert drawing.find_elements(By.CSS_SELECTOR, ".curve, rect"), drawing.get_attribute("aria-label")
    lag = browser.one("figure svg")
    assert "behind for from" in str(lag.get_attribute("aria-label"))
    lag.send_keys(Keys.ARROW_LEFT)
    assert "behind for" in browser.text("figure .readout")
    assert "a day" in browser.text() or "Does not grow" in browser.text()
    assert len(browser.all("main table tbody tr")) >= 50
    assert "Data begins" not in browser.text()
    browser.one('#period option[value="365"]').click()
    browser.reads("Data begins on")
    browser.screenshot("history-year")


def test_a_project_is_found_and_each_of_its_files_explained(browser: Browser) -> None:
    browser.open("projects")
    browser.one("#query").send_keys("Num")
    browser.until(lambda: [e.text for e in browser.all("tbody th")] == ["numpy"] or None, "numpy alone")
    browser.one("tbody a").click()
    browser.settle()
    browser.reads("numpy-2.0-cp312-cp312-manylinux_2_28_x86_64.whl")
    assert WINDOWS_WHEEL not in browser.text()
    browser.button("Explain every file").click()
    browser.reads(WINDOWS_WHEEL)
    row = next(row.text for row in browser.all("tbody tr") if WINDOWS_WHEEL in row.text)
    assert "left out" in row
    assert "[blocklist] platforms" in row
    browser.screenshot("project")


def test_a_name_that_the_mirror_does_not_have_is_no_error(browser: Browser) -> None:
    browser.open("projects")
    field = browser.one("#query")
    field.send_keys("nunpy")
    browser.reads("No project has “nunpy” in its name. Did you mean numpy?")
    browser.screenshot("search")
    browser.button("Look up").click()
    browser.reads("The mirror does not have nunpy. Did you mean numpy?")
    browser.screenshot("unknown")
    assert browser.complaints() == []
    browser.one('.empty a[href="#projects/numpy"]').click()
    browser.settle()
    browser.reads("numpy-2.0.tar.gz")


def test_a_run_of_all_that_is_due_is_started(browser: Browser, scene: Scene) -> None:
    browser.open()
    browser.button("Sync now").click()
    browser.reads("starts in a moment")
    assert not browser.button("Sync now").is_enabled(), "one run is enough"
    run_id = browser.text("main .note[data-tone=good] a")
    assert scene.airflow.wait(run_id) in ("success", "failed")


def test_who_may_only_look_sees_all_and_cannot_press(viewer: Browser) -> None:
    viewer.open("backlog")
    viewer.reads("celery")
    assert "viewer has read-only access" in viewer.text("#may-not")
    for name in ("Retry celery", "Retry all", "Retry selected", "Forget selected"):
        button = viewer.button(name)
        assert not button.is_enabled()
        assert button.get_attribute("aria-describedby") == "may-not"
    viewer.open()
    assert not viewer.button("Sync now").is_enabled()
    viewer.go("projects/numpy")
    assert not viewer.button("Sync now").is_enabled()
    viewer.button("Explain every file").click()
    viewer.reads(WINDOWS_WHEEL)
    for name in TABS:
        viewer.follow(name)
        assert not viewer.all("main .alert"), name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_it_is_legible_and_fits(browser: Browser, theme: str, width: int) -> None:
    browser.open()
    browser.look(theme=theme, width=width)
    for part in (*TABS, "projects/numpy"):
        browser.go(part)
        assert (part, browser.overflows()) == (part, [])
        assert (part, browser.faint()) == (part, [])
        browser.screenshot(f"{part.partition('/')[0]}{'-numpy' if '/' in part else ''}-{theme}-{width}")


def test_lines_for_clients_are_copied(browser: Browser) -> None:
    browser.open("clients")
    lines = browser.text('[aria-label="Lines for uv"]')
    assert "[[index]]" in lines
    browser.button("Copy the lines for uv").click()
    browser.reads("Copied")
    browser.go("projects")
    field = browser.one("#query")
    field.send_keys(Keys.CONTROL, "v")
    # A field of one line drops the ends of lines.
    assert str(field.get_property("value")).split() == lines.split()


def test_a_project_that_would_stay_behind_is_not_forgotten(browser: Browser) -> None:
    browser.open("backlog")
    assert not browser.button("Forget selected").is_enabled()
    browser.one('[aria-label="Select tornado"]').click()
    browser.button("Forget 1 selected").click()
    browser.reads("Forget 1 project?", "dialog")
    browser.one('dialog button[value="yes"]').click()
    browser.reads("tornado: selected by the filters", "main [role=alert]")
    assert "tornado" in [e.text for e in browser.all("tbody th")]
    (complaint,) = browser.complaints()
    assert "409" in complaint, "Chromium tells of each refusal"


def test_a_project_on_the_backlog_is_retried(browser: Browser, scene: Scene) -> None:
    scene.break_pages("tornado")
    browser.open("backlog")
    assert [e.text for e in browser.all("tbody th")] == ["celery", "tornado"]
    assert "CutOff" in browser.text("tbody")
    browser.button("Retry celery").click()
    browser.reads("1 project is retried by the run")
    run_id = browser.text("main .note[data-tone=good] a")
    assert scene.airflow.wait(run_id) == "success"
    browser.open("backlog")
    assert [e.text for e in browser.all("tbody th")] == ["tornado"]


def test_a_cooldown_is_lifted_with_a_reason(browser: Browser, scene: Scene) -> None:
    held = "requests-2.5-py3-none-any.whl"
    page = scene.directory / "web/simple/requests/index.html"
    browser.open()
    assert "In cooldown" not in browser.text(".figures")
    scene.change(MORE, COOLDOWN + MORE)
    scene.happen(Upload(distribution=Wheel(name="requests", version="2.5", size=200_000)))
    assert scene.airflow.wait(scene.airflow.api.trigger(DAG_ID, {})) == "success"
    assert held not in page.read_text()
    browser.open()
    browser.reads("In cooldown\n1 file\nthe next in 6 days", ".figures")
    browser.one('.figures a[href="#cooldown"]').click()
    browser.settle()
    browser.reads(held)
    browser.reads("in 6 days")
    assert not browser.button("Lift cooldown of selected").is_enabled()
    browser.one("#held").send_keys("flask")
    browser.reads("No file in cooldown has “flask” in its name or project.")
    browser.go("projects/requests")
    browser.reads("In cooldown\nFile")
    browser.reads("in 6 days")
    browser.button("Explain every file").click()
    browser.until(
        lambda: any(held in row.text and "held" in row.text for row in browser.all("tbody tr")) or None,
        "why it is held",
    )
    browser.one('main a[href="#cooldown/requests"]').click()
    browser.settle()
    browser.one(f'[aria-label="Select {held}"]').click()
    browser.screenshot("cooldown")
    browser.button("Lift cooldown of 1 selected").click()
    browser.reads("Lift the cooldown of 1 file?", "dialog")
    for reason in ("", "  "):
        browser.one("#answer").send_keys(reason)
        browser.one('dialog button[value="yes"]').click()
        assert browser.all("dialog"), "a reason is required"
    browser.one("#answer").send_keys("fixes CVE-2026-1234")
    browser.one('dialog button[value="yes"]').click()
    browser.reads("Cooldown lifted: 1 file is listed by the run")
    run_id = browser.text("main .note[data-tone=good] a")
    assert scene.airflow.wait(run_id, "pypi_mirror_cooldown") == "success"
    assert held in page.read_text()
    browser.open("cooldown")
    browser.reads("No file is in cooldown.")
    browser.open()
    assert "In cooldown" not in browser.text(".figures")
    scene.change(COOLDOWN, "")


def test_a_removal_is_approved_and_the_run_watched_as_it_goes_on(browser: Browser, scene: Scene) -> None:
    scene.change("always-allowed = 5", "always-allowed = 0")
    scene.release("3.0")
    scene.happen(RemoveProject(project="pillow"))
    browser.open("removals")
    browser.reads("No plan is awaiting approval")
    run_id = scene.airflow.api.trigger(DAG_ID, {"batch_size": 4})
    # Who has the page open sees the plan and, as soon as the run asks, the buttons.
    browser.button("Approve")
    browser.follow("overview")
    browser.reads("Awaiting approval to remove 1 project, 1 file", ".headline")
    browser.reads("pillow: the whole project, 1 file", ".fresh")
    assert not browser.button("Sync now").is_enabled()
    assert "main" not in str(browser.button("Sync now").get_attribute("class"))
    browser.screenshot("awaiting")
    browser.one('main a[href="#removals"]').click()
    browser.settle()
    browser.reads("pillow")
    browser.screenshot("approval")
    browser.button("Approve").click()
    browser.reads("Remove 1 project, 1 file", "dialog")
    browser.one('dialog button[value="no"]').click()
    assert (scene.directory / "web/simple/pillow/index.html").exists()
    scene.upstream.inject(Fault(path="/packages/*.whl", effect=Delay(seconds=2), times=None))
    browser.button("Approve").click()
    browser.one('dialog button[value="yes"]').click()
    browser.reads("Approved: ")
    browser.follow("overview")
    reached = _watched(browser)
    browser.screenshot("run")
    scene.break_pages("tornado")
    assert scene.airflow.wait(run_id) == "success"
    browser.until(lambda: not browser.all(BAR) or None, "the end of the run")
    assert reached == sorted(reached)
    browser.reads("Up to date, except for 1 project", ".headline")
    browser.follow("removals")
    browser.reads("No plan is awaiting approval")
    browser.reads("pillow-1.0-py3-none-any.whl")
    assert not (scene.directory / "web/simple/pillow/index.html").exists()


def _watched(browser: Browser) -> list[int]:
    """The shares that were shown until the run was between its ends; the page was hidden for a while."""
    reached: list[int] = []

    def done() -> bool | None:
        reached.append(int(browser.one(BAR).get_attribute("aria-valuenow") or 0))
        return 0 < reached[-1] < 100 or None

    browser.until(done, "a run that is under way")
    browser.reads("Sync under way")
    assert len(browser.all(".batches li")) >= 3
    said = "return document.getElementById('said').textContent"
    assert browser.text(".phases [aria-current]") == "Fetching"
    browser.until(lambda: "% done" in str(browser.run(said)) or None, "words for who cannot see")
    browser.run(HIDE, True)
    # What was asked before has its answer by then, and another look would have been due.
    time.sleep(1)
    assert any(url.endswith("/api/progress") for url in browser.requested())
    time.sleep(4)
    assert [url for url in browser.requested() if "/api/" in url] == []
    browser.run(HIDE, False)
    browser.until(lambda: any("/api/progress" in url for url in browser.requested()) or None, "another look")
    return reached
