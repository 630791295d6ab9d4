"""The login at upstream, from Airflow's connection ``pypi_mirror_upstream`` where there is one."""

from dataclasses import replace
from typing import Final

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, ErrorType

from pypi_mirror.settings.values import Settings

CONNECTION: Final = "pypi_mirror_upstream"


def with_upstream_login(settings: Settings) -> Settings:
    """``settings`` with the login of the connection, unless the environment gave one.

    A connection without a user name has a token for its password.
    """
    if settings.login is not None:
        return settings
    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return settings
    except AirflowRuntimeError as error:
        if error.error.error is ErrorType.CONNECTION_NOT_FOUND:
            return settings
        raise
    if connection.login:
        return replace(settings, login=f"{connection.login}:{connection.password or ''}")
    return replace(settings, login=connection.password or None)
