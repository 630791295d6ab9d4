"""Airflow's API server in this process, with its own logins, and the page mounted in it as its plugin."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pypi_mirror.errors import ApprovalRequired
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.model import RunKind
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings
from tests.airflow_home import CHECKOUT, HOME
from tests.runs.bench import Bench
from tests.warehouse import Corrupt, Fault, RemoveProject, Upload, Warehouse, Wheel, running

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.testclient import TestClient

HOST = "http://airflow.example"
PAGE = f"{HOST}/pypi-mirror"

CONF = """\
[mirror]
directory = data
master = {master}
workers = 2

[blocklist]
packages = unwanted

[platform]
exclude-filename = macosx

[cooldown]
exclude-newer = {exclude_newer}

[removal]
always-allowed = {always_allowed}

[site]
enabled = false
"""

UPLOADS = (
    *(Upload(distribution=Wheel(name=f"good-{number}")) for number in range(4)),
    Upload(distribution=Wheel(name="good-0", tags="py3-none-macosx_11_0_arm64")),
    Upload(distribution=Wheel(name="bad")),
    Upload(distribution=Wheel(name="gone")),
)
HELD = "good_1-2.0-py3-none-any.whl"
# The run that waits; a name that Airflow takes.
WAITING = "manual__third"
BROKEN = Fault(path="/packages/*/bad-*.whl", effect=Corrupt(), times=None)

Client = Callable[..., "TestClient"]


@pytest.fixture(scope="session")
def airflow_app() -> "Iterator[FastAPI]":
    """The whole application, on a database of its own that knows the DAGs."""
    with _without_warnings():
        from airflow import settings
        from airflow.api_fastapi.app import create_app
        from airflow.models import import_all_models
        from airflow.models.base import Base
        from airflow.utils.db import synchronize_log_template

        assert str(HOME) in str(settings.engine.url), "another Airflow was configured before"
        import_all_models()
        Base.metadata.create_all(settings.engine)
        synchronize_log_template()
        _read_dags()
        app = create_app(apps="core")
    yield app
    settings.engine.dispose()


def _read_dags() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    dags = CHECKOUT / "dags"
    bag = BundleDagBag(dag_folder=str(dags), bundle_path=dags, bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)


@pytest.fixture(scope="session")
def page_app(airflow_app: "FastAPI") -> "FastAPI":
    """The page's own application, where Airflow has it."""
    from starlette.routing import Mount

    (mounted,) = (r.app for r in airflow_app.routes if isinstance(r, Mount) and r.path == "/pypi-mirror")
    return mounted


@pytest.fixture
def client(airflow_app: "FastAPI") -> Client:
    """``client("viewer")`` is somebody of that role, with a token; ``client()`` is nobody.

    ``cookie=True`` logs in as a browser does.
    """

    def make(role: str | None = None, *, cookie: bool = False) -> "TestClient":
        made = asking(airflow_app)
        if role is not None and cookie:
            made.cookies.set("_token", token(role))
        elif role is not None:
            made.headers["Authorization"] = f"Bearer {token(role)}"
        return made

    return make


def asking(app: "FastAPI", *, raises: bool = True) -> "TestClient":
    """A client of ``app``; unless it ``raises``, errors of the program are answers."""
    with _without_warnings():
        from starlette.testclient import TestClient

    return TestClient(app, base_url=HOST, raise_server_exceptions=raises)


def token(role: str) -> str:
    """What Airflow gives somebody of that role who logs in; ``nobody`` has none."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username=f"the {role}", role=None if role == "nobody" else role)
    made: str = get_auth_manager().generate_jwt(user)
    return made


@contextmanager
def mirror_with_trouble(folder: Path) -> Iterator[tuple[Bench, Path]]:
    """A mirror that shows something of everything, and its mirror.conf.

    ``bad`` is on the backlog, ``gone`` has left a tombstone, ``good-1`` 2.0 is in cooldown, the removal of
    ``good-3`` waits for a person.
    """
    conf = folder / "mirror.conf"
    with running(Warehouse(*UPLOADS), faults=(BROKEN,)) as server:

        def configure(exclude_newer: str, *, always_allowed: int) -> Settings:
            text = CONF.format(master=server.url, always_allowed=always_allowed, exclude_newer=exclude_newer)
            conf.write_text(text)
            return read_settings(conf)

        bench = Bench(server=server, settings=configure("", always_allowed=5))
        server.follow(bench.clock)
        bench.sync()
        bench.settings = configure("7 days", always_allowed=5)
        now = datetime.fromtimestamp(bench.clock.now, UTC)
        newer = Upload(distribution=Wheel(name="good-1", version="2.0"), at=now)
        server.apply(RemoveProject(project="gone"), newer)
        bench.sync()
        bench.settings = configure("7 days", always_allowed=0)
        server.apply(RemoveProject(project="good-3"))
        with suppress(ApprovalRequired):
            bench.sync(RunRequest(label=WAITING, kind=RunKind.SYNC))
        yield bench, conf


@pytest.fixture(scope="session")
def _mirror_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    with mirror_with_trouble(tmp_path_factory.mktemp("mirror")) as made:
        yield made


@pytest.fixture
def mirror(_mirror_for_all: tuple[Bench, Path], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """That mirror, shown by the page; for all tests, none of which may change it."""
    bench, conf = _mirror_for_all
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    return bench


@pytest.fixture
def own_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Another one for the test alone."""
    with mirror_with_trouble(tmp_path) as (bench, conf):
        monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
        yield bench


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Airflow's own are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def dag(dag_id: str = "pypi_mirror", **changes: Any) -> Iterator[None]:
    """The DAG in Airflow's database with other properties, for a while."""
    from airflow.models import DagModel
    from airflow.utils.session import create_session

    def change(values: dict[str, Any]) -> dict[str, Any]:
        with create_session() as session:
            model = session.get(DagModel, dag_id)
            before = {name: getattr(model, name) for name in values}
            for name, value in values.items():
                setattr(model, name, value)
        return before

    before = change(changes)
    try:
        yield
    finally:
        change(before)


def problem(answer: Any, status: int, kind: str) -> str:
    """The detail of an answer that has to be that problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:pypi-mirror:{kind}"
    assert body["status"] == status
    assert body["title"]
    return str(body["detail"])
