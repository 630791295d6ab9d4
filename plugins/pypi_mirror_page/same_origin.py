"""Refuses what another site has a logged-in person's browser send.

The login is a cookie, which a browser adds by itself. Airflow's is ``SameSite=Lax``, but that lets through
what comes from another host of the same site; so a request that changes anything has to say that this very
origin sent it. No site can forge the headers that say so.
"""

from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Depends, Request

from pypi_mirror_page.problems import Problem


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
