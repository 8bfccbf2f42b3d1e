"""The way over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import httpx

from brood_client._errors import BroodError, error_of
from brood_client._types import Array, Generation, Model, Sample, Scalar, array_of

GRACE_S = 1.0  # beyond the deadline, so that the server's own words arrive


class HttpTransport:
    """Connections to ``url``, kept open between requests."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url)

    def generate(self, fields: Mapping[str, Any], timeout_s: float | None) -> Generation:
        """See `Transport`."""
        given = {name: value for name, value in fields.items() if value is not None}
        inputs = {name: {**each, "b64": _text(each["b64"])} for name, each in fields["inputs"].items()}
        return _generation(self._call("POST", "/v1/generations", timeout_s, {**given, "inputs": inputs}))

    def models(self, timeout_s: float | None) -> list[Model]:
        """See `Transport`."""
        return [_model(model) for model in self._call("GET", "/v1/models", timeout_s)["models"]]

    def close(self) -> None:
        """See `Transport`."""
        self._client.close()

    def _call(self, method: str, path: str, timeout_s: float | None, body: Mapping[str, Any] | None = None) -> Any:
        try:
            patience = None if timeout_s is None else timeout_s + GRACE_S
            response = self._client.request(method, path, json=body, timeout=patience)
            if response.is_success:
                return response.json()
        except httpx.TimeoutException as error:
            raise error_of("deadline_exceeded", f"no answer within {timeout_s} s") from error
        except httpx.TransportError as error:
            raise error_of("unreachable", f"{self._client.base_url}: {error}") from error
        raise _translated(response)


def _translated(response: httpx.Response) -> BroodError:
    """The error in a body of ours; whatever stands between may answer in other words."""
    try:
        words = response.json()["error"]
        return error_of(words["code"], words["message"], field=words.get("field"), request_id=words.get("request_id"))
    except (ValueError, KeyError, TypeError):
        return error_of("internal", f"HTTP {response.status_code}: {response.text[:200]}")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _generation(answer: Mapping[str, Any]) -> Generation:
    samples = [
        Sample(each["index"], each["seed"], {name: _output(each["outputs"][name]) for name in sorted(each["outputs"])})
        for each in answer["samples"]
    ]
    head = ("id", "model", "version", "operation", "seed", "determinism")
    return Generation(**{name: answer[name] for name in head}, samples=samples)


def _output(output: Any) -> Array | Scalar:
    if isinstance(output, dict):
        return array_of(base64.b64decode(output["b64"]), output["dtype"], output["shape"])
    scalar: Scalar = output
    return scalar


def _model(model: Mapping[str, Any]) -> Model:
    operations = tuple(sorted(model.get("operations", ())))
    return Model(model["name"], model["version"], model["state"], model.get("reason", ""), operations)
