"""Starts servers and runs the clients of others against them, unmodified.

    python tests/compat/run.py [ENVIRONMENT …]

Each client is a program that gets the addresses of the HTTP and the gRPC port (``HOST:PORT``), asserts what it must see
and ends with 0.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.environments import ENVIRONMENTS, HERE, Environment
from compat.servers import SERVERS, Running
from compat.store import write_store

PROGRAM_S = 300  # longest time of one client


def main(names: Collection[str]) -> int:
    """Run the clients of the environments named, or of all; the number that failed."""
    chosen = [environment for environment in ENVIRONMENTS if not names or environment.name in names]
    for environment in chosen:
        print(f"== {environment.name}: {', '.join(environment.packages)}", flush=True)
        environment.make()
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory, "store")
        write_store(store)
        failed = [name for server in SERVERS for name in _failures(server, chosen, store)]
    print(f"== failed: {', '.join(failed)}" if failed else "== all passed")
    return len(failed)


def _failures(server: str, chosen: Collection[Environment], store: Path) -> list[str]:
    """The programs that failed, of those environments that a server is for."""
    pairs = [(each, program) for each in chosen if each.server == server for program in each.programs]
    if not pairs:
        return []
    with SERVERS[server](store) as running:
        return [program for environment, program in pairs if not _passes(environment, program, running)]


def _passes(environment: Environment, program: str, server: Running) -> bool:
    began = time.monotonic()
    command = [str(environment.python), str(HERE / "clients" / f"{program}.py"), *server.addresses]
    try:
        code = subprocess.run(command, check=False, timeout=PROGRAM_S, env=dict(server.variables)).returncode
    except subprocess.TimeoutExpired:
        code = -1
    print(f"   {program}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
