"""A network in float16 within a graph in float32.

Only what the model itself does is lowered: its nodes are known by the module that torch's exporter notes with each.
What an adapter has put around it stays in float32: noise, guidance, the solver row, clamps, sums of likelihoods. Angles
stay so, too, and what they are computed from: in float16, the sine of a timestep of some hundreds is any number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

SCOPES = "pkg.torch.onnx.name_scopes"
NETWORK = re.compile(r"^(step\.)?model(\.|$)")  # what adapters call the model that they are about
ANGLED = frozenset({"Sin", "Cos"})
WEIGHTY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})  # what these make is no angle as it was
# Stay in float32: what is made rather than computed, and what takes sizes or other graphs along.
KEPT = frozenset({"Constant", "ConstantOfShape", "Range", "Resize", "If", "Loop", "Scan"})
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
NAMES: dict[int, str] = {TensorProto.FLOAT: "float", TensorProto.FLOAT16: "half"}


def halved(model: ModelProto) -> ModelProto:
    """The model with the network in float16; inputs and outputs keep their types.

    Args:
        model: with the exporter's notes; it is changed.
    """
    model = shape_inference.infer_shapes(model)
    nodes, change = list(model.graph.node), _Change(model)
    angled = angles(nodes)
    for place, node in enumerate(nodes):
        change.take(node, lowers=in_network(node) and node.op_type not in KEPT and place not in angled)
    change.finish()
    return model


def angles(nodes: Sequence[NodeProto]) -> set[int]:
    """Places of the nodes whose results are sines, or go into them without passing weights; nodes are in order."""
    found: set[int] = set()
    wanted: set[str] = set()
    for place in reversed(range(len(nodes))):
        node = nodes[place]
        if node.op_type in ANGLED or (node.op_type not in WEIGHTY and not wanted.isdisjoint(node.output)):
            found.add(place)
            wanted.update(node.input)
    return found


def in_network(node: NodeProto) -> bool:
    """Whether a node comes from within the model."""
    notes = {note.key: note.value for note in node.metadata_props}
    return any(NETWORK.match(scope) for scope in ast.literal_eval(notes.get(SCOPES, "[]")))


class _Change:
    """Goes through the nodes in order, and puts casts where precision changes."""

    def __init__(self, model: ModelProto) -> None:
        self.graph = graph = model.graph
        values = [*graph.input, *graph.value_info, *graph.output]
        self.weights = {weight.name: weight for weight in graph.initializer}
        self.kinds: dict[str, int] = {value.name: value.type.tensor_type.elem_type for value in values}
        self.kinds |= {name: weight.data_type for name, weight in self.weights.items()}
        self.nodes: list[NodeProto] = []
        self.casts: dict[tuple[str, int], str] = {}

    def take(self, node: NodeProto, *, lowers: bool) -> None:
        wanted = TensorProto.FLOAT16 if lowers else TensorProto.FLOAT
        for place, name in enumerate(node.input):
            if self.kinds.get(name) in FLOATS and self.kinds[name] != wanted:
                node.input[place] = self.cast(name, wanted)
        self.nodes.append(node)
        if not lowers:
            return
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
        for name in node.output:
            if self.kinds.get(name) == TensorProto.FLOAT:
                self.kinds[name] = TensorProto.FLOAT16

    def cast(self, name: str, kind: int) -> str:
        """A tensor in another precision: of a weight another weight, of anything else a node."""
        if (name, kind) not in self.casts:
            made = f"{name}_{NAMES[kind]}"
            if name in self.weights:
                values = numpy_helper.to_array(self.weights[name])
                with np.errstate(over="ignore"):  # what does not fit becomes infinite, and parity tells
                    self.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), made))
            else:
                self.nodes.append(helper.make_node("Cast", [name], [made], to=kind))
            self.casts[name, kind] = made
        return self.casts[name, kind]

    def finish(self) -> None:
        """Outputs keep their types; weights that nobody reads any more are left out."""
        for output in self.graph.output:
            if self.kinds[output.name] == TensorProto.FLOAT16 and output.type.tensor_type.elem_type in FLOATS:
                self.rename(output.name, f"{output.name}_half")
                self.nodes.append(
                    helper.make_node("Cast", [f"{output.name}_half"], [output.name], to=TensorProto.FLOAT)
                )
        read = {name for node in self.nodes for name in node.input}
        kept = [weight for weight in self.graph.initializer if weight.name in read]
        del self.graph.node[:], self.graph.initializer[:], self.graph.value_info[:]
        self.graph.node.extend(self.nodes)
        self.graph.initializer.extend(kept)

    def rename(self, name: str, to: str) -> None:
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, found in enumerate(names):
                    if found == name:
                        names[place] = to
