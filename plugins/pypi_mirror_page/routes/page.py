"""The page itself and its files: HTML, CSS, JavaScript."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

FOLDER: Final = Path(__file__).resolve().parents[1] / "static"

# Not mounted: the application's check of logins covers its own routes alone.
# The engine's are those that the site's front page has, too.
_FILES: Final = StaticFiles(directory=FOLDER, packages=[("pypi_mirror", "browser")])

router = APIRouter()


@router.get("/")
async def get_page(request: Request) -> Response:
    return await get_static(request, "index.html")


@router.get("/static/{name:path}")
async def get_static(request: Request, name: str) -> Response:
    """A file of the page, or 304 where the browser has it; it asks each time: upgrades are seen at once."""
    response = await _FILES.get_response(name, request.scope)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
