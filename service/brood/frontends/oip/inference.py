"""Calls answered: translated to requests, run together, and put together again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from brood.dataplane import DataPlane
from brood.dataplane.costs import COPY_S
from brood.dataplane.find import find_operation, manifest_of
from brood.dataplane.naming import unknown
from brood.frontends.oip.calls import Asked, InferAnswer, InferCall
from brood.frontends.oip.controls import refuse_shared_memory
from brood.frontends.oip.rows import requests_of
from brood.frontends.oip.specs import INDEX, SEED, Spec, default_operation, operation_outputs
from brood.frontends.oip.tensors import Tensor
from brood.protocol.errors import BroodError, Internal, InvalidArgument, Unsupported, invalid
from brood.protocol.events import Accepted, Event, Failed, Sample
from brood.protocol.requests import GenerateRequest

_, BYTE_S = COPY_S


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call that has been understood."""

    call: InferCall
    requests: tuple[GenerateRequest, ...]
    outputs: tuple[Spec, ...]  # those asked for

    @property
    def first_rows(self) -> list[int]:
        """The row of the call at which each request begins."""
        firsts = np.cumsum([0, *(request.n for request in self.requests)])
        return [int(first) for first in firsts[:-1]]


class Inference:
    """The verb of the protocol over one data plane.

    Args:
        plane: runs the requests.
        protocol: the transport's name, for the observer.
    """

    def __init__(self, plane: DataPlane, protocol: str) -> None:
        self._plane, self._protocol = plane, protocol

    async def infer(self, call: InferCall, request_id: str) -> InferAnswer:
        """Run all rows of a call and answer when the last is finished. Cancelling this cancels them.

        Raises:
            BroodError: as `brood.dataplane.DataPlane.generate` raises, and whatever error a row ended with.
        """
        prepared = await self._prepared(call)
        samples: dict[int, Sample] = {}
        accepted: Accepted | None = None
        async with aclosing(self._events(prepared, request_id)) as events:
            async for row, event in events:
                if isinstance(event, Accepted):
                    accepted = event
                elif isinstance(event, Sample):
                    samples[row] = event
        if accepted is None:
            raise Internal("the generation stopped without saying how it ended")
        ordered = [samples[row] for row in sorted(samples)]
        size = sum(array.nbytes for sample in ordered for array in sample.outputs.values())
        return await self._plane.offload.run(BYTE_S * size, _answer, prepared, accepted, ordered)

    async def stream(self, call: InferCall, request_id: str) -> AsyncGenerator[InferAnswer, None]:
        """Run all rows of a call and answer each, with its number as parameter ``row``, as soon as it is finished.

        Raises:
            BroodError: as `infer`.
        """
        prepared = await self._prepared(call)
        accepted: Accepted | None = None
        async with aclosing(self._events(prepared, request_id)) as events:
            async for row, event in events:
                if isinstance(event, Accepted):
                    accepted = event
                elif isinstance(event, Sample) and accepted is not None:
                    yield _answer(prepared, accepted, [event], row)

    async def _events(self, prepared: _Prepared, request_id: str) -> AsyncGenerator[tuple[int, Event], None]:
        """What happens, each event with the row of the call that it is about (or the first of its request)."""
        firsts = prepared.first_rows
        running = self._plane.together(prepared.requests, request_id, self._protocol)
        async with aclosing(running) as events:
            async for number, event in events:
                if isinstance(event, Failed):
                    raise event.error
                within = event.index - prepared.requests[number].index if isinstance(event, Sample) else 0
                yield firsts[number] + within, event

    async def _prepared(self, call: InferCall) -> _Prepared:
        try:
            status = self._plane.model(call.model, call.version)
            manifest = manifest_of(status)
            name = call.parameters.get("operation", default_operation(manifest))
            operation = find_operation(manifest, str(name))
            outputs = _asked(operation_outputs(manifest, operation), call.outputs)
            size = sum(tensor.array.nbytes for tensor in call.inputs)
            limits = self._plane.limits
            run = self._plane.offload.run
            requests = await run(BYTE_S * size, requests_of, call, manifest, str(name), limits)
        except BroodError as error:
            self._plane.refused(error, self._protocol)
            raise
        return _Prepared(call, requests, outputs)


def _asked(offered: Sequence[Spec], asked: Iterable[Asked]) -> tuple[Spec, ...]:
    """The outputs that a call asks for.

    Raises:
        InvalidArgument: the operation has no such output.
        Unsupported: it wants classes or shared memory.
    """
    by_name = {spec.name: spec for spec in offered}
    for wanted in asked:
        field = f"outputs.{wanted.name}"
        refuse_shared_memory(field, wanted.parameters)
        if wanted.parameters.get("classification"):
            raise Unsupported(f"{field}: classification is not offered here", field=field)
        if wanted.name not in by_name:
            raise InvalidArgument(unknown(field, wanted.name, by_name), field=field)
    names = [wanted.name for wanted in asked]
    if len(set(names)) < len(names):
        raise invalid("outputs", names, "every output once")
    return tuple(by_name[name] for name in names) or tuple(offered)


def _answer(prepared: _Prepared, accepted: Accepted, samples: Sequence[Sample], row: int | None = None) -> InferAnswer:
    outputs = tuple(Tensor(spec.name, spec.datatype, _stacked(spec, samples)) for spec in prepared.outputs)
    said = {"operation": accepted.operation, "determinism": accepted.determinism}
    number = {} if row is None else {"row": row}
    return InferAnswer(accepted.model, accepted.version, prepared.call.id, {**said, **number}, outputs)


def _stacked(spec: Spec, samples: Sequence[Sample]) -> np.ndarray:
    """One output of all samples, rows first. Seed and index are the samples' own."""
    own = {SEED: lambda sample: np.int64(sample.seed), INDEX: lambda sample: np.int64(sample.index)}
    taken = [sample.outputs[spec.name] if spec.name in sample.outputs else own[spec.name](sample) for sample in samples]
    return np.stack(taken).reshape(len(samples), *spec.shape)
