"""How outputs travel, over either transport, and lists of numbers as inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from brood_client import Client, InvalidArgument
from helpers.sdk import Service


async def test_arrays_as_files(service: Service, tmp_path: Path) -> None:
    plain = await service.call(lambda client: client.generate("tiny", n=2, seed=7))
    filed = await service.call(lambda client: client.generate("tiny", n=2, seed=7, format="npy"))
    np.testing.assert_array_equal(filed.array, plain.array)
    assert filed.pngs == plain.pngs
    assert [path.name for path in filed.save(tmp_path)] == [path.name for path in plain.save(tmp_path)]


async def test_less_quality_takes_less_room(service: Service) -> None:
    def size(quality: int | None) -> Callable[[Client], int]:
        return lambda client: len(client.generate("tiny", seed=7, format="jpeg", quality=quality)[0].picture().content)

    usual, good, poor = [await service.call(size(quality)) for quality in (None, 90, 5)]
    assert usual > good > poor


async def test_a_quality_of_what_loses_nothing(service: Service) -> None:
    error = await service.error(lambda client: client.generate("tiny", quality=50))
    assert (type(error), error.field) == (InvalidArgument, "output")


async def test_lists_of_numbers_are_what_the_model_declares(service: Service) -> None:
    known = [[1, 0, 1], [0, 1, 0]]
    made = await service.call(
        lambda client: client.run("tiny", "complete", inputs={"known": known}, params={"steps": 4})
    )
    given = service.backend.submitted[0].inputs["known"]
    assert given.dtype == np.uint8
    np.testing.assert_array_equal(given[0], known)
    assert len(made) == 1


async def test_lists_of_numbers_in_a_stream(service: Service) -> None:
    image = np.linspace(-1, 1, 28 * 28).reshape(1, 28, 28).tolist()
    await service.call(lambda client: list(client.stream("tiny", operation="reconstruct", inputs={"image": image})))
    given = service.backend.submitted[0].inputs["image"]
    np.testing.assert_array_equal(given[0], np.asarray(image, np.float32))


async def test_arrays_say_themselves_what_they_are(service: Service) -> None:
    error = await service.error(lambda client: client.reconstruct("tiny", np.zeros((1, 28, 28))))
    assert (type(error), error.field) == (InvalidArgument, "inputs.image")
    assert "float64" in error.message
    assert "float32" in error.message
