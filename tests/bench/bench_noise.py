"""Nanoseconds per noise number, the generation of the words included: writes results/noise.json.

Run it from the root of the project: python tests/bench/bench_noise.py
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brood.sampling.blocks import BLOCK
from brood.sampling.noise import NoiseStream, normal, uniform

RESULT = Path(__file__).parent / "results" / "noise.json"
COMMAND = "python tests/bench/bench_noise.py"
REPEATS = 31
SHORTEST_S = 0.005
# rows, numbers per row and step, steps fetched by one call of raw.
SHAPES = (
    (1, 1, 1),
    (1, 64, 1),
    (64, 64, 1),
    (64, 64, 8),
    (64, 784, 1),
    (1024, 64, 1),
    (32, 12_288, 1),
    (1, 1 << 20, 1),
)


def seconds(call: Callable[[], object]) -> list[float]:
    """Processor seconds of one call in each of REPEATS repeats; a repeat makes enough calls to last SHORTEST_S.

    Processor time, not wall time: the work is one thread's, and other processes of the machine do not count.
    """
    start = time.thread_time()
    call()
    calls = max(1, round(SHORTEST_S / max(time.thread_time() - start, 1e-7)))
    results = []
    for _ in range(REPEATS):
        start = time.thread_time()
        for _ in range(calls):
            call()
        results.append((time.thread_time() - start) / calls)
    return results


def nanoseconds(call: Callable[[], object], numbers: int = 1) -> dict[str, float]:
    times = [second * 1e9 / numbers for second in seconds(call)]
    return {"median": round(statistics.median(times), 2), "fastest": round(min(times), 2)}


def measure(rows: int, count: int, steps: int) -> dict[str, object]:
    streams = [NoiseStream(seed=1, stream=0, index=index, count=count) for index in range(rows)]

    def collect() -> NDArray[np.uint64]:
        return np.concatenate([stream.raw(steps) for stream in streams])

    words = collect()
    result: dict[str, object] = {"rows": rows, "count": count, "steps_per_call": steps}
    result["words_ns"] = nanoseconds(collect, words.size)
    result["uniform_transform_ns"] = nanoseconds(lambda: uniform(words), words.size)
    result["normal_transform_ns"] = nanoseconds(lambda: normal(words), words.size)
    result["uniform_ns"] = nanoseconds(lambda: uniform(collect()), words.size)
    result["normal_ns"] = nanoseconds(lambda: normal(collect()), words.size)
    return result


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if platform.system() == "Linux" else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    make_stream = nanoseconds(lambda: NoiseStream(seed=1, stream=0, index=0, count=64))
    shapes = [measure(*shape) for shape in SHAPES]
    report = {
        "command": COMMAND,
        "unit": "ns of processor time per number, median and fastest repeat; only *_transform_ns leaves the words out",
        "machine": {"processor": processor(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "numpy": np.__version__,
        "repeats": REPEATS,
        "numbers_per_piece": BLOCK,
        "make_stream_ns": make_stream,
        "shapes": shapes,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"one stream object: {make_stream} ns")
    for shape in shapes:
        print(", ".join(f"{name} {value}" for name, value in shape.items()))


if __name__ == "__main__":
    main()
