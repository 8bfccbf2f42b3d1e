"""Write Grafana's dashboards, and give the Helm chart its copy of them and of the rules.

python scripts/observability.py          writes them
python scripts/observability.py --check  writes nothing; exit code 1 and the names of the files that are stale
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from observability_parts.dashboards import DASHBOARDS

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "deploy" / "observability"
CHART = ROOT / "helm" / "brood" / "files"  # a chart reads no files but its own
RULES = "rules.yaml"


def files() -> dict[Path, str]:
    """Every file, and what it should be."""
    made = {f"dashboards/{name}": json.dumps(board, indent=1) + "\n" for name, board in DASHBOARDS.items()}
    chart = {CHART / name: text for name, text in made.items()}
    return {OWN / name: text for name, text in made.items()} | chart | {CHART / RULES: (OWN / RULES).read_text()}


def stale() -> list[str]:
    """Files that are not what they should be, or should not be there."""
    wanted = files()
    there = [path for home in (OWN, CHART) for path in (home / "dashboards").glob("*.json")]
    kept = {path: path.read_text() for path in {*wanted, *there} if path.exists()}
    return sorted(str(path.relative_to(ROOT)) for path in {*wanted, *kept} if wanted.get(path) != kept.get(path))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        for path, text in files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return 0
    names = stale()
    if names:
        print(f"stale files, run scripts/observability.py: {', '.join(names)}", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
