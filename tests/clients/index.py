"""An index as clients meet it: a project with dependencies, and everything a resolver has to step around."""

import gzip
import io
import platform
import tarfile
from datetime import UTC, datetime

from tests.warehouse import Declared, Event, Sdist, Upload, Wheel, Yank

CLOSURE = {
    "shop": "2.0",
    "cart-core": "1.5",
    "price-list": "1.1",
    "tax-rules": "1.0",
    "fast-sums": "1.0",
    "vat-table": "1.0",
}
"""What ``shop`` comes to, whatever the client, by normalized name."""

WHEELS_ONLY = {"cart-core": "1.5", "price-list": "1.1"}
"""The closure of ``cart-core``: nothing to build, so nothing to download for resolving."""

YANK_REASON = "loses orders, use 1.5"
_NATIVE_WHEEL = f"fast_sums-1.0-cp38-abi3-manylinux_2_17_{platform.machine()}.whl"
SDIST = "vat_table-1.0.tar.gz"
WHEELS = (
    "cart_core-1.5-py3-none-any.whl",
    _NATIVE_WHEEL,
    "price_list-1.1-py3-none-any.whl",
    "shop-2.0-py3-none-any.whl",
    "tax_rules-1.0-py3-none-any.whl",
)
"""The wheels of the closure of ``shop``, which has one sdist besides."""
BUILD_WHEEL = "build_base-1.0-py3-none-any.whl"
"""What building the sdist needs."""
BETWEEN_UPLOADS = "2025-05-01T00:00:00Z"
"""After ``price-list`` 1.0 and everything else, before 1.1."""

_LATE = datetime(2025, 6, 1, 12, tzinfo=UTC)


def shop() -> tuple[Event, ...]:
    """The events that fill the index.

    ``shop`` reaches, in one closure: a display name, an extra, markers, a yanked release, releases for
    Pythons to come, a wheel for this machine beside ones for others, and an sdist that needs another
    project of the index to be built. ``win-thing`` has wheels for Windows alone, and ``desktop`` needs it
    there; ``picky`` 2.0 asks for what does not exist; ``old`` and ``evil`` are for tests to remove and
    quarantine.
    """
    native = _NATIVE_WHEEL.removesuffix(".whl").split("-", 2)[2]
    wheels = (
        Wheel(name="shop", version="1.0", requires_dist=("Cart.Core",)),
        Wheel(
            name="shop",
            version="2.0",
            requires_python=">=3.8",
            requires_dist=(
                "Cart.Core>=1,<3",
                "tax-rules[EU]",
                "fast-sums",
                'never-uploaded; python_version < "3"',
            ),
        ),
        Wheel(name="Cart.Core", version="1.0"),
        Wheel(name="Cart.Core", version="1.5", requires_dist=("price_list",)),
        Wheel(name="Cart.Core", version="2.0", requires_dist=("price_list",)),
        Wheel(name="price-list", version="1.0"),
        Wheel(name="price-list", version="2.0", requires_python=">=4"),
        Wheel(
            name="tax-rules",
            extra=(("Provides-Extra", "eu"), ("Provides-Extra", "moon")),
            requires_dist=('vat-table>=1; extra == "eu"', 'never-uploaded; extra == "moon"'),
        ),
        Wheel(name="build-base"),
        Wheel(name="fast-sums", tags=native, size=100_000),
        Wheel(name="fast-sums", tags="cp38-abi3-win_amd64", size=100_000),
        Wheel(name="fast-sums", tags="cp38-abi3-macosx_11_0_arm64", size=100_000),
        Wheel(name="picky", version="1.0", requires_dist=("price-list",)),
        Wheel(name="picky", version="2.0", requires_dist=("price-list<1",)),
        Wheel(name="desktop", requires_dist=("price-list", 'win-thing; sys_platform == "win32"')),
        Wheel(name="win-thing", version="3.0", tags="cp38-abi3-win_amd64"),
        Wheel(name="win-thing", version="3.1", tags="py3-none-win32"),
        Wheel(name="old"),
        Wheel(name="evil"),
    )
    return (
        *(Upload(distribution=wheel) for wheel in wheels),
        Upload(distribution=_buildable_sdist()),
        Upload(distribution=Sdist(name="price-list", version="1.0")),
        Yank(project="Cart.Core", version="2.0", reason=YANK_REASON),
        Upload(distribution=Wheel(name="price-list", version="1.1"), at=_LATE),
    )


def _buildable_sdist() -> Declared:
    """``vat-table`` 1.0, whose build requires ``build-base`` and no tool of the real world.

    It carries the wheel that its own build backend then "builds".
    """
    metadata = "Metadata-Version: 2.2\nName: vat-table\nVersion: 1.0\n"
    wheel = Wheel(name="vat-table")
    members = {
        "PKG-INFO": metadata.encode(),
        "pyproject.toml": (
            b'[build-system]\nrequires = ["build-base"]\n'
            b'build-backend = "unpack"\nbackend-path = ["."]\n'
            b'[project]\nname = "vat-table"\nversion = "1.0"\n'
        ),
        "unpack.py": (
            b"import shutil\n"
            b"import build_base\n"
            b"def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):\n"
            b"    assert build_base.__version__ == '1.0'\n"
            b"    shutil.copy('" + wheel.file_name.encode() + b"', wheel_directory)\n"
            b"    return '" + wheel.file_name.encode() + b"'\n"
        ),
        wheel.file_name: wheel.content(),
    }
    stream = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, data in members.items():
            member = tarfile.TarInfo(f"vat_table-1.0/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return Declared(
        name="vat-table",
        version="1.0",
        filename=SDIST,
        metadata=metadata,
        data=stream.getvalue(),
    )
