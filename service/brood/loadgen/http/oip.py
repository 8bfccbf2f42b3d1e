"""The Open Inference Protocol v2 over HTTP with the binary tensor data extension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from pydantic_core import to_json

from brood.loadgen.checks import check_oip
from brood.loadgen.http.connection import Response
from brood.loadgen.http.own import error_of, parsed
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Content, Failed, wrong

HEAD = "Inference-Header-Content-Length"
SIZE = "binary_data_size"
KINDS = {"f": "FP", "i": "INT", "u": "UINT"}


class OipHttp:
    """A `Codec`.

    Args:
        bare: calls carry the order's inputs and nothing else, as functions and other servers take them; their answers
            have as many rows as the inputs.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        """See `Codec`."""
        inputs = inputs_of(order, bare=self._bare)
        parameters = {} if self._bare else parameters_of(order, seed)
        words: dict[str, Any] = {"parameters": {**parameters, "binary_data_output": True}, "inputs": []}
        for name, array in inputs.items():
            shape = {"name": name, "datatype": datatype(array), "shape": array.shape}
            words["inputs"].append({**shape, "parameters": {SIZE: array.nbytes}})
        head = to_json(words)
        headers = {"Content-Type": "application/octet-stream", HEAD: str(len(head))} if inputs else {}
        return _path(order), headers, b"".join([head, *(array.tobytes() for array in inputs.values())])

    def marks(self) -> None:
        """See `Codec`."""
        return

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        """See `Codec`."""
        length = response.headers.get(HEAD.lower().encode())
        if length is None:
            raise wrong("an answer without binary tensors")
        place, body, found = int(length), memoryview(response.body), []
        outputs = parsed(response.body[:place]).get("outputs", [])
        try:
            for output in outputs:
                end = place + output["parameters"][SIZE]
                found.append(body[place:end])
                check_oip(output["name"], output["datatype"], output["shape"], found[-1], rows_of(order, self._bare))
                place = end
        except (KeyError, TypeError) as error:
            raise wrong(f"outputs of another form: {error!r}") from error
        if not found or place != len(body):
            raise wrong(f"{len(found)} outputs that end at byte {place} of {len(body)}")
        return found

    def error(self, response: Response) -> Failed:
        """See `Codec`."""
        return error_of(response)


def inputs_of(order: Order, *, bare: bool) -> Mapping[str, np.ndarray]:
    """Tensors with rows in front: what an order gives is of one sample, and holds for all; unless it is bare."""
    return order.inputs if bare else {name: array[np.newaxis] for name, array in order.inputs.items()}


def rows_of(order: Order, bare: bool) -> int | None:
    """How many rows an answer has."""
    return len(next(iter(order.inputs.values()))) if bare else order.n


def parameters_of(order: Order, seed: int) -> dict[str, bool | int | float | str]:
    """Everything but tensors, in the protocol's words."""
    common = order.common
    controls: dict[str, bool | int | float | str] = {"operation": order.operation, "n": order.n, "seed": seed}
    if "determinism" in common:
        controls["determinism"] = common["determinism"]
    if common.get("priority") == "bulk":
        controls["priority"] = 2
    if "deadline_ms" in common:
        controls["timeout"] = int(1000 * float(common["deadline_ms"]))
    return {**controls, **order.params}


def datatype(array: np.ndarray) -> str:
    """The protocol's word for a dtype."""
    return "BOOL" if array.dtype.kind == "b" else f"{KINDS[array.dtype.kind]}{8 * array.dtype.itemsize}"


def _path(order: Order) -> str:
    version = f"/versions/{order.common['version']}" if "version" in order.common else ""
    return f"/v2/models/{quote(order.model, safe='')}{version}/infer"
