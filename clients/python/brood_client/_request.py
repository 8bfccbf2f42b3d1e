"""What is asked for: the words of `Client.generate`, checked no further than needed to send them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np

from brood_client._content import Scalar
from brood_client._inputs import Given, tensor_of

LONGEST_DEADLINE_MS = 86_400_000.0  # the longest that a server accepts
DRAWN_BELOW = 2**53  # what every reader of JSON can hold
TIMEOUT_S = 60.0


class Options(TypedDict, total=False):
    """What every request for samples may say. All have defaults.

    Keys:
        n: number of samples; default 1.
        seed: ``0 ≤ seed < 2⁶³``; drawn here if None (it is told in the answer), so that trying again changes nothing.
        index: of the first sample; default 0. Sample ``(seed, index)`` is the same however many are asked for.
        params: scalars by name.
        inputs: by name: arrays (of the declared shape for all samples, or ``[n, *shape]``, one for each), a `Path`, the
            bytes of a PNG or NPY file, or an image of Pillow.
        version: of the model; default: the newest that is ready.
        priority: ``bulk`` may wait for whoever is ``interactive`` (default).
        determinism: ``exact``: bit for bit reproducible, or refused; default ``any``.
        format: how pictures travel: ``raw`` (default: the model's own numbers), or as files of 8-bit pixels, with their
            origin written in: ``png``, ``webp``, ``jpeg``.
        timeout_s: seconds until it is given up, here and on the server, tries included; default 60; None: never.
        request_id: id under which the server logs it and `Client.cancel` finds it; made here if None.
    """

    n: int
    seed: int | None
    index: int
    params: Mapping[str, Scalar] | None
    inputs: Mapping[str, Given] | None
    version: int | None
    priority: Literal["interactive", "bulk"]
    determinism: Literal["any", "exact"]
    format: Literal["raw", "png", "webp", "jpeg"]
    timeout_s: float | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be sent again and again, or in parts, and means the same each time."""

    model: str
    operation: str
    n: int
    seed: int
    index: int
    params: Mapping[str, Scalar]
    inputs: Mapping[str, Mapping[str, Any]]  # as `tensor_of` makes them
    version: int | None
    priority: str
    determinism: str
    format: str
    request_id: str
    progress_every: int | None = None
    preview_every: int | None = None

    def fields(self, left_s: float | None) -> dict[str, Any]:
        """The fields of ``POST /v1/generations``, with bytes for base64, without those that are None.

        Args:
            left_s: seconds until the answer must be there.
        """
        fields = {
            "model": self.model,
            "version": self.version,
            "operation": self.operation,
            "n": self.n,
            "seed": self.seed,
            "index": self.index,
            "params": self.params,
            "inputs": self.inputs,
            "output": {"format": self.format},
            "priority": self.priority,
            "determinism": self.determinism,
            "deadline_ms": None if left_s is None else min(left_s * 1000, LONGEST_DEADLINE_MS),
            "progress_every": self.progress_every,
            "preview_every": self.preview_every,
        }
        return {name: value for name, value in fields.items() if value is not None}


def request_of(model: str, operation: str, options: Options) -> Request:
    """The request that some options mean.

    Raises:
        InvalidArgument: an input is nothing that can be sent.
        TypeError: there is no such option.
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        text = f"{', '.join(sorted(unknown))}: no such option (parameters of the model go into params); there are: "
        raise TypeError(text + ", ".join(Options.__annotations__))
    seed = options.get("seed")
    return Request(
        model=model,
        operation=operation,
        n=_plain(options.get("n", 1)),
        seed=secrets.randbelow(DRAWN_BELOW) if seed is None else _plain(seed),
        index=_plain(options.get("index", 0)),
        params={name: _plain(value) for name, value in (options.get("params") or {}).items()},
        inputs={name: tensor_of(name, value) for name, value in (options.get("inputs") or {}).items()},
        version=options.get("version"),
        priority=options.get("priority", "interactive"),
        determinism=options.get("determinism", "any"),
        format=options.get("format", "raw"),
        request_id=options.get("request_id") or uuid.uuid4().hex,
    )


def with_inputs(options: Options, **inputs: Given | None) -> Options:
    """The options with more inputs; those that are None are left out."""
    given = {name: value for name, value in inputs.items() if value is not None}
    return {**options, "inputs": {**(options.get("inputs") or {}), **given}}


def with_params(options: Options, **params: Scalar | None) -> Options:
    """The options with more parameters; those that are None are left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return {**options, "params": {**(options.get("params") or {}), **given}}


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
