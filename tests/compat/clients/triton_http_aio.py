"""``tritonclient.http.aio``, unmodified."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
import tritonclient.http.aio as triton

GAN = "glyphs-gan"


def seeds(*numbers: int) -> list[triton.InferInput]:
    """A seed for each row."""
    array = np.array(numbers, np.int64)[:, None]
    made = triton.InferInput("seed", list(array.shape), "INT64")
    made.set_data_from_numpy(array, binary_data=True)
    return [made]


async def main() -> None:
    """All of it."""
    async with triton.InferenceServerClient(sys.argv[1]) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(GAN)
        assert (await client.get_server_metadata())["name"] == "brood"
        assert (await client.get_model_metadata(GAN))["name"] == GAN
        assert (await client.get_model_config(GAN))["name"] == GAN
        assert (await client.get_inference_statistics(GAN))["model_stats"][0]["name"] == GAN
        assert GAN in {model["name"] for model in await client.get_model_repository_index()}
        whole = (await client.infer(GAN, seeds(7, 8))).as_numpy("image")
        calls = [client.infer(GAN, seeds(number)) for number in (7, 8)]
        for row, result in enumerate(await asyncio.gather(*calls)):
            np.testing.assert_array_equal(result.as_numpy("image")[0], whole[row])
        for coding in ("gzip", "deflate"):
            got = await client.infer(
                GAN, seeds(7), request_compression_algorithm=coding, response_compression_algorithm=coding
            )
            np.testing.assert_array_equal(got.as_numpy("image")[0], whole[0])


if __name__ == "__main__":
    asyncio.run(main())
