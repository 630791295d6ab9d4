"""Hostile projects by combination: every key with every nonsense, every place of another project, every way
to an address inside, every part of an answer that never ends.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from tests.torture.hostile.honest import METADATA, NAMES, content, file, filename_of, place_of
from tests.torture.hostile.indexes import INDEX, xml
from tests.torture.hostile.indexes import Case as IndexCase
from tests.torture.hostile.projects import Case, Cost, away, good_file, listing, page_is, sidecar, with_file
from tests.torture.hostile.server import JSON, Answer, dripping

# What no key of a page means; a key of None is left out, and so is no nonsense.
NONSENSE: tuple[Any, ...] = (
    -1, 1.5e300, True, "", "nonsense", "\ud800", "\u202e\x1b[2J", [], [[]], [None], {}, {"sha256": ""},
    {"sha256": [1]}, {"": None},
)  # fmt: skip
FILE_KEYS = (
    "size", "upload-time", "requires-python", "yanked", "gpg-sig", "provenance", "core-metadata",
    "dist-info-metadata", "data-dist-info-metadata", "unknown",
)  # fmt: skip
PAGE_KEYS = ("versions", "project-status", "alternate-locations", "tracks", "unknown")


def _values() -> Iterator[Case]:
    for key, value in product(FILE_KEYS, NONSENSE):
        yield Case(
            name=f"{key}: {json.dumps(value)}",
            answers=with_file(entry={key: value}),
            costs=Cost.AT_MOST_VALUE,
        )
    for key, value in product(PAGE_KEYS, NONSENSE):
        yield Case(
            name=f"the page's {key}: {json.dumps(value)}",
            answers=with_file(page_changes={key: value}),
            costs=Cost.AT_MOST_VALUE,
        )
    for value in NONSENSE:
        yield Case(
            name=f"the page's serial: {json.dumps(value)}",
            answers=with_file(page_changes={"meta": {"api-version": "1.4", "_last-serial": value}}),
            costs=Cost.AT_MOST_VALUE,
        )


# Digests beside a right one, and what they cost.
BESIDE: tuple[tuple[str, Any, Cost], ...] = (
    ("md5", "", Cost.AT_MOST_VALUE),
    ("md5", "0" * 32, Cost.FILE),
    ("md5", "0" * 31, Cost.FILE),
    ("sha512", "0" * 128, Cost.FILE),
    ("blake2b", "0" * 128, Cost.FILE),
    ("sha3_256", "0" * 64, Cost.FILE),
    ("sha1", "", Cost.AT_MOST_VALUE),
    ("crc32", "zz", Cost.AT_MOST_VALUE),
    ("shake_128", "00", Cost.AT_MOST_VALUE),
    ("sha999", "0" * 2000, Cost.AT_MOST_VALUE),
)


def _digests() -> Iterator[Case]:
    for algorithm, digest, costs in BESIDE:
        yield Case(
            name=f"{algorithm} {digest[:40]!r} beside the right sha256",
            answers=_beside(algorithm, digest),
            costs=costs,
        )


def _beside(algorithm: str, digest: Any) -> Callable[[str, str], dict[str, Answer]]:
    def answers(project: str, outside: str) -> dict[str, Answer]:
        right = hashlib.sha256(content(f"{project.replace('-', '_')}-1.0.tar.gz")).hexdigest()
        return with_file(hashes={"sha256": right, algorithm: digest})(project, outside)

    return answers


_VICTIM = filename_of(NAMES[0])
_PLACE = place_of(NAMES[0])
_BYTES = content(_VICTIM)
_ADDRESSES = {
    "its address": f"../../{_PLACE}",
    "its path from the root": f"/{_PLACE}",
    "its address with a query": f"../../{_PLACE}?x=1",
    "its address with an escape": f"../../{_PLACE.replace('honest_a', '%68onest_a')}",
    "its address by a detour": f"../../packages/x/../{_PLACE.removeprefix('packages/')}",
}
_CLAIMED: dict[str, tuple[dict[str, str], Cost]] = {
    "its digest": ({"sha256": hashlib.sha256(_BYTES).hexdigest()}, Cost.AT_MOST_FILE),
    "another digest": ({"sha256": "0" * 64}, Cost.FILE),
    "md5 alone": ({"md5": hashlib.md5(_BYTES).hexdigest()}, Cost.AT_MOST_FILE),
    "no digest": ({}, Cost.AT_MOST_FILE),
}
_OWN_METADATA = b"Metadata-Version: 2.1\nName: squatter\nVersion: 1.0\n"
_OWN_PROVENANCE = b'{"version": 1, "attestation_bundles": [], "squatter": true}'
_BESIDES: dict[str, dict[str, Any]] = {
    "no metadata": {"core-metadata": False},
    "metadata of its own": {"core-metadata": {"sha256": hashlib.sha256(_OWN_METADATA).hexdigest()}},
    "metadata without a digest": {"core-metadata": True},
    "provenance of its own": {"provenance": "../../files/squatter.provenance"},
}


def _squatted() -> Iterator[Case]:
    """The place and the sidecars of ``NAMES[0]``'s file, which the judge looks at after every run."""
    for (where, url), (digest, (hashes, costs)), (beside, entry) in product(
        _ADDRESSES.items(), _CLAIMED.items(), _BESIDES.items()
    ):
        for filename in ("squatter-1.0.tar.gz", _VICTIM):
            yield Case(
                name=f"another project's file as {filename}: {where}, {digest}, {beside}",
                answers=_squatter(filename, url, hashes, entry),
                costs=costs,
            )


def _squatter(
    filename: str, url: str, hashes: dict[str, str], entry: dict[str, Any]
) -> Callable[[str, str], dict[str, Answer]]:
    def answers(project: str, outside: str) -> dict[str, Answer]:
        listed = file(filename, _BYTES, url=url, hashes=hashes, **entry)
        return listing(project, listed) | {
            f"/{_PLACE}?x=1": Answer(body=_BYTES),
            f"/{_PLACE}.metadata?x=1": Answer(body=_OWN_METADATA),
            f"/{_PLACE}?x=1.metadata": Answer(body=_OWN_METADATA),
            f"/{_PLACE.replace('honest_a', '%68onest_a')}": Answer(body=_BYTES),
            f"/{_PLACE.replace('honest_a', '%68onest_a')}.metadata": Answer(body=_OWN_METADATA),
            "/files/squatter.provenance": Answer(body=_OWN_PROVENANCE),
        }

    return answers


# All lead where a cloud tells a machine its secrets, or nowhere at all; nothing is ever sent there.
_INSIDE = (
    "169.254.169.254", "2852039166", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
    "169.254.169.254.", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255",
    "[::ffff:169.254.169.254]", "[::a9fe:a9fe]", "[::ffff:0:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2001:db8::5efe:a9fe:a9fe]", "[fe80::1]", "[ff02::1]",
    "[fd00:ec2::254]",
)  # fmt: skip
_REFUSED = "an internal address"


def _inside() -> Iterator[Case]:
    for host in _INSIDE:
        url = f"http://{host}/latest/meta-data/"
        yield Case(name=f"{host} on a page", answers=with_file(url=url), reason=_REFUSED)
        yield Case(
            name=f"a file that redirects to {host}", answers=with_file(away(url.encode())), reason=_REFUSED
        )
        yield Case(
            name=f"a page that redirects to {host}",
            answers=page_is(away(url.encode())),
            costs=Cost.PAGE,
            reason=_REFUSED,
        )
        yield Case(
            name=f"provenance at {host}",
            answers=with_file(provenance=url),
            costs=Cost.VALUE,
            reason=_REFUSED,
        )


_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n".encode()
# Answers that never end, each held open by a byte or a line now and then.
DRIPS: dict[str, Answer] = {
    "a status line that drips": dripping(b"HTTP/1.1 200 ", b"O"),
    "headers that drip": dripping(_HEAD, b"X-Drip: 1\r\n"),
    "a header that drips": dripping(_HEAD + b"X-Drip: ", b"x"),
    "early hints without an end": dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunk extensions that drip": dripping(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "chunks that drip": dripping(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    # The flag says that a name follows, which never ends.
    "a gzip header that drips": dripping(
        _HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"x"
    ),
    "a body that drips": dripping(_HEAD + b"Connection: close\r\n\r\n", b" "),
}


def _drips() -> Iterator[Case]:
    """Each drip once: twenty projects in a row without an answer are an upstream that is down."""
    for number, (what, answer) in enumerate(DRIPS.items()):
        if number % 3 == 0:
            yield Case(name=f"a page: {what}", answers=page_is(answer), costs=Cost.PAGE)
        elif number % 3 == 1:
            yield Case(name=f"a file: {what}", answers=with_file(answer))
        else:
            yield Case(
                name=f"metadata: {what}",
                answers=sidecar(".metadata", answer, entry={"core-metadata": True}),
                costs=Cost.VALUE,
            )


# A .metadata file or provenance that is there and not what it has to be.
SIDECARS: tuple[tuple[str, Answer], ...] = (
    ("empty", Answer(body=b"")),
    ("a BOM", Answer(body=b"\xef\xbb\xbf" + METADATA)),
    ("no version", Answer(body=b"Name: x\n")),
    ("no UTF-8", Answer(body=b"\xff\xfe\0")),
    ("403", Answer(status=403)),
    ("401", Answer(status=401)),
    ("410", Answer(status=410)),
    ("a status of 299", Answer(status=299, body=METADATA)),
    ("30 MB", Answer(body=METADATA + b"x" * (30 << 20))),
    ("a redirect to file:", away(b"file:///etc/passwd")),
)


def _sidecars() -> Iterator[Case]:
    for what, answer in SIDECARS:
        yield Case(
            name=f"metadata: {what}",
            answers=sidecar(".metadata", answer, entry={"core-metadata": {"sha256": "0" * 64}}),
            costs=Cost.AT_MOST_VALUE,
        )
        yield Case(
            name=f"provenance: {what}",
            answers=sidecar(".bad", answer, provenance="../../files/FILENAME.bad"),
            costs=Cost.AT_MOST_VALUE,
        )


def _same_twice(project: str, outside: str) -> dict[str, Answer]:
    name = f"{project.replace('-', '_')}-1.0.tar.gz"
    return listing(project, file(name), file(name)) | {f"/files/{name}": Answer(body=content(name))}


def _good_twice(project: str, outside: str) -> dict[str, Answer]:
    name = good_file(project)
    return with_file()(project, outside) | listing(project, file(name, yanked="broken"), file(f"x-{name}"))


_ENTRIES: tuple[Case, ...] = (
    Case(name="the same entry twice", answers=_same_twice, costs=Cost.NOTHING),
    Case(name="a file that is not there", answers=_good_twice),
)

CASES: tuple[Case, ...] = (
    *_values(), *_digests(), *_squatted(), *_inside(), *_drips(), *_sidecars(), *_ENTRIES,
)  # fmt: skip


def _index_drips() -> Iterator[IndexCase]:
    """Each drip in the answer to the question what has changed."""
    for what, answer in DRIPS.items():
        yield IndexCase(name=f"the index: {what}", answers={INDEX: answer})
        yield IndexCase(name=f"the changelog: {what}", answers=xml() | {"/pypi": answer})


INDEXES: tuple[IndexCase, ...] = tuple(_index_drips())
