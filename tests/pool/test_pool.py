"""What is in the pool under its final name is right, whatever pages, servers and disks do."""

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.digests import remembered
from pypi_mirror.errors import (
    DigestMismatch,
    FileRefused,
    FileReplaced,
    SizeMismatch,
    UpstreamError,
    UpstreamUnavailable,
)
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import RemoteFile, path_of
from pypi_mirror.pool import Acquired, Pool
from pypi_mirror.pool.layout import location_of, owner_of, place_of_part
from pypi_mirror.settings.values import CompareMethod, ReplacedFiles
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request, Response
from pypi_mirror.transport.retries import NO_CACHE
from pypi_mirror.upstream.simple_json import parse_project_page
from tests.upstream.fakes import Answer, FakeTransport, Waits, retries, said
from tests.warehouse import (
    BackfillProvenance,
    Corrupt,
    Drop,
    Fault,
    Missing,
    Status,
    Truncate,
    Upload,
    Warehouse,
    Wheel,
    running,
)
from tests.warehouse.model import File
from tests.warehouse.server import Server

DATA = b"the bytes of a wheel"
METADATA = b"Metadata-Version: 2.1\nName: alpha\n"
PROVENANCE = '{"version": 1, "attestation_bundles": []}'
BIG = os.urandom(1024) * 2100  # a little over 2 MiB: half of it is worth keeping
NAME = "alpha-1.0-py3-none-any.whl"
URL = f"https://files.example/x/{NAME}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def remote(data: bytes = DATA, **changes: Any) -> RemoteFile:
    whole = RemoteFile(filename=NAME, url=URL, hashes=(("sha256", sha256(data)),), size=len(data))
    return replace(whole, **changes)


def known(acquired: Acquired, **changes: Any) -> KnownFile:
    """The ledger's row of what was acquired."""
    file = acquired.file
    row = KnownFile(
        filename=file.remote.filename,
        location=acquired.location,
        sha256=bytes.fromhex(file.sha256),
        size=file.size,
        metadata_sha256=bytes.fromhex(file.metadata_sha256) if file.metadata_sha256 else None,
        provenance=file.has_provenance,
        provenance_sha256=bytes.fromhex(file.provenance_sha256) if file.provenance_sha256 else None,
        uploaded_at=None,
        removed_at=None,
        stated=remembered(file.remote.hashes),
    )
    return replace(row, **changes)


class Bench:
    """A pool over a fake transport."""

    def __init__(
        self,
        web: Path,
        answers: dict[str, Sequence[Answer]],
        *,
        compare_method: CompareMethod = "hash",
        core_metadata: bool = True,
        attempts: int = 5,
        replaced_files: ReplacedFiles = "refuse",
    ) -> None:
        self.web = web
        self.waits = Waits()
        self.transport = FakeTransport(answers)
        self.pool = Pool(
            web,
            self.transport,
            retries(self.transport, self.waits.patience(attempts=attempts)),
            compare_method=compare_method,
            core_metadata=core_metadata,
            replaced_files=replaced_files,
        )

    def acquire(
        self,
        file: RemoteFile,
        row: KnownFile | None = None,
        *,
        project: str = "alpha",
        verify: bool = False,
        past: bytes | None = None,
    ) -> Acquired:
        name = NormalizedName(project)
        return asyncio.run(self.pool.acquire(name, file, row, verify=verify, past=past))

    def put(self, file: RemoteFile, data: bytes, suffix: str = "") -> Path:
        path = self.web / mine(file, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def leave_part(self, file: RemoteFile, data: bytes) -> Path:
        path = self.put(file, data)
        return path.rename(path.with_name(f".tmp-{path.name}.part"))

    @property
    def files(self) -> dict[str, bytes]:
        """All that is on the disk, by path below ``web``."""
        return {str(p.relative_to(self.web)): p.read_bytes() for p in self.web.rglob("*") if p.is_file()}

    @property
    def asked_for_the_file(self) -> int:
        return sum(request.url == URL for request in self.transport.asked)

    def headers(self, number: int) -> tuple[str, ...]:
        return self.transport.asked[number].headers


def place(file: RemoteFile, project: str = "alpha", sha256: str | None = None) -> bytes:
    """Where the pool has the file, or gathers it while nobody knows its SHA-256."""
    found = location_of(NormalizedName(project), file, sha256 or file.sha256)
    return found if found is not None else place_of_part(file)


def mine(file: RemoteFile, suffix: str = "") -> str:
    return path_of(place(file), file.filename) + suffix


class TestLayout:
    def test_upstreams_own(self) -> None:
        hexes = "ab" + "cd" + "ef" * 30
        file = remote(url=f"https://files.example/packages/ab/cd/{'ef' * 30}/{NAME}")
        assert path_of(place(file), NAME) == f"packages/ab/cd/{'ef' * 30}/{NAME}"
        assert place(file).hex() == hexes

    def test_by_digest_elsewhere(self) -> None:
        assert place(remote()).hex() == sha256(DATA)

    def test_without_a_digest_it_is_the_bytes_own(self, tmp_path: Path) -> None:
        """Two files at one address, one after the other, never lie at one place."""
        for data in (DATA, DATA[::-1]):
            bench = Bench(tmp_path, {URL: [said(data)]})
            acquired = bench.acquire(remote(data, hashes=()))
            assert acquired.location.hex() == sha256(data)
            assert bench.files[acquired.file.path] == data
        assert len(bench.files) == 2
        assert not (tmp_path / path_of(place_of_part(remote()), NAME)).parent.exists()

    @pytest.mark.parametrize(
        ("filename", "owner"),
        [
            ("My_Lib-1.0-py3-none-any.whl", "my-lib"),
            ("my.lib-1.0.tar.gz", "my-lib"),
            ("my-lib-1.0-beta.zip", "my-lib"),
            ("my-lib-v2.tar.gz", "my-lib"),
            ("my-lib-1.0.linux-x86_64.tar.gz", "my-lib"),
            ("my-lib-1.0-py2.7.egg", "my-lib"),
            ("my-lib-dev.tar.gz", "my-lib"),
            ("nothing.zip", ""),
        ],
    )
    def test_a_name_has_one_owner(self, filename: str, owner: str) -> None:
        assert owner_of(filename) == owner

    def test_nobody_else_has_upstreams_place(self) -> None:
        address = f"https://files.example/packages/ab/cd/{'ef' * 30}/{NAME}"
        file = remote(url=address)
        places = {place(file, project) for project in ("alpha", "evil", "alpha-1", "other")}
        assert len(places) == 4

    @given(
        st.from_regex(r"https://f\.example/[!-\[\]-~]*", fullmatch=True),
        st.sampled_from([(), (("sha256", "ab" * 32),), (("md5", "0" * 32),)]),
    )
    def test_always_two_directories_of_two_and_one_of_sixty(self, url: str, hashes: Any) -> None:
        path = path_of(place(remote(url=url, hashes=hashes)), NAME)
        parts = path.split("/")
        assert [len(part) for part in parts] == [8, 2, 2, 60, len(NAME)]
        assert set("".join(parts[1:4])) <= set("0123456789abcdef")


class TestDownload:
    def test_a_file(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        acquired = bench.acquire(remote())

        assert (acquired.file.size, acquired.file.sha256) == (len(DATA), sha256(DATA))
        assert (acquired.files_downloaded, acquired.bytes_downloaded) == (1, len(DATA))
        assert bench.files == {acquired.file.path: DATA}

    def test_an_empty_file(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(b"")]})
        bench.acquire(remote(b""))

        assert bench.files == {mine(remote(b"")): b""}

    def test_wrong_bytes_are_asked_for_again(self, tmp_path: Path) -> None:
        wrong = DATA[:-1] + b"!"
        bench = Bench(tmp_path, {URL: [said(wrong), said(wrong), said(DATA)]})
        bench.acquire(remote())

        assert bench.files == {mine(remote()): DATA}
        assert bench.transport.requests == 3

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (DATA[:-1] + b"!", DigestMismatch),
            (DATA[:-1], SizeMismatch),
            (DATA + b"!", SizeMismatch),
            (b"", SizeMismatch),
        ],
    )
    def test_and_in_the_end_refused(self, tmp_path: Path, data: bytes, error: type[Exception]) -> None:
        bench = Bench(tmp_path, {URL: [said(data)]}, attempts=9)
        with pytest.raises(error):
            bench.acquire(remote())

        assert bench.transport.requests == 3
        assert bench.files == {}

    def test_troubles_of_the_connection_do_not_count_as_wrong_bytes(self, tmp_path: Path) -> None:
        answers: list[Answer] = [said(status=503), said(status=503), said(DATA[:-1] + b"!"), said(DATA)]
        bench = Bench(tmp_path, {URL: answers})
        bench.acquire(remote())

        assert bench.files == {mine(remote()): DATA}

    def test_upstream_says_how_long_to_wait(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(status=429, headers={"retry-after": "33"}), said(DATA)]})
        bench.acquire(remote())

        assert bench.waits.seconds == [33]

    @pytest.mark.parametrize("answer", [said(status=503), UpstreamUnavailable("lost", url=URL)])
    def test_an_upstream_that_does_not_come_back(self, tmp_path: Path, answer: Answer) -> None:
        bench = Bench(tmp_path, {URL: [answer]}, attempts=3)
        with pytest.raises(UpstreamUnavailable):
            bench.acquire(remote())

        assert (bench.asked_for_the_file, bench.files) == (3, {})

    @pytest.mark.parametrize("status", [404, 403, 410, 204, 304, 206])
    def test_an_answer_that_is_no_file(self, tmp_path: Path, status: int) -> None:
        """Nobody asked for a part: 206 is no file either, even where the page has nothing to check it by."""
        bench = Bench(tmp_path, {URL: [said(DATA, status=status)]})
        with pytest.raises(UpstreamError, match=str(status)):
            bench.acquire(remote(hashes=(), size=None))

        assert (bench.asked_for_the_file, bench.files) == (1, {})

    def test_a_size_that_no_file_has(self, tmp_path: Path) -> None:
        with pytest.raises(FileRefused, match="no file is that large"):
            Bench(tmp_path, {}).acquire(remote(size=2**40))

    def test_without_a_digest_the_size_decides(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        assert bench.acquire(remote(hashes=())).file.sha256 == sha256(DATA)

    @pytest.mark.parametrize(("algorithm", "data", "good"), [("md5", DATA, True), ("md5", DATA[::-1], False)])
    def test_an_older_digest_is_checked_too(
        self, tmp_path: Path, algorithm: str, data: bytes, good: bool
    ) -> None:
        bench = Bench(tmp_path, {URL: [said(data)]})
        file = remote(hashes=((algorithm, hashlib.new(algorithm, DATA).hexdigest()),))
        if good:
            assert bench.acquire(file).file.sha256 == sha256(DATA)
        else:
            with pytest.raises(DigestMismatch, match=algorithm):
                bench.acquire(file)

    def test_digests_without_a_fixed_length_are_no_digests(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        bench.acquire(remote(hashes=(("shake_128", "ab"), ("own", "cd"))))

        assert list(bench.files.values()) == [DATA]

    def test_a_full_disk_is_not_upstreams_fault(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        bench = Bench(tmp_path, {URL: [said(DATA)]})
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left"):
            bench.acquire(remote())

        assert (bench.transport.requests, bench.files) == (1, {})


class TestResuming:
    FILE = remote(BIG)
    HALF = len(BIG) // 2

    def test_the_rest_alone_is_asked_for(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(BIG[self.HALF :], status=206)]})
        bench.leave_part(self.FILE, BIG[: self.HALF])
        bench.acquire(self.FILE)

        assert bench.headers(0) == (f"Range: bytes={self.HALF}-",)
        assert bench.files == {mine(self.FILE): BIG}

    def test_a_server_that_sends_everything_again(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(BIG)]})
        bench.leave_part(self.FILE, b"x" * self.HALF)
        bench.acquire(self.FILE)

        assert (bench.transport.requests, bench.files) == (1, {mine(self.FILE): BIG})

    def test_a_part_of_something_else_is_thrown_away(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(BIG[self.HALF :], status=206), said(BIG)]})
        bench.leave_part(self.FILE, b"x" * self.HALF)
        bench.acquire(self.FILE)

        assert bench.headers(1) == (NO_CACHE,)
        assert bench.files == {mine(self.FILE): BIG}

    def test_a_part_longer_than_the_file(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(status=416), said(BIG)]})
        bench.leave_part(self.FILE, BIG + b"x")
        bench.acquire(self.FILE)

        assert bench.headers(1) == (NO_CACHE,)
        assert bench.files == {mine(self.FILE): BIG}

    def test_a_small_part_is_not_worth_a_range(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(BIG)]})
        bench.leave_part(self.FILE, BIG[:1000])
        bench.acquire(self.FILE)

        assert bench.headers(0) == ()
        assert bench.files == {mine(self.FILE): BIG}

    def test_without_a_digest_nothing_is_continued(self, tmp_path: Path) -> None:
        file = replace(self.FILE, hashes=())
        bench = Bench(tmp_path, {URL: [said(BIG)]})
        bench.leave_part(file, b"x" * self.HALF)
        bench.acquire(file)

        assert bench.headers(0) == ()
        assert bench.files == {mine(self.FILE): BIG}

    def test_a_cancelled_download_is_kept(self, tmp_path: Path) -> None:
        class Cancelled(FakeTransport):
            async def get(self, request: Request) -> Response:
                assert request.sink is not None
                request.sink.start(200)
                request.sink.write(BIG[: TestResuming.HALF])
                raise asyncio.CancelledError

        bench = Bench(tmp_path, {})
        transport = Cancelled({})
        made = retries(transport, Waits().patience())
        pool = Pool(tmp_path, transport, made, compare_method="hash", core_metadata=True)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(pool.acquire(NormalizedName("alpha"), self.FILE, None, verify=False))

        assert list(bench.files.values()) == [BIG[: self.HALF]]


class TestAnotherProjectsPlace:
    """Upstream chooses where a file lies, so that a project can name the address of another one's file."""

    PLACE = f"https://files.example/packages/ab/cd/{'ef' * 30}/{NAME}"
    OTHER = DATA + b" of another project"
    LISTED = remote(url=PLACE, core_metadata=(), provenance="https://files.example/provenance")

    def bench(self, web: Path, *answers: Answer) -> Bench:
        return Bench(
            web,
            {
                self.PLACE: answers,
                f"{self.PLACE}.metadata": [said(METADATA), said(METADATA + b"X-Evil: yes\n")],
                "https://files.example/provenance": [said(PROVENANCE), said(PROVENANCE.replace("1", "2"))],
            },
        )

    @pytest.mark.parametrize("squatter_first", [True, False])
    @pytest.mark.parametrize(
        "squatted",
        [
            LISTED,
            replace(LISTED, core_metadata=None, provenance=None),
            remote(OTHER, url=PLACE),
            remote(url=PLACE, hashes=(), size=None),
        ],
        ids=["documents of its own", "no documents", "other bytes", "no digest"],
    )
    def test_harms_only_who_names_it(
        self, tmp_path: Path, squatted: RemoteFile, squatter_first: bool
    ) -> None:
        theirs = self.OTHER if squatted.sha256 == sha256(self.OTHER) else DATA

        def squat() -> Acquired:
            bench = self.bench(tmp_path, said(theirs))
            row = known(bench.acquire(squatted, project="evil"))
            return bench.acquire(replace(squatted, core_metadata=None, provenance=None), row, project="evil")

        squatter = squat() if squatter_first else None
        bench = self.bench(tmp_path, said(DATA))
        victim = bench.acquire(self.LISTED)
        squatter = squatter or squat()
        assert mine(self.LISTED) == victim.file.path != squatter.file.path
        assert bench.files[victim.file.path] == DATA
        assert bench.files[f"{victim.file.path}.metadata"] == METADATA
        assert bench.files[f"{victim.file.path}.provenance"] == PROVENANCE.encode()
        assert bench.files[squatter.file.path] == theirs
        assert bench.acquire(self.LISTED, known(victim)).bytes_downloaded == 0

    def test_two_that_name_it_do_not_share_either(self, tmp_path: Path) -> None:
        paths = {
            self.bench(tmp_path, said(DATA)).acquire(self.LISTED, project=name).file.path for name in "xy"
        }
        assert len(paths) == 2

    def test_that_an_older_version_gave_away_is_left_without_a_download(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(DATA))
        victim = bench.acquire(self.LISTED)
        moved = bench.acquire(remote(url=self.PLACE), known(victim), project="evil")
        assert moved.file.path != victim.file.path
        assert moved.files_downloaded == 0
        assert bench.files[f"{victim.file.path}.metadata"] == METADATA


class TestWhatIsThereAlready:
    def test_the_ledger_is_trusted(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        row = known(bench.acquire(remote()))
        again = bench.acquire(remote(), row)

        assert (again.files_downloaded, again.bytes_downloaded, bench.transport.requests) == (0, 0, 1)
        assert again.file.sha256 == sha256(DATA)

    @pytest.mark.parametrize("on_disk", [None, b"short"])
    def test_unless_the_disk_disagrees(self, tmp_path: Path, on_disk: bytes | None) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        row = known(bench.acquire(remote()))
        path = bench.put(remote(), on_disk or b"")
        if on_disk is None:
            path.unlink()
        assert bench.acquire(remote(), row).files_downloaded == 1
        assert bench.files == {mine(remote()): DATA}

    def test_verify_hashes_again_and_mends(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]})
        row = known(bench.acquire(remote()))
        assert bench.acquire(remote(), row, verify=True).files_downloaded == 0

        bench.put(remote(), DATA[::-1])
        assert bench.acquire(remote(), row).files_downloaded == 0
        assert bench.acquire(remote(), row, verify=True).files_downloaded == 1
        assert bench.files == {mine(remote()): DATA}

    @pytest.mark.parametrize("method", ["hash", "stat"])
    def test_a_file_of_another_tool_is_taken_over(self, tmp_path: Path, method: CompareMethod) -> None:
        bench = Bench(tmp_path, {}, compare_method=method)
        bench.put(remote(), DATA)
        assert bench.acquire(remote()).files_downloaded == 0

    def test_by_hash_a_wrong_one_is_replaced_and_by_stat_believed(self, tmp_path: Path) -> None:
        for method, downloads in (("hash", 1), ("stat", 0)):
            bench = Bench(tmp_path, {URL: [said(DATA)]}, compare_method="hash" if downloads else "stat")
            bench.put(remote(), DATA[::-1])
            assert bench.acquire(remote()).files_downloaded == downloads, method

    def test_without_a_digest_nothing_is_taken_over(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, {URL: [said(DATA)]}, compare_method="stat")
        bench.put(remote(hashes=()), DATA[::-1])
        assert bench.acquire(remote(hashes=())).files_downloaded == 1

    @pytest.mark.parametrize(
        "changes", [{"hashes": (("sha256", "ab" * 32),)}, {"size": 7}], ids=["digest", "size"]
    )
    def test_a_file_never_changes(self, tmp_path: Path, changes: dict[str, Any]) -> None:
        """At the same address; the layout is upstream's, so that the address alone names the place."""
        address = f"https://files.example/packages/ab/cd/{'ef' * 30}/{NAME}"
        bench = Bench(tmp_path, {address: [said(DATA)]})
        row = known(bench.acquire(remote(url=address)))
        with pytest.raises(FileRefused, match="than it did before"):
            bench.acquire(remote(url=address, **changes), row)

        assert list(bench.files.values()) == [DATA]

    @pytest.mark.parametrize("removed_at", [None, 1], ids=["listed", "tombstone"])
    @pytest.mark.parametrize("address", ["the same", "another"])
    def test_other_bytes_are_refused_or_followed_to_a_place_of_their_own(
        self, tmp_path: Path, removed_at: int | None, address: str
    ) -> None:
        url = f"https://files.example/packages/ab/cd/{'ef' * 30}/{NAME}"
        now = url if address == "the same" else url.replace("/ab/", "/ba/")
        first = Bench(tmp_path, {url: [said(DATA)]})
        row = known(first.acquire(remote(url=url)), removed_at=removed_at)
        replaced = remote(DATA[::-1], url=now)
        with pytest.raises(FileReplaced, match="than it did before"):
            Bench(tmp_path, {}).acquire(replaced, row)
        assert first.files == {row.path: DATA}
        following = Bench(tmp_path, {now: [said(DATA[::-1])]}, replaced_files="follow")
        followed = following.acquire(replaced, row)
        assert first.files == {row.path: DATA, followed.file.path: DATA[::-1]}
        assert following.acquire(replaced, known(followed)).files_downloaded == 0

    @pytest.mark.parametrize("algorithm", ["md5", "sha512", "sha384", "blake2b", "sha3_256", "blake2s"])
    def test_any_digest_tells_other_bytes(self, tmp_path: Path, algorithm: str) -> None:
        def listed(data: bytes) -> RemoteFile:
            return remote(hashes=((algorithm, hashlib.new(algorithm, data).hexdigest()),))

        bench = Bench(tmp_path, {URL: [said(DATA)]})
        row = known(bench.acquire(listed(DATA)))
        assert bench.acquire(listed(DATA), row).files_downloaded == 0
        other = listed(DATA[::-1])
        with pytest.raises(FileReplaced, match=f"its {algorithm} was"):
            bench.acquire(other, row)
        following = Bench(tmp_path, {URL: [said(DATA[::-1])]}, replaced_files="follow")
        assert following.acquire(other, row).file.sha256 == sha256(DATA[::-1])
        # One that was not stated before is compared with the bytes that are there.
        for name, data, right in (("sha224", DATA, True), ("sha224", b"x", False)):
            more = replace(listed(DATA), hashes=((name, hashlib.new(name, data).hexdigest()),))
            if right:
                assert bench.acquire(more, row).file.remote.hashes == more.hashes
            else:
                with pytest.raises(FileReplaced):
                    bench.acquire(more, row)
        assert bench.transport.requests == 1

    def test_every_digest_is_checked_and_what_cannot_be_is_not_stated(self, tmp_path: Path) -> None:
        good = {name: hashlib.new(name, DATA).hexdigest() for name in ("sha512", "md5")}
        file = remote(hashes=(("sha256", sha256(DATA)), *good.items(), ("own", "cd"), ("shake_128", "ab")))
        acquired = Bench(tmp_path, {URL: [said(DATA)]}).acquire(file)
        assert dict(acquired.file.remote.hashes) == {"sha256": sha256(DATA), **good}
        wrong = replace(file, hashes=(("sha256", sha256(DATA)), ("md5", "0" * 32)))
        for row in (None, known(acquired)):
            with pytest.raises(FileRefused, match="md5"):
                Bench(tmp_path, {URL: [said(DATA)]}).acquire(wrong, row)

    @pytest.mark.parametrize("hashes", [(("sha256", sha256(DATA[::-1])),), ()], ids=["stated", "found"])
    def test_the_name_of_a_deleted_file_is_remembered(self, tmp_path: Path, hashes: Any) -> None:
        past = bytes.fromhex(sha256(DATA))
        bench = Bench(tmp_path, {URL: [said(DATA[::-1])]})
        with pytest.raises(FileReplaced):
            bench.acquire(remote(DATA[::-1], hashes=hashes), past=past)
        assert bench.files == {}
        following = Bench(tmp_path, {URL: [said(DATA[::-1])]}, replaced_files="follow")
        assert following.acquire(remote(DATA[::-1], hashes=hashes), past=past).files_downloaded == 1
        assert Bench(tmp_path, {URL: [said(DATA)]}).acquire(remote(), past=past).files_downloaded == 1


class TestMetadata:
    FILE = remote(core_metadata=(("sha256", sha256(METADATA)),))
    BARE = remote(core_metadata=())

    def bench(self, web: Path, *answers: Answer, **options: Any) -> Bench:
        return Bench(web, {URL: [said(DATA)], f"{URL}.metadata": answers}, **options)

    @pytest.mark.parametrize("file", [FILE, BARE])
    def test_lies_beside_the_file(self, tmp_path: Path, file: RemoteFile) -> None:
        bench = self.bench(tmp_path, said(METADATA))
        acquired = bench.acquire(file)

        assert acquired.file.metadata_sha256 == sha256(METADATA)
        assert acquired.bytes_downloaded == len(DATA) + len(METADATA)
        assert bench.files == {mine(file): DATA, mine(file, ".metadata"): METADATA}

    def test_is_not_asked_for_again(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(METADATA))
        row = known(bench.acquire(self.FILE))
        assert bench.acquire(self.FILE, row).file.metadata_sha256 == sha256(METADATA)
        assert bench.acquire(self.FILE, row, verify=True).file.metadata_sha256 == sha256(METADATA)
        assert bench.acquire(self.FILE, None).file.metadata_sha256 == sha256(METADATA)
        assert bench.transport.requests == 2

    def test_is_mended(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(METADATA))
        row = known(bench.acquire(self.FILE))
        bench.put(self.FILE, b"Metadata-Version: broken", ".metadata")
        bench.acquire(self.FILE, row, verify=True)
        assert bench.files[mine(self.FILE, ".metadata")] == METADATA

    def test_that_upstream_changed_is_fetched(self, tmp_path: Path) -> None:
        newer = METADATA + b"Version: 1.0\n"
        bench = self.bench(tmp_path, said(METADATA), said(newer))
        row = known(bench.acquire(self.FILE))
        file = replace(self.FILE, core_metadata=(("sha256", sha256(newer)),))
        assert bench.acquire(file, row).file.metadata_sha256 == sha256(newer)
        assert bench.files[mine(file, ".metadata")] == newer

    @pytest.mark.parametrize("status", [404, 410])
    def test_that_is_advertised_and_missing_is_not_advertised(self, tmp_path: Path, status: int) -> None:
        bench = self.bench(tmp_path, said(status=status))
        assert bench.acquire(self.FILE).file.metadata_sha256 is None
        assert bench.files == {mine(self.FILE): DATA}

    def test_of_a_wrong_digest_is_asked_for_again_and_refused(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(METADATA + b"!"), attempts=9)
        acquired = bench.acquire(self.FILE)

        assert acquired.file.metadata_sha256 is None
        (refused,) = acquired.refused
        assert (refused.filename, refused.field) == (self.FILE.filename, "core-metadata")
        assert "sha256 is" in refused.reason
        assert bench.transport.requests == 1 + 3
        assert bench.files == {mine(self.FILE): DATA}

    def test_without_a_digest_it_must_look_like_metadata(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said("<html>We are having trouble</html>"))
        (refused,) = bench.acquire(self.BARE).refused
        assert "not valid core metadata" in refused.reason
        assert bench.files == {mine(self.BARE): DATA}

    def test_digests_without_a_fixed_length_are_no_digests(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(METADATA))
        file = remote(core_metadata=(("shake_256", "ab"),))
        assert bench.acquire(file).file.metadata_sha256 == sha256(METADATA)

    def test_that_upstream_takes_back_goes_when_no_page_lists_it(self, tmp_path: Path) -> None:
        """Readers still hold the page that lists it, and pip has no way around a missing one."""
        bench = self.bench(tmp_path, said(METADATA))
        row = known(bench.acquire(self.FILE))
        without = bench.acquire(remote(), row)
        assert without.file.metadata_sha256 is None
        assert mine(self.FILE, ".metadata") in bench.files

        bench.acquire(remote(), known(without))
        assert bench.files == {mine(self.FILE): DATA}

    def test_can_be_left_out(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, core_metadata=False)
        assert bench.acquire(self.FILE).file.metadata_sha256 is None
        assert bench.transport.requests == 1

    def test_a_passing_trouble(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(status=503), said(METADATA))
        assert bench.acquire(self.FILE).file.metadata_sha256 == sha256(METADATA)

    def test_another_trouble_costs_the_document_alone(self, tmp_path: Path) -> None:
        acquired = self.bench(tmp_path, said(status=403)).acquire(self.FILE)
        assert (acquired.file.metadata_sha256, acquired.trouble) == (None, None)
        assert ["403" in each.reason for each in acquired.refused] == [True]

    def test_a_trouble_that_lasts_is_told(self, tmp_path: Path) -> None:
        acquired = self.bench(tmp_path, said(status=503)).acquire(self.FILE)
        assert (acquired.file.metadata_sha256, acquired.refused) == (None, ())
        assert "503" in str(acquired.trouble)


class TestProvenance:
    ADDRESS = "https://index.example/integrity/x"
    FILE = remote(provenance=ADDRESS)

    def bench(self, web: Path, *answers: Answer) -> Bench:
        return Bench(web, {URL: [said(DATA)], self.ADDRESS: answers})

    def test_lies_beside_the_file_and_stays(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(PROVENANCE))
        acquired = bench.acquire(self.FILE)
        again = bench.acquire(self.FILE, known(acquired))

        assert (acquired.file.has_provenance, again.file.has_provenance) == (True, True)
        assert bench.transport.requests == 2
        assert "integrity.v1+json" in bench.headers(1)[0]
        assert bench.files[mine(self.FILE, ".provenance")] == PROVENANCE.encode()

    @pytest.mark.parametrize("status", [404, 406, 410])
    def test_that_is_not_there(self, tmp_path: Path, status: int) -> None:
        bench = self.bench(tmp_path, said(status=status))
        assert not bench.acquire(self.FILE).file.has_provenance

    @pytest.mark.parametrize("body", ["<html>sorry</html>", "[]", "{}", '{"version": 1}', "[" * 100_000])
    def test_what_is_none_is_not_served(self, tmp_path: Path, body: str) -> None:
        bench = self.bench(tmp_path, said(body))
        (refused,) = bench.acquire(self.FILE).refused
        assert "not a valid provenance object" in refused.reason
        assert bench.files == {mine(self.FILE): DATA}

    def test_that_upstream_takes_back_goes_when_no_page_lists_it(self, tmp_path: Path) -> None:
        bench = self.bench(tmp_path, said(PROVENANCE))
        without = bench.acquire(remote(), known(bench.acquire(self.FILE)))
        assert not without.file.has_provenance
        assert mine(self.FILE, ".provenance") in bench.files

        bench.acquire(remote(), known(without))
        assert bench.files == {mine(self.FILE): DATA}


class TestHostilePages:
    nasty = st.text(st.sampled_from("./\\:@%#?&\0\n aZ0-_~$") | st.characters(exclude_categories=["Cs"]))
    names = nasty | st.sampled_from(
        ["../../../x", "/etc/x", "..", ".tmp-x", "x.metadata", "x.whl", "a" * 250]
    )
    addresses = nasty | st.builds(
        "{}packages/{}/{}/{}/{}".format,
        st.sampled_from(["/", "../../", "https://f.example/", "https://f.example/../"]),
        *[st.sampled_from(["ab", "..", "AB", "%2e"])] * 2,
        st.sampled_from(["ef" * 30, "../" * 20, "ef" * 29 + ".."]),
        nasty,
    )

    @given(
        name=names, address=addresses, digest=st.sampled_from([{}, {"sha256": sha256(DATA)}, {"own": "ab"}])
    )
    def test_nothing_is_written_outside_the_pool(
        self, name: str, address: str, digest: dict[str, str]
    ) -> None:
        """Whatever the page says, it is refused or lies at ``packages/aa/bb/<60 hex>/<filename>``."""
        file = {
            "filename": name,
            "url": address,
            "hashes": digest,
            "core-metadata": True,
            "provenance": address,
        }
        page = {"meta": {"api-version": "1.0"}, "name": "alpha", "files": [file]}

        class Generous(FakeTransport):
            async def get(self, request: Request) -> Response:
                if request.sink is None:
                    return said(METADATA if request.url.endswith(".metadata") else PROVENANCE)
                request.sink.start(200)
                request.sink.write(DATA)
                return said()

        with TemporaryDirectory() as directory:
            web = Path(directory) / "deep" / "down" / "web"
            web.mkdir(parents=True)
            transport = Generous({})
            made = retries(transport, Waits().patience(attempts=1))
            pool = Pool(web, transport, made, compare_method="hash", core_metadata=True)
            with suppress(UpstreamError):
                page_as_read = parse_project_page(
                    json.dumps(page).encode(),
                    url="https://index.example/simple/alpha/",
                    project=NormalizedName("alpha"),
                    header_serial=None,
                    etag=None,
                )
                for parsed in page_as_read.files:
                    asyncio.run(pool.acquire(NormalizedName("alpha"), parsed, None, verify=False))
            for path in Path(directory).rglob("*"):
                if path.is_file():
                    top, *hexes, filename = path.relative_to(web).parts
                    assert top == "packages"
                    assert [len(part) for part in hexes] == [2, 2, 60]
                    assert set("".join(hexes)) <= set("0123456789abcdef")
                    assert filename in {name, f"{name}.metadata", f"{name}.provenance"}


class TestAgainstTheStandIn:
    def of(self, file: File, server: Server) -> RemoteFile:
        digests = () if file.metadata_sha256 is None else (("sha256", file.metadata_sha256),)
        return RemoteFile(
            filename=file.filename,
            url=f"{server.url}/{file.path}",
            hashes=(("sha256", file.sha256),),
            size=file.size,
            core_metadata=digests or None,
            provenance=f"{server.url}/integrity/alpha/1.0/{file.filename}/provenance"
            if file.provenance
            else None,
        )

    def acquire(self, web: Path, server: Server, file: RemoteFile) -> Acquired:
        async def run() -> Acquired:
            async with CurlTransport(workers=4, timeout=5, global_timeout=30) as transport:
                index = f"{server.url}/simple/"
                made = retries(transport, Waits().patience(attempts=4), index=index)
                pool = Pool(web, transport, made, compare_method="hash", core_metadata=True)
                return await pool.acquire(NormalizedName("alpha"), file, None, verify=False)

        return asyncio.run(run())

    def warehouse(self, size: int = 2_200_000) -> Warehouse:
        return Warehouse(
            Upload(distribution=Wheel(name="alpha", size=size)),
            BackfillProvenance(project="alpha", filename=NAME),
        )

    @pytest.mark.parametrize(
        ("faults", "kinds"),
        [
            ((), {"file": 1, "metadata": 1, "provenance": 1}),
            ((Fault(path="*.whl", effect=Status(code=503)),), {"file": 2, "metadata": 1, "provenance": 1}),
            ((Fault(path="*.whl", effect=Corrupt()),), {"file": 2, "metadata": 1, "provenance": 1}),
            ((Fault(path="*.whl", effect=Truncate(keep=9)),), {"file": 2, "metadata": 1, "provenance": 1}),
            ((Fault(path="*.whl", effect=Drop(), times=2),), {"file": 3, "metadata": 1, "provenance": 1}),
            ((Fault(path="*.metadata", effect=Corrupt()),), {"file": 1, "metadata": 2, "provenance": 1}),
        ],
    )
    def test_all_that_belongs_to_a_file(
        self, tmp_path: Path, faults: tuple[Fault, ...], kinds: dict[str, int]
    ) -> None:
        warehouse = self.warehouse(size=1000)
        with running(warehouse, faults=faults) as server:
            acquired = self.acquire(tmp_path, server, self.of(warehouse.file(NAME), server))
            counts = server.requests.counts

        path = tmp_path / warehouse.file(NAME).path
        assert sha256(path.read_bytes()) == acquired.file.sha256 == warehouse.file(NAME).sha256
        assert (acquired.file.metadata_sha256, acquired.file.has_provenance) == (
            warehouse.file(NAME).metadata_sha256,
            True,
        )
        assert sorted(each.name for each in path.parent.iterdir()) == [
            NAME,
            f"{NAME}.metadata",
            f"{NAME}.provenance",
        ]
        assert counts == kinds

    def test_a_lost_download_is_continued(self, tmp_path: Path) -> None:
        warehouse = self.warehouse()
        faults = (Fault(path="*.whl", effect=Drop(after=1_500_000)),)
        with running(warehouse, faults=faults) as server:
            self.acquire(tmp_path, server, self.of(warehouse.file(NAME), server))
            first, second = server.requests.of("file")

        assert "range" not in first.headers
        start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert 1024**2 <= start <= 1_500_000
        assert second.status == 206
        assert sha256((tmp_path / warehouse.file(NAME).path).read_bytes()) == warehouse.file(NAME).sha256

    def test_metadata_that_is_missing(self, tmp_path: Path) -> None:
        warehouse = self.warehouse(size=10)
        with running(warehouse, faults=(Fault(path="*.metadata", effect=Missing()),)) as server:
            acquired = self.acquire(tmp_path, server, self.of(warehouse.file(NAME), server))

        assert acquired.file.metadata_sha256 is None
