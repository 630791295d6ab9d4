"""The changelog as upstream gives it, limits it, retires it, or does not have it at all."""

import xmlrpc.client
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.model import Event
from pypi_mirror.transport.messages import Head, Response
from pypi_mirror.transport.patience import Patience
from pypi_mirror.upstream import changelog
from pypi_mirror.upstream.changelog import (
    Changelog,
    ChangelogBusy,
    ChangelogUnreadable,
    NoChangelog,
    TooFarBehind,
    changes_content,
    is_removal,
)
from pypi_mirror.upstream.control import Control
from tests.warehouse import (
    HTML_ONLY,
    STATIC,
    AddRole,
    Behaviour,
    Fault,
    Gap,
    HtmlError,
    Invite,
    Other,
    Redirect,
    RemoveProject,
    Rename,
    Status,
    Upload,
    Warehouse,
    Wheel,
    Yank,
    running,
)


class FakeControl(Control):
    """Gives the answers one after the other, the last one for ever."""

    def __init__(self, *answers: Response) -> None:
        self.asked: list[tuple[str, str, tuple[object, ...]]] = []
        self.waits: list[float] = []
        self._answers = list(answers)

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        max_bytes: int,
        longest_wait: float = 0.0,
    ) -> Response:
        assert method == "POST"
        assert headers == {"Content-Type": "text/xml"}
        params, name = xmlrpc.client.loads(data or b"")
        self.asked.append((url, name or "", params))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def raw(body: str, *, status: int = 200, content_type: str = "text/xml; charset=UTF-8") -> Response:
    lines = [b"HTTP/1.1 %d Said\r\n" % status, f"Content-Type: {content_type}\r\n".encode(), b"\r\n"]
    return Response(url="https://index.example/pypi", status=status, headers=Head(lines), body=body.encode())


def value(result: Any) -> Response:
    return raw(xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True))


def fault(code: Any, text: Any) -> Response:
    return raw(xmlrpc.client.dumps(xmlrpc.client.Fault(code, text), methodresponse=True))


def row(serial: int, name: str = "alpha", action: str = "new release") -> list[object]:
    return [name, "1.0", 1700000000, action, serial]


def since(serial: int, *answers: Response) -> tuple[list[Event], FakeControl]:
    control = FakeControl(*answers)
    pages = list(Changelog("https://index.example", control).since(serial))
    return [event for page in pages for event in page], control


class TestPaging:
    def test_until_there_are_no_more(self) -> None:
        events, control = since(5, value([row(5), row(7), row(6)]), value([row(9)]), value([]))

        assert [event.serial for event in events] == [6, 7, 9]
        assert control.asked == [
            ("https://index.example/pypi", "changelog_since_serial", (asked,)) for asked in (4, 7, 9)
        ]

    def test_nothing_new_takes_one_call(self) -> None:
        events, control = since(5, value([row(5)]))

        assert (events, len(control.asked)) == ([], 1)

    def test_an_empty_upstream(self) -> None:
        events, control = since(0, value([]))

        assert (events, len(control.asked)) == ([], 1)

    def test_gaps_are_normal(self) -> None:
        assert [event.serial for event in since(5, value([row(900)]), value([]))[0]] == [900]

    def test_a_cursor_whose_event_is_gone(self) -> None:
        """Upstream does not show the event itself, and says that it has come so far."""
        events, control = since(5, value([]), value(5))

        assert events == []
        assert [name for _, name, _ in control.asked] == ["changelog_since_serial", "changelog_last_serial"]

    def test_too_far_behind(self) -> None:
        answers = [value([row(serial)]) for serial in range(6, 6 + changelog.MAX_CALLS)]
        with pytest.raises(TooFarBehind):
            since(5, *answers)

    def test_an_upstream_that_went_backwards_is_not_up_to_date(self) -> None:
        with pytest.raises(UpstreamUnavailable, match="upstream is at serial 3, the mirror is at 5"):
            since(5, value([]), value(3))

    @pytest.mark.parametrize("serials", [[3], [4, 9]])
    def test_events_that_were_not_asked_for_are_refused_before_they_are_kept(
        self, serials: list[int]
    ) -> None:
        with pytest.raises(UpstreamMalformed, match="asked for events after 4"):
            next(Changelog("x", FakeControl(value([row(n) for n in serials]))).since(5))


class TestEvents:
    def test_all_of_a_row(self) -> None:
        (event,), _ = since(5, value([["Foo.Bar", None, 1700000000, "create", 6]]), value([]))

        assert event == Event(
            serial=6,
            name="Foo.Bar",
            project=NormalizedName("foo-bar"),
            version=None,
            timestamp=1700000000,
            action="create",
        )

    @pytest.mark.parametrize("name", ["", "-", "a/b", "../etc", "ä", "a" * 221, "a\n"])
    def test_an_impossible_name_is_left_out_and_passed(self, name: str) -> None:
        """Else the cursor would never get past it, and nothing would be mirrored any more."""
        events, control = since(5, value([row(6, name), row(7)]), value([row(8, name)]), value([]))

        assert [event.serial for event in events] == [7]
        assert control.asked[-1][2] == (8,)

    @pytest.mark.parametrize(
        "bad",
        [
            "text", 7, None, [], ["a"], ["a", "1", 1, "a", "6"], ["a", "1", 1, "a", None],
            ["a", "1", 1, "a", 6, 7], ["a", "1", 1, "a", -1], ["a", "1", 1, "a", True],
            {"name": "a"},
        ],
    )  # fmt: skip
    def test_another_row_costs_itself(self, bad: Any) -> None:
        with pytest.raises(UpstreamMalformed, match="is not a valid changelog event"):
            since(5, value([bad]))
        events, _ = since(5, value([row(6), bad, row(7)]), value([]))
        assert [event.serial for event in events] == [6, 7]

    @pytest.mark.parametrize("name", [None, 1, ["alpha"], {}])
    def test_an_event_of_nobody_is_left_out_and_passed(self, name: Any) -> None:
        """Upstream's own journal has rows of deleted projects without name and version."""
        events, control = since(5, value([[name, None, 1, "create", 6]]), value([row(7)]), value([]))
        assert [event.serial for event in events] == [7]
        assert [asked[2] for asked in control.asked] == [(4,), (6,), (7,)]

    @pytest.mark.parametrize("action", [None, 7, ["remove project"]])
    def test_an_event_that_does_not_say_what_happened_changed_the_project(self, action: Any) -> None:
        (event,), _ = since(5, value([["alpha", 1, None, action, 6]]), value([]))
        assert (event.project, event.version, event.serial) == ("alpha", None, 6)
        assert changes_content(event.action)
        assert not is_removal(event.action)

    @pytest.mark.parametrize("time", [None, "1", -5, -(2**63) + 1, 2**62, 1.5, True])
    def test_an_event_without_a_time_happened_beside_its_neighbours(self, time: Any) -> None:
        text = xmlrpc.client.dumps(
            ([["a", None, 77, "x", 6], ["b", None, 50, "x", 7], ["c", None, 77, "x", 8]],),
            methodresponse=True,
            allow_none=True,
        )
        plain = {
            "None": "<nil/>",
            "1": "<string>1</string>",
            "1.5": "<double>1.5</double>",
            "True": "<boolean>1</boolean>",
        }
        events, _ = since(
            5, raw(text.replace("<int>77</int>", plain.get(str(time)) or f"<int>{time}</int>")), value([])
        )
        assert [event.timestamp for event in events] == [50, 50, 50]

    @pytest.mark.parametrize("number", [2**63, 10**30])
    def test_a_number_that_the_ledger_cannot_keep_is_malformed(self, number: int) -> None:
        text = xmlrpc.client.dumps(([["a", "1", 1, "a", 77]],), methodresponse=True)
        with pytest.raises(UpstreamMalformed):
            since(5, raw(text.replace("77", str(number))))

    def test_a_deeply_nested_row_is_malformed(self) -> None:
        deep = "<array><data><value>" * 20_000 + "<int>1</int>" + "</value></data></array>" * 20_000
        body = f"<methodResponse><params><param><value>{deep}</value></param></params></methodResponse>"
        with pytest.raises(UpstreamMalformed):
            since(5, raw(body))

    @pytest.mark.parametrize("result", [7, "text", {"a": 1}, True])
    def test_what_is_no_list_is_malformed(self, result: Any) -> None:
        with pytest.raises(UpstreamMalformed, match="not a list"):
            since(5, value(result))


class TestActions:
    @pytest.mark.parametrize(
        "action",
        [
            "new release", "remove project", "remove release", "yank release", "unyank release", "create",
            "add source file alpha-1.0.tar.gz", "add py3 file alpha-1.0-py3-none-any.whl",
            "remove file alpha-1.0.tar.gz", "project quarantined", "project quarantine cleared",
            # An uploader chooses the "python version" of a file: this is an upload all the same.
            "add Owner file alpha-1.0-py3-none-any.whl", "add Maintainer file x.whl",
            "something upstream thought of yesterday", "", "add Owner", "remove Owner a b",
        ],
    )  # fmt: skip
    def test_that_can_change_a_page(self, action: str) -> None:
        assert changes_content(action)

    @pytest.mark.parametrize(
        "action",
        [
            "add Owner alice", "add Maintainer bob", "remove Owner alice", "change Owner alice",
            "invite Maintainer bob", "accepted Owner alice", "revoke_invite Owner a",
            "decline_invite Owner a",
        ],
    )  # fmt: skip
    def test_that_are_about_people(self, action: str) -> None:
        assert not changes_content(action)

    def test_removal_is_of_the_whole_project(self) -> None:
        assert is_removal("remove project")
        assert not is_removal("remove release")


class TestLimits:
    LIMITED = "HTTPTooManyRequests: too many requests. Limit may reset in {} seconds."

    def test_a_short_one_is_waited_for(self) -> None:
        events, control = since(5, fault(-32500, self.LIMITED.format(17)), value([row(6)]), value([]))

        assert [event.serial for event in events] == [6]
        assert control.waits == [17]

    @pytest.mark.parametrize(("seconds", "waits"), [("121", []), ("50", [50, 50]), ("3600", [])])
    def test_a_long_one_is_for_later(self, seconds: str, waits: list[float]) -> None:
        control = FakeControl(fault(-32500, self.LIMITED.format(seconds)))
        with pytest.raises(UpstreamUnavailable) as caught:
            list(Changelog("x", control).since(5))

        assert caught.value.retry_after == float(seconds)
        assert control.waits == waits

    def test_the_header_says_when_it_resets_where_the_fault_does_not(self) -> None:
        limited = fault(-32500, "HTTPTooManyRequests: slow down")
        lines = [b"HTTP/1.1 200 OK\r\n", b"Content-Type: text/xml\r\n"]
        said = Head([*lines, b'RateLimit: "xmlrpc.client";r=0;t=3600\r\n'])
        control = FakeControl(Response(url=limited.url, status=200, headers=said, body=limited.body))
        with pytest.raises(ChangelogBusy) as caught:
            list(Changelog("x", control).since(5))

        assert (caught.value.retry_after, control.waits) == (3600, [])

    def test_one_that_names_no_time_ends_too(self) -> None:
        control = FakeControl(fault(-32500, "HTTPTooManyRequests: slow down"))
        with pytest.raises(UpstreamUnavailable) as caught:
            list(Changelog("x", control).since(5))

        assert caught.value.retry_after is None
        assert 0 < sum(control.waits) <= 120


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "text"),
        [
            (-32601, "server error; requested method not found"),
            (-32500, "ValueError: The changelog method has been deprecated, use another."),
            (-32500, "RuntimeError: the index no longer supports the XMLRPC x method."),
            (-32500, "RuntimeError: This API has been removed."),
        ],
    )
    def test_a_method_that_is_not_there_or_retired(self, code: int, text: str) -> None:
        with pytest.raises(NoChangelog):
            since(5, fault(code, text))

    def test_another_is_an_error_with_its_text(self) -> None:
        with pytest.raises(UpstreamError, match="Input should be a valid integer") as caught:
            since(5, fault(-32602, "client error; serial: Input should be a valid integer"))
        assert type(caught.value) is ChangelogUnreadable

    @pytest.mark.parametrize("text", [7, ["a"], {"a": "b"}])
    def test_one_without_a_text_is_an_error(self, text: Any) -> None:
        with pytest.raises(UpstreamError):
            since(5, fault(1, text))

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<",
            "<methodResponse/>",
            "<methodResponse><params></params></methodResponse>",
            "<methodResponse><fault><value><int>1</int></value></fault></methodResponse>",
            '<?xml version="1.0" encoding="of-my-own"?><methodResponse/>',
            "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
            '<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
        ],
    )
    def test_what_is_no_answer_is_malformed(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed, match="no XML-RPC answer"):
            since(5, raw(body))


class TestUpstreamsWithout:
    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 406, 410, 415, 501])
    @pytest.mark.parametrize("content_type", ["text/html", "text/xml", ""])
    def test_say_so_by_status(self, status: int, content_type: str) -> None:
        with pytest.raises(NoChangelog):
            since(5, raw("", status=status, content_type=content_type))

    def test_or_by_another_kind_of_document(self) -> None:
        with pytest.raises(NoChangelog):
            since(5, raw("<html>", content_type="text/html"))


def control() -> Iterator[Control]:
    made = Control(
        timeout=5, global_timeout=60, proxy=None, patience=Patience(attempts=2), pause=lambda _: None
    )
    yield made
    made.close()


live_control = pytest.fixture(control)


class TestAgainstTheStandIn:
    WAREHOUSE = (
        Upload(distribution=Wheel(name="Alpha")),
        Gap(size=10),
        Yank(project="alpha", version="1.0"),
        AddRole(project="alpha", user="bob"),
        Invite(project="alpha", user="eve"),
        Rename(project="alpha", name="ALPHA"),
        Upload(distribution=Wheel(name="ALPHA", version="2.0")),
        Other(project="gone", action="something new"),
        RemoveProject(project="alpha"),
    )

    def test_events_of_all_kinds(self, live_control: Control) -> None:
        warehouse = Warehouse(*self.WAREHOUSE)
        with running(warehouse, behaviour=Behaviour(changelog_page=3)) as server:
            events = [event for page in Changelog(server.url, live_control).since(0) for event in page]

        assert [event.serial for event in events] == [each.serial for each in warehouse.journal]
        assert {event.project for event in events} == {"alpha", "gone"}
        assert [event.name for event in events if event.project == "alpha"][-1] == "ALPHA"
        people = [event.action for event in events if not changes_content(event.action)]
        assert people == ["add Owner tester", "add Maintainer bob", "invite Maintainer eve"]
        assert is_removal(events[-1].action)

    def test_from_anywhere_in_it(self, live_control: Control) -> None:
        warehouse = Warehouse(*self.WAREHOUSE)
        serials = [each.serial for each in warehouse.journal]
        with running(warehouse) as server:
            for cursor in (serials[3], serials[4] + 5, serials[-1]):
                pages = Changelog(server.url, live_control).since(cursor)
                found = [event.serial for page in pages for event in page]
                assert found == [serial for serial in serials if serial > cursor]

    def test_a_replaced_upstream(self, live_control: Control) -> None:
        with (
            running(Warehouse(*self.WAREHOUSE)) as server,
            pytest.raises(UpstreamUnavailable, match="already"),
        ):
            list(Changelog(server.url, live_control).since(5000))

    def test_the_quota(self, live_control: Control) -> None:
        with (
            running(Warehouse(*self.WAREHOUSE), behaviour=Behaviour(quota=1, window=600)) as server,
            pytest.raises(UpstreamUnavailable, match="too many requests") as caught,
        ):
            list(Changelog(server.url, live_control).since(0))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 120

    @pytest.mark.parametrize("behaviour", [STATIC, HTML_ONLY])
    def test_none_at_all(self, behaviour: Behaviour, live_control: Control) -> None:
        with running(Warehouse(), behaviour=behaviour) as server, pytest.raises(NoChangelog):
            list(Changelog(server.url, live_control).since(0))

    @pytest.mark.parametrize("effect", [HtmlError(), Redirect(to="/simple/", code=301)])
    def test_something_else_in_its_place(self, effect: HtmlError | Redirect, live_control: Control) -> None:
        faults = (Fault(path="/pypi", effect=effect, times=None),)
        with running(Warehouse(), faults=faults) as server:
            with pytest.raises(NoChangelog):
                list(Changelog(server.url, live_control).since(0))
            assert server.requests.count() == 1

    def test_a_passing_trouble(self, live_control: Control) -> None:
        faults = (Fault(path="/pypi", effect=Status(code=503)),)
        with running(Warehouse(*self.WAREHOUSE), faults=faults) as server:
            assert list(Changelog(server.url, live_control).since(0))


class TestDuring:
    """Upstream is asked by serial, people ask by time."""

    DAY = 24 * 3600

    @pytest.fixture
    def warehouse(self) -> Warehouse:
        start = datetime(2031, 1, 1, tzinfo=UTC)
        return Warehouse(
            *(
                Upload(distribution=Wheel(name="a", version=str(number)), at=start + timedelta(days=number))
                for number in range(40)
            )
        )

    @pytest.mark.parametrize("page", [1, 3, 1000])
    @pytest.mark.parametrize(
        ("first", "last"), [(0, 1), (7, 9), (38, 60), (-5, 1), (-5, -4), (50, 60), (9, 9)]
    )
    def test_the_events_of_an_interval_and_no_others(
        self, warehouse: Warehouse, live_control: Control, page: int, first: int, last: int
    ) -> None:
        zero = warehouse.journal[0].timestamp
        start, end = zero + first * self.DAY, zero + last * self.DAY
        expected = [row.serial for row in warehouse.journal if start <= row.timestamp < end]

        with running(warehouse, behaviour=Behaviour(changelog_page=page)) as server:
            found = Changelog(server.url, live_control).during(start, end)
            assert [event.serial for events in found for event in events] == expected

    def test_what_the_ledger_knows_spares_the_search(
        self, warehouse: Warehouse, live_control: Control
    ) -> None:
        row = warehouse.journal[20]
        with running(warehouse, behaviour=Behaviour(changelog_page=3)) as server:
            asked_with: list[int] = []

            def after(time: int) -> int:
                asked_with.append(time)
                return warehouse.journal[18].serial

            changelog_ = Changelog(server.url, live_control)
            found = list(changelog_.during(row.timestamp, row.timestamp + 1, after=after))
            assert [[event.timestamp for event in events] for events in found] == [[row.timestamp] * 2]
            assert server.requests.count("xmlrpc") == 2
        assert asked_with == [row.timestamp - 600], "events may be dated out of order"

    def test_too_many_events_to_read(
        self, warehouse: Warehouse, live_control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(changelog, "MAX_CALLS", 5)
        with (
            running(warehouse, behaviour=Behaviour(changelog_page=3)) as server,
            pytest.raises(TooFarBehind, match="5 calls"),
        ):
            list(Changelog(server.url, live_control).during(0, 1 << 40))
