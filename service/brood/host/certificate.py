"""What is certified about a model here, and what each of its operations can promise by it (docs/seed-contract.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from brood.host.conditions import Conditions
from brood.host.examples import graphs_of
from brood.program import Program
from brood.protocol.events import Determinism


class Certificate(BaseModel):
    """Which graph calls give a row the same bits, whatever else is in the call.

    Two servers whose certificates have the same ``numerics_id`` give the same bits to all `exact` requests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["brood-certificate/1"] = "brood-certificate/1"
    conditions: Conditions
    exact: Mapping[str, tuple[int, ...]]  # graph → buckets at which a row's bits are its own; empty: none
    numerics_id: str  # of the golden bits at those buckets; empty: no operation can be promised to be exact
    processes: int  # in how many processes it was tried


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What is promised about the samples of an operation."""

    usual: Determinism  # of requests that leave the batch size to the engine
    lacking: str  # why requests for exact samples are refused; empty: they are not


def guarantee(program: Program, exact: Mapping[str, tuple[int, ...]]) -> Guarantee:
    """What an operation's samples can be promised to be.

    They are exact if every graph that they depend on is, at every bucket. If a graph is at some buckets only, they are
    exact on request, by keeping to those.
    """
    graphs = {name: program.manifest.graphs[name] for name in sorted(graphs_of(program))}
    if all(set(exact.get(name, ())) == set(graph.buckets) for name, graph in graphs.items()):
        return Guarantee("exact", "")
    usual: Determinism = "tolerance" if program.manifest.domain == "continuous" else "none"
    lacking = ", ".join(repr(name) for name in graphs if not exact.get(name))
    return Guarantee(usual, lacking and f"the bits of its graph calls ({lacking}) depend on what else is in the call")
