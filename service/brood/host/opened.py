"""A bundle whose graphs are loaded and whose names are resolved; nothing of it has run yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brood.host.examples import graphs_of
from brood.host.pace import Pace
from brood.host.texts import Tokenizers, load_tokenizers
from brood.program import Program, compile_program
from brood.runtimes.base import LoadedGraph, PlacedGraph, Placement, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.golden import GoldenRun
from brood.store.store import Bundle


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything of a bundle in memory."""

    bundle: Bundle
    graphs: Mapping[str, LoadedGraph]
    programs: Mapping[str, Program]  # operation → program
    golden: Sequence[GoldenRun]
    tokenizers: Tokenizers = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)  # at which its graphs are called until it serves

    @property
    def paced(self) -> dict[str, LoadedGraph]:
        """The graphs, to be called at its pace."""
        return {name: self.pace.graph(graph) for name, graph in self.graphs.items()}

    @property
    def placements(self) -> dict[str, Placement]:
        """Graph → what runs it, of those that tell."""
        return {name: graph.placement for name, graph in self.graphs.items() if isinstance(graph, PlacedGraph)}

    def reachable(self) -> list[str]:
        """The graphs that some operation calls, for a sample or for a preview, in the manifest's order."""
        used = {name for program in self.programs.values() for name in graphs_of(program)}
        used |= {program.preview.graph for program in self.programs.values() if program.preview is not None}
        return [name for name in self.graphs if name in used]


def open_bundle(bundle: Bundle, options: RuntimeOptions, pace: Pace | None = None) -> Opened:
    """Load the graphs and tokenizers of a verified bundle and resolve its operations.

    Args:
        bundle: to be loaded.
        options: how its graphs run.
        pace: at which they are called until it serves; None: as fast as they can.

    Raises:
        BundleError: a graph or tokenizer does not load, a name leads nowhere, or the golden samples are unreadable.
    """
    manifest = bundle.manifest
    graphs = load_graphs(bundle.directory, manifest, options)
    programs = {name: compile_program(manifest, name) for name in manifest.operations}
    return Opened(bundle, graphs, programs, bundle.golden(), load_tokenizers(bundle), pace or Pace())
