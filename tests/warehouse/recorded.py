"""The index whose answers were recorded, with the digests, times and serials of the recordings.

``RECORDED`` is its state for most of them; ``PROVENANCE`` and ``REMOVAL`` happened before the others.
"""

from datetime import UTC, datetime

from tests.warehouse.behaviour import Hosts
from tests.warehouse.distributions import Declared, Sdist, Wheel
from tests.warehouse.events import (
    Archive,
    BackfillProvenance,
    Event,
    Invite,
    Quarantine,
    QuarantineRelease,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Upload,
    Yank,
)
from tests.warehouse.scenarios import Scenario

PUBLISHED_HOSTS = Hosts(site="https://pypi.example", files="https://files.example")
"""The addresses that stand in the recordings' text."""

MEASURED_HOSTS = Hosts(site="http://127.0.0.1:8700", files="http://127.0.0.1:8701")
"""The addresses the recorded servers had: the ETags and lengths in the recordings are those of such pages."""


def _at(seconds: int, microsecond: int = 0) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microsecond)


_FOO_BAR_METADATA = (
    "Metadata-Version: 2.4\nName: Foo.Bar\nVersion: 1.0\nSummary: t\nRequires-Python: >=3.8\n"
    "Description-Content-Type: text/markdown\n\n# Foo.Bar\n"
)

_UPLOADS: tuple[Event, ...] = (
    Upload(
        distribution=Declared(
            name="Foo.Bar",
            version="1.0",
            filename="foo_bar-1.0-py3-none-any.whl",
            metadata=_FOO_BAR_METADATA,
            size=1158,
            md5="857c09655a2cb319709f75b7572c6a8e",
            sha256="479ddaf0cd4b1468a349a1264bf3b83c7ae66116a07d0e9b5957ecb63ec8a3ba",
            blake2b="77b94c361eb337296046f4a06807ce4bfe4f3cf36cc5fe97fc4f1fc92bc3a0f5",
        ),
        at=_at(1795344252, 172437),
    ),
    Upload(
        distribution=Declared(
            name="Foo.Bar",
            version="1.0",
            filename="foo_bar-1.0.tar.gz",
            size=951,
            md5="399d0b9d6c2f3033f0d8737533057b7c",
            sha256="56dd467a465fc812ece36943de03e10ab93586c5da04417e18bf03e9492ae7a0",
            blake2b="e22ee666236da721bcce4703d86cb8c5357ab218943fcc40810708f1300dc6b4",
        ),
        at=_at(1795344252, 594189),
    ),
    *(
        Upload(distribution=distribution)
        for name, version in (
            ("Foo.Bar", "1.1"),
            ("Foo.Bar", "2.0"),
            ("alpha", "0.1"),
            ("beta", "0.1"),
            ("gamma", "0.1"),
        )
        for distribution in (Wheel(name=name, version=version), Sdist(name=name, version=version))
    ),
    Upload(
        distribution=Declared(
            name="delta",
            version="0.1",
            filename="delta-0.1-py3-none-any.whl",
            metadata="Metadata-Version: 2.4\nName: delta\nVersion: 0.1\nRequires-Python: >=3.8\n",
            size=1133,
            sha256="da3851dff524eb9772d65f8bcaa86b3e543e1334b3d85dabff95ef088096407d",
            blake2b="e0cbb5e0875e698b5c2b39529eb60577b9fa949f0ee70ec360e2b0384fdb0dc4",
            metadata_sha256="278443a4b34957c5f41a096062a8d8fea2f66e987f25c15894ce0fd7107eee20",
        ),
        at=_at(1795344308, 258400),
    ),
    Upload(
        distribution=Declared(
            name="delta",
            version="0.1",
            filename="delta-0.1.tar.gz",
            size=921,
            sha256="3a77be7357f6617f199f7835762d17a1fb900b5bd2d8e9294af3e63d14007d81",
            blake2b="57f3600e7c9b96049cac4d681cce19b87e701c7210fcb89eb04fc956cf9f75a0",
        ),
        at=_at(1795344309, 160013),
    ),
)

RECORDED = Scenario(
    events=(
        *_UPLOADS,
        Yank(project="Foo.Bar", version="1.0", reason="broken & bad", at=_at(1795344343)),
        Yank(project="Foo.Bar", version="1.1", at=_at(1795344344)),
        RemoveFile(project="alpha", filename="alpha-0.1.tar.gz", at=_at(1795344344)),
        RemoveRelease(project="Foo.Bar", version="1.1", at=_at(1795344344)),
        RemoveProject(project="beta", at=_at(1795344344)),
        Quarantine(project="gamma", at=_at(1795344344)),
        Invite(project="alpha", user="bob", at=_at(1795344344)),
        QuarantineRelease(project="Foo.Bar", version="2.0", at=_at(1795344344)),
        Archive(project="delta", at=_at(1795344344)),
    )
)

PROVENANCE = BackfillProvenance(project="Foo.Bar", filename="foo_bar-1.0.tar.gz")
REMOVAL = RemoveRelease(project="alpha", version="0.1")
