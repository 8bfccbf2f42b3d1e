"""``tritonclient.http``, unmodified: every call that makes sense here, with JSON and binary tensors."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

GAN, VAE, DENSE = "glyphs-gan", "glyphs-vae", "dense"
IMAGE = (1, 28, 28)


def tensor(name: str, array: np.ndarray, datatype: str, *, binary: bool = True) -> triton.InferInput:
    """An input."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def rows(seeds: list[int], labels: list[int], *, binary: bool = True) -> list[triton.InferInput]:
    """A seed and a label for each row."""
    return [
        tensor("seed", np.array(seeds, np.int64)[:, None], "INT64", binary=binary),
        tensor("label", np.array(labels, np.int64)[:, None], "INT64", binary=binary),
    ]


def refused(status: str, words: str, call: Callable[..., object], *args: object, **kwargs: object) -> None:
    """The call must be refused with a status and these words."""
    try:
        call(*args, **kwargs)
    except InferenceServerException as error:
        found = str(error.status()), str(error.message())
    else:
        found = "nothing", ""
    assert found[0] == status, found
    assert words in found[1], found


def server(client: triton.InferenceServerClient) -> None:
    """Health, metadata, the repository, and what is not offered."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(GAN)
    assert client.is_model_ready(GAN, "1")
    assert not client.is_model_ready("nobody")
    words = client.get_server_metadata()
    assert words["name"] == "brood"
    assert "binary_tensor_data" in words["extensions"]
    index = client.get_model_repository_index()
    assert {"name": GAN, "version": "1", "state": "READY", "reason": ""} in index
    refused("501", "not offered", client.get_trace_settings)
    refused("501", "not offered", client.get_log_settings)
    refused("501", "not offered", client.get_system_shared_memory_status)
    refused("501", "not offered", client.get_cuda_shared_memory_status)


def documents(client: triton.InferenceServerClient) -> None:
    """What models take and give; a function has its own names."""
    model = client.get_model_metadata(GAN, "1")
    assert model["name"] == GAN
    assert {"name": "seed", "datatype": "INT64", "shape": [-1, 1]} in model["inputs"]
    assert {"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]} in model["outputs"]
    config = client.get_model_config(GAN)
    assert config["max_batch_size"] > 1
    assert {"name": "image", "data_type": "TYPE_FP32", "dims": [1, 28, 28]} in config["output"]
    dense = client.get_model_metadata(DENSE)
    assert dense["inputs"] == [{"name": "Input:0", "datatype": "FP32", "shape": [-1, 3]}]
    assert dense["outputs"] == [{"name": "head/logits", "datatype": "FP32", "shape": [-1, 2]}]
    assert client.get_model_config(DENSE)["input"][0]["optional"] is False
    refused("404", "nobody", client.get_model_metadata, "nobody")
    refused("404", "nobody", client.get_model_config, "nobody")


def infer(client: triton.InferenceServerClient) -> None:
    """Binary and JSON tensors, both ways, are the same numbers; rows do not depend on their neighbours."""
    whole = client.infer(GAN, rows([7, 8, 9], [3, 3, 4]), request_id="mine")
    assert whole.get_response()["id"] == "mine"
    images = whole.as_numpy("image")
    assert images.shape == (3, *IMAGE)
    assert images.dtype == np.float32
    assert whole.as_numpy("seed").ravel().tolist() == [7, 8, 9]
    assert whole.as_numpy("index").ravel().tolist() == [0, 0, 0]
    asked = [triton.InferRequestedOutput("image", binary_data=False)]
    text = client.infer(GAN, rows([7, 8, 9], [3, 3, 4], binary=False), outputs=asked)
    np.testing.assert_array_equal(text.as_numpy("image"), images)
    alone = client.infer(GAN, rows([8], [3]), outputs=[triton.InferRequestedOutput("image", binary_data=True)])
    np.testing.assert_array_equal(alone.as_numpy("image")[0], images[1])
    assert alone.as_numpy("label") is None
    by_parameters = client.infer(GAN, [], parameters={"seed": 7, "n": 2, "label": 3})
    np.testing.assert_array_equal(by_parameters.as_numpy("image")[0], images[0])
    assert by_parameters.as_numpy("index").ravel().tolist() == [0, 1]
    given = client.infer(
        VAE,
        [tensor("image", images, "FP32"), tensor("label", np.array([[3]], np.int64), "INT64")],
        parameters={"operation": "reconstruct"},
    )
    assert given.as_numpy("image").shape == images.shape
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    dense = client.infer(DENSE, [tensor("Input:0", numbers, "FP32")])
    np.testing.assert_array_equal(dense.as_numpy("head/logits"), numbers @ np.array([[0, 1], [2, 3], [4, 5]]))


def more(client: triton.InferenceServerClient) -> None:
    """Compression, priorities and timeouts, calls in the background, bodies made and read by hand."""
    wanted = client.infer(GAN, rows([7], [3])).as_numpy("image")
    for coding in ("gzip", "deflate"):
        got = client.infer(
            GAN, rows([7], [3]), request_compression_algorithm=coding, response_compression_algorithm=coding
        )
        np.testing.assert_array_equal(got.as_numpy("image"), wanted)
        many = client.infer(GAN, [], parameters={"n": 500, "seed": 7}, response_compression_algorithm=coding)
        assert many.as_numpy("image").shape == (500, *IMAGE)
    hurried = client.infer(GAN, rows([7], [3]), priority=2, timeout=60_000_000)
    np.testing.assert_array_equal(hurried.as_numpy("image"), wanted)
    waiting = [client.async_infer(GAN, rows([seed], [3])) for seed in range(8)]
    results = [call.get_result() for call in waiting]  # in order: an unread answer keeps its connection
    np.testing.assert_array_equal(results[7].as_numpy("image"), wanted)
    body, size = triton.InferenceServerClient.generate_request_body(rows([7], [3]))
    assert body[:size].startswith(b"{")


def errors(client: triton.InferenceServerClient) -> None:
    """What is wrong is said."""
    refused("404", "nobody", client.infer, "nobody", rows([7], [3]))
    refused("404", "version", client.infer, GAN, rows([7], [3]), model_version="9")
    refused("400", "inputs.colour", client.infer, GAN, [tensor("colour", np.zeros((1, 1), np.int64), "INT64")])
    refused("400", "datatype", client.infer, GAN, [tensor("seed", np.zeros((1, 1), np.float32), "FP32")])
    three = tensor("index", np.zeros((3, 1), np.int64), "INT64")
    refused("400", "rows", client.infer, GAN, [*rows([1, 2], [3, 3]), three])
    refused("400", "params.label", client.infer, GAN, rows([7], [30]))
    refused("400", "inputs.Input:0", client.infer, DENSE, [])
    refused("400", "outputs.colour", client.infer, GAN, [], outputs=[triton.InferRequestedOutput("colour")])
    refused("501", "sequences", client.infer, GAN, rows([7], [3]), sequence_id=5)
    classes = [triton.InferRequestedOutput("image", True, 3)]
    refused("501", "classification", client.infer, GAN, [], outputs=classes)


def statistics(client: triton.InferenceServerClient) -> None:
    """Work is counted."""
    before = client.get_inference_statistics(GAN)["model_stats"][0]
    client.infer(GAN, rows([7, 8], [3, 3]))
    after = client.get_inference_statistics(GAN, "1")["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 2
    assert after["inference_stats"]["success"]["count"] == before["inference_stats"]["success"]["count"] + 1
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert after["execution_count"] > before["execution_count"]
    assert {GAN, VAE} <= {model["name"] for model in client.get_inference_statistics()["model_stats"]}


def repository(client: triton.InferenceServerClient) -> None:
    """A model goes and comes back, as it lies in the store."""
    client.unload_model(GAN)
    assert not client.is_model_ready(GAN)
    refused("503", "not loaded", client.infer, GAN, rows([7], [3]))
    refused("403", "unchanged", client.load_model, GAN, config="{}")
    client.load_model(GAN)
    assert client.is_model_ready(GAN)


def main() -> None:
    """All of it."""
    with triton.InferenceServerClient(sys.argv[1], concurrency=4) as client:
        for check in (server, documents, infer, more, errors, statistics, repository):
            check(client)


if __name__ == "__main__":
    main()
