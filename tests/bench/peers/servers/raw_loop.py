"""The bare session, as fast as it goes: samples a second and CPU seconds by rows of a call, as JSON."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from model import Model

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each size")
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    given = parser.parse_args()
    model = Model(given.graph, given.threads, max(SIZES))
    found = {}
    for rows in given.rows:
        z = np.random.default_rng(rows).standard_normal((rows, model._latent), np.float32)
        for _ in range(3):
            model(z)
        calls, began, cpu_s = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < began + given.seconds:
            model(z)
            calls += 1
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        rate = calls * rows / seconds
        found[rows] = {"samples_per_s": rate, "cpu_s_per_1000": 1000 * cpu_s / (calls * rows), "ms": 1e3 * rows / rate}
    with Path("/proc/self/smaps_rollup").open() as file:
        pss_kb = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    print(json.dumps({"sizes": found, "pss_mb": pss_kb / 1e3 * 1.024}))
