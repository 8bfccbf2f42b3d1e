from __future__ import annotations

import pytest

from brood.frontends.http.schema import ListingErrorView, ModelsView, ModelView
from helpers.backend import ALTERNATIVES, manifest
from helpers.http import Service, error_of


async def test_all_models_are_listed_with_their_states(service: Service) -> None:
    view = ModelsView.model_validate_json((await service.client.get("/v1/models")).content)
    assert [(model.name, model.version, model.state) for model in view.models] == [
        ("broken", 1, "failed"),
        ("slow", 1, "loading"),
        ("tiny", 1, "ready"),
        ("tiny", 2, "ready"),
    ]
    assert view.models[0].reason == "graph.onnx: its sha256 is not the one in the manifest"


async def test_a_model_tells_what_it_can_do(service: Service) -> None:
    view = ModelView.model_validate_json((await service.client.get("/v1/models/tiny")).content)
    assert view.version == 2
    assert list(view.operations) == ["generate", "reconstruct", "score", "complete", "vary"]
    generate = view.operations["generate"]
    assert generate.determinism == "exact"
    assert generate.params == manifest().operations["generate"].params
    assert {name: output.kind for name, output in generate.outputs.items()} == {"sample": "image", "label": "scalar"}
    assert view.operations["complete"].inputs["known"].shape == (2, 3)
    assert [name for name, operation in view.operations.items() if operation.previews] == ["generate"]
    assert view.operations["vary"].params["sampler"].alternatives == ALTERNATIVES
    assert (view.numerics_id, view.certificate) == ("5eed", {"main": (1, 8)})
    assert (view.device, view.state_bytes) == ("fake", 4096)
    assert (view.provider, view.precision) == ("FakeProvider", "float16")
    assert view.fallback == {"main": {"Shape": 2, "Gather": 1}}


async def test_the_inside_of_a_model_stays_inside(service: Service) -> None:
    text = (await service.client.get("/v1/models/tiny")).text
    assert "graph" not in text
    assert "stages" not in text


async def test_openais_clients_find_what_they_look_for(service: Service) -> None:
    listed = (await service.client.get("/v1/models")).json()
    created = int(manifest().created.timestamp())
    words = {"id": "tiny", "object": "model", "created": created, "owned_by": "brood"}
    assert (listed["object"], listed["data"]) == ("list", [words])
    one = (await service.client.get("/v1/models/tiny")).json()
    assert {name: one[name] for name in words} == words
    assert (await service.client.get("/v1/models/broken")).json()["created"] == 0


async def test_errors_are_told_in_both_forms(service: Service) -> None:
    response = await service.client.get("/v1/models/tinny")
    error = ListingErrorView.model_validate_json(response.content).error
    assert (error.code, error.field, error.param) == ("model_not_found", "model", "model")
    assert error.type == "invalid_request_error"
    assert error.request_id == response.headers["x-request-id"]
    assert response.headers["x-should-retry"] == "false"


async def test_a_version_can_be_asked_for(service: Service) -> None:
    assert (await service.client.get("/v1/models/tiny?version=1")).json()["version"] == 1


async def test_a_model_that_could_not_be_read(service: Service) -> None:
    body = (await service.client.get("/v1/models/broken")).json()
    assert (body["state"], body["family"], body["operations"]) == ("failed", "", {})
    assert (body["numerics_id"], body["certificate"], body["device"], body["state_bytes"]) == ("", {}, "", 0)


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/models/tinny", 404, "model"),
        ("/v1/models/tiny?version=9", 404, "version"),
        ("/v1/models/tiny?version=0", 400, "version"),
        ("/v1/models/tiny?version=new", 400, "version"),
        ("/v1/models/tiny?version=" + "9" * 5000, 400, "version"),
    ],
)
async def test_what_there_is_not(service: Service, path: str, status: int, field: str) -> None:
    response = await service.client.get(path)
    assert (response.status_code, error_of(response)["field"]) == (status, field)


async def test_models_are_changed_where_that_is_allowed() -> None:
    service = Service(admin=True)
    response = await service.client.post("/v1/models/tiny/unload", json={"version": 2})
    states = {(model["version"], model["state"]) for model in response.json()["models"]}
    assert (response.status_code, states) == (200, {(1, "ready"), (2, "unloaded")})
    response = await service.client.post("/v1/models/tiny/load")
    assert {model["state"] for model in response.json()["models"]} == {"ready"}
    response = await service.client.post("/v1/models/tiny/reload", json={})
    assert (response.status_code, service.backend.reloaded) == (200, [("tiny", None)])
    await service.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("tinny/load", {}, 404, "model"),
        ("tiny/unload", {"version": 9}, 404, "version"),
        ("tiny/unload", {"version": 0}, 400, "version"),
        ("tiny/reload", {"version": "2"}, 400, "version"),
        ("tiny/load", {"versions": 2}, 400, "versions"),
    ],
)
async def test_what_cannot_be_changed(path: str, body: dict[str, object], status: int, field: str) -> None:
    service = Service(admin=True)
    response = await service.client.post(f"/v1/models/{path}", json=body)
    assert (response.status_code, error_of(response)["field"]) == (status, field)
    await service.close()


@pytest.mark.parametrize("verb", ["load", "unload", "reload"])
async def test_nobody_changes_models_unless_that_is_allowed(service: Service, verb: str) -> None:
    response = await service.client.post(f"/v1/models/tiny/{verb}")
    assert (response.status_code, error_of(response)["code"]) == (403, "permission_denied")
