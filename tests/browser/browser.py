"""Chromium under a test: Airflow's interface with the mirror's page in it, as a person has it before them."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")

PATIENCE = 60.0
HEIGHT = 800
# What a picture of a long table is cut off at.
MOST_HEIGHT = 2000
# Those that the documents show; the others are for who changes the page.
DOCUMENTS = Path(__file__).parents[2] / "docs" / "screenshots"
IN_DOCUMENTS = ("overview-light-1280", "project")
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()

# Told where a frame may run scripts and is of its parent's origin, as those of all of Airflow's plugins are.
SANDBOX = "can escape its sandboxing"


def programs() -> tuple[str | None, str | None]:
    """Chromium and its driver, where the machine has them."""
    return shutil.which("chromium"), shutil.which("chromedriver")


class Browser:
    """A browser of its own, without cookies; ``origin`` is Airflow's.

    Elements are those of the mirror's page once ``open`` has gone there, of Airflow before.
    """

    def __init__(self, driver: webdriver.Chrome, origin: str, screenshots: Path | None) -> None:
        self.driver = driver
        self.origin = origin
        self.width = 1280
        self.asked: list[str] = []
        self._screenshots = screenshots

    def log_in(self, user: str, password: str) -> None:
        """Through Airflow's own form, which a page of its shows to who is not logged in."""
        self.driver.get(f"{self.origin}/")
        self.one('input[name="username"]').send_keys(user)
        self.one('input[name="password"]').send_keys(password)
        self.one('button[type="submit"]').click()
        self.until(lambda: self.button("Browse"), "Airflow's navigation")

    def open_from_navigation(self) -> None:
        self.button("Browse").click()
        self.until(lambda: self._named("PyPI mirror"), "the entry in Airflow's navigation").click()
        self.enter()

    def open(self, part: str = "overview") -> None:
        """Go to a part of the page by its address, as a bookmark has it."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.origin}/plugin/pypi-mirror/pypi-mirror/#{part}")
        self.enter()

    def look_anew(self) -> None:
        """As at the beginning: a wide window, and the theme of the system."""
        self.driver.switch_to.default_content()
        self.run("localStorage.removeItem('theme')")
        self.width = 1280
        self._resize(HEIGHT)

    def follow(self, part: str) -> None:
        """Press a tab."""
        self.one(f'[role="tab"][href="#{part}"]').click()
        self.settle()

    def go(self, part: str) -> None:
        """Within the page, as its links do."""
        self.run("location.hash = arguments[0]", part)
        self.settle()

    def settle(self) -> None:
        """Wait until what is shown is loaded."""
        panel = '[role="tabpanel"]:not([hidden])'
        self.until(lambda: self.all(f"{panel} > *"), "a part of the page")
        self.until(lambda: not self.all(f"{panel} [aria-busy], {panel}[aria-busy]"), "the end of loading")

    def enter(self) -> None:
        """From Airflow's document into the page."""
        self.driver.switch_to.default_content()
        self.driver.switch_to.frame(self.one("iframe"))
        self.settle()

    @contextmanager
    def around(self) -> Iterator[None]:
        """Airflow's own document, with the page in a frame of it."""
        self.driver.switch_to.default_content()
        try:
            yield
        finally:
            self.driver.switch_to.frame(self.one("iframe"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first such element that is shown, as soon as there is one."""
        return self.until(lambda: next((e for e in self.all(selector) if e.is_displayed()), None), selector)

    def button(self, words: str) -> WebElement:
        """The button, as soon as it is shown, that says ``words`` or is called so."""
        find = f'//button[normalize-space()="{words}" or @aria-label="{words}"]'

        def shown() -> WebElement | None:
            found = self.driver.find_elements(By.XPATH, find)
            return next((e for e in found if e.is_displayed()), None)

        return self.until(shown, f"the button {words}")

    def _named(self, words: str) -> WebElement | None:
        found = self.driver.find_elements(By.XPATH, f'//*[normalize-space(text())="{words}"]')
        return next((e for e in found if e.is_displayed()), None)

    def text(self, selector: str = "main") -> str:
        return self.one(selector).text

    def reads(self, words: str, selector: str = "main") -> None:
        """Wait until that is shown."""
        self.until(lambda: words in self.text(selector), f"“{words}” in {selector}")

    def until(self, look: Callable[[], T | None], what: str) -> T:
        def looked(_driver: object) -> T | None:
            try:
                return look()
            except (NoSuchElementException, StaleElementReferenceException):
                return None

        try:
            found = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.1).until(looked)
        except TimeoutException:
            shown = self.driver.find_element(By.TAG_NAME, "body").text
            told = "\n".join(self.complaints())
            raise AssertionError(f"{what} did not come; the page shows:\n{shown}\n{told}") from None
        assert found is not None
        return found

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: Any) -> Any:
        """What ``script`` hands to its last argument, a function."""
        return self.driver.execute_async_script(script, *arguments)

    def look(self, *, theme: str, width: int) -> None:
        """As on a screen of ``width``, in the theme that Airflow was told to have."""
        self.width = width
        self._resize(HEIGHT)
        with self.around():
            # What Airflow's own switch does; browsers tell the other frames of the origin, and so the page.
            self.run(
                "localStorage.setItem('theme', arguments[0]);"
                "document.documentElement.classList.remove('light', 'dark');"
                "document.documentElement.classList.add(arguments[0]);",
                theme,
            )
        dark = "return document.documentElement.classList.contains('dark')"
        self.until(lambda: self.run(dark) == (theme == "dark") or None, f"the theme {theme}")

    def overflows(self) -> list[str]:
        """What is wider than the page; tables scroll in frames of their own."""
        script = """
            const edge = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= edge) return [];
            return [...document.body.querySelectorAll("*")]
                .filter((e) => e.getBoundingClientRect().right > edge + 1 && !e.closest(".table, .snippet"))
                .map((e) => e.outerHTML.slice(0, 120));
        """
        return list(self.run(script))

    def faint(self) -> list[str]:
        """Texts whose contrast is too little."""
        return list(self.run(CONTRAST))

    def screenshot(self, name: str, *, whole: bool = True) -> None:
        """Keep what is shown as a picture, the whole page or a window of it, when pictures are asked for."""
        if self._screenshots is None:
            return
        if whole:
            below = "return document.querySelector('main').getBoundingClientRect().bottom + 24"
            self._resize(min(MOST_HEIGHT, max(HEIGHT, int(self.run(below)))))
        # A folder of the test would tell readers nothing.
        self.run("""
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
              const text = texts.currentNode;
              text.data = text.data.replace(/\\/\\S*\\/mirror(?=\\/|\\b)/, "/srv/mirror");
            }
        """)
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        folder = DOCUMENTS if name in IN_DOCUMENTS else self._screenshots
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
        self._resize(HEIGHT)

    def forget(self) -> None:
        """Drop what was logged so far."""
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        self.asked.clear()

    def complaints(self) -> list[str]:
        """What the browser logged as an error or a warning since the last look."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        told = [e for e in entries if e["level"] in ("SEVERE", "WARNING") and SANDBOX not in e["message"]]
        return [e["message"] for e in told]

    def requested(self) -> list[str]:
        """The addresses that were asked since the last look; ``asked`` has those since ``forget``."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        self.asked += sent
        return sent

    def _resize(self, height: int) -> None:
        size = {"width": self.width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@contextmanager
def running_browser(origin: str, screenshots: Path | None) -> Iterator[Browser]:
    chromium, driver = programs()
    assert chromium is not None
    assert driver is not None
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Chromium refuses its sandbox to root, and has no more to fear here than our own pages.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--lang=en",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        browser = Browser(chrome, origin, screenshots)
        browser._resize(HEIGHT)
        yield browser
    finally:
        chrome.quit()
