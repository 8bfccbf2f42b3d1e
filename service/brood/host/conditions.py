"""The conditions under which graphs give the same bits: which bundle, on which runtime, on what kind of machine."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from brood import __version__
from brood.host.opened import Opened
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.device import parse_device
from brood.runtimes.gpus import Gpu, visible_gpus
from brood.runtimes.onnx_providers import numeric_options
from brood.runtimes.onnx_session import DISTRIBUTIONS

CPU = Path("/proc/cpuinfo")
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
    device: str  # a GPU by its model, for another one has other kernels
    provider: str  # what runs the graphs there
    precision: str  # of the floating-point numbers that it computes with
    provider_options: tuple[str, ...]  # those that may change bits, as name=value, ours and given ones
    isa: str  # operating system, architecture and class of its vector instructions
    threads: int  # within one graph call

    @property
    def key(self) -> str:
        """A file name for these conditions, without a suffix."""
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return f"{self.model}-{self.version}-{digest[:16]}"


def conditions(opened: Opened, options: RuntimeOptions) -> Conditions:
    """Those that a bundle meets in this process."""
    bundle, manifest = opened.bundle, opened.bundle.manifest
    placements = opened.placements.values()
    return Conditions(
        model=manifest.name,
        version=manifest.version,
        digest=bundle.digest,
        runtimes=tuple(sorted({_runtime(graph.runtime) for graph in manifest.graphs.values()})),
        device=device_name(options.device),
        provider=listed(placement.provider for placement in placements),
        precision=listed(placement.precision for placement in placements),
        provider_options=numeric_options(options),
        isa=isa(),
        threads=options.threads,
    )


def listed(words: Iterable[str]) -> str:
    """Different words in order, with commas between them."""
    return ", ".join(sorted(set(words)))


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


def device_name(device: str, gpus: Callable[[], Sequence[Gpu]] = visible_gpus) -> str:
    """The device as a certificate names it: a GPU by its model and not by its number, so that equal ones are equal."""
    asked = parse_device(device)
    if not asked.is_gpu:
        return asked.kind
    return ", ".join(["cuda", *(gpu.name for gpu in gpus()[asked.number :][:1])])


def _runtime(name: str) -> str:
    return next(_versions(name), f"{name} {__version__}")


def _versions(runtime: str) -> Iterator[str]:
    for distribution in BROUGHT_BY.get(runtime, ()):
        try:
            yield f"{distribution} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
