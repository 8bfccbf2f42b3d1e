"""What may be imported where, tried in fresh interpreters: who only reads the source misses what is imported late."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Imports all modules of some packages, with some distributions made impossible to import, and tells what was loaded.
PROBE = """
import importlib, pkgutil, sys
packages, skipped, missing = (part.split(",") if part else [] for part in sys.argv[1:4])
for name in missing:
    sys.modules[name] = None
for name in packages:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.startswith(tuple(skipped) or ("-",)):
            importlib.import_module(module.name)
print(" ".join(name for name, module in sys.modules.items() if module is not None))
"""
HEAVY = {"ray", "torch", "fastapi", "starlette", "uvicorn", "grpc", "onnxruntime", "prometheus_client", "PIL"}


def loaded(*packages: str, skipped: tuple[str, ...] = (), missing: tuple[str, ...] = ()) -> set[str]:
    words = [",".join(part) for part in (packages, skipped, missing)]
    run = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_importing_brood_imports_nothing_else() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import sys, brood; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not set(run.stdout.split()) & (HEAVY | {"numpy", "pydantic", "click"})


@pytest.mark.parametrize("package", ["brood.engine", "brood.program", "brood.sampling"])
def test_the_inner_parts_know_no_framework(package: str) -> None:
    assert not loaded(package) & HEAVY


def test_words_know_no_transport() -> None:
    assert not loaded("brood.protocol", skipped=("brood.protocol.wire",)) & (HEAVY | {"google"})


def test_help_loads_nothing_heavy() -> None:
    assert not loaded("brood.cli") & (HEAVY | {"numpy", "rich"})


def test_everything_below_serve_works_without_ray() -> None:
    parts = ("frontends", "dataplane", "remote", "host", "engine", "store", "media", "observe", "program", "runtimes")
    loaded(
        *(f"brood.{part}" for part in parts),
        skipped=("brood.runtimes.torchscript", "brood.runtimes.pt2"),
        missing=("ray",),
    )


def test_a_server_of_onnx_bundles_works_without_torch() -> None:
    parts = ("brood.cli", "brood.serve", "brood.frontends", "brood.dataplane", "brood.host", "brood.runtimes")
    loaded(*parts, skipped=("brood.runtimes.torchscript", "brood.runtimes.pt2"), missing=("torch",))


def test_the_client_needs_no_service() -> None:
    service = {name for name in loaded("brood_client") if name.startswith("brood.")}
    assert {name for name in service if not name.startswith("brood.protocol")} == set()
