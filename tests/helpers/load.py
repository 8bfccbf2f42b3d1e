"""A little of everything that a server is asked for, good and bad."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx2

from brood_client import Client

STEPS = "glyphs-diffusion"
ONCE = "glyphs-vae"


def some_load(http_port: int, grpc_port: int, seconds: float, threads: int = 6) -> None:
    """Ask for samples over HTTP and gRPC, for previews, for what is refused, and for what cannot be in time."""
    end = time.monotonic() + seconds
    hurries = count()
    http, grpc = f"http://127.0.0.1:{http_port}", f"grpc://127.0.0.1:{grpc_port}"

    def ask(number: int) -> None:
        with Client((http, grpc)[number % 2]) as client:
            while time.monotonic() < end:
                client.generate(ONCE, n=3)
                _see(client)
                _hurry(http, next(hurries))

    with ThreadPoolExecutor(threads) as crowd:
        for _ in crowd.map(ask, range(threads)):
            pass
    httpx2.post(f"{http}/v1/generations", json={"model": "nothing"})


def _see(client: Client) -> None:
    with client.stream(STEPS, n=2, preview_every=2, params={"steps": 8}) as stream:
        for _ in stream:
            pass


def _hurry(url: str, turn: int) -> None:
    """Ask for more than all can have in time who ask at once; with most of these deadlines, each alone could."""
    asked = {"model": STEPS, "n": 24, "params": {"steps": 12}, "deadline_ms": 100 * (1 + turn % 8)}
    httpx2.post(f"{url}/v1/generations", json=asked, timeout=60)
