"""64 MiB of tensors each way over every transport: writes results/transfer.json.

Run it from the root of the project: python tests/bench/bench_transfer.py

A server of its own, as ``brood serve`` starts it, holds a bare function that gives back what it is given: 64 rows of
1 MiB. A call is timed from a ready body until all rows are at hand as one array; nothing is compressed. Memory is that
of the process that holds frontends and engine: what it has after a first call of each, and how far above what it had
before a call it went during that call (Linux: VmHWM, reset before). Transports are measured in turn, round after round;
the client runs on the same machine.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import httpx2
import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import load as load_safetensors

from brood.protocol.wire import generator_pb2 as own
from brood.protocol.wire import inference_pb2 as oip
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from brood_export.functions import FunctionTitle, import_onnx
from helpers.served import Served

RESULT = Path(__file__).parent / "results" / "transfer.json"
COMMAND = "python tests/bench/bench_transfer.py"
ROWS, WIDTH = 64, 2**18  # float32: 64 MiB
MIB = 2**20
ROUNDS = 5
MOST_BYTES = 256 * MIB
PIECE_BYTES = 2**16
HEADER_LENGTH = "Inference-Header-Content-Length"
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
TIMEOUT_S = 60.0

ARRAY = np.arange(ROWS * WIDTH, dtype=np.float32).reshape(ROWS, WIDTH)
Call = Callable[[], np.ndarray]


def bundle(store: Path) -> None:
    """The function."""
    axes: list[str | int | None] = ["N", WIDTH]
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, store / "graph.onnx")
    import_onnx(store / "graph.onnx", FunctionTitle("identity"), store / "models")


def own_words(**value: Any) -> dict[str, Any]:
    shaped = {"dtype": "float32", "shape": ARRAY.shape, **value}
    return {"model": "identity", "operation": "run", "n": ROWS, "seed": 0, "inputs": {"x": shaped}}


def pieces(body: bytes) -> Iterator[bytes]:
    """A body bit by bit: the client's library copies the rest of a large one again with every packet."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def http_json(client: httpx2.Client) -> Call:
    """Base64 in JSON, both ways."""
    text = base64.b64encode(ARRAY.tobytes()).decode()
    body = json.dumps(own_words(b64=text, format="raw") | {"output": {"format": "raw"}}).encode()

    def call() -> np.ndarray:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        response = client.post("/v1/generations", content=pieces(body), headers=headers)
        samples = response.raise_for_status().json()["samples"]
        rows = [np.frombuffer(base64.b64decode(each["outputs"]["y"]["b64"]), "<f4") for each in samples]
        return np.stack(rows)

    return call


def http_bytes(client: httpx2.Client) -> Call:
    """An upload of raw bytes; a safetensors file."""
    content = ARRAY.tobytes()
    fields = {"request": (None, json.dumps(own_words()).encode(), "application/json")}

    def call() -> np.ndarray:
        upload = {"x": ("x.raw", content, "application/octet-stream")}
        headers = {"Accept": "application/x-safetensors"}
        response = client.post("/v1/generations", files=cast("Any", fields | upload), headers=headers)
        return cast("np.ndarray", load_safetensors(response.raise_for_status().content)["y"])

    return call


def oip_http(client: httpx2.Client) -> Call:
    """Binary tensors, both ways."""
    size = {"binary_data_size": ARRAY.nbytes}
    inputs = [{"name": "x", "shape": ARRAY.shape, "datatype": "FP32", "parameters": size}]
    head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": inputs}).encode()
    body = head + ARRAY.tobytes()

    def call() -> np.ndarray:
        headers = {HEADER_LENGTH: str(len(head)), "Content-Length": str(len(body))}
        response = client.post("/v2/models/identity/infer", content=pieces(body), headers=headers).raise_for_status()
        content = memoryview(response.content)[int(response.headers[HEADER_LENGTH]) :]
        return np.frombuffer(content, "<f4").reshape(ARRAY.shape)

    return call


def own_grpc(channel: grpc.Channel) -> Call:
    """One message each way; a tensor for each sample in the answer."""
    words = own_words()
    tensor = own.Tensor(content=ARRAY.tobytes(), format="raw", dtype="float32", shape=ARRAY.shape)
    raw = own.OutputChoice(format="raw")
    request = own.GenerateRequest(**(words | {"inputs": {"x": tensor}, "output": raw}))

    def call() -> np.ndarray:
        samples = GeneratorStub(channel).Generate(request, timeout=TIMEOUT_S).samples
        return np.stack([np.frombuffer(each.outputs["y"].tensor.content, "<f4") for each in samples])

    return call


def oip_grpc(channel: grpc.Channel) -> Call:
    """Raw contents, both ways."""
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=ARRAY.shape)
    request = oip.ModelInferRequest(model_name="identity", inputs=[tensor], raw_input_contents=[ARRAY.tobytes()])

    def call() -> np.ndarray:
        answer = GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=TIMEOUT_S)
        return np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(ARRAY.shape)

    return call


class Memory:
    """Resident memory of a process, by what the kernel keeps of it."""

    def __init__(self, pid: int) -> None:
        self._place = Path(f"/proc/{pid}")

    def now(self) -> float:
        """MiB."""
        return self._read("VmRSS")

    def highest(self) -> float:
        """MiB, since `reset`."""
        return self._read("VmHWM")

    def reset(self) -> None:
        (self._place / "clear_refs").write_text("5")

    def _read(self, name: str) -> float:
        lines = (self._place / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


@contextmanager
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as directory:
        bundle(Path(directory))
        server = Served("--models", str(Path(directory) / "models"), "--max-body-bytes", str(MOST_BYTES))
        try:
            yield server
        finally:
            server.end()


def measured(call: Call, memory: Memory) -> tuple[float, float]:
    """Milliseconds of a call, and MiB that it took on top of what there was."""
    before = memory.now()
    memory.reset()
    began = time.perf_counter()
    found = call()
    took_ms = (time.perf_counter() - began) * 1000
    check(found)
    return took_ms, memory.highest() - before


def summary(found: list[tuple[float, float]]) -> dict[str, Any]:
    times, added = zip(*found, strict=True)
    return {
        "ms": round(statistics.median(times)),
        "ms_range": [round(min(times)), round(max(times))],
        "mib_added_at_most": round(max(added)),
    }


def check(found: np.ndarray) -> None:
    assert found.tobytes() == ARRAY.tobytes()


def main() -> None:
    with served() as server:
        memory = Memory(server.replica().pid)
        target = f"127.0.0.1:{server.grpc_port}"
        url = f"http://127.0.0.1:{server.http_port}"
        with (
            httpx2.Client(base_url=url, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}) as client,
            grpc.insecure_channel(target, UNLIMITED) as channel,
        ):
            calls = {
                "oip-grpc": oip_grpc(channel),
                "oip-http": oip_http(client),
                "own-http, bytes": http_bytes(client),
                "own-grpc": own_grpc(channel),
                "own-http, json": http_json(client),
            }
            for call in calls.values():
                check(call())
            at_rest = memory.now()
            figures: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
            for _ in range(ROUNDS):
                for name, call in calls.items():
                    figures[name].append(measured(call, memory))
    table = {name: summary(found) for name, found in figures.items()}
    for name, row in table.items():
        print(f"{name:16} {row}")
    RESULT.write_text(json.dumps(head() | {"mib_at_rest": round(at_rest), "transports": table}, indent=2) + "\n")


def head() -> dict[str, Any]:
    return {
        "command": COMMAND,
        "what": "64 MiB of float32 each way through a function that gives back what it is given, one call at a time",
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "rounds": ROUNDS,
        "rows": ROWS,
        "row_bytes": 4 * WIDTH,
    }


if __name__ == "__main__":
    main()
