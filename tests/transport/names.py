"""Where names lead in a test, whatever the machine's own look-up says."""

from collections.abc import Callable

import pycurl
import pytest

from pypi_mirror.transport import curl

Leads = Callable[..., None]
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def leading(monkeypatch: pytest.MonkeyPatch) -> Leads:
    """Names lead where the test says, as `NAME:PORT:ADDRESS[,ADDRESS]` (CURLOPT_RESOLVE)."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    real = curl.easy_handle

    def say(*entries: str) -> None:
        def handle(*arguments: object) -> pycurl.Curl:
            easy = real(*arguments)  # type: ignore[arg-type]
            easy.setopt(pycurl.RESOLVE, list(entries))
            return easy

        monkeypatch.setattr(curl, "easy_handle", handle)

    return say
