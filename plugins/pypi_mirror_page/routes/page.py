"""The page itself and its files."""

from fastapi import APIRouter, Request, Response

from pypi_mirror_page.static_files import static_file

router = APIRouter()


@router.get("/")
def get_page(request: Request) -> Response:
    return static_file(request, "index.html")


@router.get("/static/{name:path}")
def get_static(request: Request, name: str) -> Response:
    return static_file(request, name)
