"""Write the lower part of the pages in docs/families: what a family's adapter asks for, and what becomes of a model.

python scripts/families.py          writes it
python scripts/families.py --check  writes nothing; exit code 1 and the names of the pages that are stale

The upper part is written by hand. Its first piece of Python makes `model` and `options`, of which the tables of
operations and graphs are made.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from brood.protocol.manifest import Operation, Param
from brood_export.cli.summary import calls
from brood_export.evaluation import in_evaluation
from brood_export.families import FAMILIES, ExportSpec, StepGraph
from brood_export.options import options_of
from reference_pages.text import plain, table

PAGES = Path(__file__).resolve().parent.parent / "docs" / "families"
NOTE = "<!-- From here on made by scripts/families.py; change what it is made of. -->\n"
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def page_of(family: str, text: str) -> str:
    """A page with its lower part made anew."""
    upper, note, _ = text.partition(NOTE)
    assert note, f"{family}.md has no line {NOTE!r}"
    spec = spec_of(upper)
    assert spec.family == family, f"{family}.md makes a model of family {spec.family!r}"
    return "\n".join([upper + NOTE, *_parts(family, spec)])


def spec_of(upper: str) -> ExportSpec:
    """What becomes of the model that the first piece of code makes."""
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(CODE.findall(upper)[0], "page", "exec"), names)  # noqa: S102: our own page
    options = {name: value for name, value in names["options"].items() if name not in ("family", "buckets")}
    with in_evaluation(names["model"]) as model:
        return FAMILIES[names["options"]["family"]](model, **options)


def _parts(family: str, spec: ExportSpec) -> list[str]:
    adapter = FAMILIES[family]
    needs = plain((inspect.getdoc(adapter) or "").partition("\n\nArgs:")[0])
    options = [
        (f"`{name}`", option.allowed, "required" if option.required else str(option.default), option.text)
        for name, option in options_of(adapter).items()
    ]
    schedule = "There are no steps." if spec.schedule is None else f"Kind `{spec.schedule.kind}`: {_numbers(spec)}."
    return [
        f"## What the model must have\n\n{needs}\n",
        f"## Options\n\n{table(('option', 'allowed', 'default', 'what it is'), options)}\n",
        f"## Operations\n\nOf the model above.\n\n{_operations(spec)}\n",
        f"## Step graph\n\n{table(('graph', 'in', 'out'), [_graph(*item) for item in spec.graphs.items()])}\n",
        f"## Schedule\n\n{schedule}\n",
    ]


def _numbers(spec: ExportSpec) -> str:
    assert spec.schedule is not None
    known = {**spec.schedule.words, **spec.schedule.numbers}
    return ", ".join(f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in known.items())


def _operations(spec: ExportSpec) -> str:
    rows = [(f"`{name}`", *_operation(operation)) for name, operation in spec.operations.items()]
    return table(("operation", "inputs", "parameters", "calls", "outputs", "what it does"), rows)


def _operation(operation: Operation) -> tuple[str, ...]:
    params = ", ".join(f"{name} ({_default(param)})" for name, param in operation.params.items())
    return ", ".join(operation.inputs), params, calls(operation), ", ".join(operation.outputs), operation.description


def _default(param: Param) -> str:
    return "required" if param.default is None else str(param.default)


def _graph(name: str, graph: StepGraph) -> tuple[str, str, str]:
    given = (f"{key} {list(spec.shape)} {spec.role}" for key, spec in graph.inputs.items())
    made = (f"{key} {list(spec.shape)} {spec.role}" for key, spec in graph.outputs.items())
    return f"`{name}`", ", ".join(given), ", ".join(made)


def stale() -> list[str]:
    """Names of pages that are not what the code gives."""
    pages = {family: (PAGES / f"{family}.md").read_text() for family in FAMILIES}
    return [family for family, text in pages.items() if page_of(family, text) != text]


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        names = stale()
        if names:
            print(f"stale pages of families, run scripts/families.py: {', '.join(names)}", file=sys.stderr)
        return 1 if names else 0
    for family in FAMILIES:
        path = PAGES / f"{family}.md"
        path.write_text(page_of(family, path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
