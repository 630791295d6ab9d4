"""Names in ``[dependencies] stop-at`` and ``whole`` that nothing requires: a precaution, or misspelt."""

import pytest

from pypi_mirror.options.packages import parse_project_pattern
from pypi_mirror.planning.lacking import lacking
from tests.runs.bench import MakeBench
from tests.runs.test_dependencies import following, wheel


@pytest.mark.parametrize(
    ("stop_at", "whole", "said"),
    [
        ((), (), ()),
        (("urllib3",), ("idna",), ()),
        (("torch", "url*"), (), ()),
        (("urlib3",), (), ("nothing requires urlib3 ([dependencies] stop-at; did you mean urllib3?)",)),
        ((), ("idnna",), ("nothing requires idnna ([dependencies] whole; did you mean idna?)",)),
    ],
)
def test_a_name_like_one_that_is_required(
    bench: MakeBench, stop_at: tuple[str, ...], whole: tuple[str, ...], said: tuple[str, ...]
) -> None:
    made = bench(
        wheel("app", "1.0", "urllib3", "idna"),
        wheel("urllib3"),
        wheel("idna"),
        policy=following(
            "app",
            stop_at=tuple(map(parse_project_pattern, stop_at)),
            whole=tuple(map(parse_project_pattern, whole)),
        ),
    )
    made.sync()
    with made.open() as mirror:
        assert lacking(mirror) == said
