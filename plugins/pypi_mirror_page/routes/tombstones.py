"""Files that no page lists any more."""

from fastapi import APIRouter

from pypi_mirror.observing.tombstones import tombstone_page
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit
from pypi_mirror_page.mirror_source import TheMirror

router = APIRouter(prefix="/api/tombstones")


@router.get("")
def get_tombstones(mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    return Json(tombstone_page(mirror, after, limit))
