"""One bad file or field costs only itself (DESIGN, invariant 3).

Upstream has ``alpha`` 1.0 and 1.1; then 1.1 is removed or yanked and, at the same time, something bad
appears. What upstream took away leaves our page in the next run, and so does everything good come.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from pypi_mirror.model import RunState
from pypi_mirror.runs.report import Report
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    HTML_ONLY,
    BackfillProvenance,
    Corrupt,
    Declared,
    Fault,
    Instead,
    RemoveFile,
    RemoveRelease,
    Sdist,
    Status,
    Truncate,
    Upload,
    Wheel,
    Yank,
)

OLD = [Upload(distribution=Wheel(name="alpha", version=version)) for version in ("1.0", "1.1")]
NEW = Wheel(name="alpha", version="1.2")
KEPT, TAKEN, ADDED = (f"alpha-{version}-py3-none-any.whl" for version in ("1.0", "1.1", "1.2"))
_LONGEST = "alpha-1.2-" + "x" * 232 + ".whl"
TAKES_AWAY = {
    "removed": RemoveRelease(project="alpha", version="1.1"),
    "yanked": Yank(project="alpha", version="1.1", reason="broken"),
}


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(*OLD)
    assert made.sync().state is RunState.SUCCESS
    return made


@pytest.fixture(params=TAKES_AWAY)
def takes_away(request: pytest.FixtureRequest) -> Any:
    return TAKES_AWAY[request.param]


def followed(made: Bench, takes_away: Any, *names: str) -> None:
    """What upstream took away is away, and ``names`` are listed beside what stays."""
    page = {file["filename"]: file for file in made.page("alpha")["files"]}
    if isinstance(takes_away, RemoveRelease):
        assert set(page) == {KEPT, *names}
    else:
        assert set(page) == {KEPT, TAKEN, *names}
        assert page[TAKEN]["yanked"] == "broken"


def upstream_page(made: Bench, name: str = "alpha") -> dict[str, Any]:
    answer = requests.get(
        f"{made.server.url}/simple/{name}/",
        headers={"Accept": "application/vnd.pypi.simple.v1+json"},
        timeout=30,
    )
    document: dict[str, Any] = answer.json()
    return document


def edited(made: Bench, edit: Callable[[dict[str, Any]], object], name: str = "alpha") -> None:
    """From now on upstream's page of ``name`` is what it is now, after ``edit``."""
    document = upstream_page(made, name)
    edit(document)
    body = json.dumps(document, ensure_ascii=True)
    made.server.inject(Fault(path=f"/simple/{name}/", effect=Instead(body=body), times=None))


def is_named(made: Bench, outcome: Report, filename: str) -> None:
    """A file that could not be downloaded fails the run and is on the backlog by its name."""
    assert outcome.state is RunState.FAILED
    (failure,) = outcome.new_failures
    assert failure.project == "alpha"
    assert filename in failure.reason
    assert filename in made.backlog()["alpha"]


@pytest.mark.parametrize("distribution", [NEW, Sdist(name="alpha", version="1.2")], ids=["wheel", "sdist"])
@pytest.mark.parametrize(
    "effect",
    [Corrupt(), Status(code=404), Status(code=403), Truncate(keep=100)],
    ids=["digest", "404", "403", "cut"],
)
def test_a_file_that_cannot_be_had(synced: Bench, takes_away: Any, distribution: Any, effect: Any) -> None:
    bad = distribution.file_name
    synced.server.apply(
        takes_away,
        Upload(distribution=distribution),
        Upload(distribution=Wheel(name="alpha", version="1.3")),
    )
    fault = Fault(path=f"/packages/*/{bad}", effect=effect, times=None)
    synced.server.inject(fault)

    outcome = synced.sync()

    followed(synced, takes_away, "alpha-1.3-py3-none-any.whl")
    is_named(synced, outcome, bad)
    assert outcome.cursor == synced.server.warehouse.serial
    assert (outcome.tally.projects_done, outcome.tally.projects_failed) == (0, 1)
    audit(synced)
    # It is tried again, and the page is complete as soon as it can be downloaded.
    synced.server.faults.clear()
    again = synced.sync(clock_step=20)
    assert (again.state, again.backlog) == (RunState.SUCCESS, 0)
    followed(synced, takes_away, "alpha-1.3-py3-none-any.whl", bad)
    audit(synced)
    compare(synced)


def test_what_cannot_be_had_is_not_new_the_second_time_and_asks_for_nothing_else(synced: Bench) -> None:
    synced.server.apply(Upload(distribution=NEW))
    synced.server.inject(Fault(path=f"/packages/*/{ADDED}", effect=Corrupt(), times=None))
    synced.sync()
    synced.server.requests.reset()
    again = synced.sync(clock_step=20)
    assert again.state is RunState.SUCCESS
    assert [failure.project for failure in again.known_failures] == ["alpha"]
    assert set(synced.downloads()) == {ADDED}
    with synced.open() as mirror:
        (entry,) = mirror.ledger.backlog.failed()
        assert entry.attempts == 2


def test_the_copy_that_is_here_stays_where_upstream_has_other_bytes_under_its_name(synced: Bench) -> None:
    """A file name means the same bytes for ever: what readers have stays, and the yank is followed."""
    before = {file["filename"]: file["hashes"] for file in synced.page("alpha")["files"]}

    def replace(page: dict[str, Any]) -> None:
        page["files"][0]["url"] = f"{synced.server.url}/elsewhere/{KEPT}"
        page["files"][0]["hashes"] = {"sha256": "0" * 64}

    synced.server.apply(Yank(project="alpha", version="1.1", reason="broken"))
    edited(synced, replace)
    outcome = synced.sync()
    followed(synced, TAKES_AWAY["yanked"])
    assert {file["filename"]: file["hashes"] for file in synced.page("alpha")["files"]} == before
    is_named(synced, outcome, KEPT)
    audit(synced)


@pytest.mark.parametrize(
    "metadata",
    [
        b"Metadata-Version: 2.1\nName: other\n", b"", b"\xef\xbb\xbfMetadata-Version: 2.1\nName: alpha\n",
        b"Name: alpha\nVersion: 1.2\n", b"\nMetadata-Version: 2.1\n", b"Name: a\n\nMetadata-Version: 2.1\n",
        b"<html>Metadata-Version: 2.1</html>",
    ],
    ids=["digest", "empty", "mark", "headless", "blank first", "in the text", "html"],
)  # fmt: skip
def test_metadata_that_is_none_costs_its_key(synced: Bench, takes_away: Any, metadata: bytes) -> None:
    """pip and uv take what a page advertises for the wheel's own, and have no way around what is wrong."""
    digest = "0" * 64 if b"other" in metadata else hashlib.sha256(metadata).hexdigest()
    synced.server.apply(takes_away, Upload(distribution=NEW))

    def advertise(page: dict[str, Any]) -> None:
        page["files"][-1]["core-metadata"] = {"sha256": digest}

    edited(synced, advertise)
    synced.server.inject(
        Fault(
            path=f"/packages/*/{ADDED}.metadata",
            effect=Instead(body=metadata.decode(), content_type="text/plain"),
            times=None,
        )
    )
    outcome = synced.sync()
    followed(synced, takes_away, ADDED)
    assert synced.page("alpha")["files"][-1]["core-metadata"] is False
    assert outcome.state is RunState.SUCCESS
    assert [str(each.part).partition(":")[0] for each in outcome.refused] == [f"core-metadata of {ADDED}"]
    audit(synced)
    # A re-check finds it mended, although nothing of the page changed.
    synced.server.faults.clear()
    synced.sync(recheck=True)
    assert synced.page("alpha")["files"][-1]["core-metadata"] is not False
    assert synced.sync().refused == ()
    audit(synced)


@pytest.mark.parametrize(
    "effect",
    [Status(code=403), Status(code=401), Instead(body="{}"), Instead(body="no JSON"), Instead(body="")],
    ids=["403", "401", "other", "text", "empty"],
)
def test_provenance_that_cannot_be_had_costs_its_key(synced: Bench, takes_away: Any, effect: Any) -> None:
    """Upstream's admin flag makes all provenance 403 while pages go on listing it."""
    synced.server.apply(
        takes_away, Upload(distribution=NEW), BackfillProvenance(project="alpha", filename=ADDED)
    )
    synced.server.inject(Fault(path="/integrity/*", effect=effect, times=None))
    outcome = synced.sync()
    followed(synced, takes_away, ADDED)
    assert synced.page("alpha")["files"][-1]["provenance"] is None
    assert outcome.state is RunState.SUCCESS
    assert [each.part.field for each in outcome.refused] == ["provenance"]
    synced.server.faults.clear()
    synced.sync(recheck=True)
    assert synced.page("alpha")["files"][-1]["provenance"] is not None
    audit(synced)


def test_a_document_that_upstream_does_not_give_just_now_is_tried_again(synced: Bench) -> None:
    synced.server.apply(Upload(distribution=NEW))
    synced.server.inject(Fault(path=f"/packages/*/{ADDED}.metadata", effect=Status(code=503), times=None))
    outcome = synced.sync()
    assert synced.listed("alpha") == [KEPT, TAKEN, ADDED]
    is_named(synced, outcome, ADDED)
    assert "1 document could not be downloaded, the page is published without it" in synced.backlog()["alpha"]
    synced.server.faults.clear()
    assert synced.sync(clock_step=20).backlog == 0
    assert synced.page("alpha")["files"][-1]["core-metadata"] is not False
    audit(synced)
    compare(synced)


@pytest.mark.parametrize(
    "name",
    [
        "alpha-1.2-" + "x" * 217 + ".whl", "alpha-1.2-" + "x" * 230 + ".whl", _LONGEST,
        "alpha-1.2 (1) ©.tar.gz", "_alpha-1.2.tar.gz", "alpha-1.2-" + "é" * 100 + ".whl",
    ],
    ids=["231", "244", "246", "spaces", "underscore", "accents"],
)  # fmt: skip
def test_a_name_that_the_file_system_takes_is_mirrored(synced: Bench, takes_away: Any, name: str) -> None:
    large = Declared(name="alpha", version="1.2", filename=name, data=b"x" * 300_000)
    synced.server.apply(takes_away, Upload(distribution=large))
    if name.endswith(".whl"):
        synced.server.apply(BackfillProvenance(project="alpha", filename=name))
    outcome = synced.sync()
    followed(synced, takes_away, name)
    assert outcome.state is RunState.SUCCESS
    has_room = len(name.encode()) <= 244
    assert [each.part.field for each in outcome.refused] == ([] if has_room else ["provenance"])
    audit(synced)
    # It goes again, and its tombstone after the grace period.
    synced.server.apply(RemoveFile(project="alpha", filename=name))
    synced.sync()
    synced.clock.advance(days=400)
    synced.sync()
    assert synced.pooled(name) is None
    audit(synced)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 243 + ".whl",
        "é" * 122 + ".zip",
        "../alpha-1.2.zip",
        ".alpha-1.2.zip",
        "a/b.zip",
        "a\0.zip",
        "a\x1b.zip",
        "a.zip ",
        "a.zip.",
    ],
    ids=["247", "248 bytes", "up", "hidden", "slash", "nul", "escape", "space", "dot"],
)
def test_a_name_that_no_disk_takes_is_left_out_and_named(synced: Bench, takes_away: Any, name: str) -> None:
    synced.server.apply(takes_away, Upload(distribution=NEW))

    def add(page: dict[str, Any]) -> None:
        page["files"].insert(0, page["files"][0] | {"filename": name})

    edited(synced, add)
    outcome = synced.sync()
    followed(synced, takes_away, ADDED)
    assert outcome.state is RunState.SUCCESS, "no other try could bring it"
    (refused,) = outcome.refused
    assert refused.project == "alpha"
    assert str(refused).isprintable()
    assert synced.backlog() == {}
    audit(synced)


NONSENSE: dict[str, Any] = {
    "time without zone": {"upload-time": "2025-01-01T00:00:00"},
    "no time": {"upload-time": "yesterday"},
    "empty digest": {"hashes": {"md5": ""}},
    "negative size": {"size": -1},
    "size as text": {"size": "12"},
    "long reason": {"yanked": "é" * 70_000},
    "number for text": {"requires-python": 3.8},
    "key of a later PEP": {"x-new": {"a": [1.50]}},
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_a_value_that_is_nonsense_costs_itself(
    synced: Bench, takes_away: Any, nonsense: dict[str, Any]
) -> None:
    synced.server.apply(takes_away, Upload(distribution=NEW))

    def spoil(page: dict[str, Any]) -> None:
        said = dict(nonsense)
        if "hashes" in said:
            said["hashes"] = page["files"][-1]["hashes"] | said["hashes"]
        page["files"][-1] |= said

    edited(synced, spoil)
    outcome = synced.sync()
    followed(synced, takes_away, ADDED)
    assert outcome.state is RunState.SUCCESS
    ours = synced.page("alpha")["files"][-1]
    if "x-new" in nonsense:
        assert ours["x-new"] == {"a": [1.5]}
    elif "yanked" in nonsense:
        assert ours["yanked"] == "é" * 65_536
    elif nonsense.get("upload-time", "").startswith("2025"):
        assert ours["upload-time"] == "2025-01-01T00:00:00Z"
    else:
        (refused,) = outcome.refused
        assert refused.part.filename == ADDED
    audit(synced)


def test_an_entry_twice_and_an_ambiguous_one(synced: Bench, takes_away: Any) -> None:
    synced.server.apply(
        takes_away, Upload(distribution=NEW), Upload(distribution=Wheel(name="alpha", version="1.3"))
    )

    def repeat(page: dict[str, Any]) -> None:
        *_, twice, other = page["files"]
        page["files"] += [twice, other | {"hashes": {"sha256": "0" * 64}}]

    edited(synced, repeat)
    outcome = synced.sync()
    followed(synced, takes_away, ADDED)
    assert [each.part.filename for each in outcome.refused] == ["alpha-1.3-py3-none-any.whl"]
    audit(synced)


def test_an_autoindex_whose_texts_are_cut(bench: MakeBench) -> None:
    made = bench(*OLD, behaviour=HTML_ONLY)
    lines = "".join(
        f'<a href="{each["url"]}#sha256={each["hashes"]["sha256"]}&amp;egg=alpha">'
        f"alpha-1.{n}-py3-no..&gt;</a> 1K\n"
        for n, each in enumerate(_files_of(made))
    )
    body = f"<html><h1>Index of /simple/alpha</h1><a href='../'>../</a>{lines}</html>"
    made.server.inject(
        Fault(path="/simple/alpha/", effect=Instead(body=body, content_type="text/html"), times=None)
    )
    assert made.sync().state is RunState.SUCCESS
    assert made.listed("alpha") == [KEPT, TAKEN]
    audit(made)


def _files_of(made: Bench) -> list[dict[str, Any]]:
    return [
        {"url": f"{made.server.url}/{path}", "hashes": {"sha256": file.sha256}}
        for path, file in made.server.warehouse.files.items()
    ]


def test_legacy_json_that_is_none_costs_itself(bench: MakeBench, takes_away: Any) -> None:
    made = bench(*OLD, json=True)
    made.sync()
    made.server.apply(takes_away, Upload(distribution=NEW))
    made.server.inject(Fault(path="/pypi/alpha/json", effect=Instead(body="{}"), times=None))
    made.sync()
    followed(made, takes_away, ADDED)


def test_a_new_project_of_which_nothing_can_be_had_has_no_page(bench: MakeBench) -> None:
    made = bench(*OLD, faults=[Fault(path="/packages/*", effect=Status(code=404), times=None)])
    outcome = made.sync()
    assert outcome.state is RunState.FAILED
    assert not made.page_directory("alpha").exists()
    assert "alpha" in made.backlog()


def test_stop_on_error_stops_at_a_file(synced: Bench) -> None:
    from pypi_mirror.errors import RunStopped

    synced.change(stop_on_error=True)
    synced.server.apply(RemoveFile(project="alpha", filename=TAKEN), Upload(distribution=NEW))
    synced.server.inject(Fault(path=f"/packages/*/{ADDED}", effect=Corrupt(), times=None))
    with pytest.raises(RunStopped, match=ADDED):
        synced.sync()
