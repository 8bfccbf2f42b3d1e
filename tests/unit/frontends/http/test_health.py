from __future__ import annotations

from brood.frontends.http.schema import ReadyView
from helpers.http import Service


async def test_the_process_lives(service: Service) -> None:
    response = await service.client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"live": True})


async def test_not_ready_while_loading(service: Service) -> None:
    response = await service.client.get("/readyz")
    view = ReadyView.model_validate_json(response.content)
    assert (response.status_code, view.ready, view.reason) == (503, False, "loading: slow 1")
    assert [(model.name, model.version, model.state) for model in view.models] == [
        ("broken", 1, "failed"),
        ("slow", 1, "loading"),
        ("tiny", 1, "ready"),
        ("tiny", 2, "ready"),
    ]
    assert "sha256" in view.models[0].reason


async def test_ready_when_all_are_loaded(service: Service) -> None:
    service.backend.statuses = [status for status in service.backend.statuses if status.state != "loading"]
    response = await service.client.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (200, True)


async def test_not_ready_when_stopping(service: Service) -> None:
    service.plane.stop_accepting()
    response = await service.client.get("/readyz")
    assert (response.status_code, response.json()["reason"]) == (503, "stopping")
    assert (await service.client.get("/healthz")).status_code == 200


async def test_what_is_wrong_beside_single_models_is_told(service: Service) -> None:
    service.backend.wrong = ["store: connection refused"]
    body = (await service.client.get("/readyz")).json()
    assert (body["problems"], "connection refused" in body["reason"]) == (["store: connection refused"], True)
