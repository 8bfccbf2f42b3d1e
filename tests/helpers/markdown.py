"""What a test wants to know of a page of Markdown."""

from __future__ import annotations

import re
from pathlib import Path

HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as they stand behind ``#`` in a link."""
    headings = (heading.lower() for heading in HEADING.findall(path.read_text()))
    return {re.sub(r"[^a-z0-9 _-]", "", heading).replace(" ", "-") for heading in headings}


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str, word: str, containing: str = "") -> list[str]:
    """The shell commands of a page that start with a word, each on one line."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(word) and containing in line]
