"""A stand-in for the upstream index: answers over HTTP as the real one does, from a state tests declare.

    from tests.warehouse import Fault, Status, Upload, Warehouse, Wheel, Yank, running

    warehouse = Warehouse(
        Upload(distribution=Wheel(name="alpha", version="1.0", requires_dist=("beta",))),
        Upload(distribution=Wheel(name="beta", tags="cp311-cp311-win_amd64", size=20_000)),
    )
    with running(warehouse, faults=(Fault(path="/packages/*", effect=Status(code=503)),)) as server:
        sync(master=server.url)
        assert server.requests.count("page") == 2
        assert server.requests.unexpected == ()
        server.requests.reset()
        server.apply(Yank(project="alpha", version="1.0", reason="broken"))
        sync(master=server.url)
        assert server.requests.counts == {"xmlrpc": 1, "page": 1}

* State: ``Warehouse`` (``projects``, ``journal``, ``files``, ``serial``), changed only by ``apply`` of events
  (``Upload``, ``Yank``, ``RemoveFile``, ``Quarantine``, ... in ``events``).
* Files: ``Wheel`` and ``Sdist`` are generated, ``Artifact.of(path)`` is a real one, ``Declared`` may lie.
* Whole indexes: ``Scenario(events=..., behaviour=..., faults=...).build()``, ``small()``, ``many()``,
  ``from_folder(path)``.
* Kinds of index: ``PYPI``, ``STATIC`` (no XML-RPC), ``SERIAL_LESS``, ``HTML_ONLY``, or your own ``Behaviour``
  (page size of the changelog, XML-RPC quota, gzip).
* Faults: ``Fault(path=<shell pattern>, effect=..., times=1, skip=0, method=None, share=1)``; effects are
  ``Status``, ``Drop``, ``Truncate``, ``Append``, ``Corrupt``, ``GzipGarbage``, ``Delay``, ``Drip``,
  ``StalePage``, ``Missing``, ``HtmlError``, ``Instead``, ``Redirect``. ``server.inject`` adds faults,
  ``server.faults.clear`` ends all.
* Requests: ``server.requests`` (``of``, ``count``, ``counts``, ``bytes_sent``, ``unexpected``, ``reset``).
* As a process: ``python -m tests.warehouse --help``; its control API is described in ``control``.
"""

from tests.warehouse.behaviour import HTML_ONLY, PYPI, SERIAL_LESS, STATIC, Behaviour, Hosts
from tests.warehouse.distributions import Artifact, Declared, Sdist, Wheel
from tests.warehouse.events import (
    AddRole,
    Archive,
    BackfillMetadata,
    BackfillProvenance,
    ClearQuarantine,
    ClearReleaseQuarantine,
    Create,
    Event,
    Gap,
    Invite,
    Other,
    Quarantine,
    QuarantineRelease,
    Redeploy,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Rename,
    Unarchive,
    Unyank,
    Upload,
    Yank,
)
from tests.warehouse.faults import (
    Append,
    Corrupt,
    Delay,
    Drip,
    Drop,
    Fault,
    GzipGarbage,
    HtmlError,
    Instead,
    Missing,
    Redirect,
    StalePage,
    Status,
    Truncate,
)
from tests.warehouse.requests import Recorded
from tests.warehouse.scenarios import Scenario, from_folder, many, small
from tests.warehouse.server import Server, running
from tests.warehouse.state import Warehouse

__all__ = [
    "HTML_ONLY",
    "PYPI",
    "SERIAL_LESS",
    "STATIC",
    "AddRole",
    "Append",
    "Archive",
    "Artifact",
    "BackfillMetadata",
    "BackfillProvenance",
    "Behaviour",
    "ClearQuarantine",
    "ClearReleaseQuarantine",
    "Corrupt",
    "Create",
    "Declared",
    "Delay",
    "Drip",
    "Drop",
    "Event",
    "Fault",
    "Gap",
    "GzipGarbage",
    "Hosts",
    "HtmlError",
    "Instead",
    "Invite",
    "Missing",
    "Other",
    "Quarantine",
    "QuarantineRelease",
    "Recorded",
    "Redeploy",
    "Redirect",
    "RemoveFile",
    "RemoveProject",
    "RemoveRelease",
    "Rename",
    "Scenario",
    "Sdist",
    "Server",
    "StalePage",
    "Status",
    "Truncate",
    "Unarchive",
    "Unyank",
    "Upload",
    "Warehouse",
    "Wheel",
    "Yank",
    "from_folder",
    "many",
    "running",
    "small",
]
