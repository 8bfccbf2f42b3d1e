"""A running server: the same samples on every way, one bad bundle harms nobody, and nothing listens to the world."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import httpx2
import numpy as np
import psutil
import pytest

import brood
from brood.observe.tally import WRITE_S
from brood.program import compile_program, run_row
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle
from brood_client import Client
from helpers.bundles import broken_bundles
from helpers.served import Served, eventually

pytestmark = pytest.mark.ray


def test_samples_are_equal_over_http_grpc_in_process_and_by_the_interpreter(
    store: Path, over_http: Client, over_grpc: Client
) -> None:
    http, grpc = (
        client.generate("steps", n=9, seed=7, index=2, params={"steps": 5}) for client in (over_http, over_grpc)
    )
    with brood.load("steps", models=str(store)) as model:
        local = model.generate(n=9, seed=7, index=2, steps=5)
    bundle = read_bundle(store / "steps" / "1")
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    program = compile_program(bundle.manifest, "generate")
    params = {"steps": 5, "temperature": 1.0}
    meant = [run_row(program, graphs, seed=7, index=index, params=params, inputs={})["image"] for index in range(2, 11)]
    np.testing.assert_array_equal(local.array, np.stack(meant))
    for answer in (http, grpc):
        np.testing.assert_array_equal(np.stack([sample.outputs["image"] for sample in answer.samples]), local.array)
        assert (answer.seed, answer.determinism) == (7, "exact")


def test_a_sample_is_the_same_in_a_crowd(over_http: Client, over_grpc: Client) -> None:
    alone = over_http.generate("once", seed=11, index=5).samples[0].outputs["image"]

    def ask(number: int) -> object:
        client = (over_http, over_grpc)[number % 2]
        return client.generate("once", n=1 + number, seed=11, index=5).samples[0].outputs["image"]

    with ThreadPoolExecutor(32) as crowd:
        for found in crowd.map(ask, range(32)):
            np.testing.assert_array_equal(found, alone)


def test_our_ports_listen_on_loopback_only(served: Served) -> None:
    ports = {served.http_port, served.grpc_port, served.metrics_port}
    heard = [
        (connection.laddr.port, ip_address(connection.laddr.ip))
        for process in served.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
    ]
    assert {port for port, _ in heard} == ports
    assert {str(getattr(address, "ipv4_mapped", None) or address) for _, address in heard} == {"127.0.0.1"}


def test_the_server_does_not_stand_behind_other_processes(served: Served) -> None:
    assert served.replica().nice() == psutil.Process().nice()


def test_broken_bundles_say_why_and_the_others_serve(served: Served, over_http: Client, tmp_path: Path) -> None:
    expected = {name: reason for name, (_, reason) in broken_bundles(tmp_path).items()}
    models = {model.name: model for model in over_http.models()}
    assert {name for name, model in models.items() if model.state == "ready"} == {"once", "steps"}
    for name, reason in expected.items():
        assert models[name].state == "failed"
        assert reason in models[name].reason
        assert any(line.startswith(f"  {name} 1: failed: ") and reason in line for line in served.told)
    assert "  once 1: ready" in served.told
    assert f"2 of {2 + len(expected)} models ready" in "\n".join(served.told)


def test_requests_and_steps_are_counted(served: Served, over_http: Client, over_grpc: Client) -> None:
    before = _settled(served)
    for client in (over_http, over_grpc):
        client.generate("once", n=3, seed=1)
    answer = httpx2.post(f"http://127.0.0.1:{served.http_port}/v1/generations", json={"model": "nobody"})
    assert answer.status_code == 404

    def counted() -> bool:
        now = _scraped(served)
        return all(
            now[name] - before.get(name, 0) == more
            for name, more in {
                _requests("once", "generate", "http", "ok"): 1,
                _requests("once", "generate", "grpc", "ok"): 1,
                _requests("unknown", "unknown", "http", "model_not_found"): 1,
                'brood_samples_total{model="once",operation="generate"}': 6,
                'brood_batch_rows_sum{graph="generate",model="once"}': 6,
            }.items()
        )

    assert eventually(counted, within_s=5)
    now = _scraped(served)
    assert now['brood_model_ready{model="once",version="1"}'] == 1
    assert now['brood_model_ready{model="changed-byte",version="1"}'] == 0
    assert now["brood_queued_rows"] == 0
    assert all(name.startswith(("brood_", "nv_")) for name in now)  # nv_: what Triton calls the same


def test_a_taken_port_is_one_line_and_exit_code_1(served: Served, store: Path) -> None:
    command = [str(Path(sys.executable).with_name("brood")), "serve", "--models", str(store), *served.ports]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.count("\n") == 1
    assert f"port {served.http_port} is in use" in second.stderr


def test_a_hanging_replica_is_replaced(served: Served) -> None:
    """The last two in this file leave a gap that other tests would meet."""
    victim = served.replica()
    victim.suspend()
    url = f"http://127.0.0.1:{served.http_port}/readyz"
    eventually(lambda: _status(url) == 200, within_s=60)
    assert not victim.is_running()


def test_a_killed_replica_is_replaced_and_its_counts_stay(served: Served, over_http: Client) -> None:
    sample = over_http.generate("once", seed=3).samples[0].outputs["image"]
    counted = _settled(served)[_requests("once", "generate", "http", "ok")]
    victim = served.replica()
    victim.kill()
    victim.wait(10)
    url = f"http://127.0.0.1:{served.http_port}/readyz"
    eventually(lambda: _status(url) == 200, within_s=20)
    with Client(f"http://127.0.0.1:{served.http_port}") as again:
        np.testing.assert_array_equal(again.generate("once", seed=3).samples[0].outputs["image"], sample)
    assert served.replica().pid != victim.pid
    eventually(lambda: _scraped(served)[_requests("once", "generate", "http", "ok")] == counted + 1, within_s=5)


def _requests(model: str, operation: str, protocol: str, code: str) -> str:
    return f'brood_requests_total{{code="{code}",model="{model}",operation="{operation}",protocol="{protocol}"}}'


def _scraped(served: Served) -> dict[str, float]:
    text = httpx2.get(f"http://127.0.0.1:{served.metrics_port}/metrics").text
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def _settled(served: Served) -> dict[str, float]:
    """What is told once all that was counted has been written, which a process does a few times a second."""
    seen = [_scraped(served)]
    began = time.monotonic()

    def same() -> bool:
        nonlocal began
        seen.append(_scraped(served))
        if seen[-1] != seen[-2]:
            began = time.monotonic()
        return time.monotonic() - began > 2 * WRITE_S

    eventually(same, within_s=20)
    return seen[-1]


def _status(url: str) -> int:
    try:
        return httpx2.get(url, timeout=1).status_code
    except httpx2.TransportError:
        return 0
