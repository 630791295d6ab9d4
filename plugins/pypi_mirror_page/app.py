"""The application, put together, and what each of its answers says to browsers: nothing from outside, shown
nowhere but in Airflow, kept by nobody.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pypi_mirror_page.access import MAY_READ
from pypi_mirror_page.mirror_source import MirrorSource
from pypi_mirror_page.problems import add_problem_handlers
from pypi_mirror_page.routes import ROUTERS

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Answers change with the person and by the second; static files say otherwise.
    "Cache-Control": "no-store",
}


class ResponseHeaders:
    """ASGI middleware that adds the headers which an answer does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class MountedApp(FastAPI):
    """Keeps, as ``scope["airflow"]``, the application that it is mounted in."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # FastAPI puts itself in that place.
        scope["airflow"] = scope.get("app")
        await super().__call__(scope, receive, send)


def create_app(source: MirrorSource | None = None) -> FastAPI:
    """The page over the mirror of ``source``, by default the one that the DAGs keep.

    Every route needs a login and the permission to read the DAG. There is no OpenAPI document: FastAPI would
    serve it to anybody.
    """
    mirrors = MirrorSource() if source is None else source

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        mirrors.close()

    app = MountedApp(
        title="PyPI mirror",
        dependencies=[MAY_READ],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.mirrors = mirrors
    app.add_middleware(ResponseHeaders)
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
