"""The client: one set of verbs over either transport."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

import numpy.typing as npt

from brood_client._types import Generation, Model, Scalar, Transport, tensor_of

LONGEST_DEADLINE_MS = 86_400_000.0  # the longest that a server accepts


class Client:
    """A server of trained generative models. Safe to share between threads.

    Args:
        url: ``http://HOST:PORT``, ``https://HOST:PORT`` or ``grpc://HOST:PORT``.

    Raises:
        ValueError: the URL has another form.
    """

    def __init__(self, url: str) -> None:
        self._transport = _transport(url)

    def generate(
        self,
        model: str,
        *,
        n: int = 1,
        seed: int | None = None,
        operation: str = "generate",
        params: Mapping[str, Scalar] | None = None,
        inputs: Mapping[str, npt.ArrayLike] | None = None,
        version: int | None = None,
        index: int = 0,
        priority: Literal["interactive", "bulk"] = "interactive",
        determinism: Literal["any", "exact"] = "any",
        timeout_s: float | None = 60.0,
    ) -> Generation:
        """Make ``n`` samples and wait for all of them.

        Args:
            model: its name, such as ``"glyphs-vae"``.
            n: number of samples.
            seed: ``0 ≤ seed < 2⁶³``; drawn by the server if None.
            operation: what the model is to do.
            params: scalars by name.
            inputs: arrays by name, of the declared shape for all samples or ``[n, *shape]``, one for each.
            version: the newest ready one if None.
            index: of the first sample; sample ``(seed, index)`` is the same however many are asked for.
            priority: ``bulk`` may wait for whoever is ``interactive``.
            determinism: ``exact``: bit for bit reproducible, or refused.
            timeout_s: seconds until it is given up, here and on the server; None: never.

        Raises:
            BroodError: see `brood_client._errors`.
        """
        fields = {
            "model": model,
            "version": version,
            "operation": operation,
            "n": n,
            "seed": seed,
            "index": index,
            "params": dict(params or {}),
            "inputs": {name: tensor_of(name, value) for name, value in (inputs or {}).items()},
            "output": {"format": "raw"},
            "priority": priority,
            "determinism": determinism,
            "deadline_ms": None if timeout_s is None else min(timeout_s * 1000, LONGEST_DEADLINE_MS),
        }
        return self._transport.generate(fields, timeout_s)

    def models(self, *, timeout_s: float | None = 10.0) -> list[Model]:
        """All versions of all models of the server, by name and version, also those that failed to load."""
        return self._transport.models(timeout_s)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _transport(url: str) -> Transport:
    """Each transport needs a library of its own, so it is imported when it is chosen."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"} and parts.netloc:
        from brood_client._http import HttpTransport

        return HttpTransport(url)
    if parts.scheme == "grpc" and parts.netloc:
        from brood_client._grpc import GrpcTransport

        return GrpcTransport(parts.netloc)
    raise ValueError(f"url: {url!r} is not allowed; allowed: http://HOST:PORT, https://HOST:PORT, grpc://HOST:PORT")
