"""``python -m mirror_airflow.healthy PART``: whether a part of the deployment is healthy, for containers.

It runs every half minute and imports neither Airflow (a second of CPU) nor requests; the image has no curl.
Exits with 0 or 1 and one line that says why.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from urllib.parse import urlsplit

_PATIENCE = 10.0


class Unhealthy(Exception):
    """A part does not answer, or reports itself as unhealthy."""


def api_server(environ: Mapping[str, str]) -> str:
    """It answers, and reaches Airflow's database."""
    return _component(f"http://127.0.0.1:{environ.get('AIRFLOW__API__PORT', '8080')}", "metadatabase")


def scheduler(environ: Mapping[str, str]) -> str:
    """Its own server ([scheduler] enable_health_check) checks its heartbeat."""
    port = environ.get("AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT", "8974")
    _get(f"http://127.0.0.1:{port}/health")
    return "healthy"


def dag_processor(environ: Mapping[str, str]) -> str:
    """The API server checks its heartbeat in Airflow's database."""
    return _component(_api_server(environ), "dag_processor")


def triggerer(environ: Mapping[str, str]) -> str:
    """The same."""
    return _component(_api_server(environ), "triggerer")


def nginx(environ: Mapping[str, str]) -> str:
    """It serves our configuration; there may be no page yet."""
    address = environ.get("SITE_ADDRESS", "http://127.0.0.1:8080")
    headers = _get(f"{address}/simple/", but_also=(404,))[0]
    fingerprint = headers.get("X-Mirror-Config")
    if fingerprint is None:
        raise Unhealthy(f"{address} is not served by a configuration of pypi-mirror")
    return f"healthy, serving configuration {fingerprint}"


CHECKS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "api-server": api_server,
    "scheduler": scheduler,
    "dag-processor": dag_processor,
    "triggerer": triggerer,
    "nginx": nginx,
}


def main(words: list[str], environ: Mapping[str, str] = os.environ) -> int:
    if len(words) != 1 or words[0] not in CHECKS:
        sys.stderr.write(f"usage: python -m mirror_airflow.healthy {'|'.join(CHECKS)}\n")
        return 2
    try:
        found, code = CHECKS[words[0]](environ), 0
    except Unhealthy as error:
        found, code = str(error), 1
    sys.stdout.write(f"{words[0]}: {found}\n")
    return code


def _api_server(environ: Mapping[str, str]) -> str:
    """Its address for tasks, which is the same as for people."""
    url = environ.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:8080/execution/")
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _component(server: str, name: str) -> str:
    health = json.loads(_get(f"{server}/api/v2/monitor/health")[1])
    status = (health.get(name) or {}).get("status")
    if status != "healthy":
        raise Unhealthy(f"{server} reports {name} as {status or 'missing'}")
    return "healthy"


def _get(url: str, *, but_also: tuple[int, ...] = ()) -> tuple[Message, bytes]:
    # A proxy in the environment is for upstream, not for the server next door.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PATIENCE) as answer:
            return answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in but_also:
                return error.headers, error.read()
            raise Unhealthy(f"{url} answers {error.code}") from error
    except OSError as error:
        raise Unhealthy(f"{url}: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
