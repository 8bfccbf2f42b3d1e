from __future__ import annotations

import pytest

from brood.frontends.oip import config, metadata, statistics
from helpers.http import Service


async def test_the_server_and_its_health(service: Service) -> None:
    assert (await service.client.get("/v2")).json()["name"] == "brood"
    response = await service.client.get("/v2/health/live")
    assert (response.status_code, response.json()) == (200, {"live": True, "ready": False})
    response = await service.client.get("/v2/health/ready")
    assert (response.status_code, response.json()) == (503, {"live": True, "ready": False})
    service.backend.statuses = [status for status in service.backend.statuses if status.name == "tiny"]
    response = await service.client.get("/v2/health/ready")
    assert (response.status_code, response.json()) == (200, {"live": True, "ready": True})


async def test_models_by_name(service: Service) -> None:
    assert (await service.client.get("/v2/models")).json() == {"models": ["tiny"]}
    for name, status in (("tiny", 200), ("tiny/versions/1", 200), ("slow", 503), ("broken", 503), ("nobody", 404)):
        response = await service.client.get(f"/v2/models/{name}/ready")
        assert response.status_code == status
        assert response.json().get("ready", False) is (status == 200)


async def test_documents_are_those_of_the_core(service: Service) -> None:
    assert (await service.client.get("/v2/models/tiny")).json() == metadata(service.plane, "tiny", None)
    assert (await service.client.get("/v2/models/tiny/versions/1")).json() == metadata(service.plane, "tiny", 1)
    assert (await service.client.get("/v2/models/tiny/config")).json() == config(service.plane, "tiny", None)
    await service.client.post("/v2/models/tiny/infer", json={"parameters": {"n": 2}})
    for path, wanted in (
        ("/v2/models/stats", statistics(service.plane)),
        ("/v2/models/tiny/stats", statistics(service.plane, "tiny")),
        ("/v2/models/tiny/versions/2/stats", statistics(service.plane, "tiny", 2)),
    ):
        assert (await service.client.get(path)).json() == {"model_stats": wanted}
    assert wanted[0]["inference_count"] == 2


async def test_the_repository_is_listed_and_changed(service: Service) -> None:
    whole = (await service.client.post("/v2/repository/index")).json()
    assert [model["state"] for model in whole] == ["UNAVAILABLE", "LOADING", "READY", "READY"]
    ready = (await service.client.post("/v2/repository/index", json={"ready": True})).json()
    assert {model["name"] for model in ready} == {"tiny"}
    body = {"parameters": {"unload_dependents": False}}
    response = await service.client.post("/v2/repository/models/tiny/unload", json=body)
    assert (response.status_code, response.json()) == (200, {"name": "tiny", "unload": True})
    assert (await service.client.get("/v2/models/tiny/ready")).status_code == 503
    response = await service.client.post("/v2/repository/models/tiny/load", json={"parameters": {"config": "{}"}})
    assert (response.status_code, "unchanged" in response.json()["error"]) == (403, True)
    response = await service.client.post("/v2/repository/models/tiny/load")
    assert (response.status_code, response.json()) == (200, {"name": "tiny", "load": True})
    assert (await service.client.get("/v2/models/tiny/ready")).status_code == 200


@pytest.mark.parametrize("verb", ["load", "unload"])
async def test_nobody_changes_it_unless_that_is_allowed(verb: str) -> None:
    closed = Service()
    response = await closed.client.post(f"/v2/repository/models/tiny/{verb}")
    assert (response.status_code, "admin" in response.json()["error"]) == (403, True)
    await closed.close()


@pytest.mark.parametrize(
    "path",
    [
        "systemsharedmemory/status",
        "systemsharedmemory/region/r/register",
        "cudasharedmemory/status",
        "trace/setting",
        "models/tiny/trace/setting",
        "logging",
    ],
)
async def test_other_extensions_are_not_offered(service: Service, path: str) -> None:
    for response in (await service.client.get(f"/v2/{path}"), await service.client.post(f"/v2/{path}", json={})):
        assert (response.status_code, "not offered" in response.json()["error"]) == (501, True)


async def test_one_version_is_changed_and_reloaded() -> None:
    service = Service(admin=True)
    for version in (2, "2"):  # Triton's clients may send text
        path, body = "/v2/repository/models/tiny", {"parameters": {"version": version}}
        assert (await service.client.post(f"{path}/unload", json=body)).status_code == 200
        assert service.plane.model("tiny").version == 1
        assert (await service.client.post(f"{path}/load", json=body)).status_code == 200
        assert service.plane.model("tiny").version == 2
    assert (await service.client.post(f"{path}/load", json={"parameters": {"reload": True}})).status_code == 200
    assert service.backend.reloaded == [("tiny", None)]
    for words in ({"version": 0}, {"version": True}, {"version": "new"}, {"reload": 1}):
        response = await service.client.post(f"{path}/load", json={"parameters": words})
        assert (response.status_code, f"parameters.{next(iter(words))}" in response.json()["error"]) == (400, True)
    await service.close()
