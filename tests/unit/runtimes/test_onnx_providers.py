"""Which providers a session gets, and with which options."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.onnx_providers import CPU, CUDA, TENSORRT, engine_folder, numeric_options, providers_for


def spec(buckets: tuple[int, ...] = (1, 4, 8)) -> Graph:
    return Graph.model_validate(
        {
            "file": "graph.onnx",
            "runtime": "onnx",
            "buckets": buckets,
            "inputs": {
                "x": {"dtype": "float32", "shape": (3, 16, 16), "role": "input"},
                "label": {"dtype": "int64", "role": "param"},
            },
            "outputs": {"y": {"dtype": "float32", "shape": (3,), "role": "output"}},
        }
    )


def test_the_cpu_takes_no_options() -> None:
    assert providers_for(RuntimeOptions(1), spec(), b"") == [(CPU, {})]
    assert numeric_options(RuntimeOptions(1)) == ()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (RuntimeOptions(1, "cpu", {"use_tf32": "1"}), "provider_options"),
        (RuntimeOptions(1, "cpu", memory_bytes=2**30), "memory_bytes"),
    ],
)
def test_what_only_a_gpu_knows_is_refused_on_the_cpu(options: RuntimeOptions, name: str) -> None:
    with pytest.raises(BundleError, match=f"{name} is not allowed on 'cpu'; allowed: on cuda and tensorrt") as raised:
        providers_for(options, spec(), b"")
    assert raised.value.field == name


def test_cuda_gets_our_options_and_over_them_those_given() -> None:
    ((name, options),) = providers_for(RuntimeOptions(1, "cuda:1", memory_bytes=2**30), spec(), b"")
    assert name == CUDA
    assert options == {
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
        "device_id": "1",
        "gpu_mem_limit": str(2**30),
    }
    ((_, other),) = providers_for(RuntimeOptions(1, "cuda", {"use_tf32": "1", "prefer_nhwc": "1"}), spec(), b"")
    assert (other["use_tf32"], other["prefer_nhwc"], other["device_id"]) == ("1", "1", "0")
    assert "gpu_mem_limit" not in other


def test_tensorrt_goes_before_cuda_and_each_gets_its_own_options(tmp_path: Path) -> None:
    given = {"trt_fp16_enable": "1", "use_tf32": "1"}
    options = RuntimeOptions(1, "tensorrt:1", given, memory_bytes=2**30, cache_dir=tmp_path)
    (first, tensorrt), (second, cuda) = providers_for(options, spec(), b"graph")
    assert (first, second) == (TENSORRT, CUDA)
    assert tensorrt["trt_fp16_enable"] == "1"
    assert "use_tf32" not in tensorrt
    assert cuda["use_tf32"] == "1"
    assert not any(name.startswith("trt_") for name in cuda)
    assert tensorrt["device_id"] == cuda["device_id"] == "1"
    assert (tensorrt["trt_max_workspace_size"], cuda["gpu_mem_limit"]) == (str(2**30), str(2**30))
    assert tensorrt["trt_engine_cache_enable"] == tensorrt["trt_timing_cache_enable"] == "1"
    assert Path(tensorrt["trt_engine_cache_path"]).is_dir()
    assert Path(tensorrt["trt_engine_cache_path"]).is_relative_to(tmp_path)


def test_tensorrt_builds_one_engine_for_all_buckets() -> None:
    (_, options), _ = providers_for(RuntimeOptions(1, "tensorrt"), spec(), b"")
    assert options["trt_profile_min_shapes"] == "x:1x3x16x16,label:1"
    assert options["trt_profile_opt_shapes"] == options["trt_profile_max_shapes"] == "x:8x3x16x16,label:8"
    assert "trt_engine_cache_path" not in options
    (_, alone), _ = providers_for(RuntimeOptions(1, "tensorrt"), spec((1,)), b"")
    assert not any(name.startswith("trt_profile") for name in alone)  # its rows axis may be fixed to 1


@pytest.mark.parametrize(
    ("device", "name", "reason"),
    [
        ("cuda", "device_id", "is made of device"),
        ("cuda", "gpu_mem_limit", "is made of memory_bytes"),
        ("tensorrt", "trt_engine_cache_path", "is made of cache_dir"),
        ("tensorrt", "trt_profile_min_shapes", "is made of the manifest"),
        ("cuda", "user_compute_stream", "is an address in this process"),
        ("cuda", "trt_fp16_enable", "is not allowed on 'cuda'; allowed: on tensorrt"),
    ],
)
def test_options_that_are_said_elsewhere_or_do_not_fit_are_refused(device: str, name: str, reason: str) -> None:
    with pytest.raises(BundleError, match=reason) as raised:
        providers_for(RuntimeOptions(1, device, {name: "1"}), spec(), b"")
    assert raised.value.field == f"provider_options.{name}"


def test_what_may_change_bits_is_told_and_nothing_else(tmp_path: Path) -> None:
    plain = numeric_options(RuntimeOptions(1, "cuda"))
    assert "use_tf32=0" in plain
    assert numeric_options(RuntimeOptions(1, "cuda:3", memory_bytes=1, cache_dir=tmp_path)) == plain
    assert numeric_options(RuntimeOptions(1, "cuda", {"use_tf32": "1"})) != plain
    assert "trt_fp16_enable=1" in numeric_options(RuntimeOptions(1, "tensorrt", {"trt_fp16_enable": "1"}))


def test_engines_of_other_files_and_other_options_lie_apart(tmp_path: Path) -> None:
    half = RuntimeOptions(1, "tensorrt", {"trt_fp16_enable": "1"})
    folders = [
        engine_folder(tmp_path, RuntimeOptions(1, "tensorrt"), b"a"),
        engine_folder(tmp_path, RuntimeOptions(1, "tensorrt"), b"b"),
        engine_folder(tmp_path, half, b"a"),
    ]
    assert len(set(folders)) == 3
    assert engine_folder(tmp_path, RuntimeOptions(2, "tensorrt:1"), b"a") == folders[0]
