"""Who may read and who may act: Airflow's logins and its permissions on the DAG."""

from typing import TYPE_CHECKING, Annotated, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod

DAG_ID: Final = "pypi_mirror"
AUDIT_DAG_ID: Final = "pypi_mirror_audit"
DAG_IDS: Final = (DAG_ID, AUDIT_DAG_ID, "pypi_mirror_watch")

User = Annotated[BaseUser, Depends(get_user)]

# 401 without a login, 403 without the permission.
MAY_READ: Final = Depends(requires_access_dag("GET", param_dag_id=DAG_ID))
MAY_ACT: Final = Depends(requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=DAG_ID))


def may_act(user: BaseUser) -> bool:
    """Whether ``user`` may start runs of the DAG and so use the page's buttons."""
    return _may(user, "POST", DagAccessEntity.RUN)


def may_approve(user: BaseUser) -> bool:
    """Whether ``user`` may approve or reject what a run of the DAG asks for."""
    return _may(user, "PUT", DagAccessEntity.HITL_DETAIL)


def _may(user: BaseUser, method: "ResourceMethod", entity: DagAccessEntity) -> bool:
    return bool(
        get_auth_manager().is_authorized_dag(
            method=method,
            access_entity=entity,
            details=DagDetails(id=DAG_ID, team_name=DagModel.get_team_name(DAG_ID)),
            user=user,
        )
    )
