from __future__ import annotations

import base64
import io
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from brood.dataplane import Limits
from brood.frontends.http.openai.openapi import ImagesErrorView, ImagesView
from brood.media.png import write_png
from brood.protocol.errors import BroodError, Internal, ModelUnavailable, Overloaded, RowFailed
from helpers.backend import PAINTER, ready
from helpers.http import Service, error_of
from helpers.observer import Ended

PAINT: dict[str, Any] = {"model": PAINTER, "prompt": "7", "seed": 3}
PIXELS = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
KEPT = np.zeros((28, 28), bool)
KEPT[:14] = True


def rgba(alpha: np.ndarray) -> bytes:
    """A PNG file of `PIXELS` with these alphas."""
    stream = io.BytesIO()
    planes = [Image.fromarray(plane) for plane in (PIXELS, PIXELS, PIXELS, alpha.astype(np.uint8))]
    Image.merge("RGBA", planes).save(stream, "PNG")
    return stream.getvalue()


PICTURE = write_png(PIXELS)
MASK = rgba(np.where(KEPT, 100, 0))  # half transparent is kept


async def paint(service: Service, words: Any = None, **headers: str) -> httpx2.Response:
    return await service.client.post("/v1/images/generations", json=PAINT | (words or {}), headers=headers)


async def upload(service: Service, verb: str, fields: dict[str, str], **files: bytes) -> httpx2.Response:
    parts = {name: ("file.png", content, "image/png") for name, content in files.items()}
    return await service.client.post(f"/v1/images/{verb}", data=fields, files=parts)


def picture_of(response: httpx2.Response, number: int = 0) -> bytes:
    assert response.status_code == 200, response.text
    return base64.b64decode(response.json()["data"][number]["b64_json"], validate=True)


async def own(service: Service, **words: Any) -> bytes:
    """The same over the service's own address."""
    response = await service.generate({"model": PAINTER, "seed": 3, **words}, accept="image/png")
    assert response.status_code == 200, response.text
    return response.content


async def test_an_answer_has_what_clients_read(service: Service) -> None:
    response = await paint(service, {"n": 2}, **{"x-request-id": "mine"})
    body = response.json()
    ImagesView.model_validate_json(response.content)
    assert response.headers["x-request-id"] == "mine"
    assert body["created"] > 1.7e9
    assert (body["size"], body["background"], body["output_format"]) == ("28x28", "opaque", "png")
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens_details"]["text_tokens"] == 0
    assert [(each["seed"], each["index"]) for each in body["data"]] == [(3, 0), (3, 1)]
    assert service.observer.ended == [Ended(PAINTER, "generate", "openai", "ok", 0.0, 2)]


async def test_pictures_are_those_of_the_own_address(service: Service) -> None:
    assert picture_of(await paint(service)) == await own(service, params={"label": 7})
    third = picture_of(await paint(service, {"prompt": "any", "n": 3, "index": 2}), 2)
    assert third == await own(service, index=4)


async def test_parameters_stand_beside_the_other_fields_or_under_their_name(service: Service) -> None:
    wanted = await own(service, params={"label": 7, "steps": 9})
    assert picture_of(await paint(service, {"steps": 9})) == wanted
    assert picture_of(await paint(service, {"params": {"steps": 9}})) == wanted
    assert picture_of(await paint(service, {"prompt": "", "label": 7, "params": {"steps": 9}})) == wanted
    assert picture_of(await paint(service, {"prompt": "seven", "label": 7, "steps": 9})) == wanted


async def test_fields_of_the_service_mean_the_same(service: Service) -> None:
    await paint(service, {"index": 5, "priority": "bulk", "determinism": "exact", "deadline_ms": 60_000, "version": 1})
    order = service.backend.submitted[0]
    assert (order.index, order.priority, order.exact, order.version) == (5, "bulk", True, 1)
    assert order.deadline == service.backend.clock + 60


async def test_what_has_no_effect_is_taken(service: Service) -> None:
    words = {
        "quality": "hd",
        "background": "opaque",
        "moderation": "low",
        "style": "vivid",
        "complexity": "high",
        "response_format": "b64_json",
        "size": "28x28",
        "user": "somebody",
        "safety_identifier": "s",
        "stream": False,
        "partial_images": 0,
    }
    wanted = await own(service, params={"label": 7})
    assert picture_of(await paint(service, words)) == wanted
    assert picture_of(await paint(service, dict.fromkeys(words) | {"size": "auto", "n": None, "steps": None})) == wanted


@pytest.mark.parametrize(("form", "magic"), [("jpeg", b"\xff\xd8"), ("webp", b"RIFF"), ("png", b"\x89PNG")])
async def test_formats(service: Service, form: str, magic: bytes) -> None:
    response = await paint(service, {"output_format": form})
    assert response.json()["output_format"] == form
    assert picture_of(response).startswith(magic)


@pytest.mark.parametrize("form", ["jpeg", "webp"])
async def test_compression_is_the_quality_of_what_loses(service: Service, form: str) -> None:
    sizes = [
        len(picture_of(await paint(service, {"output_format": form, "output_compression": quality})))
        for quality in (0, 50, 100)
    ]
    assert sizes == sorted(set(sizes))
    assert picture_of(await paint(service, {"output_compression": 100})) == await own(service, params={"label": 7})


async def test_the_only_model_that_can_need_not_be_named(service: Service) -> None:
    service.backend.statuses = (ready(PAINTER),)
    assert picture_of(await paint(service, {"model": None})) == await own(service, params={"label": 7})


@pytest.mark.parametrize(
    ("words", "status", "param", "said"),
    [
        ({"prompt": "a cat"}, 400, "prompt", "one class of painter (0, 1"),
        ({"prompt": None}, 400, "prompt", "a valid string"),
        ({"prompt": "7", "label": 3}, 400, "prompt", 'the same as label, which is 3, or "any"'),
        ({"model": "dall-e-3"}, 404, "model", "there are: broken, painter, slow, tiny"),
        ({"model": None}, 400, "model", "these can do generate: painter, tiny"),
        ({"model": "broken"}, 503, "model", "failed to load"),
        ({"version": 9}, 404, "version", "there are: 1"),
        ({"n": 0}, 400, "n", "greater than or equal to 1"),
        ({"n": 11}, 400, "n", "less than or equal to 10"),
        ({"n": "2"}, 400, "n", "integer"),
        ({"size": "1024x1024"}, 400, "size", "auto, or 28x28, which is what painter makes"),
        ({"response_format": "url"}, 400, "response_format", "b64_json: pictures are sent, and not kept"),
        ({"background": "transparent"}, 400, "background", "auto, opaque"),
        ({"quality": "best"}, 400, "quality", "'auto', 'low'"),
        ({"output_format": "gif"}, 400, "output_format", "'png', 'jpeg' or 'webp'"),
        ({"output_compression": 50}, 400, "output_compression", "100 with png"),
        ({"output_compression": 101, "output_format": "jpeg"}, 400, "output_compression", "less than or equal to 100"),
        ({"partial_images": 2}, 400, "partial_images", '"stream": true'),
        ({"partial_images": 4, "stream": True}, 400, "partial_images", "less than or equal to 3"),
        ({"partial_images": 1, "stream": True, "n": 2}, 400, "partial_images", "events do not name their picture"),
        ({"colour": "red"}, 400, "colour", "there are: model, version, n, size"),
        ({"steps": 0}, 400, "params.steps", "an integer from 1 on"),
        ({"steps": "9"}, 400, "params.steps", "an integer from 1 on"),
        ({"steps": [9]}, 400, "params.steps", "a finite number"),
        ({"params": {"colour": 1}}, 400, "params.colour", "there are: label, steps"),
        ({"params": 7}, 400, "params", "an object"),
        ({"seed": -1}, 400, "seed", "0 ≤ seed"),
        ({"deadline_ms": 0.01}, 422, "deadline_ms", "take about"),
    ],
)
async def test_what_is_refused(service: Service, words: dict[str, Any], status: int, param: str, said: str) -> None:
    response = await paint(service, words)
    error = error_of(response)
    assert (response.status_code, error["param"]) == (status, param), error
    assert said in error["message"], error
    ImagesErrorView.model_validate_json(response.content)
    assert service.backend.submitted == []
    assert len(service.observer.ended) == 1


async def test_models_that_cannot_are_told_those_that_can(service: Service) -> None:
    for verb in ("edits", "variations"):
        response = await upload(service, verb, {"model": "tiny", "prompt": "7"}, image=PICTURE)
        error = error_of(response)
        if verb == "edits":
            assert (response.status_code, error["param"]) == (400, "model")
            assert "makes no pictures by complete; these do: painter" in error["message"]
        else:
            assert response.status_code == 400  # "tiny" does; a variation has no prompt
            assert error["param"] == "prompt"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'"x"', b"\xff"])
async def test_bodies_that_are_no_words(service: Service, content: bytes) -> None:
    response = await service.client.post(
        "/v1/images/generations", content=content, headers={"content-type": "application/json"}
    )
    assert (response.status_code, error_of(response)["type"]) == (400, "invalid_request_error")


async def test_generations_are_json_and_edits_are_forms(service: Service) -> None:
    response = await service.client.post("/v1/images/generations", data=PAINT, files={"image": PICTURE})
    assert (response.status_code, error_of(response)["param"]) == (415, "Content-Type")
    response = await service.client.post("/v1/images/edits", json=PAINT)
    assert (response.status_code, error_of(response)["param"]) == (415, "Content-Type")


async def test_an_edit_keeps_what_the_mask_does_not_show_through(service: Service) -> None:
    made = picture_of(await upload(service, "edits", {**PAINT, "seed": "3", "steps": "5"}, image=PICTURE, mask=MASK))
    inputs = {
        "image": {"b64": base64.b64encode(PICTURE).decode(), "format": "png"},
        "mask": {"data": KEPT[None].astype(float).tolist()},
    }
    assert made == await own(service, operation="complete", params={"label": 7, "steps": 5}, inputs=inputs)
    given = service.backend.submitted[0].inputs
    np.testing.assert_array_equal(given["mask"][0, 0], KEPT)
    np.testing.assert_allclose(given["image"][0, 0], PIXELS / 127.5 - 1, atol=1e-6)


async def test_an_edit_without_a_mask_makes_what_is_transparent(service: Service) -> None:
    picture = rgba(np.where(KEPT, 255, 0))
    response = await upload(service, "edits", {"model": PAINTER, "prompt": "7", "params[steps]": "5"}, image=picture)
    picture_of(response)
    np.testing.assert_array_equal(service.backend.submitted[0].inputs["mask"][0, 0], KEPT)
    assert service.backend.submitted[0].params == {"label": 7, "steps": 5}


async def test_a_variation(service: Service) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "WEBP", lossless=True)
    fields = {"model": PAINTER, "n": "2", "seed": "3", "label": "4", "response_format": "b64_json", "size": "28x28"}
    response = await upload(service, "variations", fields, image=stream.getvalue())
    inputs = {"image": {"b64": base64.b64encode(PICTURE).decode(), "format": "png"}}
    wanted = await own(service, operation="vary", params={"label": 4}, index=1, inputs=inputs)
    assert picture_of(response, 1) == wanted


@pytest.mark.parametrize(
    ("verb", "files", "param", "said"),
    [
        ("edits", {}, "image", "missing; needed is a picture of 28x28 pixels"),
        ("edits", {"image": PICTURE}, "mask", "nothing is transparent"),
        ("edits", {"image": PICTURE, "mask": PICTURE}, "mask", "nothing is transparent"),
        ("edits", {"image": PICTURE, "mask": MASK[:-40]}, "mask", "a whole PNG, JPEG or WebP file"),
        ("edits", {"image": write_png(PIXELS[1:]), "mask": MASK}, "image", '"28x27"'),
        ("edits", {"image": b"no", "mask": MASK}, "image", "a whole PNG, JPEG or WebP file"),
        ("edits", {"image": PICTURE[:-40], "mask": MASK}, "image", "this one is damaged"),
        ("variations", {}, "image", "missing"),
        ("variations", {"image": PICTURE, "mask": MASK}, "mask", "takes none; what it keeps is said by its parameters"),
    ],
)
async def test_uploads_that_are_refused(
    service: Service, verb: str, files: dict[str, bytes], param: str, said: str
) -> None:
    fields = {"model": PAINTER, **({"prompt": "7"} if verb == "edits" else {}), "user": "u"}
    parts = files or {"other": b"x"}
    response = await upload(service, verb, fields, **parts)
    error = error_of(response)
    assert (response.status_code, error["param"]) == (400, param), error
    assert said in error["message"]
    assert error["message"].startswith(f"{param}: ")
    assert service.backend.submitted == []


async def test_a_form_is_read_in_the_types_that_are_declared(service: Service) -> None:
    for fields, param in (({"n": "two"}, "n"), ({"steps": "4.5"}, "params.steps"), ({"stream": "yes"}, "stream")):
        response = await upload(service, "edits", PAINT | {"seed": "3"} | fields, image=PICTURE, mask=MASK)
        assert (response.status_code, error_of(response)["param"]) == (400, param)


async def test_a_seed_makes_a_second_try_the_same_request(service: Service) -> None:
    first, again = await paint(service), await paint(service)
    assert picture_of(first) == picture_of(again)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert len(service.backend.submitted) == 1
    await paint(service, {"n": 2})
    await paint(service, {"seed": None})
    await paint(service, {"seed": None})
    assert len(service.backend.submitted) == 4


async def test_a_new_version_is_another_request(service: Service) -> None:
    service.backend.statuses = (ready("tiny", 1),)
    words = {"model": "tiny"}
    first = picture_of(await paint(service, words))
    service.backend.statuses = (ready("tiny", 1), ready("tiny", 2))
    assert picture_of(await paint(service, words)) != first


async def test_a_key_of_the_callers_own(service: Service) -> None:
    words = {"seed": None}
    first, again = [await paint(service, words, **{"idempotency-key": "k"}) for _ in range(2)]
    assert picture_of(first) == picture_of(again)
    assert len(service.backend.submitted) == 1
    other = await paint(service, {"seed": None, "n": 2}, **{"idempotency-key": "k"})
    assert (other.status_code, error_of(other)["code"]) == (422, "idempotency_conflict")
    stream = await paint(service, {"stream": True}, **{"idempotency-key": "k"})
    assert (stream.status_code, error_of(stream)["param"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("error", "status", "kind", "again"),
    [
        (Overloaded("the queue is full", retry_after_s=1.25), 429, "rate_limit_error", "true"),
        (RowFailed("sample 0 is not finite", index=0), 422, "invalid_request_error", "false"),
        (ModelUnavailable("it is gone", field="model"), 503, "server_error", "false"),
        (Internal("an error"), 500, "server_error", "false"),
    ],
)
async def test_errors_say_whether_to_try_again(
    service: Service, error: BroodError, status: int, kind: str, again: str
) -> None:
    service.backend.refusal = error
    response = await paint(service)
    assert (response.status_code, error_of(response)["type"]) == (status, kind)
    assert response.headers["x-should-retry"] == again
    assert response.headers.get("retry-after-ms") == ("1250" if error.retry_after_s else None)


async def test_addresses_and_methods_that_are_not_there(service: Service) -> None:
    response = await service.client.post("/v1/images/dreams", json=PAINT)
    assert (response.status_code, error_of(response)["type"]) == (404, "invalid_request_error")
    response = await service.client.get("/v1/images/generations")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")


async def test_a_body_that_is_too_large() -> None:
    service = Service(Limits(max_body_bytes=100))
    response = await paint(service, {"user": "x" * 100})
    assert (response.status_code, error_of(response)["code"]) == (413, "payload_too_large")
    await service.close()
