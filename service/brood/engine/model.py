"""What the engine knows about a model: its programs, its runtime and what its graphs cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brood.program import FromState, Program
from brood.program.compile import ProgramStage
from brood.runtimes.slots import SlotRuntime


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one group can share a graph call, whichever request, operation, step or parameters they have."""

    model: str
    version: int
    graph: str
    reads: tuple[tuple[str, str], ...]  # (graph input, state)
    writes: tuple[tuple[str, str], ...]  # (graph output, state)


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model as it was loaded, warmed up and measured."""

    name: str
    version: int
    programs: Mapping[str, Program]  # operation → program
    runtime: SlotRuntime
    cost_s: Mapping[str, Mapping[int, float]]  # graph → bucket → seconds of one call

    def group_of(self, stage: ProgramStage) -> Group:
        """The group of a row that is about to enter this stage."""
        reads = tuple((feed.name, feed.source.name) for feed in stage.feeds if isinstance(feed.source, FromState))
        return Group(self.name, self.version, stage.graph, reads, stage.to_state)

    def bucket_for(self, graph: str, rows: int) -> int:
        """The bucket that makes most rows per second out of ``rows`` runnable ones.

        Either the next larger bucket, padded, or the next smaller one, leaving some rows for the next call.
        """
        costs = self.cost_s[graph]
        smaller = max(bucket for bucket in costs if bucket <= rows)
        larger = self.smallest_bucket(graph, rows) if rows <= self.largest_bucket(graph) else smaller
        return max(larger, smaller, key=lambda bucket: min(bucket, rows) / costs[bucket])

    def smallest_bucket(self, graph: str, rows: int) -> int:
        """The smallest bucket that holds so many rows."""
        return min(bucket for bucket in self.cost_s[graph] if bucket >= rows)

    def largest_bucket(self, graph: str) -> int:
        """The most rows one call of this graph takes."""
        return max(self.cost_s[graph])

    def row_cost_s(self, graph: str) -> float:
        """Predicted seconds that one row takes of a full call."""
        largest = self.largest_bucket(graph)
        return self.cost_s[graph][largest] / largest
