"""The sockets that libcurl connects: where each may lead is looked at before anything goes out."""

import os
import socket
from typing import Final, NamedTuple

import pycurl

from pypi_mirror.transport.zones import AddressGuard

_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class Address(NamedTuple):
    """As libcurl has it: ``addr`` begins with the address as text."""

    family: int
    socktype: int
    protocol: int
    addr: tuple[str, int] | tuple[str, int, int, int]


class Opened:
    """A new socket, until libcurl has a descriptor of its own for it: pycurl duplicates this one."""

    __slots__ = ("_descriptor",)

    def __init__(self, address: Address) -> None:
        """Raises OSError when there are no more descriptors, or no sockets of this family."""
        made = socket.socket(address.family, address.socktype, address.protocol)
        self._descriptor = made.detach()

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


def refusal(address_guard: AddressGuard, url: str, address: Address) -> str | None:
    """Why the host of ``url`` must not be connected to at ``address``; None when it may be."""
    if address.family not in _FAMILIES:
        return f"leads to an address of the unknown family {address.family}"
    return address_guard.refusal(url, address.addr[0])


def keep_from_children(descriptor: int, _purpose: int) -> int:
    """For SOCKOPTFUNCTION: the duplicate would stay open in programs that we start."""
    os.set_inheritable(descriptor, False)
    return pycurl.SOCKOPT_OK  # type: ignore[no-any-return]
