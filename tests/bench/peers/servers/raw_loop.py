"""The bare session, as fast as it goes: samples a second and CPU seconds by rows of a call, as JSON.

Of a walk, a call is a whole batch from its first step to its last, of the kind that has most steps.
"""

import argparse
import json
import time
from pathlib import Path

from model import load

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each size, at least one call")
    parser.add_argument("--rows", type=int, nargs="+", required=True)
    given = parser.parse_args()
    model = load(given.file, given.threads, max(given.rows))
    found = {}
    for rows in given.rows:
        taken = model.examples(rows)
        began = time.perf_counter()
        model(taken)
        if time.perf_counter() - began < given.seconds / 4:
            model(taken)
        calls, began, cpu_s = 0, time.perf_counter(), time.process_time()
        while not calls or time.perf_counter() < began + given.seconds:
            model(taken)
            calls += 1
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        rate = calls * rows / seconds
        found[rows] = {"samples_per_s": rate, "cpu_s_per_1000": 1000 * cpu_s / (calls * rows), "ms": 1e3 * rows / rate}
    with Path("/proc/self/smaps_rollup").open() as file:
        pss_kb = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    print(json.dumps({"sizes": found, "pss_mb": pss_kb / 1e3 * 1.024}))
