"""A control API for scripts that have the server as a process, under a path upstream does not have.

``POST /_control/<event>`` lets an event happen; the JSON body holds its fields, the answer the new serial.
``POST /_control/fault`` injects a fault, ``DELETE /_control/faults`` removes them all;
``GET /_control/requests`` gives what was requested, ``DELETE /_control/requests`` forgets it.
"""

import json
from http import HTTPStatus

import msgspec

from tests.warehouse.answers import Answer, answer
from tests.warehouse.events import AnyEvent
from tests.warehouse.faults import Fault, Faults
from tests.warehouse.requests import Recorded, Request, RequestLog
from tests.warehouse.state import Warehouse

PREFIX = "/_control/"


class Control:
    def __init__(self, warehouse: Warehouse, faults: Faults, log: RequestLog) -> None:
        self.warehouse = warehouse
        self.faults = faults
        self.log = log

    def respond(self, request: Request) -> Answer:
        """200, or 400 with the reason for what cannot be understood or cannot happen."""
        try:
            return _json(HTTPStatus.OK, self._dispatch(request))
        except (LookupError, ValueError, OSError) as error:
            # msgspec's ValidationError and DecodeError are ValueErrors too.
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _dispatch(self, request: Request) -> dict[str, object]:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "requests":
                return {"counts": self.log.counts, "requests": [_shown(each) for each in self.log.of()]}
            case "DELETE", "requests":
                self.log.reset()
                return {}
            case "POST", "fault":
                self.faults.inject(msgspec.json.decode(request.body, type=Fault))
                return {}
            case "DELETE", "faults":
                self.faults.clear()
                return {}
            case "POST", event:
                fields = msgspec.json.decode(request.body or b"{}", type=dict[str, object])
                happened = msgspec.convert({**fields, "event": event}, type=AnyEvent)
                return {"serial": self.warehouse.apply(happened)}
            case method, path:
                raise ValueError(f"there is no {method} {PREFIX}{path}")


def _shown(recorded: Recorded) -> dict[str, object]:
    return {
        "method": recorded.method,
        "path": recorded.path,
        "kind": recorded.kind,
        "status": recorded.status,
        "size": recorded.size,
        "headers": recorded.headers,
    }


def _json(status: HTTPStatus, data: dict[str, object]) -> Answer:
    return answer(status.value, b"application/json", json.dumps(data).encode() + b"\n")
