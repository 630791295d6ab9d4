"""Bulk HTTP: many small GETs at once.

A :class:`Transport` answers one :class:`Request` with one :class:`Response`; everything else (which
answers are good, what to try again, what to do with bytes) belongs to its callers. Connections are kept
and shared by all requests of a process; HTTP/2 is used where the server offers it over TLS.
"""
