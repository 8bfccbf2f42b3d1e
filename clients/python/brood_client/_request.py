"""What is asked for: the words of `Client.generate`, checked no further than needed to send them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal, TypedDict

import numpy as np

from brood_client._checks import (
    check_idempotency_key,
    check_names,
    check_request_id,
    check_scalar,
    check_text,
    check_whole,
)
from brood_client._content import Scalar
from brood_client._inputs import Given, as_dtype, is_loose, tensor_of
from brood_client._tracing import trace_headers

# What a server accepts. Who has less left, or nothing, asks all the same: the server says that it is too little.
LEAST_DEADLINE_MS, LONGEST_DEADLINE_MS = 1e-3, 86_400_000.0
DRAWN_BELOW = 2**53  # what every reader of JSON can hold
TIMEOUT_S = 60.0
REPLAYED = "idempotent-replayed"  # header or trailing metadata of an answer that was there already


class Options(TypedDict, total=False):
    """What every request for samples may say. All have defaults.

    Keys:
        n: number of samples; default 1.
        seed: ``0 ≤ seed < 2⁶³``; drawn here if None (it is told in the answer), so that trying again changes nothing;
            with an ``idempotency_key`` it is made of that.
        index: of the first sample; default 0. Sample ``(seed, index)`` is the same however many are asked for.
        params: scalars by name.
        inputs: by name: arrays of the declared dtype (of the declared shape for all samples, or ``[n, *shape]``, one
            for each), nested lists of numbers, a `Path`, the bytes of a PNG, WAV, FLAC or NPY file, an `Audio`, an
            image of Pillow, or a text.
        version: of the model; default: the newest that is ready.
        priority: ``bulk`` may wait for whoever is ``interactive`` (default).
        determinism: ``exact``: bit for bit reproducible, or refused; default ``any``.
        format: how outputs travel: ``raw`` (default) or ``npy``: the model's own numbers; or as files with their origin
            written in: pictures as ``png``, ``webp``, ``jpeg``, sound as ``wav``, ``flac``, video as ``mp4``, ``webm``,
            ``webp``, ``apng``, ``gif``; None: as the first of these that fits.
        quality: 0 to 100, of ``jpeg`` (default 95), ``mp4`` and ``webm`` (66), and of ``webp``, which loses nothing
            without.
        timeout_s: seconds until it is given up, here and on the server, tries included; default 60; None: never.
        request_id: id under which the server logs it and `Client.cancel` finds it; made here if None.
        idempotency_key: 1 to 255 printable ASCII characters: who asks again under the same key, by default within an
            hour, gets the same answer (`Generation.replayed`), made once. Not for streams, nor with ``progress``.
    """

    n: int
    seed: int | None
    index: int
    params: Mapping[str, Scalar] | None
    inputs: Mapping[str, Given] | None
    version: int | None
    priority: Literal["interactive", "bulk"]
    determinism: Literal["any", "exact"]
    format: Literal["raw", "npy", "png", "webp", "jpeg", "wav", "flac", "mp4", "webm", "apng", "gif"] | None
    quality: int | None
    timeout_s: float | None
    request_id: str | None
    idempotency_key: str | None


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
    format: str | None
    request_id: str
    quality: int | None = None
    idempotency_key: str | None = None
    progress_every: int | None = None
    preview_every: int | None = None
    loose: frozenset[str] = frozenset()  # inputs that were given without a dtype of their own

    def __post_init__(self) -> None:
        for field in ("n", "seed", "index"):
            check_whole(field, getattr(self, field))
        for field in ("version", "progress_every", "preview_every"):
            if getattr(self, field) is not None:
                check_whole(field, getattr(self, field))
        for field in ("model", "operation", "priority", "determinism"):
            check_text(field, getattr(self, field))
        if self.format is not None:
            check_text("output.format", self.format)
        if self.quality is not None:
            check_whole("output.quality", self.quality)
        for name, value in self.params.items():
            check_scalar(f"params.{name}", value)
        check_request_id("request_id", self.request_id)

    def names(self) -> dict[str, str]:
        """What goes into headers or metadata beside the request."""
        key = {} if self.idempotency_key is None else {"idempotency-key": self.idempotency_key}
        return {"x-request-id": self.request_id, **key, **trace_headers()}

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
            "output": self._output(),
            "priority": self.priority,
            "determinism": self.determinism,
            "deadline_ms": None if left_s is None else _bounded(left_s * 1000),
            "progress_every": self.progress_every,
            "preview_every": self.preview_every,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _output(self) -> dict[str, Any]:
        output = {"format": self.format, "quality": self.quality}
        return {name: value for name, value in output.items() if value is not None}


def request_of(model: str, operation: str, options: Options) -> Request:
    """The request that some options mean.

    Raises:
        InvalidArgument: something is of a kind that cannot be sent.
        TypeError: there is no such option.
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        text = f"{', '.join(sorted(unknown))}: no such option (parameters of the model go into params); there are: "
        raise TypeError(text + ", ".join(Options.__annotations__))
    params, inputs, key = options.get("params") or {}, options.get("inputs") or {}, options.get("idempotency_key")
    check_names("params", params, "scalars")
    check_names("inputs", inputs, "arrays, files or pictures")
    if key is not None:
        check_idempotency_key(key)
    return Request(
        model=model,
        operation=operation,
        n=_plain(options.get("n", 1)),
        seed=_plain(_drawn(key) if options.get("seed") is None else options["seed"]),
        index=_plain(options.get("index", 0)),
        params={name: _plain(value) for name, value in params.items()},
        inputs={name: tensor_of(name, value) for name, value in inputs.items()},
        version=_plain(options.get("version")),
        priority=options.get("priority", "interactive"),
        determinism=options.get("determinism", "any"),
        format=options.get("format", "raw"),
        request_id=options.get("request_id") or uuid.uuid4().hex,
        quality=_plain(options.get("quality")),
        idempotency_key=key,
        loose=frozenset(name for name, value in inputs.items() if is_loose(value)),
    )


def fitted(request: Request, dtypes: Mapping[str, str]) -> Request:
    """The request with its loose inputs in these dtypes, by name, where that keeps the numbers."""
    known = request.loose & dtypes.keys()
    inputs = {name: as_dtype(each, dtypes[name]) if name in known else each for name, each in request.inputs.items()}
    return replace(request, inputs=inputs, loose=frozenset())


def with_inputs(options: Options, **inputs: Given | None) -> Options:
    """The options with more inputs; those that are None are left out."""
    given = {name: value for name, value in inputs.items() if value is not None}
    return {**options, "inputs": {**(options.get("inputs") or {}), **given}}


def with_params(options: Options, **params: Scalar | None) -> Options:
    """The options with more parameters; those that are None are left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return {**options, "params": {**(options.get("params") or {}), **given}}


def _drawn(key: str | None) -> int:
    """A seed: by chance, or, so that the same key means the same request, of an idempotency key."""
    if key is None:
        return secrets.randbelow(DRAWN_BELOW)
    return int.from_bytes(sha256(key.encode()).digest()[:8]) % DRAWN_BELOW


def _bounded(deadline_ms: float) -> float:
    return min(max(deadline_ms, LEAST_DEADLINE_MS), LONGEST_DEADLINE_MS)


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
