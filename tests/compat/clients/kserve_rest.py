"""KServe's ``InferenceRESTClient``, unmodified."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

GAN = "glyphs-gan"


def request(*, binary: bool) -> InferRequest:
    """Two rows with seeds of their own."""
    seed = InferInput("seed", [2, 1], "INT64")
    seed.set_data_from_numpy(np.array([[7], [8]], np.int64), binary_data=binary)
    return InferRequest(GAN, [seed], request_id="mine", parameters={"label": 3})


async def main() -> None:
    """All of it."""
    base = f"http://{sys.argv[1]}"
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(base)
    assert await client.is_server_ready(base)
    assert await client.is_model_ready(base, GAN)
    answers = [await client.infer(base, request(binary=binary), model_name=GAN) for binary in (False, True)]
    for answer in answers:
        assert (answer.id, answer.model_name) == ("mine", GAN)
        outputs = {output.name: output.as_numpy() for output in answer.outputs}
        assert outputs["image"].shape == (2, 1, 28, 28)
        assert outputs["seed"].ravel().tolist() == [7, 8]
    images = [next(output.as_numpy() for output in answer.outputs if output.name == "image") for answer in answers]
    np.testing.assert_array_equal(*images)


if __name__ == "__main__":
    asyncio.run(main())
