"""PT2 by torch.export: compiled by AOTInductor where there is a C++ compiler, else the program as it is.

A compiled file is for machines of the kind that compiled it; both are native code to whoever loads them.
"""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import torch
from torch.export import ExportedProgram

from brood_export.families.base import StepGraph
from brood_export.targets.base import Target, example
from brood_export.targets.onnx import complaint, quiet, rows_of

COMPILERS = ("g++", "clang++")
NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")  # of a node; hold paths of this machine


def compiler() -> str | None:
    """The C++ compiler that AOTInductor would use."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def export_pt2(graph: StepGraph, path: Path) -> None:
    """Write a graph.

    Raises:
        NotExportable, StaticRows: torch cannot export the module, or not for any number of rows.
    """
    program = exported(graph, path.stem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if compiler() is None:
            torch.export.save(program, path)
        else:
            torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def exported(graph: StepGraph, name: str) -> ExportedProgram:
    """The program of a graph, for any number of rows, without notes about its source."""
    module = graph.source.eval()
    with quiet(), torch.no_grad():
        try:
            program = torch.export.export(module, example(graph), dynamic_shapes=rows_of(module, graph))
        except Exception as error:  # torch has no base of what can go wrong here
            raise complaint(error, name) from error
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for note in NOTES:
                    node.meta.pop(note, None)
    return program


def versions() -> dict[str, str]:
    return {"compiler": "AOTInductor" if compiler() else "none", "machine": os.uname().machine}


PT2 = Target("pt2", ".pt2", export_pt2, versions)
