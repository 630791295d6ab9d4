"""The page's own files: HTML, CSS, JavaScript; they change with the version and with nothing else."""

import hashlib
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException

FOLDER: Final = Path(__file__).resolve().parent / "static"

# What is not in this list is not served.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def static_file(request: Request, name: str, folder: Path = FOLDER) -> Response:
    """The file ``name`` of ``folder``, or 304 where the browser has it; 404 for what is not there.

    A browser asks each time whether its copy is still good, by an ETag made of the content: an upgrade is
    seen at once.
    """
    missing = HTTPException(404, f"the page has no file {name[:200]!r}")
    try:
        path = (folder / name).resolve()
        is_ours = path.suffix in _TYPES and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError) as error:
        # A name that is too long, or has a NUL in it, is that of no file.
        raise missing from error
    if not is_ours:
        raise missing
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in _etags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "Content-Type": _TYPES[path.suffix]})


def _etags(header: str) -> list[str]:
    """A proxy that compresses makes an ETag weak."""
    return [etag.strip().removeprefix("W/") for etag in header.split(",")]
