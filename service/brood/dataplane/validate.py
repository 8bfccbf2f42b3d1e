"""A request held against its model: what is left is complete and ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brood.dataplane.limits import Limits
from brood.dataplane.naming import listed, unknown
from brood.dataplane.params import check_params
from brood.media.decode import decode_input
from brood.media.formats import check_format
from brood.program.initial import FRAMES
from brood.program.shared import shared_inputs
from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.manifest import Input, Manifest, Operation, Scalar
from brood.protocol.models import ModelStatus
from brood.protocol.requests import GenerateRequest, Generation, InputValue
from brood.sampling.noise import draw_seed
from brood.sampling.schedules import make_schedule

INDEX_LIMIT = 2**53


@dataclass(frozen=True, slots=True)
class Checked:
    """A request whose words are all right; its inputs are still encoded."""

    request: GenerateRequest
    manifest: Manifest
    operation: Operation
    params: Mapping[str, Scalar]  # defaults filled in

    @property
    def input_bytes(self) -> int:
        """How much there is to decode."""
        return input_bytes(self.request)


def check(request: GenerateRequest, manifest: Manifest, operation: Operation, limits: Limits) -> Checked:
    """Hold everything but the content of the inputs against the manifest.

    Takes microseconds; where its schedule has not been made lately, a fraction of a millisecond.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
    """
    _check_n(request, operation, limits)
    check_format(operation, request.output.format, f"{manifest.name} {request.operation}")
    _check_input_names(operation.inputs, request.inputs)
    params = check_params(operation.params, request.params)
    _check_frames(request, operation, params)
    if any(stage.repeat == "schedule" for stage in operation.stages):
        make_schedule(manifest.schedule, params)  # parameters that are fine one by one may not make a schedule together
    return Checked(request, manifest, operation, params)


def check_previews(request: GenerateRequest, operation: Operation, statuses: Sequence[ModelStatus]) -> None:
    """Hold the wish for previews against what the operation has.

    Raises:
        InvalidArgument: it has none; the message lists the operations of all models that do.
    """
    if request.preview_every is None or operation.preview is not None:
        return
    manifests = [status.manifest for status in statuses if status.manifest is not None]
    having = sorted({f"{m.name} {name}" for m in manifests for name, op in m.operations.items() if op.preview})
    text = f"preview_every: {request.model} {request.operation} has no previews; these have: {listed(having)}"
    raise InvalidArgument(text, field="preview_every")


def check_whole(order: Generation) -> None:
    """Hold a generation against an answer that comes all at once.

    Raises:
        InvalidArgument: it asks for what only a stream can carry.
    """
    for name, every in (("progress_every", order.progress_every), ("preview_every", order.preview_every)):
        if every is not None:
            streams = 'HTTP "stream": true, gRPC GenerateStream'
            text = f"{name}: {every} needs an answer that streams; allowed: not given, or a stream ({streams})"
            raise InvalidArgument(text, field=name)


def most_samples(operation: Operation, limits: Limits) -> int:
    """How many samples one request may ask for."""
    return max(1, min(limits.max_n, limits.max_values // max(1, operation.values)))


def steps_of(manifest: Manifest, operation: Operation, params: Mapping[str, Scalar]) -> int:
    """Graph calls that one sample takes.

    Raises:
        InvalidArgument: the parameters make no schedule.
    """
    per_step = sum(stage.repeat == "schedule" for stage in operation.stages)
    steps = make_schedule(manifest.schedule, params).steps if per_step else 0
    return len(operation.stages) - per_step + per_step * steps


def _check_n(request: GenerateRequest, operation: Operation, limits: Limits) -> None:
    most = most_samples(operation, limits)
    if request.n > most:
        raise invalid("n", request.n, f"1 ≤ n ≤ {most}")
    if request.index + request.n > INDEX_LIMIT:
        raise invalid("index", request.index, f"0 ≤ index ≤ {INDEX_LIMIT - request.n} (index + n ≤ 2^53)")


def _check_frames(request: GenerateRequest, operation: Operation, params: Mapping[str, Scalar]) -> None:
    """A sample that is one of so many frames has its place among them."""
    if not any(state.init == "frame" for state in operation.state.values()):
        return
    frames, last = int(params[FRAMES]), request.index + request.n
    if last > frames:
        text = f"params.{FRAMES}: {frames} is not allowed; allowed: at least index + n = {last}, one for each sample"
        raise InvalidArgument(text, field=f"params.{FRAMES}")


def _check_input_names(declared: Mapping[str, Input], given: Mapping[str, InputValue]) -> None:
    for name in given:
        if name not in declared:
            raise InvalidArgument(unknown(f"inputs.{name}", name, declared), field=f"inputs.{name}")
    for name, spec in declared.items():
        if name not in given and spec.default is None:
            kind = "a text" if spec.kind == "text" else f"{spec.dtype} {list(spec.shape)}"
            text = f"inputs.{name}: missing; this operation needs it: {kind}, {spec.description}"
            raise InvalidArgument(text, field=f"inputs.{name}")


def decode_inputs(checked: Checked) -> dict[str, np.ndarray]:
    """Every input, ``[n, *shape]`` of its declared dtype. Takes as long as there are bytes.

    Raises:
        InvalidArgument: naming ``inputs.NAME``.
    """
    request, manifest, operation = checked.request, checked.manifest, checked.operation
    if not operation.inputs:
        return {}
    shared = shared_inputs(manifest, operation)
    given = {name: InputValue(text=spec.default) for name, spec in operation.inputs.items() if spec.default is not None}
    given |= request.inputs
    return {
        name: decode_input(name, given[name], spec, manifest.sample, request.n, shared=name in shared)
        for name, spec in operation.inputs.items()
    }


def generation(
    checked: Checked, inputs: Mapping[str, np.ndarray], request_id: str, arrived: float, tenant: str = ""
) -> Generation:
    """The order for the engine: a seed is drawn if none was given, the deadline counts from ``arrived`` (seconds)."""
    request = checked.request
    return Generation(
        request_id=request_id,
        model=checked.manifest.name,
        version=checked.manifest.version,
        operation=request.operation,
        n=request.n,
        seed=draw_seed() if request.seed is None else request.seed,
        index=request.index,
        params=checked.params,
        inputs=inputs,
        deadline=None if request.deadline_ms is None else arrived + request.deadline_ms / 1000,
        priority=request.priority,
        tenant=tenant,
        exact=request.determinism == "exact",
        progress_every=request.progress_every,
        preview_every=request.preview_every,
    )


def input_bytes(request: GenerateRequest) -> int:
    """How large a request's inputs are."""
    return sum(map(_size, request.inputs.values()))


def _size(value: InputValue) -> int:
    """Bytes of an input as sent; numbers in lists take about this many to read."""
    if value.b64 is not None:
        return len(value.b64)
    if value.text is not None:
        return len(value.text)
    return 8 * _count(value.data)


def _count(data: object) -> int:
    return sum(_count(item) for item in data) if isinstance(data, list) else 1
