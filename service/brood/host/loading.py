"""From a bundle on disk to a model the engine can run: verify → load → gate → warm up → certify → ready."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brood.engine.cost import CostModel
from brood.engine.model import EngineModel
from brood.host.certificate import Certificate, Guarantee, guarantee
from brood.host.certificates import Certificates
from brood.host.certify import certified
from brood.host.examples import graphs_of
from brood.host.opened import Opened, open_bundle
from brood.host.pace import Pace
from brood.host.texts import Tokenizers
from brood.protocol.errors import BundleError
from brood.protocol.events import Determinism
from brood.protocol.manifest import Manifest, State
from brood.protocol.models import ModelStatus
from brood.runtimes.base import Placement, RuntimeOptions
from brood.runtimes.memory import slots_within
from brood.runtimes.slots import HostSlots
from brood.store.golden import GoldenRun
from brood.store.store import Bundle

FULL_CALLS = 8  # of rows that have begun, at least
STATE_BYTES = 2**30
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model that has earned its readiness."""

    engine: EngineModel
    certificate: Certificate
    guarantees: Mapping[str, Guarantee]  # operation → what its samples are promised to be here
    placements: Mapping[str, Placement]  # graph → what runs it, of those that tell
    golden: Sequence[GoldenRun] = ()  # what the original model gave
    tokenizers: Tokenizers = field(default_factory=dict)

    @property
    def determinism(self) -> dict[str, Determinism]:
        """Operation → what a request gets that asks for nothing in particular."""
        return {name: guarantee.usual for name, guarantee in self.guarantees.items()}

    @property
    def fallback(self) -> dict[str, Mapping[str, int]]:
        """Graph → operator → nodes of it that the provider has left to another one; graphs without are left out."""
        return {name: placement.fallback for name, placement in self.placements.items() if placement.fallback}


def load_model(
    bundle: Bundle,
    options: RuntimeOptions,
    certificates: Certificates | None = None,
    *,
    max_state_bytes: int = STATE_BYTES,
    pace: Pace | None = None,
    lanes: int = 1,
) -> ReadyModel:
    """Load, check, warm up and certify one verified bundle.

    Args:
        bundle: to be loaded.
        options: how its graphs run.
        certificates: those made before, and where to keep one; None: the shipped ones.
        max_state_bytes: memory for the state of unfinished rows.
        pace: at which its graphs are called here, for others may serve; None: as fast as they can.
        lanes: calls that the engine will make at once.

    Raises:
        LoadingStopped: by ``pace``.
        BundleError: a graph does not load, a name leads nowhere, a golden sample comes out differently, or one row's
            state takes more than the memory allowed.
        BroodError: a golden sample, or a call at some bucket, fails.
    """
    opened, state = open_bundle(bundle, options, pace), model_state(bundle.manifest)
    capacity = slots_within(state, wanted_slots(bundle.manifest), max_state_bytes)
    certificate, evidence = certified(opened, options, certificates or Certificates())
    _tell_fallback(opened)
    engine = EngineModel(
        bundle.manifest.name,
        bundle.manifest.version,
        opened.programs,
        HostSlots(opened.graphs, state, capacity),
        CostModel({name: warmed.cost_s for name, warmed in evidence.warmed.items()}, lanes),
        _allowed(opened, certificate),
    )
    return ReadyModel(
        engine,
        certificate,
        {name: guarantee(program, certificate.exact) for name, program in opened.programs.items()},
        opened.placements,
        opened.golden,
        opened.tokenizers,
    )


def _tell_fallback(opened: Opened) -> None:
    """Nodes beside the device cost copies between its memory and main memory: whoever wonders finds them in the log."""
    for name, placement in opened.placements.items():
        if placement.fallback:
            nodes = ", ".join(f"{operator} {count}" for operator, count in sorted(placement.fallback.items()))
            log.warning(
                "%s: graph %s: %s leaves nodes to another provider: %s",
                opened.bundle.manifest.name,
                name,
                placement.provider,
                nodes,
            )


def ready_status(manifest: Manifest, ready: ReadyModel) -> ModelStatus:
    """A ready model as the listing shows it."""
    certificate = ready.certificate
    return ModelStatus(
        manifest.name,
        manifest.version,
        "ready",
        manifest=manifest,
        determinism=ready.determinism,
        numerics_id=certificate.numerics_id,
        certificate=certificate.exact,
        device=certificate.conditions.device,
        provider=certificate.conditions.provider,
        precision=certificate.conditions.precision,
        fallback=ready.fallback,
        state_bytes=ready.engine.runtime.state_bytes,
    )


def wanted_slots(manifest: Manifest) -> int:
    """A full call for every graph that rows go through, and room for rows that wait while others go before them.

    With room for two calls only, 83 % of the deadlines that were promised under overload were kept, with four 99 %.
    """
    stages = [stage for operation in manifest.operations.values() for stage in operation.stages]
    graphs = {stage.graph for stage in stages} | {stage.variant.graph for stage in stages if stage.variant}
    return max(FULL_CALLS, len(graphs) + 1) * max(max(manifest.graphs[name].buckets) for name in graphs)


def _allowed(opened: Opened, certificate: Certificate) -> dict[str, frozenset[int]]:
    """The buckets of requests for exact samples. A preview is nobody's sample: its graph may run at all of its own."""
    needed = {name for program in opened.programs.values() for name in graphs_of(program)}
    return {
        name: frozenset(certificate.exact[name] if name in needed else opened.graphs[name].spec.buckets)
        for name in opened.reachable()
    }


def model_state(manifest: Manifest) -> dict[str, State]:
    """All state tensors of a model; operations share one that has the same name.

    Raises:
        BundleError: two operations mean different tensors by one name.
    """
    found: dict[str, State] = {}
    for name, operation in manifest.operations.items():
        for state, spec in operation.state.items():
            before = found.setdefault(state, spec)
            if (before.dtype, before.shape) != (spec.dtype, spec.shape):
                raise BundleError(
                    f"operations.{name}.state.{state}: {spec.dtype}{list(spec.shape)}, but another operation has "
                    f"{before.dtype}{list(before.shape)} under that name",
                    field=f"operations.{name}.state.{state}",
                )
    return found
