"""Ports, looked at before anything is started, because the error would otherwise come late and from far away."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from brood.frontends.servers import PortInUse


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there, be the port shared or not.

    Raises:
        OSError: this machine has no such address, or the port is privileged.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)  # and no more: who wants to listen there meanwhile can
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def find_ports(host: str, ports: Mapping[str, int]) -> dict[str, int]:
    """Bind all ports for a moment.

    Args:
        host: the address to listen on.
        ports: what a port is for ("http") → its number; 0: any free one.

    Returns:
        The same with numbers instead of zeros: a replica that replaces another must find the same ports.

    Raises:
        PortInUse: somebody listens there already, or two things want the same port.
        OSError: this machine has no such address, or the port is privileged.
    """
    family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    found = {}
    with ExitStack() as held:
        for name, port in ports.items():
            probe = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise PortInUse(port, name) from error
                raise
            found[name] = int(probe.getsockname()[1])
    return found
