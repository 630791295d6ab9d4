"""Who may read, who may act, and who did: Airflow's logins, its permissions on the DAG, and its log.

The login is a cookie, which a browser adds by itself. Airflow's is ``SameSite=Lax``, but that lets through
what comes from another host of the same site; so a request that changes anything has to say that this very
origin sent it. No site can forge the headers that say so.
"""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.configuration import conf
from airflow.models import Log
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, Request
from packaging.utils import NormalizedName

from pypi_mirror_page.problems import Problem

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod

log = logging.getLogger(__name__)

DAG_ID: Final = "pypi_mirror"
AUDIT_DAG_ID: Final = "pypi_mirror_audit"
COOLDOWN_DAG_ID: Final = "pypi_mirror_cooldown"
DAG_IDS: Final = (DAG_ID, AUDIT_DAG_ID, "pypi_mirror_watch", COOLDOWN_DAG_ID)

User = Annotated[BaseUser, Depends(get_user)]

# 401 without a login, 403 without the permission.
MAY_READ: Final = Depends(requires_access_dag("GET", param_dag_id=DAG_ID))
MAY_ACT: Final = Depends(requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=DAG_ID))

_MOST_NAMED: Final = 100


def may_act(user: BaseUser) -> bool:
    """Whether ``user`` may start runs of the DAG and so use the page's buttons."""
    return _may(user, "POST", DagAccessEntity.RUN)


def may_approve(user: BaseUser, approvers: Sequence[str]) -> bool:
    """Whether ``user`` may approve or reject what a run of the DAG asks for, and is one of ``approvers``
    where there are any.
    """
    return _may(user, "PUT", DagAccessEntity.HITL_DETAIL) and (not approvers or user.get_id() in approvers)


def _may(user: BaseUser, method: "ResourceMethod", entity: DagAccessEntity) -> bool:
    return bool(
        get_auth_manager().is_authorized_dag(
            method=method,
            access_entity=entity,
            details=DagDetails(id=DAG_ID, team_name=DagModel.get_team_name(DAG_ID)),
            user=user,
        )
    )


def require_same_origin(request: Request) -> None:
    """Raises Problem (403) unless this origin, or a program with a token, sent the request.

    Browsers send ``Sec-Fetch-Site`` where the connection is secure, and ``Origin`` with each POST. Programs
    send neither, and have no cookie; a token alone is no proof, since Airflow itself adds one to each request
    where everybody is its administrator (``simple_auth_manager_all_admins``).
    """
    if not _is_ours(request):
        raise Problem(
            403,
            kind="other-origin",
            title="Sent from another origin",
            detail="send this from the mirror's page or from a program with a bearer token. If you did, the "
            "proxy in front of Airflow changes the host: set [api] base_url to the address in the browser",
        )


def _is_ours(request: Request) -> bool:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is not None:
        return urlsplit(origin).netloc in _hosts(request)
    return request.headers.get("authorization", "").lower().startswith("bearer ")


def _hosts(request: Request) -> set[str]:
    """What this server is called: by the request, and by Airflow's configuration where a proxy renames it."""
    configured = urlsplit(str(conf.get("api", "base_url", fallback=""))).netloc
    return {host for host in (request.headers.get("host", ""), configured) if host}


SAME_ORIGIN = Depends(require_same_origin)


def log_action(user: BaseUser, action: str, projects: Sequence[NormalizedName], **more: object) -> None:
    """Record that ``user`` asks for ``action`` (``backlog_retry``), before it is done: it may fail."""
    name = user.get_name()
    facts = json.dumps({"projects": projects[:_MOST_NAMED], "count": len(projects), **more})
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
