"""What can go wrong between an index and its clients, as frozen values matched against each request.

A fault takes effect on the requests its ``path`` (a shell pattern) and ``method`` match: after the first
``skip`` of them and for ``times`` (None: for ever), or on a ``share`` of them, by chance. All faults that
match apply, in the order of injection.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from tests.warehouse.answers import CORS, Answer, FileSlice, answer, etag
from tests.warehouse.requests import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How an answer goes out.

    ``delay`` is in seconds. After ``drop_after`` bytes of the body the connection is closed; -1 closes it
    before any answer. ``reset`` has it closed the hard way. ``drip`` is a number of bytes and the seconds to
    wait after each that many.
    """

    answer: Answer
    delay: float = 0.0
    drop_after: int | None = None
    reset: bool = False
    drip: tuple[int, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """What an effect may ask the server for: older pages and upstream's own 404."""

    older_page: Callable[[Request, int], Answer | None]
    missing: Callable[[Request], Answer]


class Effect(msgspec.Struct, frozen=True, kw_only=True, tag_field="effect", forbid_unknown_fields=True):
    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        raise NotImplementedError


class Status(Effect, frozen=True, kw_only=True, tag="status"):
    """An error status with a short text; ``retry_after`` as the header has it, seconds or a date."""

    code: int
    retry_after: str | None = None
    body: str = "upstream has a problem\n"

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        failed = answer(self.code, b"text/plain; charset=UTF-8", self.body.encode())
        if self.retry_after is not None:
            failed = failed.with_headers(Retry_After=self.retry_after.encode())
        return replace(delivery, answer=failed)


class Drop(Effect, frozen=True, kw_only=True, tag="drop"):
    """The connection is lost after that many bytes of the body; None: before any answer.

    With ``reset`` by an RST, as a server that died or a firewall does it, without it by a FIN.
    """

    after: int | None = None
    reset: bool = False

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        return replace(delivery, drop_after=-1 if self.after is None else self.after, reset=self.reset)


class Truncate(Effect, frozen=True, kw_only=True, tag="truncate"):
    """A complete HTTP answer that holds only the first bytes: too short a file, half a page."""

    keep: int

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        return replace(delivery, answer=delivery.answer.with_body(_whole(delivery.answer)[: self.keep]))


class Append(Effect, frozen=True, kw_only=True, tag="append"):
    """That many bytes more than announced."""

    size: int

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        longer = _whole(delivery.answer) + b"\0" * self.size
        return replace(delivery, answer=delivery.answer.with_body(longer))


class Corrupt(Effect, frozen=True, kw_only=True, tag="corrupt"):
    """As many bytes as there should be, the last of them wrong."""

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        body = _whole(delivery.answer)
        wrong = body[:-1] + bytes([body[-1] ^ 0xFF]) if body else body
        return replace(delivery, answer=delivery.answer.with_body(wrong))


class GzipGarbage(Effect, frozen=True, kw_only=True, tag="gzip-garbage"):
    """A body that begins like gzip and is none."""

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        body = b"\x1f\x8b\x08 garbage " + _whole(delivery.answer)
        spoiled = delivery.answer.with_body(body).with_headers(Content_Encoding=b"gzip")
        return replace(delivery, answer=spoiled)


class Delay(Effect, frozen=True, kw_only=True, tag="delay"):
    seconds: float

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        return replace(delivery, delay=delivery.delay + self.seconds)


class Drip(Effect, frozen=True, kw_only=True, tag="drip"):
    """The body comes ``chunk`` bytes at a time, ``seconds`` apart."""

    chunk: int
    seconds: float

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        return replace(delivery, drip=(self.chunk, self.seconds))


class StalePage(Effect, frozen=True, kw_only=True, tag="stale-page"):
    """A cache's copy: the project page of ``back`` changes ago, or the root index served before this one.

    The present page where there is no such copy.
    """

    back: int = 1

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        older = elsewhere.older_page(request, self.back)
        return delivery if older is None else replace(delivery, answer=older)


class Missing(Effect, frozen=True, kw_only=True, tag="missing"):
    """Upstream's own 404, for a new project the edge does not know yet or an advertised ``.metadata``."""

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        return replace(delivery, answer=elsewhere.missing(request))


class Instead(Effect, frozen=True, kw_only=True, tag="instead"):
    """A 200 with any body: broken JSON, hostile pages."""

    body: str
    content_type: str = "application/vnd.pypi.simple.v1+json"

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        body = self.body.encode()
        return replace(delivery, answer=answer(200, self.content_type.encode(), body))


class HtmlError(Effect, frozen=True, kw_only=True, tag="html-error"):
    """A 200 with somebody's HTML error page, whatever was asked for."""

    BODY: ClassVar[bytes] = b"<!DOCTYPE html>\n<html><body><h1>We are having trouble</h1></body></html>\n"

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        shown = answer(200, b"text/html; charset=UTF-8", self.BODY, CORS, ((b"ETag", etag(self.BODY)),))
        return replace(delivery, answer=shown)


class Redirect(Effect, frozen=True, kw_only=True, tag="redirect"):
    to: str
    code: int = 302

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        away = answer(self.code, b"text/plain", b"", ((b"Location", self.to.encode()),))
        return replace(delivery, answer=away)


AnyEffect = (
    Status
    | Drop
    | Truncate
    | Append
    | Corrupt
    | GzipGarbage
    | Delay
    | Drip
    | StalePage
    | Missing
    | HtmlError
    | Instead
    | Redirect
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``times`` 1 by default: a fault that a retry overcomes. ``method`` None matches every method.

    ``share`` below 1 lets it take effect on that share of the requests it would, by chance that starts from
    ``seed``.
    """

    path: str
    effect: AnyEffect
    times: int | None = 1
    skip: int = 0
    method: str | None = None
    share: float = 1.0
    seed: int = 0

    def matches(self, request: Request) -> bool:
        return (self.method is None or self.method == request.method) and fnmatchcase(request.path, self.path)


@dataclass(slots=True)
class _Active:
    fault: Fault
    chance: random.Random
    met: int = 0

    def counts(self) -> bool:
        """Counts a request that matched; whether the fault takes effect on it."""
        self.met += 1
        since = self.met - self.fault.skip
        due = since > 0 and (self.fault.times is None or since <= self.fault.times)
        return due and (self.fault.share >= 1 or self.chance.random() < self.fault.share)


class Faults:
    """The faults in force, with how often each was met.

    ``requests`` counts the requests that any took effect on, ``effects`` the effects by their tags.
    """

    def __init__(self, *faults: Fault) -> None:
        self._active: list[_Active] = []
        self.requests = 0
        self.effects: Counter[str] = Counter()
        self.inject(*faults)

    def inject(self, *faults: Fault) -> None:
        self._active = [*self._active, *(_Active(fault, random.Random(fault.seed)) for fault in faults)]

    def clear(self) -> None:
        self._active = []

    def change(self, delivery: Delivery, request: Request, elsewhere: Elsewhere) -> Delivery:
        """The delivery after all faults that match; counts them."""
        changed = False
        for active in self._active:
            if active.fault.matches(request) and active.counts():
                delivery = active.fault.effect.change(delivery, request, elsewhere)
                self.effects[str(active.fault.effect.__struct_config__.tag)] += 1
                changed = True
        self.requests += changed
        return delivery


def _whole(changed: Answer) -> bytes:
    return changed.body.read() if isinstance(changed.body, FileSlice) else changed.body
