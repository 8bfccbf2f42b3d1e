"""The conditions under which graphs give the same bits: which bundle, on which runtime, on what kind of machine."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from brood import __version__
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.onnx import DISTRIBUTIONS
from brood.store.store import Bundle

CPU = Path("/proc/cpuinfo")
GPUS = Path("/proc/driver/nvidia/gpus")
# Runtimes choose their kernels by what the processor can do. These classes, best first, are the steps that matter for
# floating point; what remains different within a class is caught when a certificate is held against the golden bits.
CLASSES = (
    ("avx512", frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"})),
    ("avx2", frozenset({"avx2", "fma"})),
    ("sve", frozenset({"sve"})),
    ("neon", frozenset({"asimd"})),
)
BROUGHT_BY = {"onnx": tuple(DISTRIBUTIONS), "torchscript": ("torch",)}  # runtime → distributions, one is installed


class Conditions(BaseModel):
    """What a certificate holds for, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    version: int
    digest: str  # of the bundle
    runtimes: tuple[str, ...]  # each with its version
    device: str
    isa: str  # operating system, architecture and class of its vector instructions
    threads: int  # within one graph call

    @property
    def key(self) -> str:
        """A file name for these conditions, without a suffix."""
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return f"{self.model}-{self.version}-{digest[:16]}"


def conditions(bundle: Bundle, options: RuntimeOptions) -> Conditions:
    """Those that a bundle meets in this process."""
    manifest = bundle.manifest
    return Conditions(
        model=manifest.name,
        version=manifest.version,
        digest=bundle.digest,
        runtimes=tuple(sorted({_runtime(graph.runtime) for graph in manifest.graphs.values()})),
        device=device_name(options.device),
        isa=isa(),
        threads=options.threads,
    )


def isa(cpu: Path = CPU) -> str:
    """For example ``linux-x86_64-avx512``; without the class where the system does not tell."""
    try:
        text = cpu.read_text()
    except OSError:
        text = ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found[1].split()) if found else set[str]()
    best = (name for name, needed in CLASSES if needed <= flags)
    return "-".join([sys.platform, platform.machine(), *list(best)[:1]])


def device_name(device: str, gpus: Path = GPUS) -> str:
    """The device as a certificate names it: a GPU by its model, for another one has other kernels."""
    models = sorted({model for file in gpus.glob("*/information") for model in _gpu_model(file)})
    return ", ".join([device, *models]) if device == "cuda" else device


def _gpu_model(information: Path) -> list[str]:
    return re.findall(r"^Model:\s*(.*?)\s*$", information.read_text(), re.MULTILINE)


def _runtime(name: str) -> str:
    return next(_versions(name), f"{name} {__version__}")


def _versions(runtime: str) -> Iterator[str]:
    for distribution in BROUGHT_BY.get(runtime, ()):
        try:
            yield f"{distribution} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
