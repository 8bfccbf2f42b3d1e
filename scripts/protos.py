"""Generate the gRPC stubs from the protos in ``service/brood/protocol/wire``.

python scripts/protos.py          writes them
python scripts/protos.py --check  writes nothing; exit code 1 and the names of those that are stale
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "service"
WIRE = ROOT / "brood" / "protocol" / "wire"
PLUGIN = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
OUTPUTS = ("--python_out=", "--pyi_out=", "--grpc_python_out=", "--mypy_grpc_out=quiet:")


def generate(target: Path) -> list[Path]:
    """Generate all stubs below ``target``, at the paths they have below ``service``.

    Raises:
        SystemExit: protoc refused a proto; its complaints are on standard error.
    """
    protos = sorted(str(path.relative_to(ROOT)) for path in WIRE.glob("*.proto"))
    includes = [f"-I{ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"{option}{target}" for option in OUTPUTS]
    code = protoc.main(["protoc", f"--plugin={PLUGIN}", *includes, *outputs, *protos])
    if code != 0:
        raise SystemExit(code)
    return sorted(target.rglob("*_pb2*.py*"))


def stale() -> list[str]:
    """Names of stubs that are not what their protos give, below ``service``."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = {path.relative_to(directory): path.read_bytes() for path in generate(Path(directory))}
    kept = {path.relative_to(ROOT): path.read_bytes() for path in WIRE.glob("*_pb2*.py*")}
    return sorted(str(name) for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    names = stale()
    if names:
        print(f"stale stubs, run scripts/protos.py: {', '.join(names)}", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
