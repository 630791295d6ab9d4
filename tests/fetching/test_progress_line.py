import logging

import pytest

from pypi_mirror.fetching.progress_line import ProgressLine


class Scene:
    """A batch whose clock and bytes the test moves."""

    def __init__(self, planned: int) -> None:
        self.time = 100.0
        self.bytes = 0
        self.line = ProgressLine(planned, lambda: self.bytes, now=lambda: self.time)

    def after(self, seconds: float, *, projects: int = 0, more: int = 0) -> None:
        self.time += seconds
        self.bytes += more
        for _ in range(projects):
            self.line.done()
        self.line.say()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="pypi_mirror")
    return caplog


def test_a_line_says_how_far_how_fast_and_how_long(said: pytest.LogCaptureFixture) -> None:
    scene = Scene(700)
    scene.after(10, projects=70, more=25_000_000)
    assert said.messages == ["70 of 700 projects done, 25.0 MB received, 2.50 MB/s, about 1 minute left"]
    said.clear()
    scene.after(5, projects=0, more=50_000_000)
    assert said.messages == ["70 of 700 projects done, 75.0 MB received, 10.0 MB/s, about 2 minutes left"]


def test_the_lines_do_not_flood_the_log(said: pytest.LogCaptureFixture) -> None:
    scene = Scene(700)
    for _ in range(60):
        scene.after(1, projects=1)
    assert len(said.messages) == 12


def test_one_large_file_is_seen_to_go_on(said: pytest.LogCaptureFixture) -> None:
    scene = Scene(1)
    scene.after(5, more=1_000_000_000)
    scene.after(5, more=2_000_000_000)
    assert said.messages == [
        "0 of 1 project done, 1.00 GB received, 200 MB/s",
        "0 of 1 project done, 3.00 GB received, 400 MB/s",
    ]


def test_hours_are_said_as_hours(said: pytest.LogCaptureFixture) -> None:
    scene = Scene(1_010)
    scene.after(50, projects=10)
    assert said.messages[-1].endswith("about 1 hour 23 minutes left")
