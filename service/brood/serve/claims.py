"""Which application has a port of this machine: replicas of one application may share it, those of two never.

The kernel lets processes of one user share a port that all of them open so (SO_REUSEPORT), and spreads connections over
them; it knows nothing of applications. Two with the same port would each get a part of the other's requests. So a
replica first claims its ports: a file for each, locked for as long as the process lives, however it ends, in which the
application's name stands.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from brood.frontends.servers import PortInUse

AGAIN_S = 0.2
log = logging.getLogger(__name__)


class Claims:
    """The ports of one replica.

    Args:
        directory: the same for all clusters of this machine, where possible.
        owner: the application, in words that no other has.
    """

    def __init__(self, directory: Path, owner: str) -> None:
        self._directory, self._owner = directory, owner
        self._held = ExitStack()

    async def take(self, host: str, ports: Mapping[str, int], within_s: float) -> None:
        """Claim ports of an address; waits while another application has one, which may be about to end.

        Args:
            host: the address.
            ports: what a port is for ("http") → its number.
            within_s: how long to wait.

        Raises:
            PortInUse: the other has it still; nothing is claimed.
        """
        loop = asyncio.get_running_loop()
        until, told = loop.time() + within_s, False
        while True:
            try:
                return self._take(host, ports)
            except PortInUse as error:
                if loop.time() >= until:
                    raise
                if not told:
                    log.warning("waiting for at most %.0f s: %s", within_s, error)
                told = True
            await asyncio.sleep(AGAIN_S)

    def close(self) -> None:
        """Give them up."""
        self._held.close()

    def _take(self, host: str, ports: Mapping[str, int]) -> None:
        with ExitStack() as taken:
            for name, port in ports.items():
                path = self._directory / f"brood-{os.getuid()}-{host.replace(':', '_')}-{port}"
                handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                taken.callback(os.close, handle)
                found = _holder(handle, self._owner)
                if found != self._owner:
                    raise PortInUse(port, name, by=found)
            self._held = taken.pop_all()


def _holder(handle: int, owner: str) -> str:
    """Lock a file of a claim, and tell whose it is: only who has it alone writes, so it stays while it is held."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner.encode(), 0)
    # Between the one lock and the other somebody else may have it alone: what stands there now is what counts.
    fcntl.flock(handle, fcntl.LOCK_SH)
    return os.pread(handle, 4096, 0).decode()
