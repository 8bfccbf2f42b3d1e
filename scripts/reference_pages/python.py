"""``python.md``: signatures and docstrings of `brood_client`, read from its sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import brood_client
from reference_pages.text import page, plain, table

CLIENT = Path(brood_client.__file__).parent


def python_page() -> str:
    """What `brood_client` offers: signatures and docstrings, read from the sources."""
    names = sorted(brood_client.__all__)
    return page("Python: brood_client", *(offered(name) for name in names))


def offered(name: str) -> str:
    """One public name."""
    module = brood_client._WHERE[name]
    if module.startswith("_async."):
        twin = name.removeprefix("Async")
        return f"## {name}\n\n[{twin}](#{twin.lower()}) for asyncio: the same, with `await`, `async for`, `async with`."
    source = (CLIENT / f"{module.replace('.', '/')}.py").read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return described(node, source)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return f"## {name}\n\n`{ast.unparse(node)}`"
    raise SystemExit(f"{name} is not in {module}")


def described(node: ast.ClassDef, source: str) -> str:
    """A class: how it is made, its fields, and what it offers."""
    lines, named = source.splitlines(), constants(source)
    fields = [member for member in inherited(node, source) if isinstance(member, ast.AnnAssign)]
    rows = [(f"`{ast.unparse(field.target)}`", f"`{typed(field)}`", trailing(lines, field)) for field in fields]
    bases = [ast.unparse(base) for base in node.bases if not ast.unparse(base).startswith("_")]
    made = [member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"]
    parts = [
        f"## {node.name}",
        f"A kind of `{bases[0]}`." if bases and bases[0] != "TypedDict" else "",
        f"`{node.name}({arguments(made[0], named)})`" if made else "",
        markdown(ast.get_docstring(node) or ""),
        "" if "Keys:" in (ast.get_docstring(node) or "") else table(("field", "type", ""), rows),
        *(
            member(each, named)
            for each in inherited(node, source)
            if isinstance(each, ast.FunctionDef) and public(each)
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def inherited(node: ast.ClassDef, source: str) -> list[ast.stmt]:
    """The members of a class and of its private bases in the same file."""
    classes = {each.name: each for each in ast.parse(source).body if isinstance(each, ast.ClassDef)}
    names = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id.startswith("_")]
    return [*(member for name in names for member in inherited(classes[name], source)), *node.body]


def public(node: ast.FunctionDef) -> bool:
    return not node.name.startswith("_")


def typed(field: ast.AnnAssign) -> str:
    """Type and default."""
    value = field.value
    plain_default = value is not None and not isinstance(value, ast.Call)
    return ast.unparse(field.annotation) + (f" = {ast.unparse(value)}" if value is not None and plain_default else "")


def trailing(lines: list[str], field: ast.AnnAssign) -> str:
    """The comment behind a field."""
    return lines[(field.end_lineno or field.lineno) - 1][field.end_col_offset or 0 :].partition("# ")[2]


def member(node: ast.FunctionDef, named: dict[str, ast.expr]) -> str:
    """A method or a property."""
    marks = {ast.unparse(mark) for mark in node.decorator_list}
    gives = f" → {ast.unparse(node.returns)}" if node.returns is not None else ""
    shape = "" if marks & {"property", "cached_property"} else f"({arguments(node, named)})"
    return f"**`{node.name}{shape}{gives}`**\n\n{markdown(ast.get_docstring(node) or '')}"


def arguments(node: ast.FunctionDef, named: dict[str, ast.expr]) -> str:
    """What it takes; of named numbers, the numbers."""
    for defaults in (node.args.defaults, node.args.kw_defaults):
        for place, value in enumerate(defaults):
            if isinstance(value, ast.Name):
                defaults[place] = named[value.id]
    return ast.unparse(node.args).removeprefix("self").removeprefix(", ")


def constants(source: str) -> dict[str, ast.expr]:
    """The values that the sources give names."""
    body = ast.parse(source).body
    return {
        node.targets[0].id: node.value
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


SECTION: Callable[[str], re.Match[str] | None] = re.compile(r"(Args|Raises|Returns|Keys):$").match
ENTRY: Callable[[str], re.Match[str] | None] = re.compile(r"    (\w+(?:, \w+)*): (.*)$").match


def markdown(docstring: str) -> str:
    """A docstring with its sections as lists."""
    out: list[str] = []
    section = ""
    for line in plain(docstring).splitlines():
        if found := SECTION(line):
            section = found[1]
            out.append(f"*{section}*\n")
        elif section and (entry := ENTRY(line)):
            out.append(f"- {', '.join(f'`{name}`' for name in entry[1].split(', '))}: {entry[2]}")
        elif section and line.startswith("     "):
            out[-1] += f" {line.strip()}"
        else:
            out.append(line.strip())
    return "\n".join(out).strip()
