"""Sessions on the device that was asked for, or an error; fallback nodes are told. The GPU is a fake."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from brood.host.loading import load_model, ready_status
from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph
from brood.runtimes.base import PlacedGraph, Placement, RuntimeOptions
from brood.runtimes.onnx import load_on
from brood.runtimes.onnx_graph import OnnxDeviceGraph
from brood.runtimes.onnx_providers import CPU, CUDA, TENSORRT
from brood.runtimes.onnx_session import Machine, precision
from brood.store.store import find_bundles, read_bundle, zoo_root
from helpers.gpu import A10, GpuRuntime, gpu_machine
from helpers.onnx_models import model, words


def load(folder: Path, machine: Machine, options: RuntimeOptions, content: bytes | None = None) -> OnnxDeviceGraph:
    path = folder / "graph.onnx"
    path.write_bytes(model() if content is None else content)
    graph = load_on(machine, path, Graph.model_validate(words()), options)
    assert isinstance(graph, OnnxDeviceGraph)
    return graph


def test_a_graph_on_a_gpu_tells_what_runs_it_and_what_does_not(tmp_path: Path) -> None:
    ort = GpuRuntime()
    graph = load(tmp_path, gpu_machine(ort), RuntimeOptions(1, "cuda:1"))
    assert isinstance(graph, PlacedGraph)
    assert graph.placement == Placement(CUDA, "float32", {"Greater": 1})
    ((asked,),) = ort.opened
    assert asked[0] == CUDA
    assert asked[1]["device_id"] == "1"
    assert ort.preloaded == 1
    assert ("session.record_ep_graph_assignment_info", "1") in ort.entries
    outputs = graph({"x": np.ones((2, 3), np.float32), "label": np.array([0, 1])})
    assert outputs["y"].tolist() == [[0, 1, 2]] * 2
    assert outputs["ok"].tolist() == [False, True]


def test_tensorrt_is_asked_first_and_leaves_the_rest_to_cuda(tmp_path: Path) -> None:
    ort = GpuRuntime()
    graph = load(tmp_path, gpu_machine(ort), RuntimeOptions(1, "tensorrt", {"trt_fp16_enable": "1"}))
    assert graph.placement == Placement(TENSORRT, "float16", {"Greater": 1})
    assert [name for name, _ in ort.opened[0]] == [TENSORRT, CUDA]


@pytest.mark.parametrize(
    ("ort", "options", "reason"),
    [
        (GpuRuntime(available=(CPU,)), RuntimeOptions(1, "cuda"), "needs ONNX Runtime's CUDAExecutionProvider"),
        (GpuRuntime(available=(CUDA, CPU)), RuntimeOptions(1, "tensorrt"), "needs ONNX Runtime's TensorrtExecution"),
        (GpuRuntime(broken=frozenset({CUDA})), RuntimeOptions(1, "cuda"), "CUDAExecutionProvider, which does not work"),
        (GpuRuntime(broken=frozenset({TENSORRT})), RuntimeOptions(1, "tensorrt"), r"there are: CUDAExec\w+, CPUExec"),
        (
            GpuRuntime(),
            RuntimeOptions(1, "cuda:2"),
            "'cuda:2': this process sees no such GPU; it sees: 0: NVIDIA",
        ),
        (GpuRuntime(), RuntimeOptions(1, "cuda", {"nonsense": "1"}), "Unknown provider option: nonsense"),
    ],
    ids=["no-provider", "no-tensorrt", "no-libraries", "only-cuda-starts", "no-gpu", "option"],
)
def test_a_gpu_that_is_not_to_be_had_is_an_error_and_never_the_cpu(
    tmp_path: Path, ort: GpuRuntime, options: RuntimeOptions, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason) as raised:
        load(tmp_path, gpu_machine(ort), options)
    assert raised.value.message.startswith("graph.onnx: ")


def test_a_process_that_sees_no_gpu_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="it sees: none"):
        load(tmp_path, gpu_machine(gpus=0), RuntimeOptions(1, "cuda"))


def test_all_sessions_of_a_process_share_one_arena_of_the_size_allowed(tmp_path: Path) -> None:
    ort = GpuRuntime()
    machine, options = gpu_machine(ort), RuntimeOptions(1, "cuda:1", memory_bytes=2**30)
    load(tmp_path, machine, options)
    load(tmp_path, machine, options)
    assert ort.arenas == [(CUDA, "Cuda", 1, {"device_id": "1"})]
    assert ort.entries.count(("session.use_env_allocators", "1")) == 2
    with pytest.raises(BundleError, match=f"this process has given GPU 1 {2**30} already"):
        load(tmp_path, machine, RuntimeOptions(1, "cuda:1", memory_bytes=2**20))


def test_a_part_of_a_gpu_is_a_part_of_its_memory(tmp_path: Path) -> None:
    ort = GpuRuntime()
    machine = gpu_machine(ort)
    load(tmp_path, machine, RuntimeOptions(1, "cuda", gpu_share=0.5))
    assert machine.budgets == {0: A10.share_bytes(0.5)}
    ((asked,),) = ort.opened
    assert asked[1]["gpu_mem_limit"] == str(A10.share_bytes(0.5))
    told = gpu_machine(GpuRuntime())
    load(tmp_path, told, RuntimeOptions(1, "cuda", memory_bytes=2**30, gpu_share=0.5))
    assert told.budgets == {0: 2**30}
    with pytest.raises(BundleError, match=r"num_gpus: 0\.01 of NVIDIA A10"):
        load(tmp_path, gpu_machine(), RuntimeOptions(1, "cuda", gpu_share=0.01))


def test_without_a_limit_no_arena_is_shared(tmp_path: Path) -> None:
    ort = GpuRuntime()
    load(tmp_path, gpu_machine(ort), RuntimeOptions(1, "cuda"))
    assert ort.arenas == []
    assert "session.use_env_allocators" not in {key for key, _ in ort.entries}


def half_model() -> bytes:
    return model(weight=onnx.numpy_helper.from_array(np.arange(3, dtype=np.float16), "w"))


@pytest.mark.parametrize(
    ("content", "provider", "options", "name"),
    [
        (model(), CPU, {}, "float32"),
        (model(), CUDA, {"use_tf32": "0"}, "float32"),
        (model(), CUDA, {"use_tf32": "1"}, "tf32"),
        (model(), TENSORRT, {}, "tf32"),
        (model(), TENSORRT, {"trt_fp16_enable": "True"}, "float16"),
        (model(), TENSORRT, {"trt_fp16_enable": "0", "trt_bf16_enable": "1"}, "bfloat16"),
        (model(), TENSORRT, {"trt_fp16_enable": "1", "trt_int8_enable": "1"}, "int8"),
        (half_model(), CUDA, {"use_tf32": "1"}, "float16"),
        (b"", CPU, {}, "float32"),
    ],
)
def test_the_precision_is_that_of_the_weights_unless_an_option_lowers_it(
    content: bytes, provider: str, options: dict[str, str], name: str
) -> None:
    assert precision(content, [(provider, options)]) == name


def test_a_model_tells_what_runs_it_and_the_log_tells_what_does_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("brood.runtimes.onnx.this_machine", gpu_machine)
    (ref,) = (ref for ref in find_bundles(zoo_root()) if ref.name == "glyphs-boltzmann")
    with caplog.at_level(logging.WARNING):
        ready = load_model(read_bundle(ref.directory), RuntimeOptions(1, "cuda"))
    status = ready_status(ready.engine.programs["generate"].manifest, ready)
    assert status.device.startswith("cuda")
    assert (status.provider, status.precision, status.fallback) == (CUDA, "float32", {"sweep": {"Greater": 2}})
    assert "use_tf32=0" in ready.certificate.conditions.provider_options
    (record,) = (record for record in caplog.records if "leaves nodes" in record.message)
    assert record.message == (
        "glyphs-boltzmann: graph sweep: CUDAExecutionProvider leaves nodes to another provider: Greater 2"
    )
