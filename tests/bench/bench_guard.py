"""Whether the hot paths take more than they did: counts beside those in results/guard.json, as a report.

Counts are of bytecodes (the same on every machine with the same Python), and where valgrind is installed of processor
instructions, which also see what numpy and zlib do. Neither knows of time, so that a busy machine makes no difference.
About a minute of processor time with valgrind, and two seconds without.

    PYTHONPATH=tests python tests/bench/bench_guard.py [--write]

With ``--write`` the counts become those that later ones are compared with. The exit code is 1 only if a path cannot be
run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "guard.json"
COMMAND = "PYTHONPATH=tests python tests/bench/bench_guard.py --write"
KINDS = ("bytecodes", "instructions")
MORE = 1.05  # worth a look
PACKAGES = ("numpy", "starlette", "uvicorn", "pydantic", "grpcio", "protobuf")
VALGRIND = ("valgrind", "--quiet", "--tool=callgrind", "--dump-before=getppid")

Counts = dict[str, dict[str, int]]  # path → kind → count


def counted() -> Counts:
    """All counts that can be had here."""
    told = json.loads(_run([sys.executable]))
    found: Counts = {path: {"bytecodes": count} for path, count in told["bytecodes"].items()}
    if shutil.which("valgrind"):
        for path, count in instructions().items():
            found[path]["instructions"] = count
    return found


def instructions() -> dict[str, int]:
    """Of each path, by valgrind; none where valgrind does not work."""
    with tempfile.TemporaryDirectory() as room:
        out = Path(room, "out")
        try:
            text = _run([*VALGRIND, f"--callgrind-out-file={out}", sys.executable], "--instructions")
        except subprocess.CalledProcessError as error:
            print(f"valgrind does not work here: {error}", file=sys.stderr)
            return {}
        told = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
        # One file before each path, and one behind its repetitions.
        files = [Path(f"{out}.{2 * number}") for number in range(1, len(told["paths"]) + 1)]
        return {path: _total(file) // told["times"] for path, file in zip(told["paths"], files, strict=True)}


def _total(file: Path) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith("totals:"))


def _run(command: list[str], *words: str) -> str:
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    script = str(HERE / "guarding" / "count.py")
    return subprocess.run(
        [*command, script, *words], env=variables, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def setting() -> dict[str, str]:
    """What counts depend on."""
    return {"python": ".".join(platform.python_version_tuple()[:2]), **{name: version(name) for name in PACKAGES}}


def table(found: Counts, kept: Mapping[str, Any]) -> Iterator[str]:
    """Counts, and ratios to those that are kept."""
    here, there = setting(), kept.get("setting", {})
    others = [
        f"{name} {there[name]} then, {here[name]} now" for name in here if there.get(name, here[name]) != here[name]
    ]
    if others:
        yield f"other packages than when the counts were kept: {'; '.join(others)}"
    comparable = {"bytecodes": there.get("python") == here["python"], "instructions": True}
    yield "| | " + " | ".join(f"{kind} | ratio" for kind in KINDS) + " |"
    yield "|---" * (1 + 2 * len(KINDS)) + "|"
    for path, counts in found.items():
        cells = []
        for kind in KINDS:
            before = kept.get("counts", {}).get(path, {}).get(kind) if comparable[kind] else None
            cells += [f"{counts[kind]:,}" if kind in counts else "-", _ratio(counts.get(kind), before)]
        yield f"| {path} | {' | '.join(cells)} |"


def _ratio(count: int | None, before: int | None) -> str:
    if count is None or before is None:
        return "-"
    ratio = count / before
    return f"{ratio:.3f} more" if ratio > MORE else f"{ratio:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the counts")
    given = parser.parse_args()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    found = counted()
    print("\n".join(table(found, kept)))
    if given.write:
        RESULT.write_text(json.dumps({"command": COMMAND, "setting": setting(), "counts": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
