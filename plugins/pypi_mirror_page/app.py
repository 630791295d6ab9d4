"""The application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from pypi_mirror_page.access import MAY_READ
from pypi_mirror_page.mirror_source import MirrorSource
from pypi_mirror_page.problems import add_problem_handlers
from pypi_mirror_page.response_headers import ResponseHeaders
from pypi_mirror_page.routes import ROUTERS


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
