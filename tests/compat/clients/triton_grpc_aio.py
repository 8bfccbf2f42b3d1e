"""``tritonclient.grpc.aio``, unmodified."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

GAN, DENSE = "glyphs-gan", "dense"
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
ROWS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def dense_input() -> list[triton.InferInput]:
    """The one input of the function."""
    made = triton.InferInput("Input:0", list(ROWS.shape), "FP32")
    made.set_data_from_numpy(ROWS)
    return [made]


async def requests() -> AsyncIterator[dict[str, Any]]:
    """Three good requests, and a bad one among them."""
    for number, name in enumerate((DENSE, DENSE, "nobody", DENSE)):
        yield {"model_name": name, "inputs": dense_input(), "request_id": str(number)}


async def main() -> None:
    """Health, documents, calls side by side, a stream, an error."""
    async with triton.InferenceServerClient(sys.argv[2]) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(GAN)
        assert (await client.get_model_metadata(DENSE)).inputs[0].name == "Input:0"
        assert (await client.get_model_config(GAN)).config.name == GAN
        assert (await client.get_inference_statistics(GAN)).model_stats[0].name == GAN
        answers = await asyncio.gather(*(client.infer(DENSE, dense_input()) for _ in range(8)))
        for answer in answers:
            np.testing.assert_allclose(answer.as_numpy("head/logits"), ROWS @ MATRIX, rtol=1e-5, atol=1e-5)
        found = [(result, error) async for result, error in client.stream_infer(requests())]
        assert [error is None for _, error in found] == [True, True, False, True]
        assert [result.get_response().id for result, _ in found if result] == ["0", "1", "3"]
        try:
            await client.infer("nobody", [])
        except InferenceServerException as error:
            assert "NOT_FOUND" in str(error.status())
        else:
            raise AssertionError("a model that is not there was not refused")


if __name__ == "__main__":
    asyncio.run(main())
