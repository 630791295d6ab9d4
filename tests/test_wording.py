"""Numbers, sizes and times as people read them, in Python and in browsers."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from pypi_mirror import wording
from pypi_mirror.wording import moment_of, some_of
from tests.requirements_present import require

# Function, arguments, text: what both languages write.
CASES: Final[tuple[tuple[str, tuple[Any, ...], str], ...]] = (
    ("size", (0,), "0 bytes"),
    ("size", (1,), "1 byte"),
    ("size", (2,), "2 bytes"),
    ("size", (999,), "999 bytes"),
    ("size", (1000,), "1.00 kB"),
    ("size", (9_994,), "9.99 kB"),
    ("size", (9_996,), "10.0 kB"),
    ("size", (99_949,), "99.9 kB"),
    ("size", (99_960,), "100 kB"),
    ("size", (999_499,), "999 kB"),
    ("size", (999_500,), "1.00 MB"),
    ("size", (1_500_000_000,), "1.50 GB"),
    ("size", (41_234_567_890_123,), "41.2 TB"),
    ("size", (10**14,), "100 TB"),
    ("size", (5 * 10**18,), "5000 PB"),
    ("speed", (0,), "0 bytes/s"),
    ("speed", (1.9,), "1 byte/s"),
    ("speed", (2_500_000.5,), "2.50 MB/s"),
    ("percent", (0,), "0%"),
    ("percent", (0.4,), "40%"),
    ("percent", (0.9999,), "99%"),
    ("percent", (1,), "100%"),
    ("count", (0, "file"), "0 files"),
    ("count", (1, "file"), "1 file"),
    ("count", (1_234, "file"), "1,234 files"),
    ("count", (2, "batch", "batches"), "2 batches"),
    ("of", (3, 12, "file"), "3 of 12 files"),
    ("of", (12, 12, "file"), "12 files"),
    ("of", (1, 0, "file"), "1 file"),
    ("duration", (-1,), "0 seconds"),
    ("duration", (1.9,), "1 second"),
    ("duration", (59.9,), "59 seconds"),
    ("duration", (60,), "1 minute"),
    ("duration", (3_599,), "59 minutes"),
    ("duration", (3_600,), "1 hour"),
    ("duration", (5 * 3_600 + 120,), "5 hours 2 minutes"),
    ("duration", (6 * 3_600 + 120,), "6 hours"),
    ("duration", (172_799,), "47 hours"),
    ("duration", (172_800,), "2 days"),
    ("duration", (5 * 86_400 + 3_600,), "5 days 1 hour"),
    ("duration", (86_400 * 1_000,), "1,000 days"),
)
JAVASCRIPT: Final = Path(wording.__file__).with_name("browser") / "wording.js"


@pytest.mark.parametrize(("function", "arguments", "text"), CASES)
def test_numbers_and_durations(function: str, arguments: tuple[Any, ...], text: str) -> None:
    assert getattr(wording, function)(*arguments) == text


@pytest.mark.slow
def test_browsers_write_the_same(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    require(chromium, "Chromium")
    functions = sorted({function for function, _, _ in CASES})
    page = tmp_path / "page.html"
    page.write_text(
        f"""<!DOCTYPE html><meta charset="utf-8"><pre></pre><script type="module">{JAVASCRIPT.read_text()}
        const functions = {{ {", ".join(functions)} }};
        const cases = {json.dumps([case[:2] for case in CASES])};
        const said = cases.map(([name, given]) => functions[name](...given));
        document.querySelector("pre").textContent = JSON.stringify(said);
        </script>"""
    )
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile",
        "--dump-dom",
    ]
    shown = subprocess.run(
        [str(chromium), *options, page.as_uri()], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    found = re.search("<pre>(.*)</pre>", shown)
    assert found is not None, shown
    assert json.loads(html.unescape(found[1])) == [text for _, _, text in CASES]


def test_of_many_names_the_first_are_said() -> None:
    names = [f"name-{number}" for number in range(1, 1_204)]
    assert [some_of(names[:number], 3) for number in (0, 1, 3)] == ["", "name-1", "name-1, name-2, name-3"]
    assert some_of(names, 3) == "name-1, name-2, name-3 and 1,200 more"


def test_moments() -> None:
    assert moment_of(1_763_816_700.9) == "2025-11-22 13:05 UTC"
