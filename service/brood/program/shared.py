"""Stages that run once for all samples of a request, as the encoder of a prompt does.

Such a stage must give the same for every row: it comes before all others, reads what is the same for all of them (one
value of each input, parameters, numbers, states that earlier such stages have made), and makes whole states. So whether
it runs once for all rows, or once for each, changes no sample.
"""

from __future__ import annotations

from collections.abc import Iterator

from brood.protocol.errors import BundleError
from brood.protocol.manifest import FLAGS, Manifest, Operation, Stage


def shared_inputs(manifest: Manifest, operation: Operation) -> frozenset[str]:
    """Inputs of which there is one value for all samples: those that stages ``per_request`` read."""
    return frozenset(
        name
        for stage in _shared(operation)
        for role, name in _read(manifest, stage)
        if role == "input" and name in operation.inputs
    )


def check_shared(manifest: Manifest, operation: Operation, where: str) -> frozenset[str]:
    """The states that stages ``per_request`` make.

    Args:
        where: the operation's place in the manifest, for messages.

    Raises:
        BundleError: such a stage is not what this module describes.
    """
    made = set[str]()
    for number, stage in enumerate(operation.stages):
        if stage.repeat != "per_request":
            continue
        field = f"{where}.stages.{number}"
        before = operation.stages[number - 1].repeat if number else "per_request"
        if before != "per_request" or number + 1 == len(operation.stages):
            _refuse(field, "repeat per_request is for the first stages, and others must follow")
        for role, name in _read(manifest, stage):
            if role in ("noise", "schedule") or (name in operation.state and name not in made):
                _refuse(field, f"repeat per_request reads {name!r}, which is of one row alone")
        outputs = manifest.graphs[stage.graph].outputs
        for output, spec in outputs.items():
            target = str(stage.bind.get(output, output))
            if spec.role == "append" or (spec.role not in FLAGS and target not in operation.state):
                _refuse(field, f"repeat per_request makes {output!r}; allowed: what replaces a state")
            made.add(target)
    return frozenset(made & set(operation.state))


def _shared(operation: Operation) -> Iterator[Stage]:
    return (stage for stage in operation.stages if stage.repeat == "per_request")


def _read(manifest: Manifest, stage: Stage) -> Iterator[tuple[str, str]]:
    """(role, name in the operation) of what a stage's graph reads, without what is a number."""
    for name, spec in manifest.graphs[stage.graph].inputs.items():
        target = stage.bind.get(name, name)
        if isinstance(target, str):
            yield spec.role, target


def _refuse(field: str, reason: str) -> None:
    raise BundleError(f"{field}: {reason}", field=field)
