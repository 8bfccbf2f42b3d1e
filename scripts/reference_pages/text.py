"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by scripts/reference.py (make reference); change what it is made of. -->"


def page(title: str, *parts: str) -> str:
    """A page of Markdown."""
    return "\n\n".join([f"# {title}", NOTE, *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; empty without rows."""
    lines = [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) if lines else ""


def cell(text: str) -> str:
    """Text as it may stand in a table."""
    return " ".join(plain(text).replace("|", "\\|").split())


def plain(text: str) -> str:
    """The code marks of docstrings become those of Markdown."""
    return text.replace("``", "`")
