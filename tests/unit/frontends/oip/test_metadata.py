from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.oip import SERVER, config, index, load, metadata, statistics, unload
from brood.frontends.oip.specs import Spec, draws, input_specs, output_specs
from brood.protocol.errors import ModelNotFound, ModelUnavailable, NotReady, PermissionDenied
from brood.protocol.events import Usage
from brood.protocol.manifest import Manifest
from helpers.backend import FakeBackend, manifest
from helpers.observer import FakeObserver


@pytest.fixture
async def plane() -> AsyncIterator[DataPlane]:
    plane = DataPlane(FakeBackend(), Limits(max_n=100), FakeObserver(), admin=True)
    yield plane
    plane.close()


def function() -> Manifest:
    """A bare graph: x [rows, 3] and weight [rows] to y [rows, 2] and z [rows]."""
    words = manifest().model_dump(mode="json")
    words["graphs"]["main"]["inputs"] = {}
    words["operations"] = {
        "run": {
            "inputs": {
                "x:0": {"kind": "tensor", "dtype": "float32", "shape": [3], "description": "x"},
                "weight": {"kind": "tensor", "dtype": "int32", "description": "w"},
            },
            "stages": [{"graph": "main"}],
            "outputs": {
                "y/out": {"kind": "tensor", "dtype": "float16", "shape": [2]},
                "z": {"kind": "scalar", "dtype": "bool"},
            },
        }
    }
    return Manifest.model_validate(words)


def test_the_server_lists_what_it_has() -> None:
    assert SERVER["name"] == "brood"
    assert not {"system_shared_memory", "cuda_shared_memory", "trace", "logging"} & set(SERVER["extensions"])


def test_metadata_names_every_tensor_with_rows_in_front(plane: DataPlane) -> None:
    words = metadata(plane, "tiny", None)
    assert (words["name"], words["versions"], words["platform"]) == ("tiny", ["1", "2"], "brood")
    inputs = {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in words["inputs"]}
    assert inputs["seed"] == inputs["index"] == inputs["label"] == ("INT64", [-1, 1])
    assert inputs["temperature"] == ("FP32", [-1, 1])
    assert (inputs["flip"], inputs["style"]) == (("BOOL", [-1, 1]), ("BYTES", [-1, 1]))
    assert (inputs["image"], inputs["known"]) == (("FP32", [-1, 1, 28, 28]), ("UINT8", [-1, 2, 3]))
    outputs = {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in words["outputs"]}
    assert list(outputs)[:4] == ["sample", "label", "seed", "index"]
    assert outputs["log_likelihood"] == ("FP64", [-1, 1])


def test_a_configuration_leaves_the_rows_out(plane: DataPlane) -> None:
    words = config(plane, "tiny", 1)
    assert words["max_batch_size"] == 100
    assert {"name": "image", "data_type": "TYPE_FP32", "dims": [1, 28, 28], "optional": True} in words["input"]
    assert {"name": "label", "data_type": "TYPE_INT64", "dims": [1]} in words["output"]
    assert words["dynamic_batching"]["preferred_batch_size"] == [1, 8]
    assert words["model_transaction_policy"] == {"decoupled": False}


def test_a_function_has_its_own_names_and_no_seeds() -> None:
    words = function()
    assert not draws(words)
    assert input_specs(words) == (Spec("x:0", "FP32", (3,), False), Spec("weight", "INT32", (), False))
    assert output_specs(words) == (Spec("y/out", "FP16", (2,), False), Spec("z", "BOOL", (), False))


@pytest.mark.parametrize("tell", [metadata, config])
def test_only_models_that_are_ready_are_described(
    plane: DataPlane, tell: Callable[[DataPlane, str, None], object]
) -> None:
    for name, kind in (("nobody", ModelNotFound), ("slow", NotReady), ("broken", ModelUnavailable)):
        with pytest.raises(kind):
            tell(plane, name, None)


def test_the_index_tells_states(plane: DataPlane) -> None:
    found = index(plane.models(), only_ready=False)
    assert [(model["name"], model["version"], model["state"]) for model in found] == [
        ("broken", "1", "UNAVAILABLE"),
        ("slow", "1", "LOADING"),
        ("tiny", "1", "READY"),
        ("tiny", "2", "READY"),
    ]
    assert "sha256" in found[0]["reason"]
    assert {model["name"] for model in index(plane.models(), only_ready=True)} == {"tiny"}


async def test_models_go_and_come_back(plane: DataPlane) -> None:
    await unload(plane, "tiny", {})
    assert index(plane.models(), only_ready=True) == []
    with pytest.raises(ModelUnavailable, match="not loaded"):
        metadata(plane, "tiny", None)
    await load(plane, "tiny", {})
    assert metadata(plane, "tiny", None)["versions"] == ["1", "2"]
    with pytest.raises(ModelNotFound):
        await load(plane, "nobody", {})


@pytest.mark.parametrize("name", ["config", "file:1/model.onnx"])
async def test_models_are_loaded_as_they_lie_there(plane: DataPlane, name: str) -> None:
    with pytest.raises(PermissionDenied, match="unchanged"):
        await load(plane, "tiny", {name: "x"})


async def test_nobody_changes_models_unless_the_server_allows_it() -> None:
    closed = DataPlane(FakeBackend(), Limits(), FakeObserver())
    with pytest.raises(PermissionDenied, match="admin"):
        await load(closed, "tiny", {})
    with pytest.raises(PermissionDenied, match="admin"):
        await unload(closed, "tiny", {})
    closed.close()


def test_statistics_are_told_in_tritons_words(plane: DataPlane) -> None:
    plane.statistics.ended("tiny", 2, 0.5, 3, Usage(3, 9, queue_ms=100, run_ms=300))
    plane.statistics.ended("tiny", 2, 0.25, 0, None)
    plane.statistics.stepped("tiny", 3, 1, 0.125)
    (found,) = statistics(plane, "tiny", 2)
    assert (found["version"], found["inference_count"], found["execution_count"]) == ("2", 3, 1)
    assert found["inference_stats"]["success"] == {"count": 1, "ns": 500_000_000}
    assert found["inference_stats"]["fail"] == {"count": 1, "ns": 250_000_000}
    assert found["inference_stats"]["queue"] == {"count": 1, "ns": 100_000_000}
    assert found["inference_stats"]["compute_infer"] == {"count": 1, "ns": 300_000_000}
    assert found["batch_stats"][0]["batch_size"] == 3
    assert found["batch_stats"][0]["compute_infer"] == {"count": 1, "ns": 125_000_000}
    assert [model["version"] for model in statistics(plane, "tiny")] == ["1", "2"]
    assert len(statistics(plane)) == 2
    with pytest.raises(ModelNotFound):
        statistics(plane, "nobody")
