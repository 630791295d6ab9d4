"""A transport that answers from a dictionary, and patience that only remembers how long it was to wait."""

from collections.abc import Sequence
from typing import Self

from pypi_mirror.transport.messages import Request, Response, Transport
from pypi_mirror.transport.patience import Patience
from pypi_mirror.transport.retries import Retries

Answer = Response | Exception
INDEX = "https://index.example/simple/"


class Waits:
    """Stands in for ``asyncio.sleep``; ``seconds`` are the pauses that were asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float, /) -> None:
        self.seconds.append(seconds)

    def patience(self, *, attempts: int = 3, stale_wait: float = 10.0, missing_wait: float = 5.0) -> Patience:
        return Patience(attempts=attempts, stale_wait=stale_wait, missing_wait=missing_wait, sleep=self)


def retries(transport: Transport, patience: Patience, *, index: str = INDEX) -> Retries:
    return Retries(transport, patience, index=index)


class FakeTransport:
    """Gives an address's answers one after the other, the last one for ever. An unknown address is a fault
    of the test; the root index is there. ``asked`` holds all requests.
    """

    def __init__(self, answers: dict[str, Sequence[Answer]]) -> None:
        self.requests = 0
        self.asked: list[Request] = []
        self._answers = {url: list(each) for url, each in ({INDEX: [said()]} | answers).items()}

    async def get(self, request: Request) -> Response:
        self.requests += 1
        self.asked.append(request)
        answers = self._answers[request.url]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if request.sink is not None and answer.status in (200, 206) and answer.body:
            request.sink.start(answer.status)
            request.sink.write(answer.body)
        return answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass


def said(
    body: bytes | str = b"",
    *,
    status: int = 200,
    url: str = "https://index.example/",
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(
        url=url, status=status, headers=headers or {}, body=body.encode() if isinstance(body, str) else body
    )
