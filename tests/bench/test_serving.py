"""What nginx sent is read from its log, whichever of the two formats it has."""

import pytest

from bench.serving import sent_bytes

_COMBINED = b'127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 4546 "-" "pip/26.2 100 " "-"\n'
_JSON = b'{"time":"2026","uri":"/","status":200,"bytes":345,"seconds":0.000,"user_agent":"uv"}\n'


def test_both_formats_say_how_much_was_sent() -> None:
    assert sent_bytes(_COMBINED + _JSON) == [4546, 345]


def test_a_line_that_says_nothing_of_it_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="does not say how much"):
        sent_bytes(_JSON + b"something else\n")
