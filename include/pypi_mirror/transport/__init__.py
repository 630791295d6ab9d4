"""Bulk HTTP: many small GETs at once.

A :class:`Transport` answers one :class:`Request` with one :class:`Response`; everything else (which
answers are good, what to try again, what to do with bytes) belongs to its callers. Connections are kept
and shared by all requests of a process; HTTP/2 is used where the server offers it over TLS.
"""

from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Head, Request, Response, Sink, Transport
from pypi_mirror.transport.transfer import USER_AGENT, ca_bundle

__all__ = ["USER_AGENT", "CurlTransport", "Head", "Request", "Response", "Sink", "Transport", "ca_bundle"]
