"""``tritonclient.grpc``, unmodified: every call that makes sense here, also streams; and health as probes ask."""

from __future__ import annotations

import queue
import sys

import grpc
import numpy as np
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

GAN, POINTS, DENSE = "glyphs-gan", "points-diffusion", "dense"
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
PATIENCE_S = 60
Answers = queue.Queue[tuple[triton.InferResult | None, InferenceServerException | None]]


def tensor(name: str, array: np.ndarray, datatype: str) -> triton.InferInput:
    """An input."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def dense_input(rows: np.ndarray) -> list[triton.InferInput]:
    """The one input of the function."""
    return [tensor("Input:0", rows, "FP32")]


def check_dense(result: triton.InferResult, rows: np.ndarray) -> None:
    """What the function makes of it."""
    np.testing.assert_allclose(result.as_numpy("head/logits"), rows @ MATRIX, rtol=1e-5, atol=1e-5)


def refused(status: str, words: str, call: object, *args: object, **kwargs: object) -> None:
    """The call must be refused with a status and these words."""
    assert callable(call)
    try:
        call(*args, **kwargs)
    except InferenceServerException as error:
        assert status in str(error.status()), (error.status(), error.message())
        assert words in str(error.message()), error.message()
    else:
        raise AssertionError(f"not refused: {args} {kwargs}")


def server(client: triton.InferenceServerClient) -> None:
    """Health, and what the server is."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(GAN)
    assert client.is_model_ready(GAN, "1")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata(as_json=True)["name"] == "brood"


def documents(client: triton.InferenceServerClient) -> None:
    """Metadata, configuration, statistics, repository."""
    metadata = client.get_model_metadata(DENSE)
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [("Input:0", "FP32", [-1, 3])]
    outputs = [(each.name, each.datatype, list(each.shape)) for each in metadata.outputs]
    assert outputs == [("head/logits", "FP32", [-1, 2])], outputs
    config = client.get_model_config(GAN).config
    assert config.max_batch_size > 1
    assert config.dynamic_batching.preferred_batch_size
    assert {each.name for each in config.input} >= {"seed", "label"}
    before = client.get_inference_statistics(DENSE).model_stats[0]
    client.infer(DENSE, dense_input(np.ones((5, 3), np.float32)))
    after = client.get_inference_statistics(DENSE).model_stats[0]
    assert after.inference_count - before.inference_count == 5
    assert after.inference_stats.success.count - before.inference_stats.success.count == 1
    assert len(client.get_inference_statistics().model_stats) >= 3
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {(model["name"], model["state"]) for model in index} >= {(GAN, "READY"), (DENSE, "READY")}


def infer(client: triton.InferenceServerClient) -> None:
    """Tensors, parameters, requested outputs, compression, priority and timeout."""
    rows = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    wanted = [triton.InferRequestedOutput("head/logits")]
    found = client.infer(DENSE, dense_input(rows), outputs=wanted, request_id="mine")
    check_dense(found, rows)
    assert found.get_response().id == "mine"
    for compression in ("gzip", "deflate"):
        check_dense(client.infer(DENSE, dense_input(rows), compression_algorithm=compression), rows)
    made = client.infer(GAN, [], parameters={"n": 3, "seed": 7, "label": 4})
    assert made.as_numpy("image").shape == (3, 1, 28, 28)
    assert made.as_numpy("index").ravel().tolist() == [0, 1, 2]
    seeds = tensor("seed", np.array([[7], [8]], np.int64), "INT64")
    again = client.infer(GAN, [seeds], parameters={"label": 4}, priority=1, timeout=30_000_000, client_timeout=30)
    np.testing.assert_allclose(again.as_numpy("image")[0], made.as_numpy("image")[0], atol=1e-4)


def asynchronous(client: triton.InferenceServerClient) -> None:
    """Calls that answer by a callback."""
    answers: Answers = queue.Queue()
    rows = np.ones((2, 3), np.float32)
    for _ in range(8):
        client.async_infer(DENSE, dense_input(rows), callback=lambda result, error: answers.put((result, error)))
    for _ in range(8):
        result, error = answers.get(timeout=PATIENCE_S)
        assert error is None, error
        check_dense(result, rows)


def stream(client: triton.InferenceServerClient) -> None:
    """Requests of one stream, an error among them, and one that has a response for each sample."""
    answers: Answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    sent = [np.full((2, 3), number, np.float32) for number in range(5)]
    for number, rows in enumerate(sent):
        client.async_stream_infer(DENSE, dense_input(rows), request_id=str(number))
    for number, rows in enumerate(sent):
        result, error = answers.get(timeout=PATIENCE_S)
        assert error is None, error
        assert result.get_response().id == str(number)
        check_dense(result, rows)
    client.async_stream_infer("nobody", [])
    result, error = answers.get(timeout=PATIENCE_S)
    assert result is None
    assert "nobody" in str(error), error
    many = {"n": 4, "seed": 3, "steps": 5}
    client.async_stream_infer(POINTS, [], parameters=many, enable_empty_final_response=True)
    assert sorted(samples(answers)) == [0, 1, 2, 3]
    client.stop_stream()


def samples(answers: Answers) -> list[int]:
    """The rows that come until the response that ends them."""
    rows = []
    while True:
        result, error = answers.get(timeout=PATIENCE_S)
        assert error is None, error
        parameters = result.get_response().parameters
        if parameters["triton_final_response"].bool_param:
            return rows
        assert result.as_numpy("point").shape == (1, 2)
        rows.append(parameters["row"].int64_param)


def errors(client: triton.InferenceServerClient) -> None:
    """Whatever is wrong, or not offered, is said in words."""
    refused("NOT_FOUND", "nobody", client.infer, "nobody", [])
    refused("INVALID_ARGUMENT", "Input:0", client.infer, DENSE, dense_input(np.ones((2, 4), np.float32)))
    refused("INVALID_ARGUMENT", "Input:0", client.infer, DENSE, [])
    refused("UNIMPLEMENTED", "shared memory", client.get_system_shared_memory_status)
    refused("UNIMPLEMENTED", "TraceSetting", client.get_trace_settings)
    refused("UNIMPLEMENTED", "LogSettings", client.get_log_settings)
    long = {"steps": 1000, "n": 500}
    refused("DEADLINE_EXCEEDED", "", client.infer, POINTS, [], parameters=long, client_timeout=0.05)


def repository(client: triton.InferenceServerClient) -> None:
    """Models go and come, as they lie in the store."""
    client.unload_model(DENSE)
    assert not client.is_model_ready(DENSE)
    refused("PERMISSION_DENIED", "config", client.load_model, DENSE, config="{}")
    client.load_model(DENSE)
    assert client.is_model_ready(DENSE)


def probe(target: str) -> None:
    """Health as Kubernetes asks for it."""
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "brood.v1.Generator", "inference.GRPCInferenceService"):
            found = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
            assert found.status == health_pb2.HealthCheckResponse.SERVING, service


def main() -> None:
    """All of it."""
    target = sys.argv[2]
    with triton.InferenceServerClient(target) as client:
        for check in (server, documents, infer, asynchronous, stream, errors, repository):
            check(client)
    probe(target)


if __name__ == "__main__":
    main()
