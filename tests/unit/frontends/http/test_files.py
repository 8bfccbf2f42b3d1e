from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from safetensors import safe_open

from helpers.backend import sample_of
from helpers.http import Service, array_of

TINY = {"model": "tiny", "seed": 7, "n": 3, "index": 5}
KNOWN = {"known": {"data": [[1, 0, 1], [0, 1, 0]]}}


async def zipped(service: Service, **rest: Any) -> zipfile.ZipFile:
    response = await service.generate(TINY | rest, accept="application/zip")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/zip")
    assert (response.headers["x-brood-seed"], response.headers["x-brood-index"]) == ("7", "5")
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    return archive


async def test_an_archive_holds_pictures_and_the_answer(service: Service) -> None:
    archive = await zipped(service)
    names = [f"{index:06d}-sample.png" for index in (5, 6, 7)]
    assert archive.namelist() == ["metadata.json", *names]
    metadata = json.loads(archive.read("metadata.json"))
    whole = (await service.generate(TINY)).json()
    assert set(metadata) == set(whole)
    for said, sample, name in zip(metadata["samples"], whole["samples"], names, strict=True):
        assert said["outputs"]["label"] == sample["outputs"]["label"]
        assert said["outputs"]["sample"] == {"format": "png", "dtype": "uint8", "shape": [28, 28], "file": name}
        with Image.open(io.BytesIO(archive.read(name))) as picture:
            assert picture.info["index"] == str(said["index"])


@pytest.mark.parametrize(("form", "ending"), [("webp", "webp"), ("jpeg", "jpg"), ("npy", "npy"), ("raw", "bin")])
async def test_an_archive_holds_the_form_asked_for(service: Service, form: str, ending: str) -> None:
    archive = await zipped(service, output={"format": form})
    assert archive.namelist()[1] == f"000005-sample.{ending}"


async def test_equal_samples_give_equal_archives(service: Service) -> None:
    first, second = await zipped(service), await zipped(service)
    assert first.read("000006-sample.png") == second.read("000006-sample.png")
    assert {info.date_time for info in first.infolist()} == {(1980, 1, 1, 0, 0, 0)}


async def test_safetensors_hold_every_output(service: Service) -> None:
    response = await service.generate(TINY, accept="application/x-safetensors")
    assert response.headers["content-type"] == "application/x-safetensors"
    tensors = safetensors.numpy.load(response.content)
    order = service.backend.submitted[0]
    wanted = [sample_of(order, row).outputs for row in range(3)]
    np.testing.assert_array_equal(tensors["sample"], np.stack([outputs["sample"] for outputs in wanted]))
    np.testing.assert_array_equal(tensors["label"], [outputs["label"] for outputs in wanted])
    assert (tensors["sample"].dtype, tensors["label"].dtype) == (np.float32, np.int64)


async def test_safetensors_say_how_to_make_them_again(service: Service, tmp_path: Any) -> None:
    words = TINY | {"operation": "complete", "params": {"steps": 4}, "inputs": KNOWN}
    response = await service.generate(words, accept="application/x-safetensors", **{"x-request-id": "my-id"})
    file = tmp_path / "x.safetensors"
    file.write_bytes(response.content)
    with safe_open(file, "np") as opened:
        assert opened.metadata() == {
            "id": "my-id",
            "model": "tiny",
            "version": "2",
            "operation": "complete",
            "seed": "7",
            "determinism": "exact",
            "index": "5",
        }
        shapes = {name: opened.get_tensor(name).shape for name in ("sample", "energy")}
        assert shapes == {"sample": (3, 2, 3), "energy": (3,)}
        assert opened.get_tensor("sample").dtype == np.uint8


@pytest.mark.parametrize(("accept", "form"), [("image/webp", "WEBP"), ("image/jpeg", "JPEG")])
async def test_a_picture_as_it_is_in_other_forms(service: Service, accept: str, form: str) -> None:
    response = await service.generate(TINY | {"n": 1}, accept=accept)
    assert response.headers["content-type"] == accept
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, picture.size) == (form, (28, 28))
        shown = np.asarray(picture.convert("L")).astype(int)
    png = await service.generate(TINY | {"n": 1}, accept="image/png")
    with Image.open(io.BytesIO(png.content)) as picture:
        wanted = np.asarray(picture).astype(int)
    assert np.abs(shown - wanted).max() <= (0 if form == "WEBP" else 60)


async def test_scalars_alone_are_a_file_too(service: Service) -> None:
    image = {"data": np.zeros((1, 28, 28)).tolist()}
    words = TINY | {"operation": "score", "inputs": {"image": image}}
    archive = await zipped(service, **words)
    assert archive.namelist() == ["metadata.json"]
    tensors = safetensors.numpy.load((await service.generate(words, accept="application/x-safetensors")).content)
    whole = (await service.generate(words)).json()
    np.testing.assert_array_equal(
        tensors["log_likelihood"], [array_of(sample["outputs"]["log_likelihood"]) for sample in whole["samples"]]
    )
