"""How much of the mirror audits have looked at, and what they found."""

from fastapi import APIRouter

from pypi_mirror.observing.coverage import coverage
from pypi_mirror_page.json_answer import Json
from pypi_mirror_page.mirror_source import TheMirror

router = APIRouter(prefix="/api/audit")


@router.get("")
def get_audit(mirror: TheMirror) -> Json:
    return Json(coverage(mirror))
