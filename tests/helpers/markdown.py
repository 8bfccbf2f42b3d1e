"""What a test wants to know of a page of Markdown."""

from __future__ import annotations

import re
from pathlib import Path

HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as they stand behind ``#`` in a link."""
    headings = (heading.lower() for heading in HEADING.findall(path.read_text()))
    return {re.sub(r"[^a-z0-9 _-]", "", heading).replace(" ", "-") for heading in headings}
