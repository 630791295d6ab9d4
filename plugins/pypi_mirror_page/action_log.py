"""Who did what on the page: in the API server's log and, beside the DAG's other events, in Airflow's."""

import json
import logging
from collections.abc import Sequence
from typing import Final

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.models import Log
from airflow.utils.session import create_session
from packaging.utils import NormalizedName

from pypi_mirror_page.access import DAG_ID

log = logging.getLogger(__name__)

_MOST_NAMED: Final = 100


def log_action(user: BaseUser, action: str, projects: Sequence[NormalizedName]) -> None:
    """Record that ``user`` asks for ``action`` (``backlog_retry``), before it is done: it may fail."""
    name = user.get_name()
    facts = json.dumps({"projects": projects[:_MOST_NAMED], "count": len(projects)})
    log.info("%r asks on the PyPI mirror page for %s: %s", name, action, facts)
    with create_session() as session:
        session.add(
            Log(
                event=f"pypi_mirror.{action}",
                owner=name,
                owner_display_name=name,
                dag_id=DAG_ID,
                extra=facts,
            )
        )
