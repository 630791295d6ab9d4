"""A bench for every test: ``bench()`` fills a stand-in upstream and gives a mirror of it, still empty."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.runs.bench import Bench, MakeBench, make_bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MakeBench]:
    with ExitStack() as stack:

        def make(*events: Any, **options: Any) -> Bench:
            options.setdefault("directory", tmp_path / "mirror")
            directory = options.pop("directory")
            return stack.enter_context(make_bench(directory, *events, **options))

        yield make
