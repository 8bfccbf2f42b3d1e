"""Write the README of the Helm chart, of the comments in its values.

python scripts/chart_readme.py          writes it
python scripts/chart_readme.py --check  writes nothing; exit code 1 if it is stale
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reference_pages.text import table

CHART = Path(__file__).resolve().parent.parent / "helm" / "brood"
KEY = re.compile(r"^( *)([A-Za-z]+):")
ABOUT = """\
Serves trained deep generative models on Kubernetes: on single nodes (`mode: single`), or on a Ray cluster that KubeRay
looks after (`mode: cluster`). How to install, size, secure, watch and upgrade it: `docs/operate.md`.

```sh
brood keys create --keys-file keys.json me
kubectl create secret generic brood-keys --from-file=keys.json
helm install brood helm/brood --set access.keysSecret.name=brood-keys
```

Values that cannot work together, and unknown ones, are refused with their path. Examples: `ci/`.
"""


def readme() -> str:
    """The whole text."""
    text = (CHART / "values.yaml").read_text()
    values, told = yaml.safe_load(text), dict(_comments(text))
    rows = [
        (f"`{path}`", f"`{json.dumps(value)}`", told.get(path, "")) for path, value in _leaves(values, frozenset(told))
    ]
    note = "<!-- Made by scripts/chart_readme.py of values.yaml; change that. -->"
    return f"# brood\n\n{note}\n\n{ABOUT}\n{table(('value', 'default', 'what it means'), rows)}\n"


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Path of a value → the comment above it that begins with two dashes."""
    said: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        words = line.strip()
        if words.startswith("# -- "):
            said = [words.removeprefix("# -- ")]
        elif words.startswith("#") and said:
            said.append(words.removeprefix("#").strip())
        elif match := KEY.match(line):
            path[len(match[1]) // 2 :] = [match[2]]
            if said:
                yield ".".join(path), " ".join(said)
            said = []


def _leaves(values: Mapping[str, Any], told: frozenset[str], at: str = "") -> Iterator[tuple[str, Any]]:
    """What can be set: what is told of, and what has nothing below it."""
    for key, value in values.items():
        path = f"{at}.{key}" if at else key
        inner = isinstance(value, dict) and value and not (path in told and not _told_below(path, told))
        if inner:
            yield from _leaves(value, told, path)
        else:
            yield path, value


def _told_below(path: str, told: frozenset[str]) -> bool:
    return any(other.startswith(f"{path}.") for other in told)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    path = CHART / "README.md"
    if not parser.parse_args().check:
        path.write_text(readme())
        return 0
    fresh = path.exists() and path.read_text() == readme()
    if not fresh:
        print("the chart's README is stale, run scripts/chart_readme.py", file=sys.stderr)
    return 0 if fresh else 1


if __name__ == "__main__":
    sys.exit(main())
