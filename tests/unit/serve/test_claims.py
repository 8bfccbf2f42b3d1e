"""Ports of this machine are one application's at a time, and those of the replicas of one application together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brood.frontends.servers import PortInUse
from brood.serve.claims import Claims
from helpers.served import eventually

HOST, PORTS = "127.0.0.1", {"http": 8000, "grpc": 9000}
HOLD = f"""
import asyncio, pathlib, sys, time
from brood.serve.claims import Claims
claims = Claims(pathlib.Path(sys.argv[1]), "one")
asyncio.run(claims.take({HOST!r}, {PORTS!r}, 0))
print("held", flush=True)
time.sleep(60)
"""


async def test_replicas_of_one_application_share(tmp_path: Path) -> None:
    old, new = Claims(tmp_path, "one"), Claims(tmp_path, "one")
    await old.take(HOST, PORTS, 0)
    await new.take(HOST, PORTS, 0)
    old.close()
    with pytest.raises(PortInUse, match=r"8000 is in use by one; .* --http-port"):
        await Claims(tmp_path, "two").take(HOST, PORTS, 0)
    new.close()


async def test_another_gets_nothing_until_they_are_given_up_and_then_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, three = (Claims(tmp_path, name) for name in ("one", "two", "three"))
    await one.take(HOST, {"grpc": 9000}, 0)
    with pytest.raises(PortInUse, match="9000 is in use by one"):
        await two.take(HOST, PORTS, 0)
    await three.take(HOST, {"http": 8000}, 0)  # that one of both was free must not leave it taken
    three.close()
    with caplog.at_level(logging.WARNING, "brood"):
        waiting = asyncio.create_task(two.take(HOST, PORTS, 30))
        await asyncio.to_thread(eventually, lambda: caplog.messages, within_s=10)
    one.close()
    await waiting
    assert [message.partition(": ")[2] for message in caplog.messages] == [str(PortInUse(9000, "grpc", by="one"))]
    two.close()


async def test_other_addresses_are_other_ports(tmp_path: Path) -> None:
    one, two = Claims(tmp_path, "one"), Claims(tmp_path, "two")
    await one.take(HOST, PORTS, 0)
    await two.take("::1", PORTS, 0)
    one.close()
    two.close()


def test_the_claims_of_a_process_end_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        two = Claims(tmp_path, "two")
        with pytest.raises(PortInUse):
            asyncio.run(two.take(HOST, PORTS, 0))
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    asyncio.run(two.take(HOST, PORTS, 0))
    two.close()
