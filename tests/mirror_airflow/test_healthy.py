"""A health check says well of what is well, and of nothing else."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mirror_airflow.healthy import main

WELL: dict[str, object] = {
    part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
}


class Answers(BaseHTTPRequestHandler):
    health: dict[str, object] = WELL
    code = 200
    fingerprint: str | None = "0123456789abcdef"

    def do_GET(self) -> None:
        body = json.dumps(self.health).encode()
        self.send_response(self.code)
        if self.fingerprint:
            self.send_header("X-Mirror-Config", self.fingerprint)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests have nothing to say."""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answers]]:
    kind = type("TheseAnswers", (Answers,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        for name, value in {
            "AIRFLOW__API__PORT": str(server.server_port),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(server.server_port),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "SITE_ADDRESS": f"{address}/pypi",
            # For upstream, not for the server next door.
            "http_proxy": "http://127.0.0.1:1",
        }.items():
            monkeypatch.setenv(name, value)
        yield kind
        server.shutdown()


PARTS = ("api-server", "scheduler", "dag-processor", "triggerer", "nginx")


@pytest.mark.parametrize("part", PARTS)
def test_what_is_well(answers: type[Answers], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([part]) == 0
    assert capsys.readouterr().out.startswith(f"{part}: ")


@pytest.mark.parametrize("part", PARTS)
def test_what_answers_with_an_error(answers: type[Answers], part: str) -> None:
    answers.code = 503
    assert main([part]) == 1


@pytest.mark.parametrize("part", PARTS)
def test_what_does_not_answer(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW__API__PORT", "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:1/execution/")
    monkeypatch.setenv("SITE_ADDRESS", "http://127.0.0.1:1/pypi")
    assert main([part]) == 1


@pytest.mark.parametrize(
    ("part", "component"),
    [("api-server", "metadatabase"), ("dag-processor", "dag_processor"), ("triggerer", "triggerer")],
)
@pytest.mark.parametrize("status", ["unhealthy", None])
def test_a_heart_that_does_not_beat(
    answers: type[Answers], part: str, component: str, status: str | None
) -> None:
    answers.health = {**WELL, component: {"status": status}}
    assert main([part]) == 1
    answers.health = {name: value for name, value in WELL.items() if name != component}
    assert main([part]) == 1


def test_a_site_without_pages_yet_is_well_and_one_of_somebody_else_is_not(answers: type[Answers]) -> None:
    answers.code = 404
    assert main(["nginx"]) == 0
    answers.fingerprint = None
    assert main(["nginx"]) == 1


def test_an_unknown_part_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["postgres"]) == 2
    assert "api-server|scheduler" in capsys.readouterr().err
