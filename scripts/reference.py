"""Write the reference, ``docs/reference``, of what the code says about itself.

python scripts/reference.py          writes it
python scripts/reference.py --check  writes nothing; exit code 1 and the names of the pages that are stale
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from reference_pages.errors import errors_page
from reference_pages.grpc import grpc_page
from reference_pages.http import http_page
from reference_pages.metrics import metrics_page
from reference_pages.parity import parity_page
from reference_pages.python import python_page

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
MAKERS: dict[str, Callable[[], str]] = {
    "errors.md": errors_page,
    "grpc.md": grpc_page,
    "http.md": http_page,
    "metrics.md": metrics_page,
    "parity.md": parity_page,
    "python.md": python_page,
}


def stale() -> list[str]:
    """Names of pages that are not what the code gives."""
    kept = {path.name: path.read_text() for path in PAGES.glob("*")}
    fresh = {name: make() for name, make in MAKERS.items()}
    return sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        fresh = {name: make() for name, make in MAKERS.items()}
        PAGES.mkdir(exist_ok=True)
        for name, text in fresh.items():
            (PAGES / name).write_text(text)
        return 0
    names = stale()
    if names:
        print(f"stale pages of the reference, run scripts/reference.py: {', '.join(names)}", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
