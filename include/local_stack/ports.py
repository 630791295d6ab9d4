"""The ports of the stack, and what to say when one is taken."""

import errno
import socket

LOOPBACK = "127.0.0.1"
AIRFLOW_PORT = 8081
UPSTREAM_PORT = 8082


def port_problem(port: int, *, used_for: str, how_to_change: str) -> str | None:
    """Say why ``port`` cannot be listened on, completed by ``how_to_change``; None when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                said = f"port {port}, needed for {used_for}, is taken by another program"
            else:
                said = f"port {port}, needed for {used_for}, cannot be used ({error.strerror})"
            return f"{said}; {how_to_change}"
    return None


def accepts(port: int, *, host: str = LOOPBACK) -> bool:
    """Whether something answers on the port of ``host``, an IP address of this machine."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
