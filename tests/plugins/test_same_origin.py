"""Another site must not have a logged-in person's browser press a button."""

import pytest

from tests.plugins.conftest import HOST, PAGE, Client, problem

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("mirror")]

# What gets through is told that the body is not valid: it was read.
THROUGH = 422
ACTIONS = ["/api/runs", "/api/sync", "/api/backlog/retry", "/api/backlog/forget", "/api/cooldown/lift"]


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://airflow.example.evil.example"},
        {"Origin": "http://other.airflow.example"},
        {"Origin": "http://airflow.example:8000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOST},
        {},
    ],
)
def test_a_cookie_alone_is_no_permission(path: str, headers: dict[str, str], client: Client) -> None:
    answer = client("admin", cookie=True).post(f"{PAGE}{path}", json={"nothing": 1}, headers=headers)
    assert "[api] base_url" in problem(answer, 403, "other-origin")


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("headers", [{"Origin": HOST}, {"Sec-Fetch-Site": "same-origin"}])
def test_the_page_itself_may_press(path: str, headers: dict[str, str], client: Client) -> None:
    answer = client("admin", cookie=True).post(f"{PAGE}{path}", json={"nothing": 1}, headers=headers)
    assert answer.status_code == THROUGH


def test_a_proxy_may_rename_the_host(client: Client) -> None:
    headers = {"Origin": HOST, "Host": "10.0.0.7:8080"}
    answer = client("admin", cookie=True).post(f"{PAGE}/api/sync", json={"nothing": 1}, headers=headers)
    assert answer.status_code == THROUGH


def test_a_program_needs_no_origin(client: Client) -> None:
    assert client("admin").post(f"{PAGE}/api/sync", json={"nothing": 1}).status_code == THROUGH


def test_a_token_does_not_excuse_another_origin(client: Client) -> None:
    """Airflow adds one to every request where everybody is its administrator."""
    answer = client("admin").post(
        f"{PAGE}/api/sync", json={"nothing": 1}, headers={"Origin": "https://evil.example"}
    )
    problem(answer, 403, "other-origin")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_what_forms_send_is_not_read(kind: str, client: Client) -> None:
    headers = {"Origin": HOST, "Content-Type": kind}
    answer = client("admin", cookie=True).post(
        f"{PAGE}/api/sync", content=b'{"projects": ["good-0"]}', headers=headers
    )
    problem(answer, 415, "not-json")
