"""What a module computes of its weights alone, computed once: no file format has an inverse of a matrix.

A flow with 1x1 convolutions (Kingma and Dhariwal 2018) inverts its matrices, and takes their determinants, in every
call; both are constants of the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn


def folded(module: nn.Module, arguments: tuple[Tensor, ...], dynamic_shapes: Any) -> nn.Module:
    """The module with everything that depends on no input in its place as a number.

    Args:
        arguments, dynamic_shapes: as `torch.export.export` takes them.
    """
    with torch.no_grad():
        plain = torch.export.export(module, arguments, dynamic_shapes=dynamic_shapes).module(check_guards=False)
        assert isinstance(plain, fx.GraphModule)
        fold(plain)
    return plain


def fold(module: fx.GraphModule) -> None:
    """Replace, in place, every result of weights alone that something else reads."""
    known: dict[fx.Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            known[node] = _attribute(module, str(node.target))
        elif (
            node.op == "call_function" and node.all_input_nodes and all(each in known for each in node.all_input_nodes)
        ):
            arguments = fx.node.map_arg((node.args, node.kwargs), lambda each: known[each])
            known[node] = node.target(*arguments[0], **arguments[1])
    for number, (node, value) in enumerate(known.items()):
        if node.op == "call_function" and isinstance(value, Tensor) and any(user not in known for user in node.users):
            name = f"folded_{number}"
            module.register_buffer(name, value.detach().clone())
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(module.graph.get_attr(name))
    module.graph.eliminate_dead_code()
    module.recompile()


def _attribute(module: nn.Module, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part)
    return found
